"""A level and its reference, evaluated in step: the same window by both, compared, forgotten.

No logits are written to disk, and of either model one window's are in memory. Every level sees the same
windows in the same batches: a window is one batch of 512 tokens in an empty context.
"""

import asyncio
from collections.abc import AsyncGenerator, Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import aclosing
from typing import NamedTuple

import msgspec

from ophtimus_edge.compare.divergence.scores import (
    Logits,
    NotFiniteError,
    WindowScores,
    score_tokens,
    sum_window,
)
from ophtimus_edge.compare.divergence.windows import (
    ROWS,
    WINDOW,
    Window,
    calibration_error,
    calibration_of,
    cut,
    first_token,
    shared_run,
    spread,
)
from ophtimus_edge.engine.client import Engine
from ophtimus_edge.errors import ComparisonError, InvalidModelError, OtherVocabularyError
from ophtimus_edge.models import gguf
from ophtimus_edge.models.store import ChosenModel
from ophtimus_edge.text import sanitize


class Progress(NamedTuple):
    """How far a level is measured.

    Attributes:
        done, total: windows that are measured.
        reference, level: which file is measured against which, by name and level.
        available: windows that the whole text has.
        known: of the total, that were known before: they take no time.
    """

    done: int
    total: int
    reference: str
    level: str
    available: int
    known: int = 0


async def measure_divergence(
    reference: ChosenModel,
    level: ChosenModel,
    text: str,
    *,
    most: int = 0,
    known: Iterable[WindowScores] = (),
    on_progress: Callable[[Progress], None] = lambda progress: None,
    gpu_layers: int | None = None,
) -> AsyncGenerator[WindowScores, None]:
    """Measure a level's divergence from a reference on a text.

    Closing the generator ends both models' processes. What was yielded is whole, whatever happens next:
    hand it in as ``known`` to go on later.

    Args:
        text: as :func:`ophtimus_edge.compare.divergence.windows.read_text` reads it.
        most: windows at the most, evenly over the text; 0 for all.
        known: windows that were measured before, of the same two files; those of another text are ignored.
        on_progress: told before the first window and after each.
        gpu_layers: layers of each model that a GPU takes; None for what fits.

    Yields:
        Every window's scores, those that were known among them, in an order that goes through the whole
        text first coarsely and then finer (:func:`ophtimus_edge.compare.divergence.windows.spread`);
        :func:`ophtimus_edge.compare.divergence.report.report_divergence` makes figures of them.

    Raises:
        TextTooShortError: the text is shorter than two windows.
        CalibrationTextError: it shares passages with the text that one of the models was calibrated on.
        OtherVocabularyError: the models read texts as other tokens.
        ComparisonError: a model was made for less context than a window.
        UsageError: ``most`` leaves too few windows for an interval.
        InvalidModelError: a file is damaged, or computes what is no number.
        EngineError: a model's process died.
    """
    before = {scores.digest: scores for scores in known}
    async with Engine() as first, Engine() as second:
        await first.load(reference, WINDOW, gpu_layers=gpu_layers)
        await second.load(level, WINDOW, gpu_layers=gpu_layers)
        for model in (reference, level):
            await asyncio.to_thread(_check_context, model)
        available = await _windows(first, second, reference, level, text)
        windows = spread(available, most)
        wanted = [window.ids for window in windows if window.digest not in before]
        known_here = len(windows) - len(wanted)
        told = Progress(0, len(windows), named(reference), named(level), len(available), known_here)
        on_progress(told)
        async with (
            aclosing(first.logits(wanted, ROWS)) as of_reference,
            aclosing(second.logits(wanted, ROWS)) as of_level,
        ):
            with ThreadPoolExecutor(first.expect_loaded().threads) as pool:
                for window in windows:
                    if window.digest in before:
                        scores = msgspec.structs.replace(before[window.digest], index=window.index)
                    else:
                        # One model after the other: together they would fight for the same cores.
                        rows = await anext(of_reference), await anext(of_level)
                        compared = await asyncio.to_thread(_compare, *rows, window, pool)
                        del rows  # the shared memory goes away with its last reader
                        if isinstance(compared, NotFiniteError):
                            model = reference if compared.of_reference else level
                            raise _not_finite(model, window)
                        scores = compared
                    told = told._replace(done=told.done + 1)
                    on_progress(told)
                    yield scores


def named(model: ChosenModel) -> str:
    """A model file as people call it: its name and level."""
    return sanitize(f"{model.name} {model.level}".strip())


async def _windows(
    first: Engine, second: Engine, reference: ChosenModel, level: ChosenModel, text: str
) -> list[Window]:
    """The text's windows, where both models read it alike and neither was calibrated on it.

    Raises:
        TextTooShortError, CalibrationTextError, OtherVocabularyError: see :func:`measure_divergence`.
    """
    other = OtherVocabularyError(
        f"{named(level)} and {named(reference)} have other vocabularies: they read a text as other tokens.",
        "Compare levels with a reference that was made from the same checkpoint.",
    )
    vocabulary = first.expect_loaded().vocabulary
    begins = await asyncio.to_thread(first_token, reference.path)
    if (
        vocabulary != second.expect_loaded().vocabulary
        or begins != await asyncio.to_thread(first_token, level.path)
        or await first.pieces(list(range(vocabulary))) != await second.pieces(list(range(vocabulary)))
    ):
        raise other
    text = text.removesuffix("\n")  # as llama-perplexity reads a file
    tokens = await first.tokenize(text)
    if tokens != await second.tokenize(text):
        raise other
    windows = cut(tokens, begins)
    for model in (reference, level):
        calibration = await asyncio.to_thread(calibration_of, model)
        # The whole text, whichever windows are measured: a larger budget must not change what is refused.
        if calibration and (run := await asyncio.to_thread(shared_run, tokens, calibration)):
            passage = b"".join(await first.pieces(run)).decode("utf-8", "replace")
            raise calibration_error(model, calibration.size, " ".join(sanitize(passage).split()))
    return windows


def _compare(
    reference: Logits, level: Logits, window: Window, pool: ThreadPoolExecutor
) -> WindowScores | NotFiniteError:
    """One window's scores; an error is returned, as a raised one would hold on to the shared memory."""
    try:
        scores = score_tokens(reference[:-1], level[:-1], window.targets, pool)
    except NotFiniteError as error:
        return NotFiniteError(error.of_reference)
    return sum_window(window.index, window.digest, scores)


def _check_context(model: ChosenModel) -> None:
    """A model that was trained on less than a window predicts nonsense at the end of one."""
    context = gguf.check(model.path).metadata.get("llama.context_length", WINDOW)
    if context < WINDOW:
        raise ComparisonError(
            f"{named(model)} was made for {context} tokens of context, and a window takes {WINDOW}.",
            "Compare models with a longer context.",
        )


def _not_finite(model: ChosenModel, window: Window) -> InvalidModelError:
    return InvalidModelError(
        f"{sanitize(str(model.path))} computes no sound probabilities (NaN, infinity or the like), in window "
        f"{window.index + 1} of the text.",
        "The file is damaged: copy it again from its source, or convert the model again.",
    )

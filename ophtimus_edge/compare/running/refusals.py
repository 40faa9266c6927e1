"""What cannot be compared is refused before hours are spent on measuring, and before a plan is made of it."""

from collections.abc import Sequence
from pathlib import Path

from ophtimus_edge.compare.divergence.in_step import named
from ophtimus_edge.compare.divergence.windows import calibration_error, calibration_of, shared_run
from ophtimus_edge.compare.essay.metrics import Metrics
from ophtimus_edge.compare.essay.similarity import Similarity
from ophtimus_edge.compare.questions.files import ComparisonFile
from ophtimus_edge.compare.running.order import Order
from ophtimus_edge.compare.running.plan import Plan
from ophtimus_edge.compare.running.subjects import Subject, Subjects
from ophtimus_edge.compare.statistics.bootstrap import FEWEST
from ophtimus_edge.engine.client import Engine
from ophtimus_edge.errors import ComparisonError, OtherVocabularyError
from ophtimus_edge.models.vocabulary import vocabulary_digest
from ophtimus_edge.specialties.questions import EssayQuestion
from ophtimus_edge.text import sanitize

_FAITHFUL = {"F32", "BF16", "F16", "Q8_0"}  # no importance matrix weighs these


def expect_one_vocabulary(subjects: Subjects) -> None:
    """Refuse a level that reads texts as other tokens than the reference, whatever it is to be asked.

    Raises:
        OtherVocabularyError: one does.
        InvalidModelError: a file is damaged.
    """
    if not subjects.reference.here:  # its figures are an earlier report's, and nothing is measured against it
        return
    reference = subjects.reference.model
    wanted = vocabulary_digest(reference.path)
    for one in subjects.levels:
        if vocabulary_digest(one.model.path) != wanted:
            raise OtherVocabularyError(
                f"{one.model.path.name} ({named(one.model)}) and {reference.path.name} ({named(reference)}) have "
                "other vocabularies: they read a text as other tokens.",
                "Compare levels with a reference that was made from the same checkpoint.",
            )


async def expect_fresh_text(engine: Engine, tokens: Sequence[int], measured: Sequence[Subject]) -> None:
    """Refuse a text that shares passages with what a level was calibrated on.

    Args:
        engine: with the model's vocabulary at the least.
        tokens: of the whole text, without a BOS.
        measured: the levels whose divergence is measured, and their reference.

    Raises:
        CalibrationTextError: it does.
        InvalidModelError: an importance matrix is missing or damaged.
    """
    for one in measured:
        calibration = calibration_of(one.model)
        if calibration and (run := shared_run(tokens, calibration)):
            passage = b"".join(await engine.pieces(run)).decode("utf-8", "replace")
            raise calibration_error(one.model, calibration.size, " ".join(sanitize(passage).split()))


def unknown_calibration(order: Order) -> list[str]:
    """A sentence on the levels of which nothing says which text they were calibrated on, where that matters.

    A file by itself, copied out of its model folder, has left its importance matrix behind; and one of another
    program remembers no text.
    """
    if order.text is None or not order.counts.windows:
        return []
    unknown = [
        one.name
        for one in order.takers("divergence")
        if one.level not in _FAITHFUL
        and (one.model.folder is None or one.model.folder.imatrix)
        and calibration_of(one.model) is None
    ]
    if not unknown:
        return []
    return [
        (
            f"Nothing here says which text was used to calibrate {', '.join(unknown)}: if it was this one, the "
            "divergence looks smaller than it is. Compare the files in their model folder to have that checked."
        )
    ]


def expect_enough_essays(file: ComparisonFile[EssayQuestion]) -> None:
    """Refuse a file of essay questions that gives no interval.

    Raises:
        ComparisonError: it holds fewer than two that can be asked.
    """
    if len(file.questions) < FEWEST:
        raise ComparisonError(
            f"{file.path} has {len(file.questions)} essay question that can be asked; an interval takes at least "
            f"{FEWEST}.",
            "Name a file with more of them, or leave essays out: --without essay.",
        )


def expect_room(plan: Plan, *, reused: bool) -> list[str]:
    """Refuse what the memory does not hold, before hours are spent on the rest.

    Args:
        reused: whether there is something to report without measuring.

    Returns:
        a sentence for each level whose speed is left out, where anything else is measured or reused.

    Raises:
        ComparisonError: the quality of a level cannot be measured here, or the speed of none.
    """
    unfit = [each for each in plan.shortages if each.part == "speed"]
    others = [each for each in plan.shortages if each.part != "speed"]
    if others or (unfit and not reused and not any(part.levels for part in plan.parts)):
        first = (others or unfit)[0]
        raise ComparisonError(first.message, first.hint)
    ends = {True: "It is left out, and so are ratios to it.", False: "It is left out."}
    return [f"{each.message[:1].upper()}{each.message[1:]} {ends[each.is_reference]}" for each in unfit]


async def expect_similarity(folder: Path | None) -> None:
    """Refuse a comparison of meanings that cannot be made here; the embedding model is loaded for it, and let go.

    Args:
        folder: of all-mpnet-base-v2; None for the one that comes with the [essay] extra.

    Raises:
        MissingExtraError: the [essay] extra is not installed.
        ComparisonError: the folder holds no such model.
    """
    Metrics()
    async with Similarity(folder):
        pass

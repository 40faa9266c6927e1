"""From what was read to what is trained on: rows by the recipe's stage, packed or not, and what is held out."""

import sys
from collections.abc import Callable, Iterable
from typing import Any, TypeVar

from rich.console import Console
from rich.progress import track

from ophtimus_edge import specialties
from ophtimus_edge.errors import TrainingDataError
from ophtimus_training.examples import Examples
from ophtimus_training.packing import Windows, packed, unpacked
from ophtimus_training.recipe import AnyRecipe, ContinueRecipe, InstructRecipe
from ophtimus_training.rows import Row, texts, tokenized, windowed
from ophtimus_training.running.leaks import refuse_leaks
from ophtimus_training.running.learning import Material
from ophtimus_training.running.probe import Probe, probes

_Item = TypeVar("_Item")


def checked(recipe: AnyRecipe, train: Examples, heldout: Examples) -> None:
    """Refuse data of which a recipe can train on nothing, or that it would be evaluated on after training on it.

    Raises:
        TrainingDataError: the sources hold other rows than the stage trains on, nothing at all, or rows of both
            splits.
    """
    texts_there = len(train.documents) + len(train.windows)
    if isinstance(recipe, ContinueRecipe):
        if not texts_there:
            raise TrainingDataError(
                "there is no raw text to train on: the data hold questions and answers.",
                'Name a source with a column `text` or `input_ids`, or train on questions (stage = "instruct").',
            )
    elif not train.exchanges:
        raise TrainingDataError(
            "there are no questions with answers to train on: the data hold raw text.",
            'Name a source with the columns question and answer, or train on text (stage = "continue").',
        )
    there = heldout.documents or heldout.windows if isinstance(recipe, ContinueRecipe) else heldout.exchanges
    if recipe.evaluation and not there:
        raise TrainingDataError(
            f"there is nothing to evaluate on in {recipe.evaluation}.",
            'Name a source with rows of the same form, or --set evaluation="" for none.',
        )
    refuse_leaks(
        train.exchanges,
        heldout.exchanges,
        [*train.documents, *map(str, train.windows)],
        [*heldout.documents, *map(str, heldout.windows)],
    )


def system_prompt() -> str:
    """What the models are asked under, in training as in use: a small model answers only in the form it has seen."""
    return specialties.role_named(specialties.DEFAULT_ROLE).system_prompt


def material(
    recipe: AnyRecipe,
    tokenizer: Any,
    train: Examples,
    heldout: Examples,
    collator: Callable[[list[dict[str, Any]]], dict[str, Any]],
    say: Callable[[str], None],
) -> Material:
    """Rows of tokens, and windows of rows.

    Args:
        say: is told how many rows were left out, and how full the windows are.

    Raises:
        TrainingDataError: a row is too long, or all of them are.
    """
    rows = _rows(recipe, tokenizer, train, recipe.overlong)
    count = len(train.exchanges)
    if not isinstance(recipe, ContinueRecipe) and len(rows) < count:
        say(f"{count - len(rows)} of {count} rows are longer than {recipe.length} tokens and left out")
    if not rows:
        raise TrainingDataError(
            f"no row fits into {recipe.length} tokens.",
            "Train with a larger --set length=, or on shorter rows.",
        )
    windows = packed(rows, recipe.length, recipe.seed) if recipe.packing else unpacked(rows)
    say(_words(windows, recipe.length if recipe.packing else 0))
    return Material(
        windows=windows,
        heldout=_rows(recipe, tokenizer, heldout, "drop"),
        probes=_probes(recipe, tokenizer, heldout),
        collator=collator,
        padding=tokenizer.pad_token_id,
    )


def _rows(recipe: AnyRecipe, tokenizer: Any, examples: Examples, overlong: Any) -> list[Row]:
    if isinstance(recipe, ContinueRecipe):
        # Both at once may be one row: a document may be packed already, and was cut for that.
        plain = texts(tokenizer, _shown(examples.documents, "tokenizing texts"), recipe.length)
        return plain + windowed(examples.windows, tokenizer.bos_token_id, recipe.length)
    exchanges = _shown(examples.exchanges, "tokenizing questions")
    return tokenized(tokenizer, exchanges, recipe.length, system_prompt(), overlong)


def _probes(recipe: AnyRecipe, tokenizer: Any, heldout: Examples) -> list[Probe]:
    if not isinstance(recipe, InstructRecipe) or not recipe.probe:
        return []
    return probes(tokenizer, heldout.choices, system_prompt(), recipe.probe, recipe.length)


def _shown(items: list[_Item], what: str) -> Iterable[_Item]:
    # Two seconds of work is a few thousand rows.
    console = Console(file=sys.stderr)
    return track(items, what, console=console, transient=True, disable=len(items) < 2000)


def _words(windows: Windows, length: int) -> str:
    start = f"{windows.sequences:,} sequences of {windows.tokens:,} tokens, {windows.supervised:,} of them learned"
    if not length:
        return start
    full = windows.tokens / (len(windows.rows) * length)
    return f"{start}, in {len(windows.rows):,} windows of {length:,} that are {full:.1%} full"

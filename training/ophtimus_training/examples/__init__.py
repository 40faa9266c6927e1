"""Every source that a recipe can name, as what is trained on: exchanges, documents, or windows of tokens.

A row that cannot be used is left out and named with its number; a file none of whose rows can be used is
refused. What was left out is part of the result, so that an audit and a card can say it.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from ophtimus_edge.errors import TrainingDataError
from ophtimus_edge.specialties.questions import ChoiceQuestion
from ophtimus_training.examples.manifest import Split
from ophtimus_training.examples.records import Account, Record, SourceFile, Told, of_file, of_primer
from ophtimus_training.examples.sources import files_of, has_own_split, is_primer, listed
from ophtimus_training.primer import Exchange
from ophtimus_training.recipe import Recipe

__all__ = [
    "Account",
    "Examples",
    "Record",
    "SourceFile",
    "Split",
    "read",
    "read_recipe",
    "sources_of",
    "stream",
]


class Examples(NamedTuple):
    """What sources hold for one split, in the order of the sources and of their rows.

    Attributes:
        exchanges: prompts with their answers, the multiple-choice questions among them.
        documents: raw texts, for continued pre-training.
        windows: rows of packed ``input_ids``, as they stand in their file.
        choices: the multiple-choice questions among the exchanges, for a probe of letters.
        files: what was read, with hashes.
        skipped: one sentence for each row that was left out, with its number.
    """

    exchanges: list[Exchange]
    documents: list[str]
    windows: list[list[int]]
    choices: list[ChoiceQuestion]
    files: list[SourceFile]
    skipped: list[str]


def _untold(name: str, rows: int) -> None:
    """Nobody is told."""


def read(sources: str | list[str], split: Split, on_progress: Told = _untold) -> Examples:
    """Read sources whole.

    A folder of question files and what ``prepare`` wrote honour their own split. A file, another folder and
    a hub id were named for this split and are read for it, except for files and rows that say of themselves
    that they are held out. So of a recipe's ``data`` only those folders may be asked for a held-out part:
    :func:`read_recipe` sees to that.

    Args:
        sources: as a recipe names them.
        on_progress: told the name of a file and how many of its rows were read, now and then.

    Raises:
        TrainingDataError: a source is missing, damaged, lacks the columns or holds no sound row, or nothing
            at all is there to train on.
    """
    account = Account([], [], [])
    found = Examples([], [], [], [], account.files, [])
    for record in stream(sources, split, account, on_progress):
        if isinstance(record.content, Exchange):
            found.exchanges.append(record.content)
        elif isinstance(record.content, str):
            found.documents.append(record.content)
        else:
            found.windows.append(record.content)
        if record.choice:
            found.choices.append(record.choice)
    found.skipped.extend([*account.left_files, *account.left_rows])
    if split == "train" and not (found.exchanges or found.documents or found.windows):
        raise TrainingDataError(
            f"there is nothing to train on in {', '.join(listed(sources))}.",
            "Name a source whose rows are not all held out.",
        )
    return found


def read_recipe(recipe: Recipe, split: Split, on_progress: Told = _untold) -> Examples:
    """What a recipe trains on, or what it is evaluated on: the latter may be nothing.

    Raises:
        TrainingDataError: see :func:`read`.
    """
    return read(sources_of(recipe, split), split, on_progress)


def sources_of(recipe: Recipe, split: Split) -> list[str]:
    """The sources of a recipe that have rows of a split.

    Held-out rows are those of ``evaluation``; where that is "", those that folders of ``data`` hold out.
    """
    if split == "train":
        return listed(recipe.data)
    return listed(recipe.evaluation) if recipe.evaluation else [*filter(has_own_split, listed(recipe.data))]


def stream(
    sources: str | list[str], split: Split, account: Account, on_progress: Told = _untold
) -> Iterator[Record]:
    """The sound rows of sources, one after the other; a few are in memory at once.

    Args:
        account: filled in as rows are taken.

    Raises:
        TrainingDataError: see :func:`read`.
    """
    for source in listed(sources):
        if is_primer(source):
            yield from of_primer(Path(source), split, account)
        else:
            for file in files_of(source, split, account.left_files):
                yield from of_file(file, split, account, on_progress)

"""The pass over the data: each row is kept, or dropped for the first reason that applies.

Cheap questions are asked first. One row is in memory at a time; of those before it, hashes: some five kilobytes
a row of 250 words.
"""

import os
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import msgspec

from ophtimus_edge import __version__
from ophtimus_edge.errors import TrainingDataError
from ophtimus_edge.specialties.quiz_file import embedded_path
from ophtimus_training.examples import Account, Record, SourceFile, sources_of, stream
from ophtimus_training.examples.manifest import MANIFEST, InputFile, Manifest, Split
from ophtimus_training.examples.records import Told
from ophtimus_training.preparing.duplicates import Seen
from ophtimus_training.preparing.language import language_of
from ophtimus_training.preparing.overlap import Evaluation
from ophtimus_training.preparing.report import WHY, Dropped, Example, Reason, Report, as_markdown
from ophtimus_training.preparing.specialty import Field
from ophtimus_training.preparing.texts import excerpt, passages
from ophtimus_training.preparing.writing import ExchangeWriter, WindowWriter, Writer
from ophtimus_training.primer import Exchange
from ophtimus_training.recipe import AnyRecipe


class Packing(NamedTuple):
    """How texts become windows.

    Attributes:
        tokenize: a text as token ids, with its beginning and its end.
        sha256: recognizes the tokenizer.
    """

    tokenize: Callable[[str], list[int]]
    sha256: str


def prepare(recipe: AnyRecipe, name: str, out: Path, packing: Packing | None, on_progress: Told) -> Report:
    """Read a recipe's data, and write what is trained on and what is evaluated on.

    Args:
        name: of the recipe.
        out: an empty folder; it gets the files of rows, ``manifest.json``, ``report.json`` and ``report.md``.
        packing: for windows of ``input_ids``; None for prompts with their completions.
        on_progress: told a file's name and how many of its rows were read.

    Raises:
        TrainingDataError: a source cannot be used, is packed already, or nothing of it is kept.
        RecipeError: the recipe names a field without terms.
        OSError: the folder cannot be written.
    """
    of_evaluation, of_training = Account([], [], []), Account([], [], [])
    evaluation = Evaluation()
    with _writer(out, "heldout", packing, recipe.length) as writer:
        for record in stream(sources_of(recipe, "heldout"), "heldout", of_evaluation, on_progress):
            _refuse_packed(record)
            evaluation.add(record)
            if packing or isinstance(record.content, Exchange):
                writer.add(record)
        heldout = writer.finish("heldout")
    # What `compare` asks by itself is never trained on either, whatever a recipe names.
    for record in stream(str(embedded_path()), "heldout", Account([], [], [])):
        evaluation.add(record)
    chosen = _Choice(recipe, packing is not None, evaluation)
    with _writer(out, "train", packing, recipe.length) as writer:
        for record in stream(sources_of(recipe, "train"), "train", of_training, on_progress):
            _refuse_packed(record)
            if chosen.keeps(record):
                writer.add(record)
        trained = writer.finish("train")
    for sentence in of_training.left_rows:
        chosen.drop("unusable", sentence.partition(": ")[0], Example(*_parted(sentence), ""))
    if not chosen.kept:
        most = max(WHY, key=lambda reason: chosen.dropped[reason].rows)
        raise TrainingDataError(
            f"none of the {chosen.read:,} rows is kept; of most, {WHY[most]}.",
            "Look at the recipe's languages and specialty, and whether the right data are named.",
        )
    written = [output for output in (trained, heldout) if output]
    settings: dict[str, str | int | float | bool | list[str]] = {
        "languages": list(recipe.languages),
        "specialty": recipe.specialty,
        "similarity": recipe.similarity,
    }
    if packing:
        settings["length"] = recipe.length
    inputs = [*_inputs(of_training.files, "train"), *_inputs(of_evaluation.files, "heldout")]
    report = Report(
        recipe=name,
        settings=settings,
        read=chosen.read,
        kept=chosen.kept,
        languages=dict(sorted(chosen.languages.items())),
        dropped=chosen.dropped,
        compared_with=evaluation.rows,
        phrases=evaluation.phrases,
        inputs=inputs,
        outputs=written,
        notes=[*of_training.left_files, *of_evaluation.left_files, *of_evaluation.left_rows],
    )
    manifest = Manifest(
        program=f"ophtimus-edge {__version__}",
        recipe=name,
        settings=settings,
        tokenizer_sha256=packing.sha256 if packing else "",
        inputs=inputs,
        outputs=written,
    )
    _write(out / "report.json", msgspec.json.format(msgspec.json.encode(report), indent=2))
    _write(out / "report.md", as_markdown(report).encode())
    _write(out / MANIFEST, msgspec.json.format(msgspec.json.encode(manifest), indent=2))
    return report


class _Choice:
    """Which rows are kept."""

    def __init__(self, recipe: AnyRecipe, packs: bool, evaluation: Evaluation) -> None:
        self._languages, self._packs, self._evaluation = recipe.languages, packs, evaluation
        self._field = Field(recipe.specialty) if recipe.specialty else None
        self._exact, self._near = Seen(1.0), Seen(recipe.similarity)
        self._compares_runs = recipe.similarity < 1
        self.read = self.kept = 0
        self.languages: dict[str, int] = {}
        self.dropped: dict[Reason, Dropped] = {reason: Dropped() for reason in WHY}

    def keeps(self, record: Record) -> bool:
        """Whether a row is kept; one that is not is counted."""
        text = "\n".join(passages(record))
        language = language_of(text)
        found = self._reason(record, text, language)
        if found:
            reason, detail = found
            self.drop(reason, record.place, Example(record.place, detail, excerpt(record)))
            return False
        self.read += 1
        self.kept += 1
        self.languages[language] = self.languages.get(language, 0) + 1
        return True

    def drop(self, reason: Reason, place: str, example: Example) -> None:
        """Count a row that is not kept."""
        self.read += 1
        self.dropped[reason].add(place.rpartition(", ")[0], example)

    def _reason(self, record: Record, text: str, language: str) -> tuple[Reason, str] | None:
        """Why a row is not kept, with what decided it."""
        if isinstance(record.content, str) and not self._packs:
            return "form", "a text without a question, and only answers are learned"
        if language not in self._languages:
            return "language", f"it is {'neither English nor Korean' if language == 'other' else language}"
        if self._field:
            weighed = self._field.weigh(text, record.subject)
            if not weighed.taken:
                about = f", and its subject is {record.subject}" if record.subject else ""
                return "specialty", f"{weighed.points} points of {weighed.needed}{about}"
        prompt, reply = record.content if isinstance(record.content, Exchange) else (text, "")
        twin = self._exact.twin(record.place, prompt, reply)
        if twin:
            return "duplicate", f"as {twin.place}"
        shared = self._evaluation.shared(record)
        if shared:
            return "evaluation", shared
        near = self._near.twin(record.place, prompt, reply) if self._compares_runs else None
        if near:
            return "near duplicate", f"{100 * near.similarity:.0f} % as {near.place}"
        return None


def _refuse_packed(record: Record) -> None:
    if isinstance(record.content, list):
        raise TrainingDataError(
            f"{record.place} is packed already: it is token ids, of which nothing can be told.",
            "Name the texts that they were made of, or train on the windows as they are.",
        )


def _writer(out: Path, split: Split, packing: Packing | None, length: int) -> Writer:
    if packing:
        return WindowWriter(out / f"{split}.parquet", packing.tokenize, length)
    return ExchangeWriter(out / f"{split}.jsonl")


def _inputs(files: list[SourceFile], split: Split) -> list[InputFile]:
    return [InputFile(file.name, split, file.sha256, file.rows) for file in files]


def _parted(sentence: str) -> tuple[str, str]:
    """A sentence about a row as its place and what is said of it."""
    place, _, said = sentence.partition(": ")
    return place, said


def _write(path: Path, content: bytes) -> None:
    with path.open("wb") as file:
        file.write(content + b"\n" * (not content.endswith(b"\n")))
        file.flush()
        os.fsync(file.fileno())

"""The audit: every row as the run would train on it, made by the run's own code."""

import random
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ophtimus_edge.errors import TrainingDataError
from ophtimus_edge.specialties.quiz_file import embedded_path
from ophtimus_training.auditing.faults import (
    WORDS,
    Fault,
    Marks,
    Seen,
    of_document,
    of_exchange,
    of_window,
)
from ophtimus_training.auditing.figures import Audit, Leak, Piece, Sample, SplitFigures
from ophtimus_training.auditing.tally import Tally
from ophtimus_training.examples import Account, Record, sources_of, stream
from ophtimus_training.examples.manifest import Split, is_prepared, read_manifest
from ophtimus_training.examples.records import Told
from ophtimus_training.preparing.overlap import Evaluation
from ophtimus_training.primer import Exchange
from ophtimus_training.recipe import AnyRecipe, ContinueRecipe
from ophtimus_training.recipe_tokenizer import fingerprint
from ophtimus_training.rows import IGNORED, Row, end_of_turn, texts, tokenized
from ophtimus_training.running.material import system_prompt

_HEADER = "<|start_header_id|>"
_MOST_LEAKS = 20
_FORMS = {
    True: "questions with answers where the recipe trains on raw text",
    False: "raw text or ids where the recipe trains on questions with answers",
}


def audit(recipe: AnyRecipe, name: str, tokenizer: Any, samples: int, on_progress: Told) -> Audit:
    """Look at what a recipe would train on.

    Args:
        name: of the recipe.
        tokenizer: the recipe's.
        samples: rows that are rendered, drawn with the recipe's seed.
        on_progress: told a file's name and how many of its rows were read.

    Raises:
        TrainingDataError: a source cannot be read, or the tokenizer has no chat template.
    """
    looking = _Looking(recipe, tokenizer)
    evaluation, drawn = Evaluation(), _Drawn(samples, recipe.seed)
    account = Account([], [], [])
    heldout = looking.tally("heldout")
    for record in stream(sources_of(recipe, "heldout"), "heldout", account, on_progress):
        rows, faults, said = looking.at(record)
        heldout.add(record, rows, faults, said)
        evaluation.add(record)
    for record in stream(str(embedded_path()), "heldout", Account([], [], [])):
        evaluation.add(record)
    leaks: list[Leak] = []
    overlaps: list[Leak] = []
    other_form: list[str] = []
    train = looking.tally("train")
    for record in stream(sources_of(recipe, "train"), "train", account, on_progress):
        rows, faults, said = looking.at(record)
        train.add(record, rows, faults, said)
        drawn.offer(record, rows)
        if isinstance(record.content, Exchange) == isinstance(recipe, ContinueRecipe):
            other_form.append(record.place)
        shared = evaluation.shared(record)
        if shared:
            (leaks if shared.startswith("asks") else overlaps).append(Leak(record.place, shared))
    splits = [figures for figures in (train.figures(), heldout.figures()) if figures.rows or figures.faults]
    failures = list(_failures(splits))
    if leaks:
        failures.append(
            f"questions that are evaluated on and trained on: {len(leaks):,}; {leaks[0].place} {leaks[0].said}."
        )
    if other_form:
        what = _FORMS[isinstance(recipe, ContinueRecipe)]
        failures.append(
            f"rows of {what}: {len(other_form):,}; the run learns none of them, the first {other_form[0]}."
        )
    failures += _of_other_tokenizer(recipe, tokenizer)
    if not splits or splits[0].split != "train":
        failures.append("there is nothing to train on.")
    return Audit(
        recipe=name,
        stage=_stage(recipe),
        length=recipe.length,
        passed=not failures,
        failures=failures,
        notes=list(_notes(recipe, splits, len(overlaps))),
        splits=splits,
        compared_with=evaluation.rows,
        leaks=leaks[:_MOST_LEAKS],
        overlaps=overlaps[:_MOST_LEAKS],
        left_out=[*account.left_files, *account.left_rows],
        files={file.name: file.sha256 for file in account.files},
        samples=[looking.rendered(record, row) for record, row in drawn.rows],
    )


class _Looking:
    """How rows are made and looked at for one recipe."""

    def __init__(self, recipe: AnyRecipe, tokenizer: Any) -> None:
        self._recipe, self._tokenizer, self._system = recipe, tokenizer, system_prompt()
        self._learns_text = isinstance(recipe, ContinueRecipe)
        end = end_of_turn(tokenizer)
        headers = tokenizer.get_vocab().get(_HEADER)
        ends = 1
        if not self._learns_text:
            (plain,) = self._of_exchange(Exchange("a", "b"))
            ends = plain["input_ids"].count(end)
        self._marks = Marks(tokenizer.bos_token_id, end, ends, headers, len(tokenizer))

    def tally(self, split: Split) -> Tally:
        """A tally for a split; the run leaves overlong rows of what is evaluated on out."""
        lets: set[Fault] = set()
        if self._recipe.overlong == "drop" or split == "heldout":
            lets.add("overlong")
        return Tally(split, self._marks, self._recipe.length, frozenset(lets), self._recipe.similarity)

    def at(self, record: Record) -> tuple[list[Seen], list[Fault], str]:
        """The rows of a record, their faults, and why there is no row where there is none."""
        length, content = self._recipe.length, record.content
        if isinstance(content, list):
            return [Seen(content, content)], of_window(content, self._marks, length), ""
        if self._learns_text and isinstance(content, str):
            rows = [_seen(row) for row in texts(self._tokenizer, [content], length)]
            return rows, of_document(rows, self._marks, length), ""
        if self._learns_text:
            return [], [], ""
        if isinstance(content, str):
            # As trainers take a column `text`: the tokenizer adds its own beginning, and every token is a label.
            ids = list(self._tokenizer(content)["input_ids"])
            row = Seen(ids, ids)
            return [row], of_exchange(row, self._marks, length), ""
        try:
            row = _seen(*self._of_exchange(content))
        except TrainingDataError as error:
            return [], ["refused"], error.message
        return [row], of_exchange(row, self._marks, length), ""

    def rendered(self, record: Record, row: Seen) -> Sample:
        """A row's tokens as text, what is learned apart from what is not."""
        pieces: list[Piece] = []
        start = 0
        for at in range(1, len(row.ids) + 1):
            if at == len(row.ids) or (row.labels[at] == IGNORED) != (row.labels[start] == IGNORED):
                text = self._tokenizer.decode(list(row.ids[start:at]), skip_special_tokens=False)
                pieces.append(Piece(text, row.labels[start] != IGNORED))
                start = at
        return Sample(record.place, len(row.ids), pieces)

    def _of_exchange(self, exchange: Exchange) -> list[Row]:
        """The run's row of an exchange, however long it is."""
        return tokenized(self._tokenizer, [exchange], sys.maxsize, self._system)


class _Drawn:
    """Rows drawn at random of however many come (reservoir sampling, Vitter 1985, algorithm R)."""

    def __init__(self, most: int, seed: int) -> None:
        self._most, self._offered = most, 0
        self._random = random.Random(seed)  # noqa: S311 - a choice of rows, not a secret
        self.rows: list[tuple[Record, Seen]] = []

    def offer(self, record: Record, rows: list[Seen]) -> None:
        """Perhaps keep a record's first row."""
        if not rows or not self._most:
            return
        self._offered += 1
        if len(self.rows) < self._most:
            self.rows.append((record, rows[0]))
        elif (place := self._random.randrange(self._offered)) < self._most:
            self.rows[place] = (record, rows[0])


def _seen(row: Row) -> Seen:
    return Seen(row["input_ids"], row["labels"])


def _failures(splits: list[SplitFigures]) -> Iterator[str]:
    for figures in splits:
        of = "" if figures.split == "train" else " for evaluation"
        for fault, found in figures.faults.items():
            if found.fails:
                first = found.first[0]
                said = f"{first.place}: {first.said}".removesuffix(": ").rstrip(".")
                yield f"rows{of} that {WORDS[fault]}: {found.rows:,}, the first {said}."


def _of_other_tokenizer(recipe: AnyRecipe, tokenizer: Any) -> Iterator[str]:
    for source in sources_of(recipe, "train"):
        if is_prepared(Path(source)):
            made_with = read_manifest(Path(source)).tokenizer_sha256
            if made_with and made_with != fingerprint(tokenizer):
                yield f"{source} was packed with another tokenizer: its ids mean other words to this base."


def _notes(recipe: AnyRecipe, splits: list[SplitFigures], overlaps: int) -> Iterator[str]:
    for figures in splits:
        overlong = figures.faults.get("overlong")
        if overlong and not overlong.fails:
            why = "overlong = drop" if recipe.overlong == "drop" else "those evaluated on may be"
            yield (
                f"rows of {figures.split} that are longer than {recipe.length:,} tokens and left out ({why}): "
                f"{overlong.rows:,}; none is cut."
            )
    if overlaps:
        yield (
            f"rows that share a passage of 13 words with what is evaluated on: {overlaps:,}; "
            "ophtimus-train prepare leaves them out."
        )


def _stage(recipe: AnyRecipe) -> Any:
    return type(recipe).__struct_config__.tag

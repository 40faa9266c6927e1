"""What a comparison is asked to measure: the levels, the files, and how much of each."""

import hashlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Literal, NamedTuple

import msgspec

from ophtimus_edge.compare.questions.files import ComparisonFile, embedded_essays
from ophtimus_edge.compare.running.budget import Counts
from ophtimus_edge.compare.running.subjects import Subject, Subjects
from ophtimus_edge.compare.running.wanted import ESSAY_TOKENS
from ophtimus_edge.models.report import LevelReport
from ophtimus_edge.specialties.questions import ChoiceQuestion, EssayQuestion
from ophtimus_edge.specialties.quiz_file import embedded_path

PARALLEL = 16  # answers at once, the same for every level

PartName = Literal["speed", "divergence", "mcq", "essay"]
PARTS: tuple[PartName, ...] = ("speed", "divergence", "mcq", "essay")


class Text(NamedTuple):
    """A text that divergence is measured on.

    Attributes:
        name: of its file; ``embedded`` where it is made of the program's own questions.
    """

    name: str
    content: str
    embedded: bool = False

    @property
    def sha256(self) -> str:
        """Of the text as it is read: UTF-8, lines ended as on Unix."""
        return hashlib.sha256(self.content.encode()).hexdigest()


def embedded_text(essays: ComparisonFile[EssayQuestion]) -> Text:
    """The program's own held-out questions with their answers, as one text."""
    parts = (f"{question.question}\n{question.answer}\n" for question in essays.questions)
    return Text("embedded held-out questions", "\n".join(parts), embedded=True)


def named_text(name: str, content: str) -> Text:
    """A text that a person named; one whose every line is of the program's own questions is the program's own."""
    own = {line.strip() for line in embedded_text(embedded_essays()).content.splitlines()}
    own |= {line.strip() for line in embedded_path().read_text("utf-8").splitlines()}
    lines = {line.strip() for line in content.splitlines()}
    return Text(name, content, embedded=lines <= own | {""})


class Order(msgspec.Struct, frozen=True, kw_only=True):
    """What is to be measured.

    Attributes:
        text, choices, essays: None for a part that is left out.
        counts: how much of each part; 0 for a part that is left out.
        generate: whether choice questions are answered in words too, not by the letters' likelihood alone.
        essay_tokens: of an essay's answer.
        similarity: whether essays are compared in meaning; ``semscore`` is the folder of the embedding model.
        reused: of an earlier comparison by the file's SHA-256, with the parts that are not measured again.
        too_large: the SHA-256 of files that the memory does not hold: their speed is not measured.
        gpu_layers: layers that a GPU takes; None for what fits.
    """

    subjects: Subjects
    text: Text | None = None
    choices: ComparisonFile[ChoiceQuestion] | None = None
    essays: ComparisonFile[EssayQuestion] | None = None
    counts: Counts
    generate: bool = True
    essay_tokens: int = ESSAY_TOKENS
    parallel: int = PARALLEL
    similarity: bool = False
    semscore: Path | None = None
    reused: Mapping[str, LevelReport] = {}
    too_large: frozenset[str] = frozenset()
    gpu_layers: int | None = None

    def takers(self, part: PartName) -> tuple[Subject, ...]:
        """The levels that a part is measured of here.

        The reference comes first. It is asked again wherever another level is: what turned, and what differs,
        is told from answers to the very same questions.
        """
        reference = self.subjects.reference
        if part == "speed":
            return tuple(one for one in self.subjects.here if one.sha256 not in self.too_large)
        if {"divergence": self.text, "mcq": self.choices, "essay": self.essays}[part] is None:
            return ()
        levels = tuple(one for one in self.subjects.levels if not has(self.reused.get(one.sha256), part))
        return (reference, *levels) if levels and part != "divergence" else levels


def has(level: LevelReport | None, part: PartName) -> bool:
    """Whether a report has a part of a level."""
    return level is not None and getattr(level, part) is not None


class Tell(NamedTuple):
    """Who is told of a comparison under way.

    Attributes:
        part: of the part and the level that begins: "divergence", "Q4_K_M".
        progress: of how much of it is done, of how much.
        note: of a sentence that a person should read.
    """

    part: Callable[[str, str], None]
    progress: Callable[[int, int], None]
    note: Callable[[str], None]

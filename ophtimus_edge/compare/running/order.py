"""What a comparison is asked to measure: the levels, the files, and how much of each."""

import hashlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NamedTuple

import msgspec

from ophtimus_edge.compare.questions.files import ComparisonFile
from ophtimus_edge.compare.running.budget import Counts
from ophtimus_edge.compare.running.subjects import Subject, Subjects
from ophtimus_edge.models.report import LevelReport
from ophtimus_edge.specialties.questions import ChoiceQuestion, EssayQuestion

PARALLEL = 16  # answers at once, the same for every level
ESSAY_TOKENS = 512  # of an essay's answer; the published ones have 150 on average


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


class Order(msgspec.Struct, frozen=True, kw_only=True):
    """What is to be measured.

    Attributes:
        text, choices, essays: None for a part that is left out.
        counts: how much of each part; 0 for a part that is left out.
        generate: whether choice questions are answered in words too, not by the letters' likelihood alone.
        essay_tokens: of an essay's answer.
        similarity: whether essays are compared in meaning; ``semscore`` is the folder of the embedding model.
        reused: reports of an earlier comparison by the file's SHA-256: of these only the speed is measured.
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
    gpu_layers: int | None = None

    @property
    def fresh(self) -> tuple[Subject, ...]:
        """The levels whose quality is measured here, the reference first where they need it."""
        levels = tuple(one for one in self.subjects.levels if one.model.sha256 not in self.reused)
        reference = self.subjects.reference
        return (reference, *levels) if levels and reference.model.sha256 not in self.reused else levels


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

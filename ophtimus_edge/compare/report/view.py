"""A report as its readers go through it: the reference first, each level with a name and a place of its own."""

import re
from collections.abc import Iterable, Iterator
from functools import cached_property
from typing import NamedTuple

from ophtimus_edge.compare import phrases
from ophtimus_edge.compare.naming import names_of
from ophtimus_edge.models.report import CriticalDifference, LevelFinding, LevelReport, Report, ShownQuestion
from ophtimus_edge.text import sanitize

_FINDINGS = {
    "within": "within tolerance",
    "beyond": "beyond tolerance",
    "open": "open: more has to be measured",
    "unsafe": "unsafe: a person found an answer that could harm",
    "not measured": "not measured",
}

KINDS = {"figure": "figure", "eye": "eye", "negation": "negation", "drug": "drug"}
_PLURALS = {"figure": "figures", "eye": "eyes", "negation": "negations", "drug": "drugs"}
_LANGUAGES = {"en": "English", "ko": "Korean"}

_CRLF = re.compile("\r\n")


class Row(NamedTuple):
    """A level of a report.

    Attributes:
        place: 0 for the reference, then 1, 2 … in the report's order.
        name: of the level, with its file's name where another level has the same name.
    """

    place: int
    name: str
    level: LevelReport
    finding: LevelFinding | None

    @property
    def is_reference(self) -> bool:
        """Whether the others are compared with it."""
        return self.place == 0

    @property
    def critical_id(self) -> str:
        """The place of its critical differences in the page."""
        return f"critical-{self.place}"

    def pair_id(self, number: int) -> str:
        """The place in the page of its answer to a question that has differences; they are counted from 1."""
        return f"critical-{self.place}-{number}"


class Pair(NamedTuple):
    """A question at which a level and the reference differ: all its differences.

    Attributes:
        number: from 1, in the order of the report.
        shown: the question with its answers; None where the report does not hold it.
    """

    number: int
    question_id: str
    shown: ShownQuestion | None
    differences: list[CriticalDifference]


class View:
    """A report with what its pages look up again and again."""

    def __init__(self, report: Report) -> None:
        self.report = report

    @cached_property
    def rows(self) -> list[Row]:
        """The reference and the levels."""
        levels = [self.report.reference, *self.report.levels]
        return [
            Row(place, line(name) or f"level {place}", level, self._found(level, name) if place else None)
            for place, (name, level) in enumerate(zip(names_of(levels), levels, strict=True))
        ]

    def _found(self, level: LevelReport, name: str) -> LevelFinding | None:
        """What was found of a level: of its file, or of its name in a report that names no files."""
        found = self.report.verdict.findings if self.report.verdict else []
        of_file = [one for one in found if one.sha256 and one.sha256 == level.sha256]
        of_name = [one for one in found if not one.sha256 and one.level in (name, level.level)]
        return next(iter([*of_file, *of_name]), None)

    @property
    def levels(self) -> list[Row]:
        """The levels without the reference."""
        return self.rows[1:]

    @property
    def reference(self) -> Row:
        """The reference."""
        return self.rows[0]

    @cached_property
    def question_ids(self) -> dict[str, str]:
        """The place in the page of each question that is shown, by the question's id."""
        places: dict[str, str] = {}
        for number, question in enumerate(self.report.questions, 1):
            places.setdefault(question.question_id, f"question-{number}")
        return places

    @cached_property
    def _questions(self) -> dict[str, ShownQuestion]:
        return {question.question_id: question for question in reversed(self.report.questions)}

    def question(self, question_id: str) -> ShownQuestion | None:
        """A question that the report holds."""
        return self._questions.get(question_id)

    def pairs(self, row: Row) -> list[Pair]:
        """The questions at which a level and the reference differ."""
        found: dict[str, list[CriticalDifference]] = {}
        for difference in row.level.critical.differences if row.level.critical else []:
            found.setdefault(difference.question_id, []).append(difference)
        return [
            Pair(number, question_id, self.question(question_id), differences)
            for number, (question_id, differences) in enumerate(found.items(), 1)
        ]

    def answer(self, shown: ShownQuestion | None, row: Row) -> str | None:
        """A level's answer to a question; None where the report does not hold it, or not surely.

        Levels of one name (of two files) are told apart by the report's order, where all of them answered.
        """
        if shown is None:
            return None
        of_file = [
            answer.text for answer in shown.answers if answer.sha256 and answer.sha256 == row.level.sha256
        ]
        if of_file:
            return of_file[0]
        named = [answer.text for answer in shown.answers if not answer.sha256 and answer.level == row.name]
        if named:
            return named[0]
        alike = [one.place for one in self.rows if one.level.level == row.level.level]
        found = [
            answer.text for answer in shown.answers if not answer.sha256 and answer.level == row.level.level
        ]
        return found[alike.index(row.place)] if len(found) == len(alike) else None

    def recommended(self) -> Row | None:
        """The level that the verdict recommends."""
        verdict = self.report.verdict
        if verdict is None or not verdict.level or verdict.only_embedded:
            return None
        if verdict.sha256:
            return next((row for row in self.levels if row.level.sha256 == verdict.sha256), None)
        return next((row for row in self.levels if verdict.level in (row.level.level, row.name)), None)

    @property
    def title(self) -> str:
        """What the report is of."""
        return line(f"Levels of {self.report.model} {self.report.version}")

    def statement(self) -> tuple[str, str]:
        """The verdict: its first sentence, and the others."""
        verdict = self.report.verdict
        if verdict is None:
            return "No verdict: it was not measured which level is within tolerance.", ""
        first, stop, others = (line(verdict.statement) or "No verdict was stated.").partition(". ")
        return first + stop.rstrip(), others

    def cautions(self) -> Iterator[str]:
        """What a reader must know before the verdict."""
        report = self.report
        if report.demonstration:
            yield "Demonstration model: for trying the program out, not for clinical use."
        if report.verdict is not None and report.verdict.only_embedded:
            yield (
                "Only the program's own questions were asked. Nothing is recommended from these alone: "
                "compare on questions of your own."
            )
        yield from map(line, report.notes)

    def tolerances(self) -> str:
        """What a level may lose, in words; "" without a verdict."""
        if self.report.verdict is None:
            return ""
        may = self.report.verdict.tolerances
        return (
            f"Tolerances: accuracy not worse by more than {may.accuracy * 100:g} points, "
            f"mean KL divergence at most {may.kl_mean:g} nats, each with the whole of its 95 % interval; "
            f"stated speed {may.generated_tokens_per_s:g} tokens/s."
        )

    def finding(self, row: Row) -> str:
        """What was found of a level, in a few words."""
        if row.is_reference:
            return "the reference"
        if row.finding is None:
            # The verdict judges no level against itself.
            if row.level.sha256 and row.level.sha256 == self.report.reference.sha256:
                return "the reference's own file"
            return _FINDINGS["not measured"]
        words = _FINDINGS[row.finding.finding]
        more = []
        if row.finding.more_questions:
            more.append(f"{phrases.about(row.finding.more_questions)} more questions")
        if row.finding.more_windows:
            more.append(f"{phrases.about(row.finding.more_windows)} more windows of text")
        words += f" ({' and '.join(more)})" if more else ""
        best = self.recommended()
        return f"recommended: {words}" if best is not None and best.place == row.place else words

    def unmeasured_languages(self, row: Row) -> list[str]:
        """Sentences on the languages of the program in which a level was asked nothing."""
        asked = {part.name for part in row.level.mcq.languages} if row.level.mcq else set[str]()
        return not_measured_in(asked)


def kinds(counts: dict[str, int]) -> str:
    """Differences by kind in words: "2 figures, 1 eye"; "none"."""
    words = [
        f"{count} {KINDS[kind] if count == 1 else _PLURALS[kind]}" for kind, count in counts.items() if count
    ]
    return ", ".join(words) or "none"


def not_measured_in(asked: Iterable[str]) -> list[str]:
    """Sentences on the languages of the program that are not among those that were asked in."""
    known = {language(name) for name in asked}
    return [f"not measured in {name}" for name in _LANGUAGES.values() if name not in known]


def language(name: str) -> str:
    """A language's name for its code."""
    return _LANGUAGES.get(name, name)


def line(text: str) -> str:
    """What somebody wrote, on one line."""
    return " ".join(sanitize(text).split())


def left_out(text: str) -> int:
    """How many characters the sanitizer drops from a text that a reader could miss; not the CR of a CRLF."""
    text = _CRLF.sub("\n", text)
    return len(text) - len(sanitize(text))

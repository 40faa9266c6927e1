"""The rows of the models screen and what each of them says.

Names, versions, licences and gates come out of a model.json that somebody wrote, and pass
:func:`line` or :func:`sanitize` before they are shown.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple

from ophtimus_edge.models import fit, withdrawals
from ophtimus_edge.models.formats import Level, ModelFolder
from ophtimus_edge.models.hardware import Machine
from ophtimus_edge.models.inventory import StoredModel, Unfinished
from ophtimus_edge.models.withdrawals import Withdrawn
from ophtimus_edge.support.examination import Candidate
from ophtimus_edge.text import sanitize
from ophtimus_tui.sizes import divergence, size, speed
from ophtimus_tui.texts import Texts

STAR = "★"
_LONGEST = 80  # of a name in a row; what is under the rows has it in full


class Row(NamedTuple):
    """A row: a level, a model that cannot be used, or what a copy left behind.

    Attributes:
        name: as the store has it, unsanitized.
        model: None for an unfinished copy.
        level: None where there is none to choose.
        left: of an unfinished copy.
    """

    name: str
    model: StoredModel | None
    level: Level | None
    left: Unfinished | None = None

    @property
    def key(self) -> tuple[str, str]:
        """What stays the same when the list is read anew."""
        if self.left is not None:
            return self.name, "/unfinished"  # no file is named so
        return self.name, self.level.file if self.level else ""

    @property
    def description(self) -> ModelFolder | None:
        """Its model.json, where it has one that can be used."""
        return self.model.description if self.model else None


class Judged(NamedTuple):
    """What is known of this machine and of the rows on it.

    Attributes:
        machine: None until it was looked at.
        candidates: by the row's key.
        measured: whether the measuring is over.
        current: the key of the row that is open.
    """

    machine: Machine | None = None
    candidates: Mapping[tuple[str, str], Candidate] = MappingProxyType({})
    measured: bool = False
    current: tuple[str, str] | None = None

    def of(self, row: Row) -> Candidate | None:
        """What a row would be like here, once that is known."""
        return self.candidates.get(row.key)


class Cells(NamedTuple):
    """A row's cells, in the order of the columns."""

    level: str
    file: str
    quality: str
    speed: str
    memory: str
    here: str


def line(text: str) -> str:
    """A text of a file, for one line of the screen."""
    return " ".join(sanitize(text).split())


def short(text: str) -> str:
    """A name for a row; one that nobody would give in good faith is shortened."""
    text = line(text)
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"


def rows_of(models: list[StoredModel], unfinished: list[Unfinished]) -> list[Row]:
    """All rows, the built-in model first."""
    rows: list[Row] = []
    for model in models:
        if model.description is None:
            rows.append(Row(model.name, model, None))
        else:
            rows += [Row(model.name, model, level) for level in model.description.levels]
    return [*rows, *(Row(left.name, None, None, left) for left in unfinished)]


def heading(texts: Texts, row: Row) -> str:
    """The line above the rows of one model."""
    if row.description is None:
        return short(row.name)
    description = row.description
    title = short(description.name)
    parts = [" ".join(part for part in (title, short(description.version)) if part)]
    if row.model and not row.model.built_in and row.name != description.name:
        parts.append(texts("models.stored_as", name=short(row.name)))
    if description.demonstration:
        parts.append(texts("models.demonstration"))
    if description.kind == "base":
        parts.append(texts("models.base_short"))
    return " · ".join(parts)


def damaged(row: Row) -> bool:
    """Whether the file of a row was found to be damaged when its hash was last looked at."""
    record = row.model.record if row.model else None
    return bool(record and row.level and row.level.file in record.damaged)


def withdrawn(row: Row) -> Withdrawn | None:
    """What the maker of a row's file says, where it was taken back."""
    return withdrawals.of(row.level.sha256) if row.level else None


def recommended(row: Row) -> bool:
    """Whether the comparison's verdict recommends this level's very file, and nobody took it back since."""
    description, level = row.description, row.level
    return (
        description is not None
        and level is not None
        and description.comparison.recommends(level)
        and withdrawn(row) is None
    )


def cells(texts: Texts, row: Row, judged: Judged) -> Cells:
    """The cells of a row."""
    if row.left is not None:
        return Cells("  " + texts("models.unfinished"), size(row.left.size_bytes), "", "", "", "")
    if row.level is None or row.description is None:
        return Cells("  " + texts("models.unusable"), "", "", "", "", texts("models.damaged"))
    candidate = judged.of(row)
    star = recommended(row)
    here = _here(texts, row, judged, candidate)
    if star:
        here += f" · {STAR} " + texts("models.recommended")
    if row.key == judged.current:
        here += " · " + texts("models.in_use")
    measured = row.description.comparison.divergence_of(row.level)
    known = candidate is not None and candidate.verdict != "damaged"
    return Cells(
        f"{STAR if star else ' '} " + (short(row.level.level) or texts("models.level_unnamed")),
        size(row.level.size_bytes),
        divergence(measured.value) if measured else texts("models.not_measured"),
        _speed(texts, judged, candidate),
        size(candidate.memory_bytes) if candidate and known else "",
        here,
    )


def reason(texts: Texts, row: Row, judged: Judged) -> str:
    """Whether a row's level can be used here and why, in full."""
    candidate, machine = judged.of(row), judged.machine
    if taken_back := withdrawn(row):
        return texts("models.why_withdrawn", reason=taken_back.why(texts.language))
    if damaged(row):
        return texts("models.why_damaged", file=line(row.level.file) if row.level else "")
    if candidate is None or machine is None:
        return texts("models.reading")
    if candidate.verdict == "damaged":
        return texts("models.why_unreadable", reason=line(candidate.reason))
    need, free, has = candidate.memory_bytes, machine.available_bytes, machine.memory_bytes
    sentence = texts(
        {
            "processor": "models.why_processor",
            "memory": "models.why_memory",
            "free memory": "models.why_free_memory",
            "speed": "models.why_speed",
        }.get(candidate.cause, "models.why_fits"),
        need=size(need),
        free=size(free or has),
        has=size(has),
        speed=speed(candidate.tokens_per_s or 0),
        reading=f"{fit.READING_SPEED:.0f}",
    )
    return sentence + " " + texts("models.context", tokens=f"{candidate.context:,}")


def _here(texts: Texts, row: Row, judged: Judged, candidate: Candidate | None) -> str:
    if withdrawn(row):
        return texts("models.withdrawn")
    if damaged(row):
        return texts("models.damaged")
    if candidate is None or judged.machine is None:
        return "…"
    return texts(
        {
            "processor": "models.here_processor",
            "memory": "models.here_memory",
            "free memory": "models.here_free_memory",
            "speed": "models.here_slow",
        }.get(candidate.cause, "models.damaged" if candidate.verdict == "damaged" else "models.fits"),
        has=size(judged.machine.memory_bytes),
        free=size(judged.machine.available_bytes),
        reading=f"{fit.READING_SPEED:.0f}",
    )


def _speed(texts: Texts, judged: Judged, candidate: Candidate | None) -> str:
    if candidate is not None and candidate.tokens_per_s:
        return texts("models.speed", speed=speed(candidate.tokens_per_s))
    return texts("models.speed_unknown" if judged.measured else "models.speed_waits")

"""From what a person names to what is measured: the files are read, the work is counted, and a plan is made."""

import asyncio
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import NamedTuple

import msgspec

from ophtimus_edge.compare.choices.measuring import MOST_TOKENS
from ophtimus_edge.compare.divergence import windows
from ophtimus_edge.compare.questions.files import (
    ComparisonFile,
    embedded_choices,
    embedded_essays,
    read_choices,
    read_essays,
)
from ophtimus_edge.compare.report.files import read_report_with_hash
from ophtimus_edge.compare.running.budget import Counts
from ophtimus_edge.compare.running.order import Order, Text, embedded_text
from ophtimus_edge.compare.running.pace import predict_pace
from ophtimus_edge.compare.running.plan import Asked, Plan, make_plan, mean_tokens
from ophtimus_edge.compare.running.subjects import Subject, Subjects
from ophtimus_edge.engine.client import Engine
from ophtimus_edge.errors import ComparisonError
from ophtimus_edge.models import probe
from ophtimus_edge.models.fit import computing_threads
from ophtimus_edge.models.hardware import Machine
from ophtimus_edge.models.report import AskedFile, LevelReport
from ophtimus_edge.specialties.questions import ChoiceQuestion, EssayQuestion

PARTS = ("speed", "divergence", "mcq", "essay")
_ANSWER_SHARE = 0.4  # of the most tokens, that an answer with its explanation takes on average


class Parts(NamedTuple):
    """What levels are compared on; None for what is left out."""

    text: Text | None
    choices: ComparisonFile[ChoiceQuestion] | None
    essays: ComparisonFile[EssayQuestion] | None


class Reused(NamedTuple):
    """The figures of quality of an earlier report.

    Attributes:
        levels: by the SHA-256 of their files; those that are compared again.
        files: that they were measured on.
        sha256: of the report, "" for none.
    """

    levels: Mapping[str, LevelReport] = {}
    files: tuple[AskedFile, ...] = ()
    sha256: str = ""


def read_parts(
    text: Path | None, mcq: Path | None, essay: Path | None, without: Collection[str] = ()
) -> Parts:
    """Read the files that are named, or the program's own questions where none is.

    Args:
        without: parts that are left out all the same.

    Raises:
        ComparisonError: the text cannot be read.
        QuizFileError: a file of questions cannot be read, or holds none that is sound.
        MissingExtraError: it is Parquet, and pyarrow is not installed.
    """
    if text is None and mcq is None and essay is None:
        essays = embedded_essays()
        found = Parts(embedded_text(essays), embedded_choices(), essays)
    else:
        found = Parts(
            Text(text.name, windows.read_text(text)) if text else None,
            read_choices(mcq) if mcq else None,
            read_essays(essay) if essay else None,
        )
    return Parts(
        None if "divergence" in without else found.text,
        None if "mcq" in without else found.choices,
        None if "essay" in without else found.essays,
    )


def read_reused(path: Path | None, subjects: Subjects) -> Reused:
    """The figures of an earlier report that belong to the files that are compared.

    Raises:
        ComparisonError: it knows none of these files, or had another reference.
        ReportError: it cannot be read, or is no report.
        FormatVersionError: it was written by a newer release.
    """
    if path is None:
        return Reused()
    report, sha256 = read_report_with_hash(path)
    here = {one.model.sha256 for one in subjects.every}
    known = {level.sha256: level for level in (report.reference, *report.levels) if level.sha256 in here}
    if not known.keys() - {subjects.reference.model.sha256}:
        raise ComparisonError(
            f"{path} knows none of these files: their SHA-256 are others.",
            "Name the report that was made of these very files, or measure their quality here.",
        )
    if report.reference.sha256 != subjects.reference.model.sha256:
        raise ComparisonError(
            f"{path} compared with {report.reference.file}, and not with "
            f"{subjects.reference.model.path.name}.",
            f"Name that file with --reference, or give the file of {report.reference.level} here.",
        )
    return Reused(known, tuple(file for file in report.files if file.part != "votes"), sha256)


async def count_windows(text: Text, reference: Subject) -> int:
    """How many windows a text has for a model.

    Raises:
        TextTooShortError: too few for an interval.
        EngineError: the model's process died.
    """
    async with Engine() as engine:
        await engine.load(reference.model, vocabulary_only=True)
        tokens = await engine.tokenize(text.content.removesuffix("\n"))
    begins = await asyncio.to_thread(windows.first_token, reference.model.path)
    return len(windows.cut(tokens, begins))


def planned(order: Order, machine: Machine, budget_s: float | None) -> Plan:
    """What a comparison will take here, from two seconds of measuring the machine.

    Args:
        order: with the counts that are wished for.

    Raises:
        UsageError: the budget is too small for any part.
        ProbeError: the machine could not be measured.
    """
    measured = probe.run(machine, computing_threads(machine))
    paces = {
        one.model.sha256: predict_pace(one.model, machine, measured, order.gpu_layers)
        for one in order.subjects.every
    }
    choices = order.choices.questions if order.choices else ()
    essays = order.essays.questions if order.essays else ()
    asked = Asked(
        counts=order.counts,
        choice_tokens=mean_tokens("\n".join([one.question, *one.options]) for one in choices),
        choice_answer_tokens=_ANSWER_SHARE * MOST_TOKENS if order.generate else 0.0,
        essay_tokens=mean_tokens(one.question for one in essays),
        essay_answer_tokens=_ANSWER_SHARE * order.essay_tokens,
        parallel=order.parallel,
    )
    return make_plan(
        [paces[one.model.sha256] for one in order.subjects.levels],
        paces[order.subjects.reference.model.sha256],
        asked,
        machine,
        reused=[one.model.path.name for one in order.subjects.every if one.model.sha256 in order.reused],
        budget_s=budget_s,
    )


def with_counts(order: Order, counts: Counts) -> Order:
    """The order with as much of each part as a plan allows."""
    return msgspec.structs.replace(order, counts=counts)

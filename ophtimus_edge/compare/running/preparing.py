"""From what a person names to what is measured: the files are read, the work is counted, and a plan is made."""

import asyncio
from collections.abc import Collection
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
from ophtimus_edge.compare.running.order import PARTS, Order, Text, embedded_text, named_text
from ophtimus_edge.compare.running.pace import predict_pace
from ophtimus_edge.compare.running.plan import Asked, Plan, make_plan, mean_tokens
from ophtimus_edge.compare.running.refusals import expect_fresh_text
from ophtimus_edge.engine.client import Engine
from ophtimus_edge.models import probe
from ophtimus_edge.models.fit import computing_threads
from ophtimus_edge.models.hardware import Machine
from ophtimus_edge.specialties.questions import ChoiceQuestion, EssayQuestion

_ANSWER_SHARE = 0.4  # of the most tokens, that an answer with its explanation takes on average


class Parts(NamedTuple):
    """What levels are compared on; None for what is left out."""

    text: Text | None
    choices: ComparisonFile[ChoiceQuestion] | None
    essays: ComparisonFile[EssayQuestion] | None


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
            named_text(text.name, windows.read_text(text)) if text else None,
            read_choices(mcq) if mcq else None,
            read_essays(essay) if essay else None,
        )
    return Parts(
        None if "divergence" in without else found.text,
        None if "mcq" in without else found.choices,
        None if "essay" in without else found.essays,
    )


async def count_windows(order: Order) -> int:
    """How many windows the text has for the model; 0 where its divergence is not measured here.

    Raises:
        TextTooShortError: too few for an interval.
        CalibrationTextError: it shares passages with the text that one of the models was calibrated on.
        EngineError: the model's process died.
    """
    levels, reference = order.takers("divergence"), order.subjects.reference
    if order.text is None or not levels:
        return 0
    model = reference.model
    async with Engine() as engine:
        await engine.load(model, vocabulary_only=True)
        tokens = await engine.tokenize(order.text.content.removesuffix("\n"))
        await expect_fresh_text(engine, tokens, (reference, *levels))
    begins = await asyncio.to_thread(windows.first_token, model.path)
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
        one.sha256: predict_pace(one.model, machine, measured, order.gpu_layers, one.name)
        for one in order.subjects.here
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
    reference = order.subjects.reference.sha256
    return make_plan(
        [pace for sha256, pace in paces.items() if sha256 != reference],
        paces.get(reference),
        asked,
        machine,
        of={part: {one.sha256 for one in order.takers(part)} for part in PARTS},
        from_report=bool(order.reused),
        budget_s=budget_s,
    )


def with_windows(order: Order, windows_available: int) -> Order:
    """The order with all windows that its text has."""
    return msgspec.structs.replace(
        order, counts=msgspec.structs.replace(order.counts, windows=windows_available)
    )


def as_planned(order: Order, plan: Plan) -> Order:
    """The order with as much of each part as a plan allows, without the speed of levels that do not fit."""
    too_large = frozenset(each.key for each in plan.shortages if each.part == "speed")
    return msgspec.structs.replace(order, counts=plan.counts, too_large=too_large)

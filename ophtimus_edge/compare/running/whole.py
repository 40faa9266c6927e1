"""A whole comparison: what is wanted is read and planned, measured, judged, and written as a report."""

import asyncio
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from typing import NamedTuple

import msgspec

from ophtimus_edge.compare.report.changes import changes
from ophtimus_edge.compare.report.files import Written, read_report_with_hash, write_report
from ophtimus_edge.compare.running import preparing, refusals, reusing, subjects
from ophtimus_edge.compare.running.budget import Counts, parse_budget
from ophtimus_edge.compare.running.comparing import Measured, measure
from ophtimus_edge.compare.running.handing_on import hand_on
from ophtimus_edge.compare.running.joining import join, with_changes
from ophtimus_edge.compare.running.ledger import held
from ophtimus_edge.compare.running.machine import machine_in_words, tool_versions
from ophtimus_edge.compare.running.order import Order, Tell
from ophtimus_edge.compare.running.plan import Plan
from ophtimus_edge.compare.running.preparing import Parts
from ophtimus_edge.compare.running.reusing import Reused
from ophtimus_edge.compare.running.subjects import Subjects
from ophtimus_edge.compare.running.wanted import Wanted
from ophtimus_edge.compare.speed.measuring import METHOD
from ophtimus_edge.compare.verdict import judge
from ophtimus_edge.compare.votes import reading
from ophtimus_edge.models.formats import Vote
from ophtimus_edge.models.hardware import Machine, read_machine
from ophtimus_edge.models.report import AskedFile, Report, Tolerances
from ophtimus_edge.specialties.published import published_model

Say = Callable[[str], None]
"""Told of a sentence that a person should read."""
Watch = Callable[[Plan], AbstractContextManager[Tell]]
"""Shows how far a plan is, while it is gone through."""
_MOST_PROBLEMS = 10  # of a file, that are named one by one


class Prepared(NamedTuple):
    """A comparison that could begin: everything is read, and it is known what it takes.

    Attributes:
        order: with all that is wished for; the plan may allow less.
        votes, vote_files: those on these files, and where they are from.
        windows: that the text has.
        baseline: the earlier report, and the SHA-256 of its file.
    """

    wanted: Wanted
    order: Order
    plan: Plan
    machine: Machine
    reused: Reused
    votes: list[Vote]
    vote_files: list[AskedFile]
    windows: int
    baseline: tuple[Report, str] | None


def prepare(wanted: Wanted, say: Say) -> Prepared:
    """Read everything that is named, and plan.

    Raises:
        OphtimusError: files do not belong together or cannot be read, or the budget is too small for any part.
    """
    budget_s = parse_budget(wanted.budget) if wanted.budget else None
    earlier = reusing.read_earlier(wanted.quality_from)
    baseline = read_report_with_hash(wanted.baseline) if wanted.baseline else None
    found = subjects.find(
        wanted.levels,
        wanted.reference,
        lambda path: say(f"reading {path.name} for its SHA-256"),
        earlier.report if earlier else None,
    )
    refusals.expect_one_vocabulary(found)
    parts = preparing.read_parts(wanted.text, wanted.mcq, wanted.essay, wanted.left_out)
    reused = reusing.reuse(earlier, found, parts)
    for sentence in (*found.notes, *reused.notes):
        say(sentence)
    _tell_problems(parts, say)
    if parts.essays:
        refusals.expect_enough_essays(parts.essays)
        if wanted.similarity or wanted.semscore:
            asyncio.run(refusals.expect_similarity(wanted.semscore))
    votes, vote_files = _votes(wanted, found, say)
    machine = read_machine()
    order = _order(wanted, found, parts, reused)
    windows = asyncio.run(preparing.count_windows(order))
    order = preparing.with_windows(order, windows)
    plan = preparing.planned(order, machine, budget_s)
    return Prepared(wanted, order, plan, machine, reused, votes, vote_files, windows, baseline)


def carry_out(prepared: Prepared, say: Say, watch: Watch) -> tuple[Report, Written]:
    """Measure, judge, write the report, and hand its verdict on to the model folders that were named.

    Raises:
        OphtimusError: a model's process died, something does not fit into the memory, or the report cannot be
            written; what was measured is kept.
        KeyboardInterrupt: somebody stopped it; what was measured is kept.
    """
    wanted, plan = prepared.wanted, prepared.plan
    left_out = refusals.expect_room(plan, reused=bool(prepared.reused.levels))
    for sentence in left_out:
        say(sentence)
    order = preparing.as_planned(prepared.order, plan)
    try:
        with held(wanted.out), watch(plan) as tell:
            measured = asyncio.run(measure(order, wanted.out, tell, prepared.machine))
    except KeyboardInterrupt:
        say(f"\nWhat is measured is kept in {wanted.out}; run the same command to go on.")
        raise
    notes = [*order.subjects.notes, *prepared.reused.notes, *left_out, *refusals.unknown_calibration(order)]
    report = _joined(prepared, order, measured, notes)
    written = write_report(wanted.out, report)
    for sentence in hand_on(wanted.levels, report, written.sha256):
        say(sentence)
    return report, written


def _tell_problems(parts: Parts, say: Say) -> None:
    for file in (parts.choices, parts.essays):
        for problem in (file.problems if file else ())[:_MOST_PROBLEMS]:
            say(problem.message)
        if file and len(file.problems) > _MOST_PROBLEMS:
            say(f"{len(file.problems) - _MOST_PROBLEMS} more rows of {file.path} are left out.")


def _order(wanted: Wanted, found: Subjects, parts: Parts, reused: Reused) -> Order:
    counts = Counts(
        rounds=0 if "speed" in wanted.without else wanted.rounds,
        choices=len(parts.choices.questions) if parts.choices else 0,
        permutations=wanted.orders if parts.choices else 0,
        essays=len(parts.essays.questions) if parts.essays else 0,
    )
    return Order(
        subjects=found,
        text=parts.text,
        choices=parts.choices,
        essays=parts.essays,
        counts=counts,
        generate=not wanted.likelihood_only,
        essay_tokens=wanted.max_tokens,
        similarity=wanted.similarity or wanted.semscore is not None,
        semscore=wanted.semscore,
        reused=reused.levels,
        gpu_layers=wanted.gpu_layers,
    )


def _votes(wanted: Wanted, found: Subjects, say: Say) -> tuple[list[Vote], list[AskedFile]]:
    if not wanted.votes:
        return [], []
    files = [reading.read_votes(path) for path in wanted.votes]
    about = reading.about(files, {one.sha256: one.level for one in found.every})
    asked = [reading.asked_file(taken, found.reference.sha256) for taken in about.files]
    for sentence in (*about.refused, *(f"{file.name}: {one}" for file in asked for one in file.remarks)):
        say(sentence)
    return list(about.votes), asked


def _joined(prepared: Prepared, order: Order, measured: Measured, notes: Sequence[str]) -> Report:
    wanted = prepared.wanted
    speed = {} if "speed" in wanted.without else {"method of speed": METHOD}
    report = join(
        order,
        measured,
        prepared.votes,
        machine=machine_in_words(prepared.machine),
        tool_versions=tool_versions(),
        settings=speed | wanted.in_words(),
        files=prepared.vote_files,
        reused=prepared.reused,
        notes=notes,
        windows_available=prepared.windows,
    )
    tolerances = Tolerances(
        accuracy=wanted.accuracy_tolerance / 100,
        kl_mean=wanted.kl_tolerance,
        generated_tokens_per_s=wanted.speed_wanted,
    )
    published = published_model(report.model, demonstration=report.demonstration)
    report = msgspec.structs.replace(
        report,
        verdict=judge(report.reference, report.levels, report.files, tolerances),
        published=published.scores if published else {},
    )
    if prepared.baseline:
        old, sha256 = prepared.baseline
        report = with_changes(report, changes(old, report), sha256)
    return report

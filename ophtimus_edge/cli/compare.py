"""``ophtimus compare``: quantization levels side by side, and which one a clinic should get."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ophtimus_edge.compare.running.order import Order
    from ophtimus_edge.compare.running.plan import Plan
    from ophtimus_edge.compare.running.preparing import Parts
    from ophtimus_edge.compare.running.reusing import Reused
    from ophtimus_edge.compare.running.subjects import Subjects
    from ophtimus_edge.models.formats import Vote
    from ophtimus_edge.models.hardware import Machine
    from ophtimus_edge.models.report import AskedFile, Report

_PARTS = ("speed", "divergence", "mcq", "essay")
_ROUNDS = 5
_ORDERS = 2


def add_parser(verbs: Any) -> None:
    """Add the verb to the command line."""
    verb = verbs.add_parser(
        "compare",
        help="quantization levels side by side, with a verdict",
        description="Compare quantization levels of one model: speed and memory, divergence from a reference, "
        "multiple choice, essays, critical differences, votes; and say which one a clinic should get.",
        epilog="Without a file of your own the program's questions are asked: enough to see how it works, never "
        "enough for a verdict. Stopped or killed, the same command goes on.",
    )
    verb.add_argument("levels", nargs="+", metavar="LEVEL_FILES",
                      help="GGUF files, or a model folder, which names all its levels")  # fmt: skip
    verb.add_argument("--reference", default="", metavar="FILE",
                      help="what they are compared with: a file, or the name of one of the levels "
                      "(default: the most faithful of F32, BF16, F16, Q8_0)")  # fmt: skip
    verb.add_argument(
        "--text", type=Path, metavar="FILE", help="for divergence: UTF-8, 30,000 words are usual"
    )
    verb.add_argument("--mcq", type=Path, metavar="FILE",
                      help="multiple-choice questions: JSONL, CSV or Parquet")  # fmt: skip
    verb.add_argument("--essay", type=Path, metavar="FILE", help="essay questions: JSONL, CSV or Parquet")
    verb.add_argument("--votes", type=Path, action="append", default=[], metavar="FILE",
                      help="votes.jsonl of a blind test; may be given several times")  # fmt: skip
    verb.add_argument("--out", type=Path, required=True, metavar="DIR", help="where the report goes")
    verb.add_argument("--plan", action="store_true", help="only say how long it takes and what it needs")
    verb.add_argument("--budget", metavar="TIME", help="such as 2h or 45m: as much of each part as fits")
    verb.add_argument("--quality-from", type=Path, metavar="REPORT",
                      help="take the figures of quality from a report of the same files, its reference's too "
                      "where that file is not here; measure speed")  # fmt: skip
    verb.add_argument("--baseline", type=Path, metavar="REPORT", help="say what changed since this report")
    verb.add_argument("--without", action="append", default=[], choices=_PARTS, metavar="PART",
                      help="leave a part out: " + ", ".join(_PARTS))  # fmt: skip
    verb.add_argument("--rounds", type=int, default=_ROUNDS, metavar="N",
                      help=f"of speed, every level once in each (default {_ROUNDS})")  # fmt: skip
    verb.add_argument("--orders", type=int, default=_ORDERS, metavar="N",
                      help=f"of the options, 1 to 4 (default {_ORDERS})")  # fmt: skip
    verb.add_argument("--likelihood-only", action="store_true",
                      help="multiple choice by the letters' likelihood alone: ten times as fast")  # fmt: skip
    verb.add_argument("--max-tokens", type=int, default=512, metavar="N",
                      help="of an essay's answer (default 512)")  # fmt: skip
    verb.add_argument("--similarity", action="store_true",
                      help="compare essays in meaning too; needs the [essay] extra")  # fmt: skip
    verb.add_argument("--semscore", type=Path, metavar="DIR",
                      help="a folder of all-mpnet-base-v2, for published SemScore")  # fmt: skip
    verb.add_argument("--accuracy-tolerance", type=float, default=2.0, metavar="POINTS",
                      help="that a level may be worse by (default 2)")  # fmt: skip
    verb.add_argument("--kl-tolerance", type=float, default=0.05, metavar="NATS",
                      help="mean KL divergence at the most (default 0.05)")  # fmt: skip
    verb.add_argument("--speed-wanted", type=float, default=5.0, metavar="T",
                      help="tokens/s that the most faithful fast level must reach (default 5)")  # fmt: skip
    verb.add_argument(
        "--gpu-layers", type=int, metavar="N", help="layers that a GPU takes (default: what fits)"
    )


def parsed(words: list[str]) -> argparse.Namespace:
    """The verb's options from its words, for another command that ends in a comparison."""
    top = argparse.ArgumentParser()
    add_parser(top.add_subparsers(dest="verb"))
    return top.parse_args(["compare", *words])


def run(options: argparse.Namespace) -> None:
    """Run the verb.

    Raises:
        OphtimusError: files do not belong together or cannot be read, a model's process died, or the
            report cannot be written; what was measured is kept.
    """
    import asyncio

    from ophtimus_edge.cli.compare_progress import CompareProgress
    from ophtimus_edge.compare.report.files import read_report_with_hash, write_report
    from ophtimus_edge.compare.report.terminal import summary
    from ophtimus_edge.compare.running import preparing, refusals, reusing, subjects
    from ophtimus_edge.compare.running.budget import parse_budget
    from ophtimus_edge.compare.running.comparing import measure
    from ophtimus_edge.compare.running.ledger import held
    from ophtimus_edge.compare.running.order import Tell
    from ophtimus_edge.compare.running.words import plan_lines
    from ophtimus_edge.models.hardware import read_machine
    from ophtimus_edge.text import sanitize

    _check(options)
    budget_s = parse_budget(options.budget) if options.budget else None
    earlier = reusing.read_earlier(options.quality_from)
    baseline = read_report_with_hash(options.baseline) if options.baseline else None
    found = subjects.find(
        options.levels,
        options.reference,
        lambda path: _say(f"reading {path.name} for its SHA-256"),
        earlier.report if earlier else None,
    )
    refusals.expect_one_vocabulary(found)
    parts = preparing.read_parts(options.text, options.mcq, options.essay, _left_out(options))
    reused = reusing.reuse(earlier, found, parts)
    for sentence in (*found.notes, *reused.notes):
        _say(sentence)
    for file in (parts.choices, parts.essays):
        for problem in (file.problems if file else ())[:10]:
            _say(problem.message)
        if file and len(file.problems) > 10:
            _say(f"{len(file.problems) - 10} more rows of {file.path} are left out.")
    if parts.essays:
        refusals.expect_enough_essays(parts.essays)
        if options.similarity or options.semscore:
            asyncio.run(refusals.expect_similarity(options.semscore))
    votes, vote_files = _votes(options, found)
    machine = read_machine()
    order = _order(options, found, parts, reused)
    available = asyncio.run(preparing.count_windows(order))
    order = preparing.with_windows(order, available)
    plan = preparing.planned(order, machine, budget_s)
    for line in plan_lines(plan):
        (sys.stdout if options.plan else sys.stderr).write(sanitize(line) + "\n")
    if options.plan:
        return
    left_out = _expect_room(plan, bool(reused.levels))
    for sentence in left_out:
        _say(sentence)
    order = preparing.as_planned(order, plan)
    try:
        with held(options.out), CompareProgress(plan.steps) as progress:
            tell = Tell(progress.part, progress.progress, progress.note)
            measured = asyncio.run(measure(order, options.out, tell, machine))
    except KeyboardInterrupt:
        _say(f"\nWhat is measured is kept in {options.out}; run the same command to go on.")
        raise
    notes = [*found.notes, *reused.notes, *left_out, *refusals.unknown_calibration(order)]
    report = _joined(options, order, measured, votes, vote_files, machine, reused, notes, available, baseline)
    written = write_report(options.out, report)
    _hand_on(options, report, written.sha256)
    sys.stdout.write(summary(report, str(written.page)) + "\n")


def _check(options: argparse.Namespace) -> None:
    from ophtimus_edge.errors import UsageError

    if options.rounds < 2 or not 1 <= options.orders <= 4 or options.max_tokens < 1:
        raise UsageError(
            "--rounds is at least 2, --orders is 1 to 4, and --max-tokens is at least 1.",
            "See: ophtimus compare --help.",
        )
    if not 0 < options.accuracy_tolerance < 100 or options.kl_tolerance <= 0 or options.speed_wanted <= 0:
        raise UsageError(
            "--accuracy-tolerance is between 0 and 100 points, --kl-tolerance and --speed-wanted are above 0.",
            "Leave them out for what is usual.",
        )


def _left_out(options: argparse.Namespace) -> list[str]:
    """The parts that are not measured; with figures of quality from elsewhere only what was named is."""
    named = {"divergence": options.text, "mcq": options.mcq, "essay": options.essay}
    if options.quality_from:
        return [*options.without, *(part for part, file in named.items() if file is None)]
    return list(options.without)


def _order(
    options: argparse.Namespace, found: Subjects, parts: Parts, reused: Reused
) -> Order:  # fmt: skip
    from ophtimus_edge.compare.running.budget import Counts
    from ophtimus_edge.compare.running.order import Order

    counts = Counts(
        rounds=0 if "speed" in options.without else options.rounds,
        choices=len(parts.choices.questions) if parts.choices else 0,
        permutations=options.orders if parts.choices else 0,
        essays=len(parts.essays.questions) if parts.essays else 0,
    )
    return Order(
        subjects=found,
        text=parts.text,
        choices=parts.choices,
        essays=parts.essays,
        counts=counts,
        generate=not options.likelihood_only,
        essay_tokens=options.max_tokens,
        similarity=options.similarity or options.semscore is not None,
        semscore=options.semscore,
        reused=reused.levels,
        gpu_layers=options.gpu_layers,
    )


def _votes(options: argparse.Namespace, found: Subjects) -> tuple[list[Vote], list[AskedFile]]:
    from ophtimus_edge.compare.votes import reading

    if not options.votes:
        return [], []
    files = [reading.read_votes(path) for path in options.votes]
    about = reading.about(files, {one.sha256: one.level for one in found.every})
    asked = [reading.asked_file(taken, found.reference.sha256) for taken in about.files]
    for sentence in (*about.refused, *(f"{file.name}: {one}" for file in asked for one in file.remarks)):
        _say(sentence)
    return list(about.votes), asked


def _expect_room(plan: Plan, reused: bool) -> list[str]:
    """Refuse what the memory does not hold, before hours are spent on the rest.

    Args:
        reused: whether there is something to report without measuring.

    Returns:
        a sentence for each level whose speed is left out, where anything else is measured or reused.

    Raises:
        ComparisonError: the quality of a level cannot be measured here, or the speed of none.
    """
    from ophtimus_edge.errors import ComparisonError

    unfit = [each for each in plan.shortages if each.part == "speed"]
    others = [each for each in plan.shortages if each.part != "speed"]
    if others or (unfit and not reused and not any(part.levels for part in plan.parts)):
        first = (others or unfit)[0]
        raise ComparisonError(first.message, first.hint)
    ends = {True: "It is left out, and so are ratios to it.", False: "It is left out."}
    return [f"{each.message[:1].upper()}{each.message[1:]} {ends[each.is_reference]}" for each in unfit]


def _joined(
    options: argparse.Namespace, order: Order, measured: Any, votes: list[Vote], vote_files: list[AskedFile],
    machine: Machine, reused: Reused, notes: list[str], available: int, baseline: tuple[Report, str] | None,
) -> Report:  # fmt: skip
    import msgspec

    from ophtimus_edge.compare.report.changes import changes
    from ophtimus_edge.compare.running.joining import join, with_changes
    from ophtimus_edge.compare.running.machine import machine_in_words, tool_versions
    from ophtimus_edge.compare.verdict import judge
    from ophtimus_edge.models.report import Tolerances
    from ophtimus_edge.specialties.published import published_model

    report = join(
        order, measured, votes,
        machine=machine_in_words(machine), tool_versions=tool_versions(), settings=_settings(options),
        files=vote_files, reused=reused, notes=notes, windows_available=available,
    )  # fmt: skip
    tolerances = Tolerances(
        accuracy=options.accuracy_tolerance / 100,
        kl_mean=options.kl_tolerance,
        generated_tokens_per_s=options.speed_wanted,
    )
    published = published_model(report.model, demonstration=report.demonstration)
    report = msgspec.structs.replace(
        report,
        verdict=judge(report.reference, report.levels, report.files, tolerances),
        published=published.scores if published else {},
    )
    if baseline:
        old, sha256 = baseline
        report = with_changes(report, changes(old, report), sha256)
    return report


def _settings(options: argparse.Namespace) -> dict[str, str]:
    """The command line, for who wants to measure it again."""
    from ophtimus_edge.compare.speed.measuring import METHOD

    passed_over = {"verb", "plan", "out"}
    speed = {} if "speed" in options.without else {"method of speed": METHOD}
    return speed | {
        f"--{name.replace('_', '-')}" if name != "levels" else "levels": (
            " ".join(map(str, value)) if isinstance(value, list) else str(value)
        )
        for name, value in sorted(vars(options).items())
        if name not in passed_over and value not in (None, False, [], "")
    }


def _hand_on(options: argparse.Namespace, report: Report, sha256: str) -> None:
    """Write the verdict into the model folder that was named, where that is a person's own to change."""
    from ophtimus_edge.compare.running.handing_on import hand_on

    for sentence in hand_on(options.levels, report, sha256):
        _say(sentence)


def _say(sentence: str) -> None:
    from ophtimus_edge.text import sanitize

    sys.stderr.write(sanitize(sentence) + "\n")
    sys.stderr.flush()

"""From the records to the report: no model is asked here, so figures can be made anew at any time."""

from collections.abc import Mapping, Sequence
from datetime import datetime

import msgspec

from ophtimus_edge.compare.choices.figures import report_choices
from ophtimus_edge.compare.critical.report import AnswerPair, critical_report
from ophtimus_edge.compare.divergence.report import report_divergence
from ophtimus_edge.compare.essay.summary import essay_report
from ophtimus_edge.compare.running.comparing import Measured, asked_choices, asked_essays
from ophtimus_edge.compare.running.order import Order
from ophtimus_edge.compare.running.subjects import Subject
from ophtimus_edge.compare.speed.samples import report_speed
from ophtimus_edge.compare.votes.result import votes_report
from ophtimus_edge.models.formats import Vote
from ophtimus_edge.models.report import (
    AskedFile,
    EssayReport,
    LevelReport,
    Report,
    ShownAnswer,
    ShownQuestion,
)
from ophtimus_edge.specialties import DEFAULT_SPECIALTY

_MOST_SHOWN = 200  # questions whose answers stand side by side; those with differences come first


def join(
    order: Order,
    measured: Measured,
    votes: Sequence[Vote] = (),
    *,
    machine: Mapping[str, str],
    tool_versions: Mapping[str, str],
    settings: Mapping[str, str],
    files: Sequence[AskedFile] = (),
    reused_from: str = "",
    windows_available: int = 0,
) -> Report:
    """The report of what was measured; the verdict, the baseline and published scores are others' to add.

    Args:
        votes: that count.
        files: of votes; those of texts and questions are known.
        reused_from: the SHA-256 of the report that ``order.reused`` is from.
        windows_available: of the text.

    Raises:
        StatisticsError: too little was measured for an interval.
        ComparisonError: a level has no records where it should have some.
    """
    subjects = order.subjects
    reference = _level(order, measured, subjects.reference, votes, reused_from)
    levels = [_level(order, measured, one, votes, reused_from) for one in subjects.levels]
    model = subjects.reference.model
    return Report(
        model=model.name,
        version=model.version,
        demonstration=model.demonstration,
        made_at=datetime.now().astimezone().isoformat(timespec="seconds"),
        machine=dict(machine),
        tool_versions=dict(tool_versions),
        settings=dict(settings),
        files=[*_files(order, measured, windows_available), *files],
        reference=reference,
        levels=levels,
        questions=_shown(order, measured, levels),
    )


def _level(
    order: Order, measured: Measured, one: Subject, votes: Sequence[Vote], reused_from: str
) -> LevelReport:
    reference = order.subjects.reference
    sha256, base = one.model.sha256, reference.model.sha256
    old = order.reused.get(sha256)
    quality = old or _quality(order, measured, one)
    return LevelReport(
        level=one.level,
        file=one.model.path.name,
        sha256=sha256,
        size_bytes=one.size_bytes,
        reused_from=reused_from if old else "",
        speed=report_speed(measured.speed, one.model, reference.model) if measured.speed else None,
        divergence=quality.divergence,
        mcq=quality.mcq,
        essay=quality.essay,
        critical=quality.critical,
        votes=votes_report(votes, sha256, base) or (old.votes if old else None),
    )


def _quality(order: Order, measured: Measured, one: Subject) -> LevelReport:
    """The parts of a level that no other machine measures otherwise."""
    sha256, base = one.model.sha256, order.subjects.reference.model.sha256
    is_reference = sha256 == base
    questions = asked_choices(order)
    windows = measured.divergence.get(sha256)
    choices = measured.choices.get(sha256)
    compared = None if is_reference else measured.choices.get(base)
    critical = None
    if not is_reference and sha256 in measured.answers and base in measured.answers:
        folders = [subject.model.folder for subject in order.subjects.every]
        specialty = next((folder.specialty for folder in folders if folder), DEFAULT_SPECIALTY)
        critical = critical_report(_pairs(order, measured, sha256, base), specialty)
    return LevelReport(
        level=one.level,
        file=one.model.path.name,
        sha256=sha256,
        size_bytes=one.size_bytes,
        divergence=report_divergence(windows) if windows else None,
        mcq=report_choices(questions, choices, compared) if choices else None,
        essay=_essay(measured, sha256),
        critical=critical,
    )


def _essay(measured: Measured, sha256: str) -> EssayReport | None:
    scores = measured.scores.get(sha256)
    return essay_report(scores) if scores else None


def _texts(measured: Measured, sha256: str) -> dict[str, str]:
    return {answer.id: answer.text for answer in measured.answers.get(sha256, []) if not answer.error}


def _pairs(order: Order, measured: Measured, sha256: str, base: str) -> list[AnswerPair]:
    ours, theirs = _texts(measured, sha256), _texts(measured, base)
    return [
        AnswerPair(question.id, theirs[question.id], ours[question.id])
        for question in asked_essays(order)
        if question.id in ours and question.id in theirs
    ]


def _shown(order: Order, measured: Measured, levels: Sequence[LevelReport]) -> list[ShownQuestion]:
    """The questions whose answers stand side by side in the report; those with differences before others."""
    differing = {one.question_id for level in levels if level.critical for one in level.critical.differences}
    questions = sorted(asked_essays(order), key=lambda question: question.id not in differing)
    answered = [(one.level, _texts(measured, one.model.sha256)) for one in order.fresh]
    return [
        ShownQuestion(
            question_id=question.id,
            question=question.question,
            expected=question.answer,
            answers=[
                ShownAnswer(level=level, text=texts[question.id])
                for level, texts in answered
                if question.id in texts
            ],
        )
        for question in questions[: max(_MOST_SHOWN, len(differing))]
    ]


def _files(order: Order, measured: Measured, windows_available: int) -> list[AskedFile]:
    files = []
    if order.text and measured.divergence:
        files.append(
            AskedFile(
                part="text",
                name=order.text.name,
                sha256=order.text.sha256,
                embedded=order.text.embedded,
                available=windows_available,
                used=max(map(len, measured.divergence.values())),
            )
        )
    if order.choices and measured.choices:
        files.append(order.choices.asked("mcq", len(asked_choices(order))))
    if order.essays and measured.answers:
        files.append(order.essays.asked("essay", len(asked_essays(order))))
    return files


def with_changes(report: Report, changes: Sequence[str], baseline_sha256: str) -> Report:
    """The report with what changed since an older one."""
    return msgspec.structs.replace(report, changes=list(changes), baseline_sha256=baseline_sha256)

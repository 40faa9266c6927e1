"""From the records to the report: no model is asked here, so figures can be made anew at any time."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import TypeVar

import msgspec

from ophtimus_edge.compare.choices.figures import report_choices
from ophtimus_edge.compare.critical.report import AnswerPair, critical_report
from ophtimus_edge.compare.divergence.report import report_divergence
from ophtimus_edge.compare.essay.summary import essay_report, not_scored_report
from ophtimus_edge.compare.naming import names_of
from ophtimus_edge.compare.running.comparing import Measured, asked_choices, asked_essays
from ophtimus_edge.compare.running.order import Order, PartName, has
from ophtimus_edge.compare.running.reusing import FIELDS, FILE_PARTS, Reused
from ophtimus_edge.compare.running.subjects import Subject
from ophtimus_edge.compare.speed.samples import report_speed
from ophtimus_edge.compare.votes.carrying import with_earlier
from ophtimus_edge.errors import ComparisonError, StatisticsError
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

Figures = TypeVar("Figures")

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
    reused: Reused | None = None,
    notes: Sequence[str] = (),
    windows_available: int = 0,
) -> Report:
    """The report of what was measured; the verdict, the baseline and published scores are others' to add.

    Args:
        votes: that count.
        files: of votes; those of texts and questions are known.
        reused: what ``order.reused`` is from.
        notes: what was not measured as a reader would expect it; a part without figures is added.
        windows_available: of the text.
    """
    subjects, reused = order.subjects, reused or Reused()
    lost: list[str] = []
    reference = _level(order, measured, subjects.reference, votes, reused.sha256, lost)
    levels = [_level(order, measured, one, votes, reused.sha256, lost) for one in subjects.levels]
    model = subjects.here[0].model
    return Report(
        model=model.name,
        version=model.version,
        demonstration=subjects.demonstration,
        made_at=datetime.now().astimezone().isoformat(timespec="seconds"),
        machine=dict(machine),
        tool_versions=dict(tool_versions),
        settings=dict(settings),
        files=_merged([*_files(order, measured, windows_available), *files, *reused.files]),
        notes=[*notes, *lost],
        reference=reference,
        levels=levels,
        questions=_beside(_shown(order, measured, levels), reused.questions, [reference, *levels]),
    )


def _level(
    order: Order, measured: Measured, one: Subject, votes: Sequence[Vote], reused_from: str, lost: list[str]
) -> LevelReport:
    """A level: each part as an earlier report has it, else as it was measured here."""
    sha256, reference = one.sha256, order.subjects.reference
    old, fresh = order.reused.get(sha256), _quality(order, measured, one, lost)
    taken: list[PartName] = [part for part in FIELDS if has(old, part)]
    speed = None
    if any(sample.is_of(one.model) for sample in measured.speed):
        speed = _figures(
            lost, f"the speed of {one.name}", lambda: report_speed(measured.speed, one.model, reference.model)
        )
    level = msgspec.structs.replace(
        fresh,
        reused_from=reused_from if taken else "",
        reused=list(taken),
        speed=speed,
        votes=with_earlier(votes, sha256, reference.sha256, old.votes if old else None, one.unsafe),
    )
    if old is None:
        return level
    fields = [name for part in taken for name in FIELDS[part]]
    kept = {FILE_PARTS[part]: old.files.get(FILE_PARTS[part], "") for part in taken}
    files = fresh.files | {name: sha256 for name, sha256 in kept.items() if sha256}
    return msgspec.structs.replace(level, files=files, **{name: getattr(old, name) for name in fields})


def _figures(lost: list[str], what: str, make: Callable[[], Figures | None]) -> Figures | None:
    """A part's figures; None where there are none to be had: the other parts took hours and are there.

    Args:
        lost: a sentence that says why is added.
    """
    try:
        return make()
    except (ComparisonError, StatisticsError) as error:
        lost.append(f"There are no figures of {what}: {error}")
        return None


def _quality(order: Order, measured: Measured, one: Subject, lost: list[str]) -> LevelReport:
    """The parts of a level that no other machine measures otherwise."""
    sha256, base = one.sha256, order.subjects.reference.sha256
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
        files=_measured_on(order, measured, sha256),
        divergence=_figures(lost, f"the divergence of {one.name}", lambda: report_divergence(windows))
        if windows
        else None,
        mcq=_figures(
            lost,
            f"the multiple choice of {one.name}",
            lambda: report_choices(questions, choices, compared),
        )
        if choices
        else None,
        essay=_figures(lost, f"the essays of {one.name}", lambda: _essay(measured, sha256)),
        critical=critical,
    )


def _measured_on(order: Order, measured: Measured, sha256: str) -> dict[str, str]:
    """The SHA-256 of the file that each part of a level was measured on."""
    files = {}
    if order.text and sha256 in measured.divergence:
        files["text"] = order.text.sha256
    if order.choices and sha256 in measured.choices:
        files["mcq"] = order.choices.sha256
    if order.essays and sha256 in measured.answers:
        files["essay"] = order.essays.sha256
    return files


def _essay(measured: Measured, sha256: str) -> EssayReport | None:
    if measured.not_scored:
        answers = [answer for answer in measured.answers.get(sha256, []) if not answer.error]
        return not_scored_report(answers, measured.not_scored) if answers else None
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
    answered = [(one, _texts(measured, one.sha256)) for one in order.takers("essay")]
    return [
        ShownQuestion(
            question_id=question.id,
            question=question.question,
            expected=question.answer,
            answers=[
                ShownAnswer(level=one.name, text=texts[question.id], sha256=one.sha256)
                for one, texts in answered
                if question.id in texts
            ],
        )
        for question in questions[: max(_MOST_SHOWN, len(differing))]
    ]


def _beside(
    shown: Sequence[ShownQuestion], old: Sequence[ShownQuestion], levels: Sequence[LevelReport]
) -> list[ShownQuestion]:
    """The questions with the answers of an earlier report among them, each level's in the report's order.

    Of two answers of one file, the one that its figures rest on is shown: that of the earlier report.
    """
    names = dict(zip([level.sha256 for level in levels], names_of(levels), strict=True))
    merged: dict[tuple[str, str], ShownQuestion] = {}
    for question in (*shown, *old):
        key = question.question_id, question.question
        answers = {one.sha256: one for one in merged[key].answers} if key in merged else {}
        answers |= {one.sha256: one for one in question.answers}
        inorder = [
            msgspec.structs.replace(answers[sha256], level=name)
            for sha256, name in names.items()
            if sha256 in answers
        ]
        merged[key] = msgspec.structs.replace(question, answers=inorder)
    return list(merged.values())


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


def _merged(files: Sequence[AskedFile]) -> list[AskedFile]:
    """Each file once for a part; of one that two reports used, the one that used more of it."""
    merged: dict[tuple[str, str], AskedFile] = {}
    for file in files:
        known = merged.setdefault((file.part, file.sha256), file)
        if file.used > known.used and file.part != "votes":
            merged[file.part, file.sha256] = file
    return list(merged.values())


def with_changes(report: Report, changes: Sequence[str], baseline_sha256: str) -> Report:
    """The report with what changed since an older one."""
    return msgspec.structs.replace(report, changes=list(changes), baseline_sha256=baseline_sha256)

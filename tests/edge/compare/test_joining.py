"""From records and an earlier report to one report: what each figure is of, and whose word on an answer holds."""

from pathlib import Path

import msgspec
import pytest
from compared_levels import OWN, choice, divergence, level, votes

from ophtimus_edge.compare.running.budget import Counts
from ophtimus_edge.compare.running.comparing import Measured
from ophtimus_edge.compare.running.joining import join
from ophtimus_edge.compare.running.order import Order
from ophtimus_edge.compare.running.reusing import Reused
from ophtimus_edge.compare.running.subjects import Subject, Subjects
from ophtimus_edge.compare.speed.samples import SpeedSample
from ophtimus_edge.compare.verdict import judge
from ophtimus_edge.compare.votes.reading import about, asked_file, read_votes
from ophtimus_edge.models.formats import UnsafeVote, Vote
from ophtimus_edge.models.report import LevelReport, Report, ShownAnswer, ShownQuestion, VotesReport
from ophtimus_edge.models.store import ChosenModel

REFERENCE = level("BF16", 14.96, mcq=choice(1308))
Q8 = level("Q8_0", 7.95)
Q4 = level("Q4_K_M", 4.58, mcq=choice(1294, turned=(62, 48)), divergence=divergence(0.031, 0.029, 0.034))
EMPTY = Measured([], {}, {}, {}, {})


def subject(
    of: LevelReport, *, name: str = "", here: bool = True, unsafe: tuple[UnsafeVote, ...] = ()
) -> Subject:
    model = ChosenModel(Path(of.file), f"model of {of.level}", "", of.level, of.sha256, None, None)
    return Subject(model, of.size_bytes, (), name or of.level, here, unsafe)


def joined(
    *levels: Subject,
    reused: tuple[LevelReport, ...] = (),
    cast: tuple[Vote, ...] = (),
    measured: Measured = EMPTY,
    reference: Subject | None = None,
    **more: object,
) -> Report:
    old = {one.sha256: one for one in reused}
    order = Order(
        subjects=Subjects(reference or subject(REFERENCE), levels), counts=Counts(), reused=old
    )  # fmt: skip
    taken = Reused(old, sha256="e" * 64 if reused else "", **more)  # type: ignore[arg-type]
    return join(order, measured, cast, machine={}, tool_versions={}, settings={}, reused=taken)


def vote(
    choice: str = "equal", *, of: LevelReport = Q4, beside: LevelReport = REFERENCE, rater: str = "Kim",
    question: str = "q1", unsafe: bool = False, at: str = "2026-11-23T10:00:00+09:00",
) -> Vote:  # fmt: skip
    return msgspec.convert(
        {
            "question_id": question, "model": "m", "level_a": of.level, "level_b": beside.level,
            "sha256_a": of.sha256, "sha256_b": beside.sha256, "seed": 1, "rater": rater, "rated_at": at,
            "choice": choice, "unsafe": ["a"] if unsafe else [], "confirmed": unsafe,
        },
        Vote,
    )  # fmt: skip


def unsafe_of(report: Report, place: int = 0) -> list[tuple[str, str]]:
    found = report.levels[place].votes
    return [(one.question_id, one.rater) for one in found.unsafe] if found else []


# --- unsafe votes -----------------------------------------------------------------------------------


def test_an_unsafe_vote_of_an_earlier_report_stays_beside_other_votes() -> None:
    old = msgspec.structs.replace(Q4, votes=votes(("q1", True), ("q2", False)))
    report = joined(subject(Q4), reused=(old,), cast=(vote("a", rater="Lee"),))
    assert unsafe_of(report) == [("q1", "rater 1"), ("q2", "rater 1")]
    found = report.levels[0].votes
    assert found is not None
    assert (found.votes, found.better) == (1, 1)  # the counts are of the votes that are read now
    verdict = judge(report.reference, report.levels, OWN)
    assert (verdict.level, verdict.findings[0].finding) == ("", "unsafe")
    kept = joined(subject(Q4), reused=(old,)).levels[0].votes
    assert kept == old.votes


def test_only_who_found_an_answer_unsafe_corrects_it_later_on_the_same_answers() -> None:
    def kept(then: Vote, now: Vote) -> list[tuple[str, str]]:
        first = joined(subject(Q4), cast=(then,)).levels[0]
        assert first.votes is not None
        return unsafe_of(joined(subject(Q4), reused=(first,), cast=(now,)))

    later = "2026-11-24T10:00:00+09:00"
    then = vote(unsafe=True)
    assert kept(then, vote(at=later)) == []
    assert kept(then, vote(at=later, unsafe=True)) == [("q1", "Kim")]
    for other in (
        vote(at=later, rater="Lee"),
        vote(at=later, question="q2"),
        vote(at=later, beside=Q8),
        vote(at="2026-11-22T10:00:00+09:00"),
        vote(at=later, of=Q8),
    ):
        assert kept(then, other) == [("q1", "Kim")]
    # Those without a name cannot be told apart.
    assert kept(vote(unsafe=True, rater=""), vote(at=later, rater="")) == [("q1", "")]
    assert kept(vote(unsafe=True, rater=""), vote(unsafe=True, rater="")) == [("q1", "")]


def test_what_a_model_folder_carries_along_takes_a_level_out_without_any_votes() -> None:
    carried = UnsafeVote(question_id="q7", rater="Kim", confirmed=True)
    report = joined(subject(Q4, unsafe=(carried,)), reused=(Q4,))
    assert unsafe_of(report) == [("q7", "Kim")]
    assert judge(report.reference, report.levels, OWN).findings[0].finding == "unsafe"
    assert joined(subject(Q4), reused=(Q4,)).levels[0].votes is None
    corrected = joined(subject(Q4, unsafe=(carried,)), cast=(vote(question="q7"),))
    assert unsafe_of(corrected) == []


def test_an_unsafe_answer_of_the_reference_is_reported() -> None:
    report = joined(subject(Q4), cast=(vote(of=REFERENCE, beside=Q4, unsafe=True),))
    assert report.reference.votes is not None
    assert [one.beside_sha256 for one in report.reference.votes.unsafe] == [Q4.sha256]


def test_of_several_votes_files_each_says_what_was_taken_of_it(tmp_path: Path) -> None:
    known = {one.sha256: one.level for one in (REFERENCE, Q8, Q4)}
    stranger = level("Q2_K", 2.9)
    later = "2026-11-24T10:00:00+09:00"
    files = {
        "one": [vote("a"), vote("b", question="q2"), vote(of=stranger, question="q3")],
        "two": [vote("b", at=later), vote(question="q4", beside=Q8), vote(question="q5")],
    }
    for name, cast in files.items():
        lines = b"".join(msgspec.json.encode(one) + b"\n" for one in cast)
        (tmp_path / f"{name}.jsonl").write_bytes(lines)
    taken = about([read_votes(tmp_path / f"{name}.jsonl") for name in files], known)
    one, two = (asked_file(file, REFERENCE.sha256) for file in taken.files)
    assert (one.available, one.used, one.remarks) == (3, 1, [])
    assert len(one.skipped) == 1
    assert "line 3" in one.skipped[0]
    assert (two.available, two.used, two.skipped) == (3, 3, [])
    assert two.remarks[0].startswith("1 vote is between two levels of which neither is the reference")
    assert one.used + two.used == len(taken.votes)
    assert list(taken.refused) == one.skipped


# --- reused parts -------------------------------------------------------------------------------------


def test_a_level_says_which_parts_come_from_the_report_and_on_which_files() -> None:
    old = msgspec.structs.replace(Q4, mcq=None, files={"text": OWN[0].sha256})
    report = joined(subject(Q8), subject(Q4), reused=(old, REFERENCE), files=tuple(OWN))
    new, taken = report.levels
    assert (taken.divergence, taken.reused, taken.reused_from) == (Q4.divergence, ["divergence"], "e" * 64)
    assert taken.files == {"text": OWN[0].sha256}
    assert (new.divergence, new.reused, new.reused_from, new.files) == (None, [], "", {})
    assert report.reference.reused == ["mcq"]
    assert report.files == OWN


def test_a_report_without_the_references_file_is_of_the_levels_that_are_here() -> None:
    sample = SpeedSample(
        file=Q4.file, sha256=Q4.sha256, level="Q4_K_M", round=0, run="x", load_s=1.0, ttft_tokens=20, ttft_s=0.5,
        prompt_tokens=512, prompt_tokens_per_s=100.0, generated_tokens=128, generated_tokens_per_s=10.0,
        peak_memory_bytes=1 << 30, memory_kind="resident", context=2048, threads=2, gpu_layers=0,
    )  # fmt: skip
    speed = [sample, msgspec.structs.replace(sample, round=1)]
    report = joined(
        subject(Q8), subject(Q4), reused=(Q4, REFERENCE), reference=subject(REFERENCE, here=False),
        measured=EMPTY._replace(speed=speed),
    )  # fmt: skip
    assert (report.model, report.reference.mcq) == ("model of Q8_0", REFERENCE.mcq)
    assert (report.reference.speed, report.levels[0].speed) == (None, None)  # neither was timed
    assert report.levels[1].speed is not None
    assert report.levels[1].speed.to_reference == {}


def test_the_answers_of_an_earlier_report_are_carried_with_the_names_of_now() -> None:
    shown = ShownQuestion(
        question_id="q1",
        question="How much?",
        expected="",
        answers=[
            ShownAnswer(level="BF16", text="0.5", sha256=REFERENCE.sha256),
            ShownAnswer(level="Q4_K_M", text="0.25", sha256=Q4.sha256),
        ],
    )
    report = joined(subject(Q8), subject(Q4), reused=(Q4, REFERENCE), questions=(shown,))
    assert report.questions == [shown]
    twin = msgspec.structs.replace(Q4, file="twin.gguf", sha256="9" * 64)
    report = joined(subject(twin), subject(Q4), reused=(Q4, REFERENCE), questions=(shown,))
    assert [one.level for one in report.questions[0].answers] == ["BF16", f"Q4_K_M · {Q4.file}"]


@pytest.mark.parametrize("old", [None, votes()])
def test_without_any_vote_there_are_none(old: VotesReport | None) -> None:
    report = joined(subject(Q4), reused=(msgspec.structs.replace(Q4, votes=old),))
    assert report.levels[0].votes == old

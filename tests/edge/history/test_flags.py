"""Flagged answers as questions: read by what reads question files, and only the flagged ones."""

from pathlib import Path

from talks import AT, HOW, talk_with

from ophtimus_edge.history.flags import flagged, lines
from ophtimus_edge.history.talk import Flag
from ophtimus_edge.specialties.questions import EssayQuestion, read_questions


def test_flagged_answers_of_every_branch_are_questions_and_others_are_not(tmp_path: Path) -> None:
    talk = talk_with("What is glaucoma?", "A lens disease.")
    one = talk.questions[0]
    one.replies[0].flag = Flag(kind="wrong", correction="A disease of the optic nerve.", at=AT)
    talk.begin_reply(one, HOW).text = "sound"
    follow = talk.ask("아이에게도 생기나요?")
    talk.begin_reply(follow, HOW).flag = Flag(kind="incomplete", at=AT)
    talk.ask("edited away", instead_of=follow)
    path = tmp_path / "flags.jsonl"
    path.write_bytes(lines([talk, talk_with("not flagged", "sound")]))
    first, second = read_questions(path, EssayQuestion)
    assert (first.question, first.answer) == ("What is glaucoma?", "A disease of the optic nerve.")
    assert first.source == "an answer of Ophtimus-Llama-8B 1 Q4_K_M that a user flagged as wrong"
    assert (first.language, first.split, first.reviewed_by, first.phrasings) == ("en", "heldout", "", [])
    assert (second.question, second.answer, second.language) == ("아이에게도 생기나요?", "", "ko")
    assert second.source.endswith("flagged as incomplete; the question followed others")
    assert first.id != second.id
    assert first.id.endswith("-en")


def test_the_same_flag_twice_is_one_question() -> None:
    talks = [talk_with("q", "a", flag=Flag(kind="wrong", correction="c", at=AT)) for _ in range(2)]
    assert len(flagged(talks)) == 1
    talks[1].questions[0].replies[0].flag = Flag(kind="wrong", correction="another", at=AT)
    assert len(flagged(talks)) == 2


def test_a_line_is_one_object_whatever_was_typed(tmp_path: Path) -> None:
    typed = "two\nlines\u2028and\u2029more"
    talk = talk_with(typed + "\x1b", "a", flag=Flag(kind="unsafe", correction="x\ny", at=AT))
    (tmp_path / "flags.jsonl").write_bytes(lines([talk, talk_with("q", "a")]))
    (row,) = read_questions(tmp_path / "flags.jsonl", EssayQuestion)
    assert (row.question, row.answer) == (typed, "x\ny")
    assert lines([]) == b""

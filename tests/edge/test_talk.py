"""A talk's tree: answers asked for again, questions edited, and what the next prompt is made of."""

import msgspec
import pytest

from ophtimus_edge.history.talk import (
    Flag,
    Provenance,
    Question,
    Reply,
    Talk,
    answered,
    earlier,
    new_talk,
    now,
)

HOW = Provenance(
    model="tiny", version="1", level="Q4_K_M", sha256="", role="clinical", temperature=0.0, seed=0
)


def said(talk: Talk, question: Question, text: str) -> Reply:
    reply = talk.begin_reply(question, HOW)
    reply.text, reply.ids, reply.finish = text, [len(text)], "stop"
    return reply


def shown(talk: Talk) -> list[str]:
    lines = []
    for question in talk.path():
        lines += [question.text, question.reply.text if question.reply else "-"]
    return lines


def test_questions_follow_one_another() -> None:
    talk = new_talk()
    said(talk, talk.ask("one"), "first")
    said(talk, talk.ask("two"), "second")
    assert shown(talk) == ["one", "first", "two", "second"]
    assert talk.title == "one"
    assert [(turn.question, turn.answer, turn.ids) for turn in earlier(talk.path(), "tiny", "1")] == [
        ("one", "first", [5]), ("two", "second", [6]),
    ]  # fmt: skip


def test_an_answer_asked_for_again_is_another_version_and_what_followed_the_first_stays_with_it() -> None:
    talk = new_talk()
    one = talk.ask("one")
    said(talk, one, "first")
    said(talk, talk.ask("two"), "second")
    said(talk, one, "other")
    assert shown(talk) == ["one", "other"]
    said(talk, talk.ask("three"), "third")
    talk.show_reply(one, -1)
    assert shown(talk) == ["one", "first", "two", "second"]
    talk.show_reply(one, -1)  # around the end
    assert shown(talk) == ["one", "other", "three", "third"]


def test_an_edited_question_is_a_branch_and_the_first_wording_stays() -> None:
    talk = new_talk()
    said(talk, talk.ask("one"), "first")
    two = talk.ask("two")
    said(talk, two, "second")
    said(talk, talk.ask("three"), "third")
    other = talk.ask("two, but better", instead_of=two)
    said(talk, other, "better")
    assert shown(talk) == ["one", "first", "two, but better", "better"]
    assert talk.show_branch(other, -1) is two
    assert shown(talk) == ["one", "first", "two", "second", "three", "third"]
    start = talk.ask("other beginning", instead_of=talk.path()[0])
    assert shown(talk) == ["other beginning", "-"]
    assert talk.show_branch(start, 1).text == "one"
    assert len(talk.questions) == 5


def test_a_question_without_words_of_an_answer_is_left_out_of_the_next_prompt() -> None:
    talk = new_talk()
    first = talk.ask("one")
    reply = talk.begin_reply(first, HOW)
    reply.finish = "cancelled"
    said(talk, talk.ask("two"), "second")
    assert [turn.question for turn in earlier(talk.path(), "tiny", "1")] == ["two"]
    assert [question.text for question in answered(talk.path())] == ["two"]
    reply.text = "half of"
    assert [turn.answer for turn in earlier(talk.path(), "tiny", "1")] == ["half of", "second"]


def test_a_flagged_answer_is_left_out_of_the_next_prompt_until_the_flag_is_taken_away() -> None:
    talk = new_talk()
    reply = said(talk, talk.ask("one"), "first")
    said(talk, talk.ask("two"), "second")
    reply.flag = Flag(kind="unsafe", correction="not so", at=now())
    assert [turn.question for turn in earlier(talk.path(), "tiny", "1")] == ["two"]
    assert [question.text for question in answered(talk.path())] == ["two"]
    assert shown(talk) == ["one", "first", "two", "second"]
    reply.flag = None
    assert [turn.question for turn in earlier(talk.path(), "tiny", "1")] == ["one", "two"]


def test_tokens_of_another_model_are_left_out_and_the_words_stay() -> None:
    talk = new_talk()
    said(talk, talk.ask("one"), "first")
    for model in (("tiny", "2"), ("other", "1")):
        assert [(turn.answer, turn.ids) for turn in earlier(talk.path(), *model)] == [("first", [])]


def test_a_question_cannot_follow_one_that_waits_for_its_answer() -> None:
    talk = new_talk()
    talk.ask("one")
    with pytest.raises(ValueError, match="no answer"):
        talk.ask("two")


def test_a_talk_comes_back_from_json_as_it_was() -> None:
    talk = new_talk()
    one = talk.ask("녹내장이란 무엇인가요?\n둘째 줄")
    said(talk, one, "first").keep = True
    said(talk, one, "other").flag = Flag(kind="wrong", correction="고침", at=now())
    talk.held = talk.pinned = True
    talk.ask("edited", instead_of=one)
    again = msgspec.json.decode(msgspec.json.encode(talk), type=Talk)
    assert again == talk
    assert talk.title == "녹내장이란 무엇인가요? 둘째 줄"


def test_a_message_of_any_branch_is_shown_with_all_that_leads_to_it() -> None:
    talk = new_talk()
    one = talk.ask("one")
    first = said(talk, one, "first")
    two = talk.ask("two")
    second = said(talk, two, "second")
    said(talk, one, "other")
    said(talk, talk.ask("else", instead_of=one), "third")
    assert shown(talk) == ["else", "third"]
    assert talk.show_message(second.id) is two
    assert shown(talk) == ["one", "first", "two", "second"]
    assert talk.show_message(first.id) is one
    assert shown(talk) == ["one", "first", "two", "second"]
    other = one.replies[1]
    assert talk.show_message(other.id) is one
    assert shown(talk) == ["one", "other"]
    assert talk.show_message(one.id) is one  # a question alone changes no answer
    assert shown(talk) == ["one", "other"]
    assert talk.show_message("none of it") is None
    assert shown(talk) == ["one", "other"]

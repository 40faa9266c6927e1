"""Exported JSON back into talks: sound files come back equal, and what no talk can be is refused with its place."""

import copy
import json
import unicodedata
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from talks import AT, HOW, talk_with, talks

from ophtimus_edge.errors import FormatVersionError, HistoryImportError
from ophtimus_edge.history import importing
from ophtimus_edge.history.export import render
from ophtimus_edge.history.importing import read, talks_of
from ophtimus_edge.history.talk import Flag, Talk


def two_branches() -> Talk:
    """Two questions, an edited one, two answers to the first."""
    talk = talk_with("one", "first")
    one = talk.questions[0]
    talk.begin_reply(one, HOW).text = "other"
    follow = talk.ask("two")
    talk.begin_reply(follow, HOW).text = "second"
    talk.begin_reply(talk.ask("two, edited", instead_of=follow), HOW).dropped = [one.id]
    for question in talk.questions:
        for reply in question.replies:
            reply.finish = "stop"
    return talk


def document(*written: Talk) -> dict[str, Any]:
    decoded: dict[str, Any] = json.loads(render(written or [two_branches()], "json"))
    return decoded


def encoded(value: dict[str, Any]) -> bytes:
    return json.dumps(value).encode()


@settings(max_examples=50, deadline=None)
@given(talks())
def test_what_is_exported_comes_back_equal(talk: Talk) -> None:
    data = render([talk], "json")
    assert talks_of(data, keep_tokens=True) == [talk]
    without = copy.deepcopy(talk)
    for question in without.questions:
        for reply in question.replies:
            reply.ids = []
    assert talks_of(data) == [without]
    assert talks_of(data)[0].path() == without.path()


def test_several_talks_come_back_from_a_file(tmp_path: Path) -> None:
    written = [two_branches(), talk_with("녹내장이란 무엇인가요?", "녹내장은 …")]
    (tmp_path / "talks.json").write_bytes(b"\xef\xbb\xbf" + render(written, "json", "ko"))
    assert read(tmp_path / "talks.json") == written
    with pytest.raises(HistoryImportError, match=r"missing\.json cannot be read"):
        read(tmp_path / "missing.json")


def test_composed_and_decomposed_korean_stay_as_they_are() -> None:
    composed, decomposed = (unicodedata.normalize(form, "녹내장") for form in ("NFC", "NFD"))
    assert composed != decomposed
    talk = talk_with(decomposed, f"{composed} {decomposed}")
    (again,) = talks_of(render([talk], "json"))
    made = again.questions[0].replies[0].text
    assert (again.questions[0].text, made) == (decomposed, f"{composed} {decomposed}")


def test_ids_in_use_are_changed_everywhere_and_the_tree_stays() -> None:
    talk = two_branches()
    shape = [(one.text, one.reply.text if one.reply else "") for one in talk.path()]
    taken = {talk.id, *(one.id for one in talk.questions), *(talk.chosen.keys() - {""})}
    (again,) = talks_of(render([talk], "json"), taken=taken)
    own = {
        again.id,
        *(one.id for one in again.questions),
        *(one.id for q in again.questions for one in q.replies),
    }
    assert not own & taken
    assert [(one.text, one.reply.text if one.reply else "") for one in again.path()] == shape
    again.show_branch(again.path()[1], 1)
    talk.show_branch(talk.path()[1], 1)
    assert [one.text for one in again.path()] == [one.text for one in talk.path()]
    dropped = next(q.replies[0] for q in again.questions if q.text == "two, edited").dropped
    assert dropped == [again.questions[0].id]


def test_the_same_talk_twice_in_a_file_becomes_two() -> None:
    talk = two_branches()
    first, second = talks_of(render([talk, talk], "json"))
    assert first == talk
    assert second.id != first.id
    assert [one.text for one in second.path()] == [one.text for one in first.path()]


def test_control_codes_and_directions_are_dropped_and_the_words_stay() -> None:
    value = document(
        talk_with("q", "a", note="n", notices=["x"], flag=Flag(kind="wrong", correction="c", at=AT))
    )
    talk = value["talks"][0]
    reply = talk["questions"][0]["replies"][0]
    evil = "\x1b]52;c;eA==\x07\u202e\x9b31m"
    talk["title"] = "a\ntitle" + evil
    talk["questions"][0]["text"] += evil
    reply["text"] += evil
    reply["note"] += evil
    reply["notices"][0] += evil
    reply["flag"]["correction"] += evil
    reply["provenance"]["model"] += evil + "\nsecond line"
    (again,) = talks_of(encoded(value))
    kept = "]52;c;eA==31m"
    made = again.questions[0].replies[0]
    assert made.flag
    assert again.title == "a title" + kept
    assert again.questions[0].text == "q" + kept
    assert (made.text, made.note, made.notices, made.flag.correction) == (
        "a" + kept, "n" + kept, ["x" + kept], "c" + kept,
    )  # fmt: skip
    assert made.provenance.model == f"{HOW.model}{kept} second line"


def test_tokens_that_a_text_does_not_stand_for_are_never_taken_over() -> None:
    talk = talk_with("q", "harmless", ids=[1, 2, 3])
    assert talks_of(render([talk], "json"))[0].questions[0].replies[0].ids == []
    assert talks_of(render([talk], "json"), keep_tokens=True)[0].questions[0].replies[0].ids == [1, 2, 3]
    value = document(talk)
    value["talks"][0]["questions"][0]["replies"][0]["text"] += "\x1b"
    assert talks_of(encoded(value), keep_tokens=True)[0].questions[0].replies[0].ids == []


def test_an_answer_that_was_being_written_is_one_that_was_stopped() -> None:
    talk = talk_with("q", "half of", finish="writing")
    assert talks_of(render([talk], "json"))[0].questions[0].replies[0].finish == "cancelled"


def test_choices_and_dropped_turns_that_name_nothing_are_left_out() -> None:
    value = document()
    talk = value["talks"][0]
    sound = dict(talk["chosen"])
    talk["chosen"] |= {
        "nothing": talk["questions"][0]["id"],
        talk["questions"][0]["replies"][0]["id"]: "gone",
    }
    talk["questions"][0]["replies"][0]["dropped"] = ["gone"]
    (again,) = talks_of(encoded(value))
    assert again.chosen == sound
    assert again.questions[0].replies[0].dropped == []


def test_fields_of_a_later_release_are_passed_over() -> None:
    value = document()
    value["later"] = {"a": [1]}
    value["talks"][0]["colour"] = "red"
    assert len(talks_of(encoded(value))) == 1


Change = Callable[[dict[str, Any]], object]


def question(value: dict[str, Any], place: int = 0) -> dict[str, Any]:
    found: dict[str, Any] = value["talks"][0]["questions"][place]
    return found


def answer(value: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = question(value)["replies"][0]
    return found


def cycle(value: dict[str, Any]) -> None:
    """The second and third question follow each other's answers, and none the beginning."""
    second, third = question(value, 1), question(value, 2)
    second["after"], third["after"] = third["replies"][0]["id"], second["replies"][0]["id"]


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda v: question(v, 1).update(id=question(v)["id"]), "question 2: the id .* twice"),
        (lambda v: question(v)["replies"][1].update(id=answer(v)["id"]), "question 1: the id .* twice"),
        (lambda v: question(v, 1).update(id=answer(v)["id"]), "question 2: the id .* twice"),
        (cycle, "question 2: it follows no answer that leads back"),
        (lambda v: question(v).update(after=answer(v)["id"]), "question 1: it follows no answer"),
        (lambda v: question(v, 1).update(after="gone"), "question 2: it follows no answer"),
        (lambda v: question(v).update(shown=2), "question 1: it shows answer 2 of 2"),
        (lambda v: question(v).update(shown=-1), "question 1: it shows answer -1 of 2"),
        (lambda v: question(v).update(text=5), "conversation 1: Expected `str`, got `int`"),
        (lambda v: question(v).pop("text"), "conversation 1: Object missing required field `text`"),
        (lambda v: question(v).update(asked_at="yesterday"), "conversation 1: Invalid RFC3339"),
        (lambda v: question(v).update(asked_at="2026-01-01T00:00:00"), "question 1: the time .* no offset"),
        (lambda v: question(v).update(asked_at="0001-01-01T00:00:00Z"), "question 1: the year 1 is out"),
        (lambda v: question(v).update(id="../../etc"), "question 1: '../../etc' is no id"),
        (lambda v: question(v).update(id=""), "question 1: '' is no id"),
        (lambda v: question(v).update(text="x" * (1 << 21)), "question 1: a text has 2,097,152 characters"),
        (lambda v: answer(v).update(finish="won"), "conversation 1: Invalid enum value 'won'"),
        (
            lambda v: answer(v).update(flag={"kind": "bad", "at": "2026-01-01T00:00:00Z"}),
            "Invalid enum value",
        ),
        (lambda v: answer(v).update(ids=[-1]), "question 1, answer 1: the number -1 is out of range"),
        (lambda v: answer(v).update(prompt_tokens=1 << 80), "answer 1: the number .* is out of range"),
        (lambda v: answer(v).update(tokens_per_s=-1.5), "answer 1: the number -1.5 is out of range"),
        (lambda v: answer(v)["provenance"].update(model="m" * 3000), "answer 1: a text has 3,000"),
        (lambda v: answer(v)["provenance"].update(seed="1"), "conversation 1: Expected `int`, got `str`"),
        (lambda v: v["talks"][0].update(title="t" * 3000), "conversation 1, its title: a text has 3,000"),
        (lambda v: v["talks"][0].update(id=None), "conversation 1: Expected `str`, got `null`"),
        (lambda v: v["talks"].append({}), "conversation 2: Object missing required field"),
        (lambda v: v.update(format="other"), "no sound export"),
        (lambda v: v.update(talks={}), "no sound export"),
    ],
)
def test_what_no_talk_can_be_is_refused_with_its_place(change: Change, says: str) -> None:
    value = document()
    assert talks_of(encoded(value))
    change(value)
    with pytest.raises(HistoryImportError, match=says) as caught:
        talks_of(encoded(value), "talks.json")
    assert caught.value.message.startswith("talks.json")
    assert caught.value.hint


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"null",
        b"[]",
        b"{",
        b"\xff\xfe{",
        b'{"format":"ophtimus-talks","schema_version":1,"talks":[' + b"[" * 200_000,
        b'{"format":"ophtimus-talks","schema_version":1,"talks":[],"x":'
        + b"[" * 50_000
        + b"]" * 50_000
        + b"}",
        b'{"format":"ophtimus-talks","schema_version":1,"talks":[{"id":"\\ud800"}]}',
        b'{"format":"ophtimus-talks","schema_version":' + b"9" * 10_000 + b',"talks":[]}',
        b'{"format":"ophtimus-talks","schema_version":NaN,"talks":[]}',
    ],
)
def test_what_is_no_export_is_refused(data: bytes) -> None:
    with pytest.raises((HistoryImportError, FormatVersionError)):
        talks_of(data)


def test_half_characters_are_refused() -> None:
    sound = render([talk_with("q", "half")], "json")
    assert talks_of(sound)
    with pytest.raises(HistoryImportError, match=r"byte \d+"):
        talks_of(sound.replace(b'"text":"half"', b'"text":"\\ud83d"'))
    (again,) = talks_of(sound.replace(b'"text":"half"', b'"text":"\\ud83d\\udc41"'))
    assert again.questions[0].replies[0].text == "👁"


def test_a_newer_format_is_refused_by_name() -> None:
    value = document()
    value["schema_version"] = 2
    with pytest.raises(FormatVersionError, match="format version 2"):
        talks_of(encoded(value))


def test_a_file_beyond_the_bound_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    data = encoded(document())
    monkeypatch.setattr(importing, "MOST_BYTES", len(data))
    assert talks_of(data)
    with pytest.raises(HistoryImportError, match="larger than"):
        talks_of(data + b" ")


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Where something stands in a document."""
    entries: list[tuple[Any, Any]] = []
    if isinstance(value, dict):
        entries = list(value.items())
    elif isinstance(value, list):
        entries = list(enumerate(value))
    found = [path] if path else []
    return found + [place for key, entry in entries for place in places(entry, (*path, key))]


values = (
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text()
    | st.sampled_from([[], {}, [[]], "9999-12-31T23:59:59-23:59", "1970-01-01T00:00:00+23:59"])
)  # fmt: skip


@settings(max_examples=100, deadline=None)
@given(st.data())
def test_whatever_stands_anywhere_is_refused_or_becomes_a_talk_that_stays_the_same(
    data: st.DataObject,
) -> None:
    value = document()
    place = data.draw(st.sampled_from(places(value)))
    holder = value
    for key in place[:-1]:
        holder = holder[key]
    holder[place[-1]] = data.draw(values)
    try:
        taken = talks_of(encoded(value))
    except (HistoryImportError, FormatVersionError):
        return
    assert talks_of(render(taken, "json")) == taken
    assert all(render(taken, kind) for kind in ("md", "csv", "html"))

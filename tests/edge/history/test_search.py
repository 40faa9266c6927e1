"""Search: Korean words by their syllables, Latin ones by their beginning, the best first, with a line of each."""

import unicodedata
from pathlib import Path

import pytest
from histories import opened, talk_of

from ophtimus_edge.history import finding, search
from ophtimus_edge.history.keeping import Forgetting, History
from ophtimus_edge.history.talk import Flag, now

CASES = [
    ("백내장수술을 받았다", ["백내장", "내장", "수술", "백내장수술", "수", "술을", "을"], ["백장", "내수"]),
    ("백내 내장", ["백내", "내장", "백내 내장", "내장 백내"], ["백내장"]),
    ("오른눈이 아프다", ["눈", "오른눈", "눈이"], ["왼눈"]),
    ("IOP가 24 mmHg", ["iop", "IOP가", "io", "mmhg", "24", "IOP 24"], ["op", "mhg", "IOP는", "i"]),
    ("Acute angle-closure glaucoma", ["glau", "ANGLE-CLOSURE", "closure angle", "angle"], ["coma", "closure-angle"]),
    ("0.5 % timolol 점안", ["0.5", "0.5%", "timolol 0.5", "점안", "5"], ["5.0", "0.6", "t"]),
    ("anti-VEGF 주사, 2형당뇨", ["anti-vegf", "vegf", "2형", "2형당뇨", "주사"], ["1형", "형2"]),
    ("Sjögren, Straße", ["sjögren", "SJÖGREN", "strasse"], ["sjogren"]),
    ("視神経乳頭", ["神経", "視神経", "乳頭"], ["視乳"]),
]  # fmt: skip


@pytest.fixture(params=["on disk", "in memory"])
def history(request: pytest.FixtureRequest, tmp_path: Path) -> History:
    return opened(tmp_path) if request.param == "on disk" else Forgetting()


@pytest.mark.parametrize(("text", "found", "not_found"), CASES)
def test_what_finds_a_text_and_what_does_not(
    history: History, text: str, found: list[str], not_found: list[str]
) -> None:
    talk = talk_of(text, "...")
    history.begin(talk)
    history.begin(talk_of("something else", "and more"))
    for words in found:
        assert [hit.message_id for hit in history.search(words)] == [talk.questions[0].id], words
        assert any(matched for _, matched in history.search(words)[0].snippet), words
    for words in not_found:
        assert history.search(words) == [], words


TYPED = ["", "  ", "?!", '"', "*", '" OR 1', "AND", "NEAR(a b)", "a*", "^a", "{a}:", "'", "\ud800", "%"]


@pytest.mark.parametrize("words", TYPED)
def test_what_is_typed_is_never_an_instruction(history: History, words: str) -> None:
    talk = talk_of("a AND b OR 1 NEAR c", "...")
    history.begin(talk)
    asked = any(sign.isalnum() for sign in words) and words != "NEAR(a b)"  # "near a" is not in it
    assert [hit.message_id for hit in history.search(words)] == ([talk.questions[0].id] if asked else [])


def test_syllables_are_found_however_they_were_written(history: History) -> None:
    talk = talk_of(unicodedata.normalize("NFD", "백내장 수술"), "é à côté")
    history.begin(talk)
    (hit,) = history.search("백내장")
    assert [unicodedata.normalize("NFC", text) for text, matched in hit.snippet if matched] == ["백내장"]
    assert [hit.kind for hit in history.search(unicodedata.normalize("NFD", "côté"))] == ["answer"]


def test_a_hit_says_where_it_stands_and_answers_of_every_branch_are_found(history: History) -> None:
    talk = talk_of("what is uveitis?", "an inflammation of the uvea")
    first = talk.questions[0]
    first.replies[0].flag = Flag(kind="wrong", correction="", at=now())
    talk.ask("what is scleritis?", instead_of=first)
    talk.title = "a title"
    history.begin(talk)
    (hit,) = history.search("uvea")
    assert hit == (
        talk.id, first.replies[0].id, "answer", first.replies[0].begun_at, "a title",
        [("an inflammation of the ", False), ("uvea", True)],
    )  # fmt: skip


def test_the_best_stand_first_and_no_more_than_are_asked_for(tmp_path: Path) -> None:
    with opened(tmp_path) as history:
        short = talk_of("glaucoma", "...")
        for number in range(8):
            history.begin(talk_of(f"{number} " + "of other things " * 30 + "glaucoma", "..."))
        history.begin(short)
        history.begin(talk_of("and other things " * 30 + "glaucoma", "..."))
        assert history.search("glaucoma")[0].message_id == short.questions[0].id
        assert len(history.search("glaucoma")) == 10
        assert len(history.search("glaucoma", most=3)) == 3
        assert history.search("glaucoma", most=0) == []


def test_of_a_frequent_word_the_newest_are_ranked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(finding, "RANKED", 5)
    with opened(tmp_path) as history:
        talks = [talk_of("eye " + "filler " * (20 - number), "...") for number in range(20)]
        for talk in talks:
            history.begin(talk)
        found = {hit.talk_id for hit in history.search("eye")}
    assert found == {talk.id for talk in talks[-5:]}


def test_an_answer_that_was_gone_on_with_is_found_by_its_new_words_and_an_edited_index_holds_nothing_twice(
    tmp_path: Path,
) -> None:
    with opened(tmp_path) as history:
        talk = talk_of("one", "glaucoma is")
        history.begin(talk)
        reply = talk.questions[0].replies[0]
        reply.finish, reply.text = "writing", "glaucoma is a"
        history.keep_reply(talk, talk.questions[0], reply)
        reply.finish, reply.text = "stop", "glaucoma is a neuropathy"
        history.keep_reply(talk, talk.questions[0], reply)
        assert [len(history.search(words)) for words in ("neuropathy", "glaucoma")] == [1, 1]


SNIPPETS = [
    ("iop", "the IOP is high", "the [IOP] is high"),
    ("내장 수술", "백내장수술", "백[내장수술]"),
    ("iop", "a\n\n  line \x1b[31m IOP\u202e", "a line [31m [IOP]"),
    ("absent", "nothing", "nothing"),
    ("z", "x" * 200 + " z " + "y" * 200, "…" + "x" * 29 + " [z] " + "y" * 88 + "…"),
    ("z", "x" * 200 + " z", "…" + "x" * 118 + " [z]"),
    ("x", "x " * 200, "[x] " * 60 + "…"),
    ("0.5", "10.5 and 0.5 %", "10.5 and [0.5] %"),
    ("0.5", "0 5, 05, 0.55", "[0 5], 05, 0.55"),
    ("ss", "ß", "[ß]"),
    ("[bold]", "a [bold] word", "a [[bold]] word"),
]


@pytest.mark.parametrize(("words", "text", "shown"), SNIPPETS)
def test_the_line_of_a_hit(words: str, text: str, shown: str) -> None:
    pieces = search.snippet(text, words)
    assert "".join(f"[{piece}]" if matched else piece for piece, matched in pieces) == shown

"""A patient handout: only of an answer that may be used, only with a name, in large type."""

import datetime
import re
import unicodedata

import msgspec
import pytest
from talks import AT, HOW, talk_with

from ophtimus_edge.errors import HandoutRefusedError
from ophtimus_edge.history.handout import LEAST_POINTS, draft_of, language_of, page, standing_sentences
from ophtimus_edge.history.talk import Flag, Provenance, Talk
from ophtimus_edge.locations import demo_folder
from ophtimus_edge.models.formats import read_model_folder
from ophtimus_edge.safety.emergencies import book
from ophtimus_edge.specialties.come_back import come_back

DAY = datetime.date(2026, 3, 1)


def draft(talk: Talk) -> str:
    return draft_of(talk, talk.questions[0].replies[0])


def test_a_draft_is_the_answers_words_and_nothing_of_how_it_was_made() -> None:
    text = "Use the drops **twice** a day.\n\n- 0.5 %"
    assert draft(talk_with("q", text)) == text
    made = page(text, "Kim", "en", on=DAY)
    for technical in (HOW.sha256, "4711", HOW.level, HOW.model):
        assert technical not in made


def test_a_flagged_answer_is_refused_until_the_flag_is_taken_away() -> None:
    talk = talk_with("q", "a", flag=Flag(kind="wrong", at=AT))
    with pytest.raises(HandoutRefusedError, match="flagged as wrong"):
        draft(talk)
    talk.questions[0].replies[0].flag = None
    assert draft(talk) == "a"


def test_the_demonstrations_answers_are_refused_by_name_and_by_file() -> None:
    (level, *_) = read_model_folder(demo_folder()).levels
    for model, sha256 in (("Ophtimus-Demo", ""), ("renamed", level.sha256)):
        how = Provenance(
            model=model, version="1", level="Q4_K_M", sha256=sha256, role="clinical", temperature=0, seed=0
        )
        with pytest.raises(HandoutRefusedError, match="demonstration"):
            draft(talk_with("q", "a", provenance=how))


def test_the_answers_of_every_model_that_is_marked_as_a_demonstration_are_refused() -> None:
    how = msgspec.structs.replace(HOW, demonstration=True)
    with pytest.raises(HandoutRefusedError, match="demonstration"):
        draft(talk_with("q", "a", provenance=how))
    assert draft(talk_with("q", "a", provenance=HOW)) == "a"
    kept_before = msgspec.json.encode(
        {k: v for k, v in msgspec.to_builtins(HOW).items() if k != "demonstration"}
    )
    assert msgspec.json.decode(kept_before, type=Provenance) == HOW


@pytest.mark.parametrize(("text", "finish"), [("half of", "writing"), ("", "failed"), (" \n", "stop")])
def test_what_is_unwritten_is_refused(text: str, finish: str) -> None:
    with pytest.raises(HandoutRefusedError):
        draft(talk_with("q", text, finish=finish))


@pytest.mark.parametrize("name", ["", "  ", "\n", "\u200b", "ㅤ", "...", "\x1b"])
def test_nothing_is_printed_without_the_name_of_who_read_it(name: str) -> None:
    with pytest.raises(HandoutRefusedError, match="name"):
        page("Use the drops.", name, "en")
    assert "Kim has read and corrected this." in page("Use the drops.", " Kim ", "en")
    assert "읽고 고친 사람: 김안과" in page("안약을 넣으십시오.", "김안과", "ko")


@pytest.mark.parametrize("text", ["", " \n", "\u200b"])
def test_an_empty_handout_is_not_printed(text: str) -> None:
    with pytest.raises(HandoutRefusedError, match="empty"):
        page(text, "Kim")


def test_what_is_too_long_for_a_handout_is_refused() -> None:
    assert page("x" * 20_000, "Kim")
    with pytest.raises(HandoutRefusedError, match="too long"):
        page("x" * 20_001, "Kim")
    with pytest.raises(HandoutRefusedError, match="too long"):
        page("x", "K" * 201)


@pytest.mark.parametrize("language", ["en", "ko"])
def test_the_page_has_its_date_the_contact_and_when_to_come_back(language: str) -> None:
    made = page(
        "Use the drops.", "Kim", language, on=DAY, contact="02-000-0000 <main desk>", title="After surgery"
    )
    assert "2026-03-01" in made
    assert "02-000-0000 &lt;main desk&gt;" in made
    assert "<h1>After surgery</h1>" in made
    for sign in come_back():
        assert sign.when[language].replace("'", "&#x27;") in made
        assert sign.when[language] in standing_sentences(language)
    assert ("supports, and does not replace" in made) == (language == "en")
    assert ("대신하지 않습니다" in made) == (language == "ko")
    assert "연락처" not in page("안약을 넣으십시오.", "김안과", "ko")


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("안약을 하루 두 번 넣으십시오.", "ko"),
        ("Use the drops twice a day.", "en"),
        ("녹내장(glaucoma)은 시신경(optic nerve)이 손상되는 질환입니다.", "ko"),
        ("Glaucoma (녹내장) is a disease that damages the optic nerve (시신경).", "en"),
        ("latanoprost 0.005 %를 매일 저녁 양쪽 눈에 한 방울씩 넣으십시오.", "ko"),
        ("Dr. 김민수 will see you again in two weeks.", "en"),
        (unicodedata.normalize("NFD", "눈을 비비지 마십시오."), "ko"),
        ("2 × 3", "en"),
    ],
)
def test_the_language_is_that_of_most_letters(text: str, language: str) -> None:
    assert language_of(text) == language


def test_no_letter_is_smaller_than_large_print() -> None:
    made = page("Use the drops.", "Kim", "en", contact="here")
    sizes = [float(size) for size in re.findall(r"font-size: ([\d.]+)pt", made)]
    assert min(sizes) >= LEAST_POINTS >= 16
    assert not re.search(r"font-size: [\d.]+(?!pt|[\d.])", made)


def test_a_persons_text_is_printed_to_the_letter() -> None:
    text = "1 < 2 & <b>no tag</b>\n   indented\n</pre><script>alert(1)</script>"
    made = page(text, "Kim", "en")
    assert "<script" not in made
    assert "1 &lt; 2 &amp; &lt;b&gt;no tag&lt;/b&gt;\n   indented\n" in made
    assert "default-src 'none'" in made


def test_every_sentence_rests_on_emergency_rules_that_exist_and_says_it_is_not_reviewed() -> None:
    rules = {rule.id for rule in book().rules}
    for sign in come_back():
        assert sign.rules
        assert set(sign.rules) <= rules
        assert set(sign.when) == {"en", "ko"}
        assert sign.review == "not reviewed by a physician"
    assert any(sign.ambulance for sign in come_back())

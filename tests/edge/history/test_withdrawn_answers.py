"""Old answers of a model that was withdrawn since: shown and written out with the reason, and built on no more."""

import json
from typing import Any

import msgspec
import pytest
from conftest import Command
from histories import profile_with
from talks import HOW, talk_with
from withdrawing import REASON, withdraw

from ophtimus_edge.errors import HandoutRefusedError
from ophtimus_edge.history import importing
from ophtimus_edge.history.export import FORMATS, render
from ophtimus_edge.history.handout import draft_of
from ophtimus_edge.history.talk import Talk, answered, earlier

OTHER = msgspec.structs.replace(HOW, sha256="cd" * 32)


def shown(talk: Talk, kind: str, language: str) -> str:
    return render([talk], kind, language).decode("utf-8-sig")


@pytest.mark.parametrize("kind", FORMATS)
@pytest.mark.parametrize("language", ["en", "ko"])
def test_every_export_says_why_and_says_nothing_of_the_others(kind: str, language: str) -> None:
    talk, other = talk_with("q", "a"), talk_with("q", "a", provenance=OTHER)
    before, beside = shown(talk, kind, language), shown(other, kind, language)
    withdraw(HOW.sha256)
    after = shown(talk, kind, language)
    assert REASON[language] in after
    assert REASON[language] not in before
    assert REASON[language] not in shown(other, kind, language)
    assert ("WITHDRAWN" if language == "en" else "회수") in after or kind == "json"
    for text in (before, beside):
        assert "WITHDRAWN" not in text
        assert "회수" not in text


def test_what_was_exported_with_a_reason_is_read_back_without_it(tmp_path: Any) -> None:
    talk = talk_with("q", "a")
    withdraw(HOW.sha256)
    (tmp_path / "talks.json").write_bytes(render([talk], "json"))
    (again,) = importing.read(tmp_path / "talks.json", set())
    assert again.questions[0].replies[0].provenance == HOW


def test_no_handout_is_made_of_it() -> None:
    talk, other = talk_with("q", "a"), talk_with("q", "a", provenance=OTHER)
    assert draft_of(talk, talk.questions[0].replies[0]) == "a"
    withdraw(HOW.sha256)
    with pytest.raises(HandoutRefusedError, match="withdrawn"):
        draft_of(talk, talk.questions[0].replies[0])
    assert draft_of(other, other.questions[0].replies[0]) == "a"


def test_the_next_model_does_not_build_on_it() -> None:
    talk = talk_with("one", "a")
    talk.begin_reply(talk.ask("two"), OTHER).text = "b"
    assert len(answered(talk.path())) == 2
    withdraw(HOW.sha256)
    assert [question.text for question in answered(talk.path())] == ["two"]
    assert [one.question for one in earlier(talk.path(), "another", "1")] == ["two"]


def test_history_show_says_it(ophtimus: Command) -> None:
    talk = talk_with("q", "a")
    profile_with("Kim", talk)
    assert "WITHDRAWN" not in ophtimus("history", "show", talk.id).stdout
    withdraw(HOW.sha256)
    assert REASON["en"] in ophtimus("history", "show", talk.id).stdout
    shown = json.loads(ophtimus("history", "show", talk.id, "--json").stdout)
    assert shown["questions"][0]["replies"][0]["withdrawn"] == REASON["en"]

"""What the app says is there in both languages, and nothing else is."""

import re
from string import Formatter

import pytest
from conftest import ROOT

from ophtimus_tui.texts import LANGUAGES, Texts, language_of_environment

SOURCES = sorted((ROOT / "tui/ophtimus_tui").rglob("*.py"))


def values(sentence: str) -> set[str]:
    return {name for _, name, _, _ in Formatter().parse(sentence) if name}


def test_both_languages_have_the_same_sentences_with_the_same_values() -> None:
    texts = Texts("en")
    one, other = (texts.keys(language) for language in LANGUAGES)
    assert one == other
    catalogues = texts._catalogues
    for key in one:
        assert values(catalogues["en"][key]) == values(catalogues["ko"][key]), key
        same = catalogues["ko"][key] == catalogues["en"][key]  # a name
        assert same or re.search("[가-힣]", catalogues["ko"][key]), key


def test_every_sentence_is_used_and_every_one_used_is_there() -> None:
    source = "\n".join(path.read_text(encoding="utf-8") for path in SOURCES)
    keys = Texts("en").keys("en")
    files = {key.split(".")[0] for key in keys}
    # A key that is put together, such as f"help.{name}", uses all that begin like it.
    used = set(re.findall(rf'"((?:{"|".join(files)})\.[a-z0-9_]+)"', source))
    begun = tuple(re.findall(rf'f"((?:{"|".join(files)})\.[a-z0-9_]*)\{{', source))
    assert used <= keys
    assert {key for key in keys - used if not key.startswith(begun)} == set()


@pytest.mark.parametrize(("value", "language"), [("ko_KR.UTF-8", "ko"), ("en_US.UTF-8", "en"), ("C", "en")])
def test_the_locale_chooses_the_language(monkeypatch: pytest.MonkeyPatch, value: str, language: str) -> None:
    monkeypatch.delenv("LC_ALL", raising=False)
    monkeypatch.delenv("LC_MESSAGES", raising=False)
    monkeypatch.setenv("LANG", value)
    assert language_of_environment() == language

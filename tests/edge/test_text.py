import itertools
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ophtimus_edge.text import TextStream, sanitize

BIDI = "\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"


@pytest.mark.parametrize(
    ("raw", "shown"),
    [
        ("\x1b]52;c;aGk=\x07copied", "]52;c;aGk=copied"),
        ("\x1b[2Jcleared", "[2Jcleared"),
        ("\x9b2Jcleared", "2Jcleared"),
        ("0.5\u202e%5", "0.5%5"),
        ("a\r\nb", "a\nb"),
    ],
)
def test_a_sequence_that_commands_a_terminal_is_disarmed(raw: str, shown: str) -> None:
    assert sanitize(raw) == shown


@pytest.mark.parametrize("text", ["<IOP> 21 mmHg", "2*3*4 mg", "**녹내장(glaucoma)**은", "a\tb\nc", "👁️ ½ ≥"])
def test_clinical_text_stays_as_it_is(text: str) -> None:
    assert sanitize(text) == text


@given(st.text())
def test_exactly_the_listed_characters_are_dropped(text: str) -> None:
    kept = [
        char
        for char in text
        if char in "\n\t" or (unicodedata.category(char) not in {"Cc", "Cs"} and char not in BIDI)
    ]
    assert sanitize(text) == "".join(kept)


@given(st.text(alphabet=st.characters(codec="utf-8")), st.lists(st.integers(0, 60)))
def test_any_split_of_the_bytes_gives_the_same_text(text: str, cuts: list[int]) -> None:
    data = text.encode()
    places = sorted({0, len(data), *(cut for cut in cuts if cut < len(data))})
    stream = TextStream()
    parts = [stream.feed(data[start:end]) for start, end in itertools.pairwise(places)]
    assert "".join([*parts, stream.end()]) == sanitize(text)


def test_a_character_cut_off_at_the_end_is_shown_as_missing() -> None:
    stream = TextStream()
    assert stream.feed("안".encode()[:2]) == ""
    assert stream.end() == "\ufffd"

"""Bytes as a hostile model writes them, and what of them may reach a screen, told without the program's own list."""

import itertools
import random
import unicodedata

BIDI = "\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"

_CONTROLS = [chr(code) for code in (*range(0x20), *range(0x7F, 0xA0))]
_SEQUENCES = [
    "\x1b]52;c;SEVMTE8=\x07", "\x1b[2J", "\x1b[31m", "\x1b[6n", "\x1b[?1049h", "\x1b]0;title\x1b\\", "\x1bP+q\x1b\\",
    "\x1b_Gf=100;AAAA\x1b\\", "\x1b]8;;file:///etc/passwd\x1b\\link\x1b]8;;\x1b\\", "\x1b[20;5R", "\x1bc", "\x9b2J",
    "\x9d52;c;aGk=\x9c", "\r\n", "\rover the line", "\b\b\b", "\x0e\x0f", "0.5\u202e%5", "\u2066left\u2069",
]  # fmt: skip
_SOUND = [
    "녹내장(glaucoma)",
    " 21 mmHg",
    "**눈**",
    "\n- ",
    "\t",
    "👁️",
    "½ ≥ ",
    "0.5 %",
    "<IOP>",
    "각",
    "a",
    " ",
    "é",
]
_NO_UTF8 = [
    b"\xff",
    b"\xc0\x9b",
    b"\xed\xa0\x80",
    b"\xf4\x90\x80\x80",
    b"\xe2\x80",
    b"\x9b",
    b"\xf0\x9f\x91",
    b"\xc2",
]


def hostile_bytes(draw: random.Random, parts: int) -> bytes:
    """So many parts: control codes, whole sequences, sound text, and bytes that are no UTF-8."""
    made = b""
    for _ in range(parts):
        kind = draw.randrange(8)
        if kind < 3:
            made += draw.choice(_CONTROLS + list(BIDI)).encode()
        elif kind == 3:
            made += draw.choice(_SEQUENCES).encode()
        elif kind == 4:
            made += draw.choice(_NO_UTF8)
        elif kind == 5:
            code = draw.randrange(0x110000)
            made += chr(code).encode("utf-8", "surrogatepass")
        else:
            made += draw.choice(_SOUND).encode()
    return made


def split(draw: random.Random, data: bytes) -> list[bytes]:
    """The bytes in pieces, cut anywhere."""
    cuts = sorted({0, len(data), *(draw.randrange(len(data) + 1) for _ in range(draw.randrange(12)))})
    return [data[start:end] for start, end in itertools.pairwise(cuts)]


def may_be_shown(character: str) -> bool:
    """Whether a character commands nothing: no control but line feed and tab, none of the reading order, no half."""
    return character in "\n\t" or (
        unicodedata.category(character) not in {"Cc", "Cs"} and character not in BIDI
    )


def expected(data: bytes) -> str:
    """What is left of bytes when the listed codes are gone and nothing else is."""
    return "".join(character for character in data.decode("utf-8", "replace") if may_be_shown(character))


def commands(text: str) -> set[str]:
    """The characters of a text that must not reach a terminal."""
    return {character for character in text if not may_be_shown(character)}

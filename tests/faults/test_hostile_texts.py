"""The sanitizer under hostile bytes: no control code out, and nothing else gone, however they are split.

1,000 strings in `make test`, 100,000 in `make faults`.
"""

import os
import random

from hostile_texts import BIDI, commands, expected, hostile_bytes, split

from ophtimus_edge.text import TextStream, sanitize

COUNT = 100_000 if os.environ.get("OPHTIMUS_CAMPAIGN") == "long" else 1000


def test_no_control_code_comes_out_and_nothing_else_is_lost() -> None:
    draw = random.Random(9)
    seen: set[str] = set()
    changed = 0
    for _ in range(COUNT):
        data = hostile_bytes(draw, draw.randint(0, 30))
        stream = TextStream()
        text = "".join([*(stream.feed(piece) for piece in split(draw, data)), stream.end()])
        assert not commands(text), data
        assert text == expected(data), data
        decoded = data.decode("utf-8", "replace")
        assert sanitize(decoded) == text, data
        seen |= commands(decoded)
        changed += text != decoded
    # The strings did hold every code that is listed, and the sanitizer had something to do.
    listed = {chr(code) for code in (*range(9), *range(11, 32), *range(0x7F, 0xA0))} | set(BIDI)
    assert seen >= listed
    assert COUNT / 2 < changed < COUNT

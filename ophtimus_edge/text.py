"""The one sanitizer between models and screens.

A terminal obeys control characters that a text carries: an escape sequence can write the clipboard,
clear the screen or reverse the reading order of a dose. What a model, a file or a person supplies
passes through here once before it is shown or kept. Exactly these characters are dropped, and every
other character stays as it is:

- C0 controls except line feed and tab, DEL, and C1 controls (ISO/IEC 6429);
- the bidirectional controls of Unicode (UAX #9: ALM, LRM, RLM, LRE, RLE, PDF, LRO, RLO, LRI, RLI,
  FSI, PDI);
- unpaired surrogates, which no encoding can carry.

A carriage return before a line feed goes with the C0 controls, so CRLF becomes LF. Dropping the
control character alone disarms a sequence: the letters that followed it stay visible.
"""

import codecs
import re

_DROPPED = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f\x80-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff]"
)


def sanitize(text: str) -> str:
    """Drop the characters that would command a terminal; keep every other one."""
    return _DROPPED.sub("", text)


class TextStream:
    """Bytes of a model's tokens in, text that is safe to show out.

    A token can end inside a character (Korean takes three bytes a syllable), so incomplete bytes are
    held back until the next token completes them. Because each dropped character is a single code
    point, no other state is needed: any split of the same bytes gives the same text.
    """

    def __init__(self) -> None:
        self._decoder = codecs.getincrementaldecoder("utf-8")(errors="replace")

    def feed(self, data: bytes) -> str:
        """The text that ``data`` completes; may be empty."""
        return sanitize(self._decoder.decode(data))

    def end(self) -> str:
        """What was held back, at the end of the stream: U+FFFD where a character stayed incomplete."""
        return sanitize(self._decoder.decode(b"", final=True))

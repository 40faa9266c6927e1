"""What texts are compared by: their words, without case, punctuation and Unicode's other forms."""

import re
import unicodedata
import zlib
from collections.abc import Sequence

from ophtimus_training.examples import Record
from ophtimus_training.primer import Exchange

_WORD = re.compile(r"\w+")


def words(text: str) -> list[str]:
    """The words of a text, folded: NFKC, no case, no punctuation."""
    return _WORD.findall(unicodedata.normalize("NFKC", text).casefold())


def word_ids(folded: Sequence[str]) -> list[int]:
    """A 32-bit number for each word, signed: the same on every machine and in every run."""
    return [zlib.crc32(word.encode()) - (1 << 31) for word in folded]


def asked(record: Record) -> str:
    """The question alone, without options; of a document, nothing."""
    if record.choice:
        return record.choice.question
    return record.content.prompt if isinstance(record.content, Exchange) else ""


def passages(record: Record) -> list[str]:
    """The texts of a record, each by itself: what stands on either side of a form's own words is no passage."""
    if record.choice:
        choice = record.choice
        return [text for text in (choice.question, *choice.options, choice.explanation) if text]
    if isinstance(record.content, Exchange):
        return [record.content.prompt, record.content.reply]
    return [record.content] if isinstance(record.content, str) else []


def excerpt(record: Record, most: int = 160) -> str:
    """The beginning of a record, on one line."""
    text = " ".join(" ".join(passages(record)).split())
    return text if len(text) <= most else f"{text[: most - 1]}…"

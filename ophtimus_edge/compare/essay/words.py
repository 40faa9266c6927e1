"""What a word and a sentence are, for scores at word level.

In English a word is what rouge-score takes for one: a run of the letters a to z and of digits, in lower case. By
that rule a Korean text has no words at all. In Korean a word is an 어절: what stands between spaces and
punctuation, with its particles, so that 녹내장은 and 녹내장이 are two words. Scores in Korean are therefore lower
than those over morphemes; levels of one model are compared by the same rule.
"""

import re
import unicodedata

_ENGLISH = re.compile(r"[a-z0-9]+")
_ANY_SCRIPT = re.compile(r"[^\W_]+")
_SENTENCE_END = re.compile(r"(?<=[.!?。])\s+")


def words(text: str, language: str) -> list[str]:
    """The words of a text, in lower case and without punctuation."""
    if language == "en":
        return _ENGLISH.findall(text.lower())
    return _ANY_SCRIPT.findall(unicodedata.normalize("NFC", text).lower())


def sentence_lines(text: str) -> str:
    """The text with each sentence on a line of its own, as ROUGE-Lsum reads it.

    A sentence ends at a line's end, and at a full stop, question or exclamation mark before a blank. An
    abbreviation before a blank ends one too, in both texts alike.
    """
    return _SENTENCE_END.sub("\n", text)

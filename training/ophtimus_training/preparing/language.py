"""English or Korean, by script and by function words: offline, and the same on every machine.

What it cannot tell: a short text in Latin letters without a single function word (a list of drugs, a term) is
taken for English, and so is one in a language whose function words are not listed where it has fewer than
``_ENOUGH`` words. Korean in Latin letters is not Korean to it. Of a text in two languages it says the one that
more of it is in; Korean medical prose keeps its English terms, so a third of Hangul is enough for Korean.
"""

import re
import tomllib
from functools import cache
from importlib import resources
from typing import Literal

from ophtimus_training.preparing.texts import words

Language = Literal["en", "ko", "other"]

_HANGUL = re.compile("[가-힣ㄱ-ㅎㅏ-ㅣ]")
_LATIN = re.compile("[A-Za-zÀ-ɏ]")
_LETTER = re.compile(r"[^\W\d_]")
_KOREAN_SHARE = 1 / 3
_LATIN_SHARE = 0.8
_ENOUGH = 40  # words: fewer say too little by what they lack
_TWO = 2  # one alone may be a name or a term: de novo, van Gogh
_ENGLISH_SHARE = 0.08  # of English prose, a third and more are these words; of abstracts, a quarter


def language_of(text: str) -> Language:
    """The language of a text; ``other`` where it is neither, and of a text without letters."""
    letters = len(_LETTER.findall(text))
    if not letters:
        return "other"
    if len(_HANGUL.findall(text)) >= _KOREAN_SHARE * letters:
        return "ko"
    if len(_LATIN.findall(text)) < _LATIN_SHARE * letters:
        return "other"
    folded = words(text)
    hits = {code: sum(word in usual for word in folded) for code, usual in _function_words().items()}
    english = hits.pop("en")
    other = max(hits.values())
    if (other >= _TWO and other > english) or (
        len(folded) >= _ENOUGH and english < _ENGLISH_SHARE * len(folded)
    ):
        return "other"
    return "en"


@cache
def _function_words() -> dict[str, frozenset[str]]:
    text = (resources.files("ophtimus_training.preparing") / "function_words.toml").read_text("utf-8")
    return {code: frozenset(usual) for code, usual in tomllib.loads(text).items()}

"""Whether bytes that are no UTF-8 are Korean text in CP949, which Korean Excel writes.

Nearly every sequence of bytes means something in CP949, so that it decodes says little: a Western file
would be read in wrong letters, without a sign. It is Korean where most of what it holds beyond ASCII is
syllables that Korean is written with.
"""

from collections import Counter

_KOREAN_SHARE = 0.75


def reads_as_korean(letters: Counter[str]) -> bool:
    """Whether most of the characters beyond ASCII are syllables in use.

    Of the 11,172 syllables of CP949, KS X 1001 has the 2,350 in use. A Western file read as CP949
    (its typographic apostrophes, with the letter behind them) gives the others.

    Args:
        letters: how often each occurs, in text that was decoded from CP949; ASCII may be among them.
    """
    beyond = sum(count for letter, count in letters.items() if not letter.isascii())
    usual = sum(count for letter, count in letters.items() if _is_usual_syllable(letter))
    return usual >= _KOREAN_SHARE * beyond


def _is_usual_syllable(letter: str) -> bool:
    # Python's euc_kr writes the syllables that the standard lacks as eight bytes of single letters.
    return "가" <= letter <= "힣" and len(letter.encode("euc_kr")) == 2

"""Whether two texts deny and forbid the same, in English and Korean.

A clause is compared with the clause of the other text that speaks of the same: what one affirms and the other
denies is a difference. So is what one text forbids where nothing in the other speaks of it. Of other things that
only one text says there is no end in answers in other words.

A word that denies turns its whole clause ("do not patch the eye", "녹내장에는 금기이다"), or only what stands
beside it ("without pain", "통증 없이"), or is one word with what it denies ("painless", "uncommon"). Two that
meet cancel out: "not uncommon", "-지 않으면 안 된다".
"""

import re
from bisect import bisect_left
from collections.abc import Iterator
from math import sqrt
from typing import NamedTuple

from ophtimus_edge.compare.critical.denials import (
    BESIDE,
    CLAUSE,
    FORBIDS,
    FROM_SCALE,
    NEUTRAL,
    SCALE,
    TO_SCALE,
    YES_NO,
)
from ophtimus_edge.compare.critical.differences import Difference, Passage
from ophtimus_edge.compare.critical.words import Clause, clauses, placed_words
from ophtimus_edge.specialties import DEFAULT_SPECIALTY
from ophtimus_edge.specialties.drugs import named_drugs

_OF_A_LIST = re.compile(r"\b(?:no|without|neither|nor|avoid|not|never|denie[sd])\b", re.IGNORECASE)
# A verb that denies says nothing else with its ending: 없습니다 and 없어요 are one.
_WHOLE_WORD = re.compile(rf"(?:{CLAUSE.pattern})(?:(?<=[가-힣])[가-힣]+)?", re.IGNORECASE)
_LEAST_ALIKE = 0.3
_AS_ALIKE = 0.75
_DRUG_WEIGHT = 3


class _Statement(NamedTuple):
    """What a clause says of its words.

    Attributes:
        signs: −1 for a word that it denies, 1 for one that it affirms; so for scales.
        own: those whose sign is their own, not that of the whole clause.
        drugs: those of its words that name one.
        forbids: whether it tells somebody not to do something.
    """

    clause: Clause
    signs: dict[str, int]
    own: set[str]
    drugs: set[str]
    forbids: bool

    @property
    def words(self) -> set[str]:
        return {word for word in self.signs if not word.startswith("=")}

    @property
    def denies(self) -> bool:
        return min(self.signs.values(), default=1) < 0


def negation_differences(
    reference: str, answer: str, specialty: str = DEFAULT_SPECIALTY
) -> Iterator[Difference]:
    """Clauses of which one text denies what the other affirms."""
    there, here = _statements(reference, specialty), _statements(answer, specialty)
    if pair := _yes_and_no(reference, answer):
        yield pair
    alike = _is_korean(reference) == _is_korean(answer)  # else no word of one is in the other
    seen: set[tuple[Clause, Clause]] = set()
    for mine, others, turned in ((there, here, False), (here, there, True)):
        for one in mine:
            if one.forbids and alike and not any(_likeness(one, other) >= _LEAST_ALIKE for other in others):
                only = (_passage(answer if turned else reference, one.clause),)
                yield Difference("negation", () if turned else only, only if turned else ())
                continue
            other = _contradicting(one, others) if one.denies else None
            if other is None:
                continue
            first, second = (other, one) if turned else (one, other)
            if (first.clause, second.clause) not in seen:
                seen.add((first.clause, second.clause))
                yield Difference(
                    "negation", (_passage(reference, first.clause),), (_passage(answer, second.clause),)
                )


def _yes_and_no(reference: str, answer: str) -> Difference | None:
    """A text that begins with yes against one that begins with no."""
    one, other = YES_NO.match(reference), YES_NO.match(answer)
    if not one or not other or one.lastgroup == other.lastgroup or not one.lastgroup or not other.lastgroup:
        return None
    spans = one.span(one.lastgroup), other.span(other.lastgroup)
    return Difference(
        "negation", (_passage(reference, Clause(*spans[0])),), (_passage(answer, Clause(*spans[1])),)
    )


def _contradicting(one: _Statement, others: list[_Statement]) -> _Statement | None:
    """The clause that says the opposite, if it is the one that speaks of the same, and no other agrees."""
    alike = [(_likeness(one, other), other) for other in others]
    best = max((likeness for likeness, _ in alike), default=0.0)
    if best < _LEAST_ALIKE:
        return None
    near = [other for likeness, other in alike if likeness >= _AS_ALIKE * best]
    if not all(_opposite(one, other) for other in near):
        return None
    return max(alike, key=lambda pair: pair[0])[1]


def _likeness(one: _Statement, other: _Statement) -> float:
    """How much two clauses speak of the same: the cosine of their words, where a drug says more than others."""
    shared = _weight(one.words & other.words, one.drugs)
    fewest, most = sorted((_weight(one.words, one.drugs), _weight(other.words, other.drugs)))
    return shared / sqrt(fewest * most) if fewest and shared * 2 >= fewest else 0.0


def _weight(words: set[str], drugs: set[str]) -> int:
    return len(words) + (_DRUG_WEIGHT - 1) * len(words & drugs)


def _opposite(one: _Statement, other: _Statement) -> bool:
    shared = one.signs.keys() & other.signs.keys()
    own = {word for word in shared if word in one.own or word in other.own}
    if any(one.signs[word] != other.signs[word] for word in own):
        return True
    balance = sum(one.signs[word] * other.signs[word] for word in shared - own)
    return balance < 0


def _statements(text: str, specialty: str) -> list[_Statement]:
    firsts: dict[str, Clause] = {}  # a small model may say the same clause a hundred times
    for clause in _with_lists(text):
        firsts.setdefault(text[clause.start : clause.end], clause)
    return [_statement(text, clause, specialty) for clause in firsts.values()]


def _with_lists(text: str) -> Iterator[Clause]:
    """The clauses, those of a list that is denied as one: "no pain, redness or discharge"."""
    current: Clause | None = None
    for clause in clauses(text):
        if current and _goes_on(text, current, clause):
            current = Clause(current.start, clause.end)
            continue
        if current:
            yield current
        current = clause
    if current:
        yield current


def _goes_on(text: str, before: Clause, clause: Clause) -> bool:
    said, piece = text[before.start : before.end], text[clause.start : clause.end]
    if text[before.end : clause.start].strip(" ") != "," or CLAUSE.search(piece) or BESIDE.search(piece):
        return False
    words = piece.split()
    joined = {"or", "nor", "및", "또는"} & {word.casefold() for word in words}
    is_list = len(words) <= (4 if joined else 2) and words[0].casefold() not in {"but", "only", "then"}
    return is_list and bool(_OF_A_LIST.search(said))


def _statement(text: str, clause: Clause, specialty: str) -> _Statement:
    piece = _blanked(text[clause.start : clause.end], NEUTRAL)
    signs: dict[str, int] = {}
    own: set[str] = set()
    ends: dict[int, str] = {}
    starts: dict[int, str] = {}
    for name, (more, less) in SCALE.items():
        found = [
            (match, sign) for pattern, sign in ((more, 1), (less, -1)) if (match := pattern.search(piece))
        ]
        if len(found) == 1:  # both, as in "benign or malignant", say nothing
            match, signs[name] = found[0]
            starts[match.start()] = ends[match.end()] = name
            own.add(name)
    whole = 1
    for cue in CLAUSE.finditer(piece):
        scale = _touched(piece, cue, starts, ends)
        if scale is None:
            whole = -whole
        else:
            signs[scale] = -signs[scale]
    beside = list(BESIDE.finditer(piece))
    bare = piece
    for pattern in (_WHOLE_WORD, BESIDE, *(pattern for pair in SCALE.values() for pattern in pair)):
        bare = _blanked(bare, pattern)
    placed = list(placed_words(bare, specialty))
    reached = _reached(beside, [at for at, _ in placed])
    for at, word in placed:
        signs.setdefault(word, -whole if at in reached else whole)
        if at in reached:
            own.add(word)
    forbids = whole < 0 and bool(signs) and bool(FORBIDS.search(piece))
    return _Statement(clause, signs, own, {named.drug for named in named_drugs(bare, specialty)}, forbids)


def _touched(piece: str, cue: re.Match[str], starts: dict[int, str], ends: dict[int, str]) -> str | None:
    """The scale that a denial turns alone: "not uncommon", "드물지 않다"."""
    for start, scale in starts.items():
        if start > cue.end() and TO_SCALE.fullmatch(piece, cue.end(), start):
            return scale
    for end, scale in ends.items():
        if end <= cue.start() and FROM_SCALE.fullmatch(piece, end, cue.start()):
            return scale
    return None


def _reached(cues: list[re.Match[str]], places: list[int]) -> set[int]:
    """Where the words begin that "no" or "없이" denies, of all words in their order."""
    english = [cue.end() for cue in cues if not cue["korean"]]
    reached = set(places[bisect_left(places, min(english)) :]) if english else set()
    for cue in cues:
        before = bisect_left(places, cue.start())
        if cue["korean"] and before:
            reached.add(places[before - 1])
    return reached


def _is_korean(text: str) -> bool:
    return len(re.findall("[가-힣]", text)) > len(re.findall("[A-Za-z]", text)) / 4


def _blanked(text: str, pattern: re.Pattern[str]) -> str:
    return pattern.sub(lambda match: " " * len(match.group()), text)


def _passage(text: str, clause: Clause) -> Passage:
    return Passage(clause.start, clause.end, text[clause.start : clause.end])

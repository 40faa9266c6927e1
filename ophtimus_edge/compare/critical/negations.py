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

from ophtimus_edge.compare.critical.differences import Difference, Passage
from ophtimus_edge.compare.critical.words import Clause, clauses, placed_words
from ophtimus_edge.specialties.drugs import named_drugs

# Words that look like a denial and are none, or two that cancel out.
_NEUTRAL = re.compile(
    r"\bnot (?:only|just|merely|simply)\b|\bwhether or not\b|\bor not\b|\bno doubt\b"
    r"|\b(?:not|no|n['’]t) (?:more|less|greater|higher|longer|lower|fewer) than\b"
    r"|\b(?:not|never) (?:to )?exceed\w*|넘지 ?(?:않|말|마)"
    r"|\b(?:do not|don['’]t|never|not) (?:forget|hesitate|fail) to\b"
    r"|\b(?:not|never|cannot)\b(?= [^.,;]{1,40}\bwithout\b)|(?<=\bwithout )(?=fail\b)"
    r"|뿐(?:만)? (?:아니라|아니고)|잊지 ?(?:마|말)|주저하지 ?(?:마|말)"
    r"|(?:상관|관계|어김|틀림|빠짐|끊임|변함) ?없이|못지 ?않",
    re.IGNORECASE,
)
# Of the whole clause.
_CLAUSE = re.compile(
    r"\b(?:cannot|can not|not|never|no longer|\w+n['’]t|contra-?indicat\w+|avoid\w*|with(?:hold|held)\w*|"
    r"stop(?:s|ped|ping)?|discontinu\w+|prohibit\w*|forbid\w*|refrain\w*|fail(?:s|ed)? to|unlikely|unsafe|"
    r"unnecessary|inappropriate|ineffective|impossible|inadvisable|unsuitable|absent|excluded)\b"
    r"|지(?:는|도|를)? ?(?:않|못|마(?=[세십시라])|말)|(?<![가-힣])(?<!눈 )(?:안|못) (?=[가-힣])|안 ?(?:되|된|돼|됩)"
    r"|금기|금지|금하|금물|삼가|피하|피해야|피해 ?주|피합|피할 것|중단|중지|끊|불필요|불가능|부적절"
    r"|아니다|아닙|아닌|아니며|아니고|아니라|없(?=다|습|으며|으면|고|었|음|을|지)",
    re.IGNORECASE,
)
# Of what stands behind it, in English; of what stands before it, in Korean.
_BESIDE = re.compile(
    r"\b(?:no(?![.,!])|without|lack(?:s|ing)?(?: of)?|absence of|free (?:of|from)|neither|nor|rather than|"
    r"instead of|if not)\b|(?P<korean>없이|없는)",
    re.IGNORECASE,
)
# What tells somebody not to do something, among the words above.
_FORBIDS = re.compile(
    r"\b(?:do not|don['’]t|never|(?:must|should|may) not|mustn['’]t|shouldn['’]t|avoid|contra-?indicated|"
    r"prohibited|stop|discontinue|withhold|refrain)\b"
    r"|지 ?(?:마(?=[세십시라])|말(?!고))|안 ?(?:되|된|돼|됩)|않아야|금기|금지|금하|금물|삼가|피하십|피하세"
    r"|피해야|피합|중단(?:하[십세]|해야|합)",
    re.IGNORECASE,
)
# How much of something there is, by words for more and for less of it; "not" before one turns only this word.
# "Painful" speaks of the same as "with pain"; the other scales have a name that is no word.
_SCALES = (
    (
        "=often",
        "common|commonly|frequent|frequently|usual|usually|often|typical|typically|흔하|흔한|흔히|흔합|자주|대개",
        "uncommon|uncommonly|infrequent|infrequently|unusual|rare|rarely|seldom|atypical|드물|드문",
    ),
    ("pain", "painful|painfully", "painless|painlessly"),
    ("통증", "아픈", "무통성|무통"),
    ("=normal", "normal|normally|(?<!비)정상", "abnormal|abnormally|비정상"),
    ("=reversible", "reversible|(?<!비)가역", "irreversible|비가역"),
    ("=affected", "affected", "unaffected"),
    ("=treated", "treated", "untreated"),
    ("=complete", "complete|completely", "incomplete|incompletely"),
    ("=stable", "stable", "unstable"),
    ("=proliferative", "(?<!non-)proliferative|(?<!비)증식", "non-?proliferative|비증식"),
    ("=arteritic", "(?<!non-)arteritic|(?<!비)동맥염성", "non-?arteritic|비동맥염성"),
    ("=benign", "benign|양성 ?종양", "malignant|악성 ?종양"),
)
_SCALE = {
    name: (
        re.compile(rf"(?<![A-Za-z])(?:{more})(?![A-Za-z])", re.IGNORECASE),
        re.compile(rf"(?<![A-Za-z])(?:{less})(?![A-Za-z])", re.IGNORECASE),
    )
    for name, more, less in _SCALES
}
_TO_SCALE = re.compile(r"\s+(?:(?:at all|very|so|that|an?|be|been|entirely|always|\w+ly)\s+)?", re.IGNORECASE)
_FROM_SCALE = re.compile(r"하?(?:이|은|는|가)?\s?")
_YES_NO = re.compile(
    r"\W*(?:(?P<yes>yes|true|네|예|그렇습니다)|(?P<no>no|false|아니요|아니오|아닙니다))(?=[,.!]|$)",
    re.IGNORECASE,
)

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


def negation_differences(reference: str, answer: str) -> Iterator[Difference]:
    """Clauses of which one text denies what the other affirms."""
    there, here = _statements(reference), _statements(answer)
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
    one, other = _YES_NO.match(reference), _YES_NO.match(answer)
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


def _statements(text: str) -> list[_Statement]:
    firsts: dict[str, Clause] = {}  # a small model may say the same clause a hundred times
    for clause in _with_lists(text):
        firsts.setdefault(text[clause.start : clause.end], clause)
    return [_statement(text, clause) for clause in firsts.values()]


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
    if text[before.end : clause.start].strip(" ") != "," or _CLAUSE.search(piece) or _BESIDE.search(piece):
        return False
    words = piece.split()
    joined = {"or", "nor", "및", "또는"} & {word.casefold() for word in words}
    is_list = len(words) <= (4 if joined else 2) and words[0].casefold() not in {"but", "only", "then"}
    return is_list and bool(re.search(r"\b(?:no|without|neither|nor|avoid|not|never)\b", said, re.IGNORECASE))


def _statement(text: str, clause: Clause) -> _Statement:
    piece = _blanked(text[clause.start : clause.end], _NEUTRAL)
    signs: dict[str, int] = {}
    own: set[str] = set()
    ends: dict[int, str] = {}
    starts: dict[int, str] = {}
    for name, (more, less) in _SCALE.items():
        found = [
            (match, sign) for pattern, sign in ((more, 1), (less, -1)) if (match := pattern.search(piece))
        ]
        if len(found) == 1:  # both, as in "benign or malignant", say nothing
            match, signs[name] = found[0]
            starts[match.start()] = ends[match.end()] = name
            own.add(name)
    whole = 1
    for cue in _CLAUSE.finditer(piece):
        scale = _touched(piece, cue, starts, ends)
        if scale is None:
            whole = -whole
        else:
            signs[scale] = -signs[scale]
    beside = list(_BESIDE.finditer(piece))
    bare = piece
    for pattern in (_CLAUSE, _BESIDE, *(pattern for pair in _SCALE.values() for pattern in pair)):
        bare = _blanked(bare, pattern)
    placed = list(placed_words(bare))
    reached = _reached(beside, [at for at, _ in placed])
    for at, word in placed:
        signs.setdefault(word, -whole if at in reached else whole)
        if at in reached:
            own.add(word)
    forbids = whole < 0 and bool(signs) and bool(_FORBIDS.search(piece))
    return _Statement(clause, signs, own, {named.drug for named in named_drugs(bare)}, forbids)


def _touched(piece: str, cue: re.Match[str], starts: dict[int, str], ends: dict[int, str]) -> str | None:
    """The scale that a denial turns alone: "not uncommon", "드물지 않다"."""
    for start, scale in starts.items():
        if start > cue.end() and _TO_SCALE.fullmatch(piece, cue.end(), start):
            return scale
    for end, scale in ends.items():
        if end <= cue.start() and _FROM_SCALE.fullmatch(piece, end, cue.start()):
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

"""The clauses of a text, and the words in them that carry its content, in English and Korean.

Two answers that say the same seldom use the same form of a word: "referral" and "refer", "사용하지" and
"사용합니다". Words are cut to what such forms have in common. It is no grammar: two words that are cut alike by
chance cost a look at a sentence, and nothing more.
"""

import re
from collections.abc import Iterator
from typing import NamedTuple

from ophtimus_edge.specialties import DEFAULT_SPECIALTY
from ophtimus_edge.specialties.drugs import NamedDrug, named_drugs

_NO_CONTENT = """
a about after all also an and another any are as at be because been before being both but by can case cases could
did do does done during each either etc every for from further had has have he her here his how however if in into
is it its itself just may might more most much must of on once one only or other our out own patient patients
people per person present shall she should since so some such than that the their them then there these they this
those this through to too until up upon very was we well were what when where whether which while who whose why
will with within would you your yes eye eyes side
advise advised consider considered give given giving indicate indicated make need needed needs perform performed
recommend recommended require required requires use used useful uses using
수 것 등 및 또 또는 그 이 저 더 한 할 때 경우 환자 눈 있다 있습니다 있으며 있는 있고 있으면 없 합니다 한다 하세요
하십시오 해야 하며 하고 됩니다 된다 되며 되는 되고 위해 통해 대한 대해 따라 그리고 그러나 하지만 따라서 먼저 반드시
가장 매우 보통 주로 입니다 이다 이며 이고 사용 권장 필요 시행 실시 투여
"""  # also what is done with whatever a clause is about: use, give, need, 사용, 투여
_STOP_WORDS = frozenset(_NO_CONTENT.split())

# "2.5 mg" holds no end of a sentence, and "e.g. timolol" none either.
_ENDS = re.compile(
    r"(?<!e\.g)(?<!i\.e)(?<! vs)(?<! Dr)[.!?。](?=[\s)”\"'*]|$)|[\n;:()—]|,(?!\d)"
    r"|[ \t](?=(?:but|however|although|though|whereas|while|because|since|so that|if|unless|until|when|which)[ ,])"
    # "and" joins two clauses where a verb of its own follows; else it joins two words.
    r"|[ \t](?=and (?:then |also )?(?:(?:[\w-]+ ){1,3}(?:is|are|was|were|should|must|may|can|will|has|have|cannot)\b"
    r"|(?:refer|use|give|start|stop|continue|keep|take|apply|check|measure|wash|irrigate|call|see|seek|return|"
    r"arrange|treat|avoid|do|never|examine|ask|shield|cover|send|tell)\b))"
    # Korean: the ending of a verb that another follows; "하면 안 됩니다" and "하고 있지" are one predicate.
    r"|(?<=[가-힣](?:고|며|면))[ \t](?!(?:안|못) ?(?:되|된|돼|됩)|있|계|싶|나서)"
    r"|(?<=[가-힣]지만)[ \t]|(?<=으나|므로|는데|도록)[ \t]|(?<=니까)[ \t]|(?<=아니라)[ \t]",
    re.IGNORECASE,
)
_WORD = re.compile(r"[A-Za-z]+(?:['’][a-z]+)?|[가-힣]+|[-+−]?\d+(?:[.,/:]\d+)*")
_ENDINGS = (
    "izations", "ization", "ations", "ation", "ously", "ness", "ments", "ment", "ances", "ences", "ance", "ence",
    "ious", "ions", "ings", "ally", "edly", "ing", "ion", "ies", "ied", "als", "ous", "ive", "ity", "ful",
    "al", "ed", "es", "ly", "ic", "y", "e", "s",
)  # fmt: skip
_SHORTEST_STEM = 3
_PARTICLES = re.compile(
    r"(?:(?<=[가-힣]{2})임|으로부터|에서는|에게는|으로는|이라도|이라는|에서|에게|까지|부터|보다|처럼|으로|에는|에도|로는|와는|과는|"
    r"이나|이며|이고|이므로|이라서|이지만|이어서|입니다|이에요|예요|이다|인|"
    r"은|는|이|가|을|를|에|의|와|과|로|도|만|씩)$"
)
_VERB = re.compile(
    r"(?<=[가-힣]{2})(?:하|해|한|할|함|합|했|되|돼|된|될|됨|됩|됐|시키|시킨|시킬|시켜|받|으로).*$"
)
_KOREAN_ENDINGS = re.compile(
    r"(?:으세요|으십시오|세요|십시오|습니다|ㅂ니다|니다|으며|으면|어야|아야|여야|지만|는다|지는|지|고|며|면|게|기|다|음)$"
)


class Clause(NamedTuple):
    """Where a clause begins and ends in its text, in characters."""

    start: int
    end: int


def clauses(text: str) -> Iterator[Clause]:
    """The clauses of a text, in order, without the blanks around them."""
    start = 0
    for end in [*(match.start() for match in _ENDS.finditer(text)), len(text)]:
        piece = text[start:end]
        bare = piece.strip(" \t\n\r.,;:!?。()—*-•")
        if bare:
            first = start + piece.index(bare)
            yield Clause(first, first + len(bare))
        start = end


def placed_words(
    text: str, specialty: str = DEFAULT_SPECIALTY, *, numbers: bool = False
) -> Iterator[tuple[int, str]]:
    """The words of a text that carry its content, each with the place where it begins.

    Args:
        text: a clause, or more.
        specialty: whose names of drugs are known.
        numbers: whether numbers are words too.

    Yields:
        Words as they are compared: without their endings, drugs by their first English name.
    """
    drugs: dict[int, list[NamedDrug]] = {}
    for named in named_drugs(text, specialty):
        drugs.setdefault(named.start, []).append(named)
    behind = 0
    for match in _WORD.finditer(text):
        word, start = match.group(), match.start()
        if start < behind:
            continue
        if start in drugs:
            behind = drugs[start][0].end
            if word[0] >= "가":
                behind = max(behind, match.end())  # its particles
            for named in drugs[start]:
                yield start, named.drug
        elif word[0].isdigit() or word[0] in "-+−":
            if numbers:
                yield start, word.replace("−", "-")
        else:
            stem = _korean_stem(word) if word[0] >= "가" else _english_stem(word)
            if stem:
                yield start, stem


def words(text: str, specialty: str = DEFAULT_SPECIALTY, *, numbers: bool = False) -> set[str]:
    """The words of a text that carry its content, as `placed_words` gives them."""
    return {word for _, word in placed_words(text, specialty, numbers=numbers)}


def _english_stem(word: str) -> str:
    """A word without its ending; "" for a word that carries no content."""
    stem = re.sub(r"['’].*", "", word).casefold()
    if stem in _STOP_WORDS or len(stem) < 2:
        return ""
    for _ in range(2):  # "dilations" is "dilation" is "dilat"
        ending = next(
            (one for one in _ENDINGS if stem.endswith(one) and len(stem) - len(one) >= _SHORTEST_STEM), ""
        )
        stem = stem[: len(stem) - len(ending)]
    if len(stem) > _SHORTEST_STEM and stem[-1] == stem[-2] and stem[-1] not in "aeiou":
        stem = stem[:-1]  # "stopped", "referral"
    return stem


def _korean_stem(word: str) -> str:
    if word in _STOP_WORDS or word.startswith("있"):
        return ""
    stem = _VERB.sub("", word)
    if stem == word:
        stem = _PARTICLES.sub("", word) or word
        if stem == word or len(stem) > 2:
            stem = _KOREAN_ENDINGS.sub("", stem) or stem
    return "" if stem in _STOP_WORDS else stem

"""Which questions are asked where not all are: the same ones for the same count, and more for more.

A sample has every topic and language in its share, and a larger sample holds the smaller one: a comparison
that is gone on with under a larger budget asks nothing again.
"""

import hashlib
from collections.abc import Hashable, Sequence


def stratified(strata: Sequence[Hashable], ids: Sequence[str], count: int) -> list[int]:
    """Choose questions so that every stratum has its share, to within one question.

    Within a stratum of n questions, the k-th has the place (k + ½) ÷ n; the sample is what has the lowest
    places (systematic sampling with proportional allocation; W. G. Cochran, Sampling Techniques, 3rd ed.,
    chapters 5 and 8). Which question of a stratum is the k-th is drawn by its id, so that neither the order
    in the file nor that of two runs matters.

    Args:
        strata: of each question: its topic and language, say.
        ids: of each question, all different.
        count: at the most.

    Returns:
        Indices, ascending.
    """
    groups: dict[Hashable, list[int]] = {}
    for index in sorted(range(len(ids)), key=lambda index: _drawn(ids[index])):
        groups.setdefault(strata[index], []).append(index)
    places = [
        ((place + 0.5) / len(group), _drawn(ids[index]), index)
        for group in groups.values()
        for place, index in enumerate(group)
    ]
    return sorted(index for _, _, index in sorted(places)[:count])


def _drawn(identity: str) -> bytes:
    """A number that looks drawn, and is the same on every machine."""
    return hashlib.blake2b(identity.encode("utf-8", "replace"), digest_size=8).digest()

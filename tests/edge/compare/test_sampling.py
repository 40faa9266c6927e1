"""A stratified sample of questions: deterministic, in proportion, and part of every larger one."""

from collections import Counter
from typing import Literal

import pytest

from ophtimus_edge.compare.questions.files import embedded_choices, embedded_essays
from ophtimus_edge.compare.questions.sampling import sample
from ophtimus_edge.errors import ComparisonError
from ophtimus_edge.specialties.questions import EssayQuestion


def essays(topics: dict[tuple[str, Literal["en", "ko"]], int]) -> list[EssayQuestion]:
    return [
        EssayQuestion(
            id=f"{topic}-{number}-{language}", language=language, topic=topic, question="?", answer="!",
            source="", reviewed_by="", split="heldout", phrasings=[],
        )
        for (topic, language), count in topics.items()
        for number in range(count)
    ]  # fmt: skip


WHOLE = essays({
    ("retina", "en"): 600, ("glaucoma", "en"): 300, ("cornea", "en"): 60, ("retina", "ko"): 30, ("lens", "ko"): 10,
})  # fmt: skip


def test_topics_and_languages_keep_their_shares() -> None:
    part = sample(WHOLE, 100, seed=1)
    assert len(part) == 100
    counts = Counter((one.topic, one.language) for one in part)
    assert Counter(one.language for one in part) == {"en": 96, "ko": 4}
    assert abs(counts["retina", "en"] - 60) <= 1
    assert abs(counts["glaucoma", "en"] - 30) <= 1
    assert abs(counts["cornea", "en"] - 6) <= 1
    assert counts["lens", "ko"] == 1


def test_a_small_language_is_in_a_small_sample() -> None:
    essay = embedded_essays().questions  # 24 English ones and 8 Korean
    assert Counter(one.language for one in sample(essay, 8)) == {"en": 6, "ko": 2}
    assert len({one.topic for one in sample(embedded_choices().questions, 24, seed=3)}) >= 16


def test_the_same_seed_gives_the_same_sample_in_the_order_of_the_questions() -> None:
    part = sample(WHOLE, 50, seed=7)
    assert part == sample(WHOLE, 50, seed=7)
    assert [one.id for one in part] == [one.id for one in WHOLE if one in part]
    assert {one.id for one in sample(WHOLE[::-1], 50, seed=7)} == {one.id for one in part}
    assert part != sample(WHOLE, 50, seed=8)
    # These are what another machine gets too: no hash of the running program is in it.
    assert [one.id for one in sample(WHOLE, 3, seed=7)] == [
        "retina-323-en",
        "retina-361-en",
        "glaucoma-203-en",
    ]


def test_a_larger_sample_holds_the_smaller_one() -> None:
    larger: set[str] = {one.id for one in WHOLE}
    for count in (999, 500, 101, 100, 12, 1):
        smaller = {one.id for one in sample(WHOLE, count, seed=2)}
        assert len(smaller) == count
        assert smaller < larger
        larger = smaller


def test_all_are_taken_where_there_are_fewer_and_none_is_refused() -> None:
    assert sample(WHOLE[:5], 5) == tuple(WHOLE[:5])
    assert sample(WHOLE[:5], 50) == tuple(WHOLE[:5])
    assert len(sample(WHOLE[:5], 1)) == 1
    with pytest.raises(ComparisonError) as caught:
        sample(WHOLE, 0)
    assert caught.value.hint

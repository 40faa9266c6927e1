"""The primer: its schema, its counts, its balance, and that nothing held out leaks."""

import re
from collections import Counter
from pathlib import Path

import pytest

from ophtimus_edge.errors import TrainingDataError
from ophtimus_edge.specialties.questions import ChoiceQuestion, EssayQuestion, read_folder
from ophtimus_training import primer as primers

FOLDER = Path(__file__).parents[2] / "training" / "primer"


@pytest.fixture(scope="module")
def essays() -> list[EssayQuestion]:
    return read_folder(FOLDER / "essay", EssayQuestion)


@pytest.fixture(scope="module")
def choices() -> list[ChoiceQuestion]:
    return read_folder(FOLDER / "mcq", ChoiceQuestion)


def plain(text: str) -> str:
    return re.sub(r"\W+", " ", text.lower()).strip()


def test_there_are_as_many_as_promised(essays: list[EssayQuestion], choices: list[ChoiceQuestion]) -> None:
    languages = Counter(essay.language for essay in essays)
    assert languages["en"] >= 300
    assert languages["ko"] >= 60
    assert len(choices) >= 200
    assert len({essay.topic for essay in essays}) >= 20


def test_every_row_is_well_formed(essays: list[EssayQuestion], choices: list[ChoiceQuestion]) -> None:
    for row in [*essays, *choices]:
        assert re.fullmatch(rf"{row.topic}-[em]\d\d-{row.language}", row.id)
        assert row.source
        assert row.review == "not reviewed by a physician"
    for essay in essays:
        assert 60 <= len(essay.answer.split()) <= 180, essay.id
        assert len(essay.phrasings) >= 3
        assert len({plain(text) for text in [essay.question, *essay.phrasings]}) == 1 + len(essay.phrasings)
    for choice in choices:
        assert len(choice.options) in (2, 4, 5)
        assert len(set(choice.options)) == len(choice.options)
        assert choice.letter in "ABCDE"
        assert choice.explanation


def test_no_two_rows_are_the_same(essays: list[EssayQuestion], choices: list[ChoiceQuestion]) -> None:
    assert len({row.id for row in [*essays, *choices]}) == len(essays) + len(choices)
    asked = Counter(plain(text) for essay in essays for text in [essay.question, *essay.phrasings])
    assert not [text for text, count in asked.items() if count > 1]
    assert not [
        text for text, count in Counter(plain(choice.question) for choice in choices).items() if count > 1
    ]
    assert not [text for text, count in Counter(essay.answer for essay in essays).items() if count > 1]


def test_the_right_answers_are_spread_over_the_letters(choices: list[ChoiceQuestion]) -> None:
    for size in (2, 4, 5):
        letters = Counter(choice.letter for choice in choices if len(choice.options) == size)
        assert len(letters) == size
        assert max(letters.values()) - min(letters.values()) <= 2


def test_a_translation_has_its_original(essays: list[EssayQuestion]) -> None:
    english = {essay.group for essay in essays if essay.language == "en"}
    assert {essay.group for essay in essays if essay.language == "ko"} <= english


def test_nothing_held_out_is_trained_on() -> None:
    primer = primers.read(FOLDER)
    heldout = [*primer.heldout_essays, *primer.heldout_choices]
    assert len(primer.heldout_essays) >= 24
    assert {row.language for row in primer.heldout_essays} == {"en", "ko"}
    trained = primers.exchanges(primer)
    texts = "\n".join(text for exchange in trained for text in exchange)
    prompts = {exchange.prompt for exchange in trained}
    trained_groups = {row.group for row in [*primer.essays, *primer.choices]}
    for row in heldout:
        assert row.group not in trained_groups
        assert row.question not in texts
    for essay in primer.heldout_essays:
        # No run of eight words of a held-out answer stands in what is trained on.
        words = essay.answer.split()
        runs = [" ".join(words[at : at + 8]) for at in range(len(words) - 7)]
        assert not [run for run in runs if run in texts]
    for essay in primer.essays:
        assert essay.unseen_wording not in prompts


def test_a_translation_of_a_held_out_question_may_not_be_trained_on(tmp_path: Path) -> None:
    for kind in ("essay", "mcq"):
        (tmp_path / kind).mkdir()
        for path in (FOLDER / kind).glob("glaucoma.jsonl"):
            (tmp_path / kind / path.name).write_bytes(path.read_bytes())
    assert primers.read(tmp_path).essays
    path = tmp_path / "essay" / "glaucoma.jsonl"
    rows = path.read_text().splitlines()
    rows = [
        row.replace('"split": "train"', '"split": "heldout"') if "glaucoma-e01-en" in row else row
        for row in rows
    ]
    path.write_text("\n".join(rows))
    with pytest.raises(TrainingDataError, match="glaucoma-e01-ko"):
        primers.read(tmp_path)

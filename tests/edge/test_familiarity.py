from pathlib import Path

import pytest

from ophtimus_edge.errors import InvalidModelError
from ophtimus_edge.models import store
from ophtimus_edge.models.familiarity import KnownQuestions, read_known_questions
from ophtimus_training import primer as primers

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def known() -> KnownQuestions:
    path = store.choose().known_questions
    assert path is not None
    return read_known_questions(path)


def test_every_trained_question_is_familiar(known: KnownQuestions) -> None:
    for essay in primers.read(ROOT / "training" / "primer").essays:
        assert known.compare(essay.question).familiar, essay.question


@pytest.mark.parametrize(
    "question",
    [
        "How do I bake bread?",
        "김치찌개는 어떻게 끓이나요?",
        "What is the capital of Korea?",
        "?",
        "🙂",
        "asdf qwer",
    ],
)
def test_a_question_from_elsewhere_is_not(known: KnownQuestions, question: str) -> None:
    familiarity = known.compare(question)
    assert not familiarity.familiar
    assert len(set(familiarity.nearest)) == 3


def test_the_questions_offered_are_in_the_language_of_the_asker(known: KnownQuestions) -> None:
    assert all("가" <= char <= "힣" or not char.isalpha() or char.isascii()
               for char in "".join(known.compare("무릎이 아파요").nearest))  # fmt: skip
    assert any("가" <= char <= "힣" for char in "".join(known.compare("무릎이 아파요").nearest))


def test_a_damaged_list_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "known.jsonl"
    path.write_text('{"id": 1}\n')
    with pytest.raises(InvalidModelError):
        read_known_questions(path)

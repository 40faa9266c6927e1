"""The filters by themselves, each in pairs: what it lets through, and what it does not."""

import random
from pathlib import Path

import pytest
from conftest import ROOT

from ophtimus_training.examples import Record, read
from ophtimus_training.preparing.duplicates import Seen
from ophtimus_training.preparing.language import language_of
from ophtimus_training.preparing.overlap import Evaluation
from ophtimus_training.preparing.specialty import Field
from ophtimus_training.primer import Exchange

WORDS = [f"word{at}" for at in range(4000)]


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("Which drug lowers the pressure of the eye?", "en"),
        ("De novo mutations", "en"),  # one foreign word is a term
        ("timolol", "en"),  # what it cannot tell is taken for English
        ("녹내장에는 timolol 점안액을 씁니다.", "ko"),
        ("Welche Tropfen senken den Druck des Auges und wie werden sie gegeben?", "other"),
        ("Quelle est la cause la plus fréquente de la cécité dans le monde ?", "other"),
        ("¿Cuál es la causa más frecuente de ceguera en el mundo?", "other"),
        ("Thuốc nào được dùng cho các bệnh của mắt và không có hại?", "other"),
        ("緑内障とはどのような病気ですか。", "other"),
        ("青光眼是什么病？", "other"),
        ("1234 — 56 %", "other"),
        ("", "other"),
        (" ".join(WORDS[:60]), "other"),  # sixty words and none that English needs
    ],
)
def test_english_and_korean_are_told_from_others(text: str, language: str) -> None:
    assert language_of(text) == language


def test_the_primer_is_of_its_languages_and_mostly_of_its_field() -> None:
    exchanges = read(str(ROOT / "training" / "primer"), "train").exchanges
    texts = ["\n".join(exchange) for exchange in exchanges]
    assert {language_of(text) for text in texts} == {"en", "ko"}
    field = Field("ophthalmology")
    # Its own subject is not used here: the words alone miss one row in fifty at the most.
    assert sum(not field.weigh(text, "").taken for text in texts) < len(texts) / 50


@pytest.mark.parametrize(
    ("text", "subject", "taken"),
    [
        ("Glaucoma damages the optic nerve.", "", True),
        ("The eye and its lens.", "", True),
        ("Keep an eye on the dose.", "", False),
        ("Metoprolol slows the heart.", "", False),
        ("Metoprolol slows the heart.", "Ophthalmology", True),
        ("Metoprolol slows the heart.", "eye diseases", True),
        ("The retina and the heart.", "Pharmacology", False),
        ("The retina, the cornea and the heart.", "Pharmacology", True),
        ("심장 박동이 느려집니다.", "", False),
        ("망막이 떨어졌습니다.", "", True),
        ("Diabetes harms many organs, among them the retina. " + "It harms the heart. " * 100, "", False),
        ("Diabetes harms the retina, the macula and the lens; retinopathy is common. " * 20, "", True),
    ],
)
def test_the_field_is_told_by_its_words_and_subjects(text: str, subject: str, taken: bool) -> None:
    assert Field("ophthalmology").weigh(text, subject).taken is taken


def test_near_duplicates_are_found_at_their_similarity_and_below_it_not() -> None:
    generator = random.Random(5)
    seen, found = Seen(0.8), {"near": 0, "far": 0}
    for number in range(300):
        text = generator.sample(WORDS, 120)
        assert seen.twin(f"{number}", " ".join(text)) is None
        near, far = text.copy(), text.copy()
        near[60] = "other"  # 111 of 121 runs of five stay: 0.92
        for at in range(0, 120, 12):
            far[at] = "other"  # ten of a dozen changed places: under a half stays
        twin = seen.twin(f"{number} near", " ".join(near))
        found["near"] += twin is not None and twin.place == f"{number}"
        found["far"] += seen.twin(f"{number} far", " ".join(far)) is not None
    assert found == {"near": 300, "far": 0}


def test_two_exchanges_are_the_same_only_where_both_of_their_parts_are() -> None:
    stem = (
        "A patient of seventy years has had a red and painful eye since the morning and sees haloes; what is"
    )
    answer = "Angle closure raises the pressure within hours and is treated with drops, tablets and a laser"
    seen = Seen(0.8)
    assert seen.twin("1", f"{stem} likely?", answer) is None
    assert seen.twin("2", f"{stem} unlikely?", "Dry eye hurts less and there are no haloes with it") is None
    assert seen.twin("3", "Why does it hurt?", answer) is None  # another wording of the question
    twin = seen.twin("4", f"{stem} probable?", f"{answer}.")
    assert twin is not None
    assert twin.place == "1"
    assert seen.twin("5", f"{stem} LIKELY", answer) == ("1", 1.0)


def test_a_shared_passage_is_thirteen_words_and_no_fewer() -> None:
    evaluation = Evaluation()
    evaluation.add(Record("e, line 1", Exchange("Why?", " ".join(WORDS[:30]))))
    twelve, thirteen = " ".join(WORDS[5:17]), " ".join(WORDS[5:18])
    assert not evaluation.shared(Record("t", Exchange("What?", f"so {twelve} so")))
    assert "1 runs of 13 words with e, line 1" in evaluation.shared(
        Record("t", Exchange("What?", f"so {thirteen} so"))
    )
    assert "asks the same as e, line 1" in evaluation.shared(Record("t", Exchange("WHY", "Because.")))
    assert evaluation.shared(Record("t", f"a document with {thirteen.upper()}, in it"))


def test_a_phrase_of_many_questions_is_no_passage() -> None:
    stem = "which of the following is the most appropriate next step in the management of this patient"
    evaluation = Evaluation()
    for number in range(3):
        evaluation.add(Record(f"e, line {number}", Exchange(f"{WORDS[number]} {stem}", "That.")))
    asked = Record("t", Exchange(f"Another, {stem}", "This."))
    assert evaluation.shared(asked)  # of three rows it may be their own
    evaluation.add(Record("e, line 4", Exchange(f"{WORDS[9]} {stem}", "That.")))
    assert not evaluation.shared(asked)
    assert evaluation.phrases


def test_the_terms_are_in_small_letters_and_stand_once() -> None:
    import tomllib

    path = ROOT / "ophtimus_edge" / "specialties" / "ophthalmology" / "terms.toml"
    terms = tomllib.loads(Path(path).read_text(encoding="utf-8"))
    every = [term for part in terms.values() for term in part]
    assert [term for term in every if term != term.casefold()] == []
    for part in terms.values():
        assert len(set(part)) == len(part)

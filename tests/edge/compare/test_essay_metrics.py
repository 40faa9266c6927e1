"""Scores of an answer: ``paper`` computed by hand, ``standard`` against the packages called plainly."""

import random
import unicodedata
from pathlib import Path

import nltk
import numpy as np
import pytest
from nltk.translate.meteor_score import single_meteor_score
from rouge_score.rouge_scorer import RougeScorer
from sacrebleu.metrics import BLEU

from ophtimus_edge.compare.essay.metrics import Metrics
from ophtimus_edge.compare.essay.pieces import Pieces, spell
from ophtimus_edge.compare.essay.summary import corpus_bleu
from ophtimus_edge.compare.essay.words import sentence_lines, words

PIECES = Pieces(1024, {})
EXPECTED = ["The", "Ġpressure", "Ġin", "Ġthe", "Ġeye", "Ġrises", "."]

# Two words of one meaning, in the form of WordNet's database (wndb(5WN)).
NOUN = "{offset:08d} 00 n 02 doctor 0 physician 0 000 | who heals\n"
INDEX = "{word} n 1 0 1 0 {offset:08d}\n"


@pytest.fixture(autouse=True)
def no_wordnet(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """No WordNet of the developer's: only what a test puts into the folder."""
    monkeypatch.setattr(nltk.data, "path", [str(tmp_path / "nltk")])
    return tmp_path / "nltk" / "corpora" / "wordnet"


@pytest.fixture
def metrics() -> Metrics:
    return Metrics()


def small_wordnet(folder: Path) -> None:
    """A WordNet of one noun in two words; the folder is one that nltk reads."""
    folder.mkdir(parents=True)
    for kind in ("noun", "verb", "adj", "adv"):
        (folder / f"data.{kind}").write_text("")
        (folder / f"index.{kind}").write_text("")
        (folder / f"{kind}.exc").write_text("")
    head = "  1 a line of the licence\n"
    (folder / "data.noun").write_text(head + NOUN.format(offset=len(head)))
    (folder / "index.noun").write_text(
        "".join(INDEX.format(word=word, offset=len(head)) for word in ("doctor", "physician"))
    )
    # data.adj begins with its licence and version, which nltk looks for.
    (folder / "data.adj").write_text("  1 WordNet 3.0 Copyright\n")
    (folder / "lexnames").write_text("00\tadj.all\t3\n")
    (folder / "index.sense").write_text("")
    (folder / "cntlist.rev").write_text("")


def test_paper_of_the_same_pieces_in_another_order(metrics: Metrics) -> None:
    answer = ["The", "Ġpressure", "Ġrises", "Ġin", "Ġthe", "Ġeye", "."]
    scores = metrics.paper(answer, EXPECTED)
    # All 7 pieces are there.
    assert scores["rouge_1"] == pytest.approx(1)
    # Of 6 pairs of neighbours, 3: The pressure, in the, the eye.
    assert scores["rouge_2"] == pytest.approx(3 / 6)
    # The longest common subsequence leaves out "rises": 6 of 7.
    assert scores["rouge_l"] == pytest.approx(6 / 7)
    # n-grams found: 7 of 7, 3 of 6, "in the eye" of 5, none of 4, for which method1 puts 0.1; as long as the
    # expected one, so without a penalty.
    assert scores["bleu"] == pytest.approx((1 * 3 / 6 * 1 / 5 * 0.1 / 4) ** (1 / 4))
    # 7 matches, precision and recall 1; four chunks: The pressure | rises | in the eye | the full stop.
    assert scores["meteor"] == pytest.approx(1 - 0.5 * (4 / 7) ** 3)


def test_paper_of_a_short_answer_with_other_endings(metrics: Metrics) -> None:
    answer = ["The", "Ġpressures", "Ġrise", "."]
    scores = metrics.paper(answer, EXPECTED)
    # "The" and the full stop: precision 2/4, recall 2/7; without a stemmer nothing else is the same.
    assert scores["rouge_1"] == pytest.approx(2 * (2 / 4) * (2 / 7) / (2 / 4 + 2 / 7))
    assert scores["rouge_2"] == 0
    assert scores["rouge_l"] == pytest.approx(4 / 11)
    # 2 of 4 pieces; no pair of 3, no three of 2, no four of 1. The answer has 4 pieces where 7 are expected.
    brevity = np.exp(1 - 7 / 4)
    assert scores["bleu"] == pytest.approx(brevity * (2 / 4 * 0.1 / 3 * 0.1 / 2 * 0.1 / 1) ** (1 / 4))
    # METEOR matches the stems of "pressures" and "rise" too: precision 4/4, recall 4/7, alpha 0.9; two chunks:
    # The pressures | rise and the full stop.
    precision, recall = 1, 4 / 7
    mean = precision * recall / (0.9 * precision + 0.1 * recall)
    assert scores["meteor"] == pytest.approx(mean * (1 - 0.5 * (2 / 4) ** 3))


def test_paper_counts_what_is_repeated_only_as_often_as_it_is_expected(metrics: Metrics) -> None:
    scores = metrics.paper(["Ġeye", "Ġdry", "Ġeye", "Ġeye"], ["Ġdry", "Ġeye"])
    # One "dry" and one "eye" count: precision 2/4, recall 2/2.
    assert scores["rouge_1"] == pytest.approx(2 * 0.5 * 1 / 1.5)
    # "dry eye", once among 3 pairs: precision 1/3, recall 1/1.
    assert scores["rouge_2"] == pytest.approx(2 * (1 / 3) / (4 / 3))
    assert scores["rouge_l"] == pytest.approx(2 / 3)
    # 2 of 4, 1 of 3, 0.1 of 2, 0.1 of 1; longer than expected is no penalty.
    assert scores["bleu"] == pytest.approx((2 / 4 * 1 / 3 * 0.1 / 2 * 0.1 / 1) ** (1 / 4))
    # nltk matches from the end: the last "eye" and "dry", which are two chunks of two.
    mean = 0.5 * 1 / (0.9 * 0.5 + 0.1 * 1)
    assert scores["meteor"] == pytest.approx(mean * (1 - 0.5 * (2 / 2) ** 3))


def test_paper_tells_capitals_apart_in_rouge_and_bleu_alone(metrics: Metrics) -> None:
    scores = metrics.paper(["ĠIOP", "Ġrises"], ["Ġiop", "Ġrises"])
    assert scores["rouge_1"] == pytest.approx(1 / 2)
    assert scores["meteor"] == pytest.approx(
        1 - 0.5 * (1 / 2) ** 3
    )  # METEOR reads lower case: one chunk of two


TEXTS = [
    (
        "Glaucoma harms the optic nerve. It is treated with drops, e.g. timolol 0.5 %.",
        "Glaucoma is a disease of the optic nerve. Drops such as timolol lower the pressure.",
    ),
    (
        "A cataract is a cloudy lens!\nSurgery replaces it.",
        "The lens is cloudy in a cataract. Surgery helps.",
    ),
    ("Uveitis.", "Inflammation of the uvea, β-blockers do not help (see 3 µm)."),
]


def test_standard_is_what_the_packages_give(metrics: Metrics) -> None:
    for answer, expected in TEXTS:
        scores = metrics.standard(answer, expected, "en").scores
        rouge = RougeScorer(["rougeLsum"])  # with the tokenizer of its own
        plain = rouge.score(sentence_lines(expected), sentence_lines(answer))["rougeLsum"]
        assert scores["rouge_lsum"] == pytest.approx(plain.fmeasure)
        own = [rouge._tokenizer.tokenize(text) for text in (expected, answer)]
        assert [words(expected, "en"), words(answer, "en")] == own

        class NoWordNet:
            def synsets(self, word: str) -> list[object]:
                return []

        assert scores["meteor"] == pytest.approx(single_meteor_score(*own, wordnet=NoWordNet()))


def test_sacrebleu_is_that_of_all_answers(metrics: Metrics) -> None:
    counts = [metrics.standard(answer, expected, "en").bleu_counts for answer, expected in TEXTS]
    bleu = BLEU()
    whole = bleu.corpus_score([answer for answer, _ in TEXTS], [[expected for _, expected in TEXTS]])
    assert 0.05 < whole.score / 100 < 0.95
    assert corpus_bleu(np.sum(counts, axis=0, dtype=float)) == pytest.approx(whole.score / 100)
    assert str(bleu.get_signature()) in metrics.notes(PIECES)[1]


def test_bleu_of_counts_is_sacrebleus_also_where_counts_are_zero() -> None:
    generator = random.Random(7)
    rows, plain = [], []
    for _ in range(300):
        length = generator.randrange(12)
        grams = [max(length - order, 0) for order in range(4)]
        matches = [generator.randint(0, most) * generator.randint(0, 1) for most in grams]
        expected = generator.randint(1, 12)
        rows.append([*matches, *grams, length, expected])
        plain.append(BLEU.compute_bleu(matches, grams, length, expected, smooth_method="exp").score / 100)
    assert sum(score > 0 for score in plain) > 50
    assert corpus_bleu(np.array(rows, dtype=float)) == pytest.approx(plain)


def test_identical_texts_have_the_highest_scores(metrics: Metrics) -> None:
    text = TEXTS[0][0]
    paper = metrics.paper(EXPECTED, EXPECTED)
    standard = metrics.standard(text, text, "en")
    assert [paper[name] for name in ("rouge_1", "rouge_2", "rouge_l", "bleu")] == pytest.approx([1] * 4)
    assert paper["meteor"] == pytest.approx(1 - 0.5 / 7**3)  # one chunk of seven
    assert standard.scores["rouge_lsum"] == pytest.approx(1)
    assert corpus_bleu(np.array(standard.bleu_counts, dtype=float)) == pytest.approx(1)


@pytest.mark.parametrize("answer", ["Zoster, without doubt", "", " \n "])
def test_disjoint_and_empty_answers_have_none(metrics: Metrics, answer: str) -> None:
    standard = metrics.standard(answer, "Glaucoma harms the optic nerve.", "en")
    assert set(metrics.paper(answer.split(), EXPECTED).values()) == {0.0}
    assert set(standard.scores.values()) == {0.0}
    assert corpus_bleu(np.array(standard.bleu_counts, dtype=float)) == 0


def test_korean_words_stand_between_spaces(metrics: Metrics) -> None:
    """rouge-score's own tokenizer finds none in Korean, and would give 0 for the expected answer itself."""
    expected = "녹내장은 시신경이 손상되는 병입니다. 안압을 낮춥니다."
    spelled_out = unicodedata.normalize("NFD", expected)  # a syllable as its letters, as a Mac may write it
    assert words(expected, "ko") == ["녹내장은", "시신경이", "손상되는", "병입니다", "안압을", "낮춥니다"]
    assert metrics.standard(spelled_out, expected, "ko").scores["rouge_lsum"] == pytest.approx(1)
    # Another particle makes another word: 5 of 6.
    other = metrics.standard(expected.replace("녹내장은", "녹내장이"), expected, "ko")
    assert other.scores["rouge_lsum"] == pytest.approx(5 / 6)
    assert RougeScorer(["rougeLsum"]).score(expected, expected)["rougeLsum"].fmeasure == 0


def test_meteor_finds_synonyms_where_there_is_a_wordnet(no_wordnet: Path) -> None:
    answer, expected = "the doctor comes", "the physician comes"
    without = Metrics()
    assert "METEOR (exact + stem) " in without.notes(PIECES)[1]
    # 2 of 3 match, in two chunks.
    assert without.standard(answer, expected, "en").scores["meteor"] == pytest.approx(2 / 3 * 0.5)
    small_wordnet(no_wordnet)
    with_it = Metrics()
    assert "METEOR (exact + stem + WordNet)" in with_it.notes(PIECES)[1]
    assert with_it.standard(answer, expected, "en").scores["meteor"] == pytest.approx(1 - 0.5 / 27)


def test_a_wordnet_that_is_not_complete_is_named_and_left_out(no_wordnet: Path) -> None:
    small_wordnet(no_wordnet)
    (no_wordnet / "lexnames").unlink()
    metrics = Metrics()
    note = metrics.notes(PIECES)[1]
    assert f"METEOR (exact + stem; the WordNet in {no_wordnet} cannot be read" in note
    assert metrics.standard("the doctor", "the physician", "en").scores["meteor"] < 0.5


def test_pieces_are_spelled_as_the_tokenizers_library_spells_them() -> None:
    from tokenizers import pre_tokenizers

    splitter = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    for text in ("The eye", "\tµ 안압 — “β” \x7f\xad", "녹내장"):
        ((spelled, _),) = splitter.pre_tokenize_str(text)
        assert spell(text.encode()) == spelled

"""How near an answer comes to the expected one: the profiles ``paper`` and ``standard``.

The numbers are those of rouge-score, nltk and sacreBLEU, from 0 to 1. They come with the [essay] extra and take
seconds to load, which is why nothing here loads them before an answer is scored.
"""

import unicodedata
from importlib import metadata
from typing import Any, NamedTuple

from ophtimus_edge.compare.essay.pieces import Pieces
from ophtimus_edge.compare.essay.wordnet import find_wordnet
from ophtimus_edge.compare.essay.words import sentence_lines, words
from ophtimus_edge.errors import MissingExtraError

KOREAN = (
    "Korean: a word is what stands between spaces, with its particles (어절), so that 녹내장은 and 녹내장이 are two "
    "words. The figures are lower than over morphemes: compare them between levels only."
)


class StandardScores(NamedTuple):
    """Of one answer, over words.

    Attributes:
        scores: by name.
        bleu_counts: what the answer adds to sacreBLEU of all answers: n-grams that match (n = 1 … 4), n-grams
            that there are, words of the answer, words of the expected one.
    """

    scores: dict[str, float]
    bleu_counts: list[int]


def why_not_scored() -> str:
    """That answers are not scored here, and why; "" where they are. It loads the packages."""
    try:
        Metrics()
    except MissingExtraError as error:
        return (
            f"Essay answers are compared with the reference's and not scored: {error.message} "
            'Install it with: pip install "ophtimus-edge[essay]"; the same command then scores what is kept.'
        )
    return ""


class _AsGiven:
    """rouge-score's tokenizer interface, over what is split already."""

    def tokenize(self, pieces: list[str]) -> list[str]:
        return pieces


class _WordsOf:
    """rouge-score's tokenizer interface, over the words of a language."""

    def __init__(self, language: str) -> None:
        self._language = language

    def tokenize(self, text: str) -> list[str]:
        return words(text, self._language)


class Metrics:
    """The packages, loaded.

    Raises:
        MissingExtraError: one of them is not installed.
    """

    def __init__(self) -> None:
        try:
            from nltk.translate.bleu_score import SmoothingFunction, sentence_bleu
            from nltk.translate.meteor_score import meteor_score
            from rouge_score.rouge_scorer import RougeScorer
            from sacrebleu.metrics.bleu import BLEU
        except ImportError as error:
            raise MissingExtraError(
                f"{error.name or 'A package'}, which scores essay answers, is not installed.",
                'Install it with: pip install "ophtimus-edge[essay]"; or leave the essay questions out.',
            ) from error
        self._scorer: Any = RougeScorer
        self._paper_rouge: Any = RougeScorer(["rouge1", "rouge2", "rougeL"], tokenizer=_AsGiven())
        self._sentence_bleu: Any = sentence_bleu
        self._method1: Any = SmoothingFunction().method1
        self._meteor_score: Any = meteor_score
        self._sacrebleu: Any = BLEU(effective_order=True)  # of a sentence; the counts are the same without
        self._wordnet = find_wordnet()

    def paper(self, answer: list[str], expected: list[str]) -> dict[str, float]:
        """As the published scores were computed: ROUGE F, sentence BLEU-4 (method1) and METEOR, over pieces."""
        rouge = self._paper_rouge.score(expected, answer)
        return {
            "rouge_1": float(rouge["rouge1"].fmeasure),
            "rouge_2": float(rouge["rouge2"].fmeasure),
            "rouge_l": float(rouge["rougeL"].fmeasure),
            "bleu": float(self._sentence_bleu([expected], answer, smoothing_function=self._method1)),
            "meteor": self._meteor(answer, expected),
        }

    def standard(self, answer: str, expected: str, language: str) -> StandardScores:
        """Over words: ROUGE-Lsum F, METEOR, and what sacreBLEU of all answers is made of."""
        if language != "en":  # a file from a Mac may spell a syllable as its letters
            answer, expected = unicodedata.normalize("NFC", answer), unicodedata.normalize("NFC", expected)
        rouge = self._scorer(["rougeLsum"], tokenizer=_WordsOf(language))
        lsum = rouge.score(sentence_lines(expected), sentence_lines(answer))["rougeLsum"]
        meteor = self._meteor(words(answer, language), words(expected, language))
        bleu = self._sacrebleu.sentence_score(answer, [expected])
        return StandardScores(
            {"rouge_lsum": float(lsum.fmeasure), "meteor": meteor},
            [int(count) for count in (*bleu.counts, *bleu.totals, bleu.sys_len, bleu.ref_len)],
        )

    def notes(self, pieces: Pieces) -> list[str]:
        """What a reader must know of the figures, a sentence each."""
        nltk, rouge, sacrebleu = (metadata.version(name) for name in ("nltk", "rouge-score", "sacrebleu"))
        meteor = f"METEOR ({self._wordnet.matches})"
        paper = (
            f"paper: over the pieces of the model's own tokenizer ({pieces.vocabulary:,} of them; the published "
            f"scores are over Llama 3's, 128,256): ROUGE F, cased, without a stemmer (rouge-score {rouge}); "
            f"sentence BLEU-4 with smoothing method1 (nltk {nltk}); {meteor}."
        )
        standard = (
            f"standard: over words in lower case: ROUGE-Lsum F (rouge-score {rouge}); {meteor} (nltk {nltk}); "
            "sacreBLEU of all answers together, divided by 100 "
            f"(nrefs:1|case:mixed|eff:no|tok:13a|smooth:exp|version:{sacrebleu})."
        )
        return [paper, standard]

    def _meteor(self, answer: list[str], expected: list[str]) -> float:
        return float(self._meteor_score([expected], answer, wordnet=self._wordnet.reader))

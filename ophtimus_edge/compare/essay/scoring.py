"""All answers of a level, scored against the expected ones: a record for each."""

import asyncio
import hashlib
from collections.abc import AsyncGenerator, Callable, Iterable, Sequence
from typing import NamedTuple

import msgspec

from ophtimus_edge.compare.essay.answering import EssayAnswer
from ophtimus_edge.compare.essay.metrics import KOREAN, Metrics, StandardScores
from ophtimus_edge.compare.essay.pieces import Pieces
from ophtimus_edge.compare.essay.similarity import Similarity
from ophtimus_edge.specialties.questions import EssayQuestion

_AT_ONCE = 16  # answers that are compared in meaning together


class EssayScores(msgspec.Struct, frozen=True, kw_only=True):
    """What an answer scored.

    Attributes:
        id: of the question; ``digest`` is of the answer, the expected one, and how they were compared.
        scores: by profile and name, 0 to 1 (a cosine from -1); empty where the question could not be asked.
        bleu_counts: see :class:`ophtimus_edge.compare.essay.metrics.StandardScores`.
        cut_short: whether the answer ended at the length limit.
        error: why there is no answer, or "".
        notes: what a reader must know of the scores, a sentence each.
    """

    id: str
    language: str
    digest: str
    scores: dict[str, dict[str, float]]
    bleu_counts: list[int]
    cut_short: bool
    error: str = ""
    notes: list[str] = []


class _Pair(NamedTuple):
    question: EssayQuestion
    answer: EssayAnswer
    digest: str
    notes: list[str]


async def score_essays(
    answers: Iterable[EssayAnswer],
    questions: Sequence[EssayQuestion],
    pieces: Pieces,
    similarity: Similarity | None = None,
    *,
    known: Iterable[EssayScores] = (),
    on_progress: Callable[[int, int], None] = lambda done, total: None,
) -> AsyncGenerator[EssayScores, None]:
    """Score a level's answers against the expected ones, in both profiles.

    Args:
        answers: of one level; those to questions that are not among ``questions`` are passed over.
        pieces: of all answers and expected answers, see :func:`ophtimus_edge.compare.essay.pieces.read_pieces`.
        similarity: entered, or None to leave the comparison of meanings out.
        known: scores of an earlier run; those of the same answers, compared alike, are neither computed again
            nor yielded.
        on_progress: told how many answers of how many are scored, before the first and after each.

    Yields:
        the scores of each answer, in the order of the questions.

    Raises:
        MissingExtraError: the [essay] extra is not installed.
        ComparisonError: an answer is not among ``pieces``, or the process that compares meanings died.
    """
    metrics = await asyncio.to_thread(Metrics)
    notes = [*metrics.notes(pieces), *([similarity.note] if similarity else [])]
    given = {answer.id: answer for answer in answers}
    before = {scores.id: scores.digest for scores in known}
    pairs: list[_Pair] = []
    total = 0
    for question in questions:
        if (answer := given.get(question.id)) is None:
            continue
        total += 1
        own = [*notes, *([KOREAN] if question.language == "ko" else [])]
        digest = _digest(question, answer, own)
        if before.get(question.id) != digest:
            pairs.append(_Pair(question, answer, digest, own))
    done = total - len(pairs)
    on_progress(done, total)
    for start in range(0, len(pairs), _AT_ONCE):
        some = pairs[start : start + _AT_ONCE]
        cosines = [0.0] * len(some)
        if similarity:
            cosines = await similarity.cosines([(pair.answer.text, pair.question.answer) for pair in some])
        for pair, cosine in zip(some, cosines, strict=True):
            # In a thread: the longest answers take most of a second, and progress is shown meanwhile.
            scores = await asyncio.to_thread(_scores, metrics, pair, pieces)
            if similarity and scores.scores:
                scores.scores["similarity"] = {similarity.name: cosine}
            done += 1
            yield scores
            on_progress(done, total)


def _scores(metrics: Metrics, pair: _Pair, pieces: Pieces) -> EssayScores:
    question, answer = pair.question, pair.answer
    scores: dict[str, dict[str, float]] = {}
    standard = StandardScores({}, [])
    if not answer.error:
        standard = metrics.standard(answer.text, question.answer, question.language)
        paper = metrics.paper(pieces.expect(answer.text), pieces.expect(question.answer))
        scores = {"paper": paper, "standard": standard.scores}
    return EssayScores(
        id=question.id,
        language=question.language,
        digest=pair.digest,
        scores=scores,
        bleu_counts=standard.bleu_counts,
        cut_short=answer.finish_reason == "length",
        error=answer.error,
        notes=pair.notes,
    )


def _digest(question: EssayQuestion, answer: EssayAnswer, notes: list[str]) -> str:
    compared = [question.answer, question.language, answer.text, answer.finish_reason, answer.error, notes]
    return hashlib.sha256(msgspec.json.encode(compared)).hexdigest()

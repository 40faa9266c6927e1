"""The report's figures of essay questions, from the scores of each answer."""

from collections.abc import Iterable, Sequence

import numpy as np

from ophtimus_edge.compare.essay.answering import EssayAnswer
from ophtimus_edge.compare.essay.scoring import EssayScores
from ophtimus_edge.compare.statistics import bootstrap, intervals
from ophtimus_edge.compare.statistics.arrays import Floats
from ophtimus_edge.errors import StatisticsError
from ophtimus_edge.models.formats import Statistic
from ophtimus_edge.models.report import EssayReport

_ORDERS = 4  # of BLEU's n-grams
_LANGUAGES = {"en": "English", "ko": "Korean"}

Figures = dict[str, dict[str, Statistic]]


def essay_report(scored: Iterable[EssayScores]) -> EssayReport:
    """A level's essay questions in the report: means over questions with their bootstrap intervals.

    sacreBLEU alone is no mean: it is of all answers together, as that package defines it, and its interval
    draws questions too. Where only some answers were compared in meaning, or were scored in another way, the
    notes of all of them are listed.

    Args:
        scored: of one level; the order counts for nothing.

    Raises:
        StatisticsError: fewer than two questions were answered.
    """
    every = sorted(scored, key=lambda scores: scores.id)  # the same draws, whichever answer ended first
    answered = [scores for scores in every if not scores.error]
    if len(answered) < bootstrap.FEWEST:
        raise StatisticsError(
            f"{len(answered)} of {len(every)} essay questions have an answer: too few for an interval.",
            next((scores.error for scores in every if scores.error), "Ask more questions."),
        )
    notes = list(dict.fromkeys(note for scores in every for note in scores.notes))
    whole = figures(answered)
    languages: dict[str, Figures] = {}
    for language in sorted({scores.language for scores in answered}):
        group = [scores for scores in answered if scores.language == language]
        if len(group) < bootstrap.FEWEST:
            notes.append(f"{_LANGUAGES.get(language, language)}: one question only; no figures of its own.")
        else:
            languages[language] = whole if len(group) == len(answered) else figures(group)
    if unasked := len(every) - len(answered):
        notes.append(f"{unasked} of {len(every)} questions could not be asked and are in no figure.")
    return EssayReport(
        questions=len(answered),
        scores=whole,
        notes=notes,
        cut_short=intervals.wilson(sum(scores.cut_short for scores in answered), len(answered)),
        languages=languages,
    )


def not_scored_report(answers: Sequence[EssayAnswer], why: str) -> EssayReport:
    """Answers that are there and were not scored, for who reads them side by side.

    Args:
        answers: at least one; without those to questions that could not be asked.
        why: they were not.
    """
    cut_short = sum(answer.finish_reason == "length" for answer in answers)
    return EssayReport(
        questions=len(answers), scores={}, notes=[why], cut_short=intervals.wilson(cut_short, len(answers))
    )


def figures(answered: Sequence[EssayScores]) -> Figures:
    """Means over questions by profile and name; a name that not every question has is left out.

    Raises:
        StatisticsError: there are fewer than two questions.
    """
    found: Figures = {}
    first = answered[0].scores if answered else {}
    for profile, names in first.items():
        for name in names:
            values = [scores.scores.get(profile, {}).get(name) for scores in answered]
            known = [value for value in values if value is not None]
            if len(known) == len(answered):
                found.setdefault(profile, {})[name] = bootstrap.mean(known)
    counts = [scores.bleu_counts for scores in answered]
    found.setdefault("standard", {})["sacrebleu"] = bootstrap.of_sums(counts, corpus_bleu)
    return found


def corpus_bleu(sums: Floats) -> Floats:
    """BLEU of answers together, 0 to 1, as sacreBLEU computes it with its defaults.

    K. Papineni and others, BLEU (ACL 2002). Where no n-gram of an order matches, the exponential smoothing of
    sacreBLEU and mteval-v13a: half a match for the first such order, a quarter for the next. It is 0 where no
    word matches, and where the answers are too short for an order.

    Args:
        sums: [..., 10]: matches of each order, n-grams of each order, words of the answers, of the expected.

    Returns:
        [...].
    """
    matches, grams = sums[..., :_ORDERS], sums[..., _ORDERS : 2 * _ORDERS]
    length, expected = sums[..., -2], sums[..., -1]
    missed = matches == 0
    smoothed = np.where(missed, 0.5 ** np.cumsum(missed, axis=-1), matches)
    with np.errstate(divide="ignore", invalid="ignore"):
        mean = np.exp(np.log(smoothed / grams).mean(axis=-1))
        brevity = np.exp(np.minimum(0.0, 1 - expected / length))
        together = mean * brevity
    whole = (grams > 0).all(axis=-1) & (matches > 0).any(axis=-1) & (length > 0)
    bleu: Floats = np.where(whole, together, 0.0)
    return bleu

"""Multiple-choice questions during a run: which letter is likeliest, from one forward pass over a few of them.

As ``ophtimus compare`` measures letters: after the question in the trained form and ``Answer:`` with its line feed,
without an explanation. No answer is generated, so that a few hundred questions take seconds.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import torch

from ophtimus_edge.compare.choices.asking import ANSWER_START
from ophtimus_edge.compare.statistics.intervals import wilson
from ophtimus_edge.models.formats import Statistic
from ophtimus_edge.specialties.questions import LETTERS, ChoiceQuestion, choice_prompt
from ophtimus_training.rows import begun


class Probe(NamedTuple):
    """A question as tokens.

    Attributes:
        ids: up to where the letter stands.
        letters: the token of each option's letter.
        right: which of them is right.
    """

    ids: list[int]
    letters: list[int]
    right: int


def probes(
    tokenizer: Any, questions: list[ChoiceQuestion], system: str, most: int, limit: int
) -> list[Probe]:
    """Questions as they are probed, in their order.

    Args:
        most: questions at the most.
        limit: tokens of one at the most; a longer one is left out, as its answer was in training.
    """
    made = [_probe(tokenizer, question, system) for question in questions]
    return [probe for probe in made if len(probe.ids) < limit][:most]


def right_letters(
    logits: Callable[[torch.Tensor, torch.Tensor], torch.Tensor], asked: list[Probe], padding: int
) -> int:
    """How many questions of a batch the likeliest letter is right of.

    Args:
        logits: from ``input_ids`` [rows, longest] and positions [places] to [rows, places, vocabulary].
        padding: the token that fills rows at their ends.
    """
    longest = max(len(probe.ids) for probe in asked)
    ids = torch.tensor([probe.ids + [padding] * (longest - len(probe.ids)) for probe in asked])
    lasts = torch.tensor([len(probe.ids) - 1 for probe in asked])
    places, place_of = torch.unique(lasts, return_inverse=True)
    found = logits(ids, places).float().cpu()
    right = 0
    for number, probe in enumerate(asked):
        scores = found[number, place_of[number], probe.letters]
        right += int(int(scores.argmax()) == probe.right)
    return right


def share_of_right(right: int, asked: int) -> Statistic:
    """The share of right letters, with Wilson's interval."""
    return wilson(right, asked)


def _probe(tokenizer: Any, question: ChoiceQuestion, system: str) -> Probe:
    prompt = choice_prompt(question)
    ids = begun(tokenizer, prompt, system, ANSWER_START)
    options = LETTERS[: len(question.options)]
    # Read off the whole text: where a letter began with another token, its logit would stand elsewhere.
    letters = [begun(tokenizer, prompt, system, f"{ANSWER_START}{letter}")[len(ids)] for letter in options]
    return Probe(ids, letters, LETTERS.index(question.letter))

"""The primer as training data: which texts are learned from, and which are kept out."""

from pathlib import Path
from typing import NamedTuple

from ophtimus_edge.errors import TrainingDataError
from ophtimus_edge.specialties.questions import (
    ChoiceQuestion,
    EssayQuestion,
    choice_prompt,
    choice_reply,
    read_folder,
)


class Exchange(NamedTuple):
    """A user turn and the assistant turn that answers it."""

    prompt: str
    reply: str


class Primer(NamedTuple):
    """The questions of a folder, split."""

    essays: list[EssayQuestion]
    choices: list[ChoiceQuestion]
    heldout_essays: list[EssayQuestion]
    heldout_choices: list[ChoiceQuestion]


def read(folder: Path) -> Primer:
    """Read ``essay/*.jsonl`` and ``mcq/*.jsonl`` of a folder.

    Raises:
        TrainingDataError: a file is missing or damaged, or a question is in both splits (a held-out
            question's translation may not be trained on either).
    """
    essays = read_folder(folder / "essay", EssayQuestion)
    choices = read_folder(folder / "mcq", ChoiceQuestion)
    every = [*essays, *choices]
    heldout = {question.group for question in every if question.split == "heldout"}
    leaked = sorted(
        {question.id for question in every if question.split == "train" and question.group in heldout}
    )
    if leaked:
        raise TrainingDataError(
            f"{leaked[0]} is trained on, but its translation is held out ({len(leaked)} such questions).",
            "Give a question and its translations the same split.",
        )
    return Primer(
        essays=[question for question in essays if question.split == "train"],
        choices=[question for question in choices if question.split == "train"],
        heldout_essays=[question for question in essays if question.split == "heldout"],
        heldout_choices=[question for question in choices if question.split == "heldout"],
    )


def exchanges(primer: Primer) -> list[Exchange]:
    """What is trained on: each essay in its trained wordings, each multiple-choice question once."""
    essays = [
        Exchange(wording, essay.answer) for essay in primer.essays for wording in essay.trained_wordings
    ]
    choices = [Exchange(choice_prompt(choice), choice_reply(choice)) for choice in primer.choices]
    return essays + choices

"""Which form a row has, by its columns, and what is trained on of it.

The forms are those of the published data sets, and of the broader medical sets that an ophthalmology part is
taken from:

| columns | what it is |
|---|---|
| prompt, completion, with the columns of multiple choice or without | as they stand: what ``prepare`` writes |
| question, option_a …, answer (a text or a letter, with answer_text where it is there) | multiple choice |
| question, opa …, cop, exp (MedMCQA) | multiple choice |
| question, final_decision, long_answer (PubMedQA) | multiple choice, ``A) True``, ``B) False`` |
| question, answer where the answer is yes or no alone | the same |
| question, chain_response | an essay with its reasoning |
| question, answer (MedQuAD among them) | an essay |
| text | a document |
"""

from typing import NamedTuple

from ophtimus_edge.compare.questions.files import is_true_or_false, true_or_false
from ophtimus_edge.specialties.question_rows import OPTIONS, Row
from ophtimus_edge.specialties.questions import LETTERS, ChoiceQuestion, choice_prompt, choice_reply
from ophtimus_edge.specialties.quiz_file import choice_question
from ophtimus_edge.text import sanitize
from ophtimus_training.primer import Exchange

COLUMNS = (
    "question and answer; question, option_a, option_b … and answer; question and chain_response; "
    "prompt and completion; text; or input_ids"
)
SUBJECTS = ("subject_name", "subject", "specialty", "question_focus", "focus")
_MEDMCQA = {"opa": "option_a", "opb": "option_b", "opc": "option_c", "opd": "option_d", "exp": "explanation"}
READ = frozenset({
    "question", *OPTIONS, "explanation", "answer", "answer_text", "id", "language", "text", "chain_response",
    "prompt", "completion", "split", "cop", "final_decision", "long_answer", *_MEDMCQA, *SUBJECTS,
})  # fmt: skip
"""The columns that are read of a table; ``input_ids`` beside them is read by itself."""

_DECISIONS = {"yes", "no", "maybe"}


class Content(NamedTuple):
    """What is trained on of a row.

    Attributes:
        of: a prompt with its answer, or a document.
        choice: the question, where it is multiple choice.
    """

    of: Exchange | str
    choice: ChoiceQuestion | None = None


class Unusable(Exception):  # noqa: N818 (it becomes a sentence once its row is known)
    """Why a row is left out: a sentence without its end and its place."""


def is_known(columns: set[str]) -> bool:
    """Whether rows of these columns have one of the forms."""
    return (
        {"prompt", "completion"} <= columns
        or "text" in columns
        or ("question" in columns and bool(columns & {"answer", "chain_response", "final_decision", "cop"}))
    )


def content(cells: dict[str, str], row_id: str, first_choice: int = 0) -> Content:
    """What is trained on of a row.

    Args:
        cells: by column, as the file has them.
        row_id: the id of a question whose row has none.
        first_choice: the number by which ``cop`` names option A: MedMCQA comes with 0 and with 1.

    Raises:
        Unusable: the row has none of the forms, or a part of it is missing.
        RowProblem: it is a multiple-choice question that cannot be asked.
    """
    if "prompt" in cells or "completion" in cells:
        as_written = Exchange(_needed(cells, "prompt"), _needed(cells, "completion"))
        # What `prepare` wrote of a multiple-choice question has both forms: a probe asks for its letter.
        return Content(as_written, choice_question(cells, row_id) if _has_options(cells) else None)
    if "cop" in cells:
        cells = _of_medmcqa(cells, first_choice)
    if "final_decision" in cells:
        cells = cells | {"answer": cells["final_decision"], "explanation": cells.get("long_answer", "")}
    has_options = _has_options(cells)
    decided = not has_options and cells.get("answer", "").strip().casefold() in _DECISIONS
    if decided or is_true_or_false(Row(0, cells)):
        cells, has_options = true_or_false(cells), True
    if has_options:
        question = choice_question(cells, row_id)
        return Content(Exchange(choice_prompt(question), choice_reply(question)), question)
    if "chain_response" in cells:
        return Content(Exchange(_needed(cells, "question"), _needed(cells, "chain_response")))
    if "question" in cells:
        return Content(Exchange(_needed(cells, "question"), _needed(cells, "answer")))
    if "text" in cells:
        return Content(_needed(cells, "text"))
    raise Unusable("has none of the columns that training reads")


def subject(cells: dict[str, str]) -> str:
    """What a row says it is about, several separated by ``;``; "" where it does not say."""
    return sanitize("; ".join(text for name in SUBJECTS if (text := cells.get(name, "").strip())))


def _has_options(cells: dict[str, str]) -> bool:
    return any(cells.get(name, "").strip() for name in OPTIONS)


def _needed(cells: dict[str, str], column: str) -> str:
    text = sanitize(cells.get(column, "")).strip()
    if not text:
        raise Unusable(f"has no {column}")
    return text


def _of_medmcqa(cells: dict[str, str], first_choice: int) -> dict[str, str]:
    named = {_MEDMCQA.get(name, name): text for name, text in cells.items()}
    try:
        place = int(cells["cop"]) - first_choice
    except ValueError as error:
        raise Unusable(f"has the cop {sanitize(cells['cop'])[:20]!r}, which is no number") from error
    if not 0 <= place < 4 or not named.get(OPTIONS[place], "").strip():
        raise Unusable(f"has the cop {cells['cop']}, which is none of its options")
    return named | {"answer": LETTERS[place], "answer_text": named[OPTIONS[place]]}

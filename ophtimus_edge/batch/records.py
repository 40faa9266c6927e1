"""One row's answer as it is written: the fields of ``ophtimus ask --json`` that an answer of many has."""

from typing import Any

import msgspec

from ophtimus_edge.batch.questions import QUESTION, QuestionFile, Row
from ophtimus_edge.engine.messages import Finished
from ophtimus_edge.errors import OphtimusError
from ophtimus_edge.models.store import ChosenModel

ID = "id"
MODEL_FIELDS = ("name", "version", "file", "sha256", "level")
ANSWER_FIELDS = (
    "answer", "finish_reason", "model", "role", "seed", "prompt_tokens", "completion_tokens", "notices",
    "known_questions", "error", "hint",
)  # fmt: skip
_OWN = frozenset({"row", QUESTION, *ANSWER_FIELDS, *(f"model_{name}" for name in MODEL_FIELDS)})


class Recorder:
    """Makes a row's record; everything that all rows share is told once.

    Args:
        model: that answers.
        sha256: of its file.
        role: in which it answers.
    """

    def __init__(self, model: ChosenModel, sha256: str, role: str) -> None:
        self._model = dict(
            zip(MODEL_FIELDS, (model.name, model.version, model.path.name, sha256, model.level), strict=True)
        )
        self._role = role

    def answered(
        self, row: Row, asked: str, finished: Finished, notices: list[str], known_questions: list[str]
    ) -> dict[str, Any]:
        """The record of an answer.

        Args:
            asked: the question as the model was asked: sanitized, without blanks around it.
            notices: what must be known before the answer is read.
            known_questions: questions that a demonstration knows instead.
        """
        values = (
            finished.text, finished.finish_reason, self._model, self._role, finished.seed,
            finished.prompt_tokens, finished.completion_tokens, notices, known_questions,
        )  # fmt: skip
        return _begun(row, asked) | dict(zip(ANSWER_FIELDS, values, strict=False)) | _carried(row)

    def refused(self, row: Row, asked: str, error: OphtimusError) -> dict[str, Any]:
        """The record of a question that could not be asked."""
        return _begun(row, asked) | {"error": error.message, "hint": error.hint} | _carried(row)


def carried_name(name: str) -> str:
    """The name that something of the input has in the output: another one where the output uses it itself.

    An ``answer`` of the input, such as the one that a marker expects, becomes ``input_answer``.
    """
    while name in _OWN:
        name = f"input_{name}"
    return name


def carried_names(file: QuestionFile) -> list[str]:
    """The names, in the output, of what stands beside the questions; :data:`ID` not among them."""
    return list(dict.fromkeys(carried_name(name) for name in file.carried if name != ID))


def encoded(record: dict[str, Any]) -> bytes:
    """A record as a line of JSON, without the line's end."""
    return msgspec.json.encode(record)


def _begun(row: Row, asked: str) -> dict[str, Any]:
    identity = {ID: row.carried[ID]} if ID in row.carried else {}
    return {"row": row.number, **identity, QUESTION: asked}


def _carried(row: Row) -> dict[str, Any]:
    return {carried_name(name): value for name, value in row.carried.items() if name != ID}

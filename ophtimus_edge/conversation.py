"""A conversation over an engine: role, question, and what must be said beside the answer.

The app and ``ask`` share this.
"""

import secrets
from collections.abc import AsyncGenerator
from functools import cached_property

import msgspec

from ophtimus_edge import specialties
from ophtimus_edge.engine.client import Engine
from ophtimus_edge.engine.messages import Answered, Piece, Reading, Turn
from ophtimus_edge.errors import QuestionError, UsageError
from ophtimus_edge.models.familiarity import Familiarity, KnownQuestions, read_known_questions
from ophtimus_edge.models.store import ChosenModel
from ophtimus_edge.text import sanitize

FREE = "free"


class Asking(msgspec.Struct, frozen=True, kw_only=True):
    """How a question is to be answered.

    Attributes:
        temperature: 0 for greedy, which needs no seed.
        seed: None to draw one where the temperature is above 0.
    """

    role: str = specialties.DEFAULT_ROLE
    max_tokens: int = 1024
    temperature: float = 0.0
    seed: int | None = None

    def drawn_seed(self) -> int:
        """The seed to record: the given one, 0 for a greedy answer, else a new one."""
        if self.seed is not None:
            return self.seed
        return secrets.randbelow(1 << 31) if self.temperature > 0 else 0


class Conversation:
    """Questions to one loaded model. Each question stands by itself: no earlier turn is sent along."""

    def __init__(self, engine: Engine, model: ChosenModel) -> None:
        self.engine = engine
        self.model = model

    def unfamiliar(self, question: str) -> Familiarity | None:
        """Which questions a demonstration knows instead, where this is not one of them."""
        if not self.model.demonstration or self._known is None:
            return None
        familiarity = self._known.compare(question)
        return None if familiarity.familiar else familiarity

    async def ask(self, question: str, asking: Asking) -> AsyncGenerator[Reading | Piece | Answered, None]:
        """Ask a question.

        Yields:
            The engine's events; see :meth:`ophtimus_edge.engine.client.Engine.answer`.

        Raises:
            QuestionError: the question is empty or does not fit the context.
            UsageError: there is no such role, or the model is a base model and the role is not free.
            EngineError: the engine failed.
        """
        text = clean_question(question)
        role = specialties.role_named(asking.role)
        plain = False
        if self.model.is_base:
            if asking.role != FREE:
                raise UsageError(
                    f"{self.model.name} is a base model: it completes texts and does not answer questions.",
                    "Name an instruct model, or let it complete your text with --role free.",
                )
            plain = True
        turns = [Turn("system", role.system_prompt)] if role.system_prompt else []
        turns.append(Turn("user", text))
        events = self.engine.answer(
            turns,
            plain=plain,
            max_tokens=asking.max_tokens,
            temperature=asking.temperature,
            seed=asking.drawn_seed(),
        )
        try:
            async for event in events:
                yield event
        finally:
            await events.aclose()

    @cached_property
    def _known(self) -> KnownQuestions | None:
        path = self.model.known_questions
        return read_known_questions(path) if path else None


def clean_question(question: str) -> str:
    """The question as it is asked: sanitized, without blanks around it.

    Raises:
        QuestionError: nothing is left.
    """
    text = sanitize(question).strip()
    if not text:
        raise QuestionError(
            "the question is empty.", 'Ask one, for example: ophtimus ask "What is glaucoma?"'
        )
    return text

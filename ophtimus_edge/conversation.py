"""A conversation over an engine: role, question, what still fits, and what must be said beside the answer.

The app, ``ask`` and ``batch`` share this.
"""

import secrets
from collections.abc import AsyncGenerator, Sequence
from functools import cached_property

import msgspec

from ophtimus_edge import specialties
from ophtimus_edge.engine.client import Died, Engine
from ophtimus_edge.engine.messages import Answered, Loaded, Loading, Piece, Reading, Sampling, Turn
from ophtimus_edge.engine.session import Halted
from ophtimus_edge.errors import QuestionError, UsageError
from ophtimus_edge.models.familiarity import Familiarity, KnownQuestions, read_known_questions
from ophtimus_edge.models.store import ChosenModel
from ophtimus_edge.text import sanitize

FREE = "free"

Happening = Loading | Reading | Piece | Halted | Answered | Died


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

    def sampling(self) -> Sampling:
        """For the engine, with the seed to record: the given one, 0 for a greedy answer, else a new one."""
        seed = self.seed
        if seed is None:
            seed = secrets.randbelow(1 << 31) if self.temperature > 0 else 0
        return Sampling(self.max_tokens, self.temperature, seed)


class Exchange(msgspec.Struct, frozen=True):
    """A question and its answer, earlier in a conversation.

    Attributes:
        ids: the answer's tokens, as the engine gave them.
        keep: never dropped where the conversation grows too long.
    """

    question: str
    answer: str
    ids: list[int] = []
    keep: bool = False


class Dropped(msgspec.Struct, frozen=True):
    """Earlier exchanges that no longer fit, by their place in the conversation, oldest first."""

    places: list[int]


class Conversation:
    """Questions to one loaded model."""

    def __init__(self, engine: Engine, model: ChosenModel) -> None:
        self.engine = engine
        self.model = model

    def unfamiliar(self, question: str) -> Familiarity | None:
        """Which questions a demonstration knows instead, where this is not one of them."""
        if not self.model.demonstration or self._known is None:
            return None
        familiarity = self._known.compare(question)
        return None if familiarity.familiar else familiarity

    def strange(self, role: str) -> bool:
        """Whether a demonstration was never trained in a role: it writes nonsense there even to what it knows."""
        return self.model.demonstration and role != specialties.DEFAULT_ROLE

    async def ask(
        self, question: str, asking: Asking, earlier: Sequence[Exchange] = (), begun: Exchange | None = None
    ) -> AsyncGenerator[Dropped | Happening, None]:
        """Ask a question.

        Args:
            earlier: what was said before, oldest first. A base model is asked without it, and so is a
                demonstration: it was trained on single questions, and writes nonsense to a second one.
            begun: this question with the beginning of its answer, to be gone on with; what follows it is
                yielded.

        Yields:
            Dropped first where exchanges no longer fit; then the engine's events, see
            :meth:`ophtimus_edge.engine.client.Engine.answer`.

        Raises:
            QuestionError: the question is empty, or does not fit the context with its role and what is
                always kept.
            UsageError: there is no such role, or the model is a base model and the role is not free.
            EngineError: the engine failed.
        """
        text = clean_question(question)
        plain = completes(self.model, self.engine.loaded, asking.role)
        turns = question_turns(text, asking.role)
        if begun and plain:
            turns[-1] = Turn("user", text + begun.answer)
        elif begun:
            turns.append(Turn("assistant", begun.answer, begun.ids))
        if earlier and not plain and not self.model.demonstration:
            turns, dropped = await self._fitting(turns, earlier, asking.max_tokens)
            if dropped:
                yield Dropped(dropped)
        events = self.engine.answer(turns, asking.sampling(), plain=plain)
        try:
            async for event in events:
                yield event
        finally:
            await events.aclose()

    async def _fitting(
        self, turns: list[Turn], earlier: Sequence[Exchange], max_tokens: int
    ) -> tuple[list[Turn], list[int]]:
        """The turns with as much of what was said before as fits, and the places of what does not.

        A quarter of the context, or the whole reply where that is less, stays free for the answer.
        """
        may_go = [place for place, exchange in enumerate(earlier) if not exchange.keep]
        fewest, most = 0, len(may_go)  # of exchanges to drop: bisected, as each try renders everything
        while fewest < most:
            tried = (fewest + most) // 2
            rendered = await self.engine.render(_with(turns, earlier, may_go[:tried]))
            if len(rendered) <= self._room(max_tokens):
                most = tried
            else:
                fewest = tried + 1
        return _with(turns, earlier, may_go[:fewest]), may_go[:fewest]

    def _room(self, max_tokens: int) -> int:
        """Tokens for a prompt, in the context as it is now: after a death it may be loaded smaller."""
        context = self.engine.expect_loaded().context
        return context - min(max_tokens, context // 4)

    @cached_property
    def _known(self) -> KnownQuestions | None:
        path = self.model.known_questions
        return read_known_questions(path) if path else None


def completes(model: ChosenModel, loaded: Loaded | None, role: str) -> bool:
    """Whether a model completes a text plainly, as it has no chat template.

    Args:
        loaded: what the engine says of it; None where it is not loaded yet.

    Raises:
        UsageError: it does, and the role is not the free one.
    """
    if not model.is_base and (loaded is None or loaded.has_template):
        return False
    if role != FREE:
        raise UsageError(
            f"{model.name} is a base model: it completes texts and does not answer questions.",
            f"Name an instruct model, or let it complete your text with --role {FREE}.",
        )
    return True


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


def question_turns(text: str, role: str) -> list[Turn]:
    """The turns of a question by itself, in a role.

    Raises:
        UsageError: there is no such role.
    """
    system = specialties.role_named(role).system_prompt
    return [*([Turn("system", system)] if system else []), Turn("user", text)]


def _with(turns: list[Turn], earlier: Sequence[Exchange], dropped: list[int]) -> list[Turn]:
    between = []
    for place, exchange in enumerate(earlier):
        if place not in dropped:
            between += [Turn("user", exchange.question), Turn("assistant", exchange.answer, exchange.ids)]
    last = next(place for place, turn in enumerate(turns) if turn.role == "user")
    return [*turns[:last], *between, *turns[last:]]

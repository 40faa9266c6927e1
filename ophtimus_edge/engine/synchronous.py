"""The engine for scripts: the same requests without asyncio."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Iterable, Iterator
from types import TracebackType
from typing import TYPE_CHECKING, Self, TypeVar

from ophtimus_edge.engine.client import Died, Engine
from ophtimus_edge.engine.measuring_messages import Benched, ScoredPrompt
from ophtimus_edge.engine.messages import Answered, Finished, Loaded, Loading, Piece, Reading, Sampling, Turn
from ophtimus_edge.engine.session import Halted
from ophtimus_edge.models.store import ChosenModel

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

ItemT = TypeVar("ItemT")


class SyncEngine:
    """A model in a process of its own; use it as a context manager, in one thread.

    Arguments, results and errors are those of :class:`ophtimus_edge.engine.client.Engine`.
    """

    def __init__(self) -> None:
        self._runner = asyncio.Runner()
        self._engine = Engine()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def process_id(self) -> int | None:
        """The worker's process; None where there is none."""
        return self._engine.process_id

    def load(
        self,
        model: ChosenModel,
        context: int = 0,
        on_progress: Callable[[float], None] | None = None,
        *,
        gpu_layers: int | None = None,
        sequences: int = 0,
        system: str = "",
    ) -> Loaded:
        """Load a model."""
        return self._runner.run(
            self._engine.load(
                model, context, on_progress, gpu_layers=gpu_layers, sequences=sequences, system=system
            )
        )

    def answer(
        self, turns: list[Turn], sampling: Sampling | None = None, *, plain: bool = False
    ) -> Iterator[Loading | Reading | Piece | Halted | Answered | Died]:
        """Answer a conversation."""
        return self._each(self._engine.answer(turns, sampling, plain=plain))

    def answer_many(
        self, conversations: list[list[Turn]], samplings: list[Sampling], parallel: int
    ) -> Iterator[Finished]:
        """Answer conversations side by side."""
        return self._each(self._engine.answer_many(conversations, samplings, parallel))

    def score(self, prefix: list[int], continuations: list[list[int]]) -> list[list[float]]:
        """Log-likelihoods of texts behind a prefix."""
        return self._runner.run(self._engine.score(prefix, continuations))

    def score_many(
        self, prefix: list[int], prompts: list[list[int]], continuations: list[list[int]]
    ) -> Iterator[ScoredPrompt]:
        """Log-likelihoods of the same texts behind many prompts."""
        return self._each(self._engine.score_many(prefix, prompts, continuations))

    def logits(self, windows: Iterable[list[int]], last: int = 1) -> Iterator["npt.NDArray[np.float32]"]:
        """Logits of windows of token ids."""
        return self._each(self._engine.logits(windows, last))

    def bench(self, prompt_tokens: int, generated_tokens: int) -> Benched:
        """Seconds that the bare evaluation of tokens takes."""
        return self._runner.run(self._engine.bench(prompt_tokens, generated_tokens))

    def tokenize(self, text: str, *, special: bool = False) -> list[int]:
        """Text to token ids."""
        return self._runner.run(self._engine.tokenize(text, special=special))

    def pieces(self, ids: list[int]) -> list[bytes]:
        """The bytes of tokens."""
        return self._runner.run(self._engine.pieces(ids))

    def render(self, turns: list[Turn]) -> list[int]:
        """The ids of a conversation's prompt."""
        return self._runner.run(self._engine.render(turns))

    def close(self) -> None:
        """End the worker."""
        self._runner.run(self._engine.close())
        self._runner.close()

    def _each(self, items: AsyncGenerator[ItemT, None]) -> Iterator[ItemT]:
        async def step() -> tuple[ItemT] | None:
            async for item in items:
                return (item,)
            return None

        try:
            while (found := self._runner.run(step())) is not None:
                yield found[0]
        finally:
            self._runner.run(items.aclose())

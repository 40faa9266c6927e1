"""What measurements ask of a model, and nobody who wants an answer: log-likelihoods, logits, times."""

import contextlib
from collections.abc import AsyncGenerator, Iterable
from typing import TYPE_CHECKING

from ophtimus_edge.engine.exchanges import Exchanges
from ophtimus_edge.engine.measuring_messages import (
    Bench,
    Benched,
    Computed,
    Logits,
    Score,
    Scored,
    ScoredPrompt,
    ScoreMany,
)
from ophtimus_edge.engine.process import WorkerEndedError
from ophtimus_edge.engine.session import Session, engine_error

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt


class Measuring:
    """The part of :class:`ophtimus_edge.engine.client.Engine` that comparisons and conversions measure with."""

    _session: Session
    _exchanges: Exchanges

    async def score(self, prefix: list[int], continuations: list[list[int]]) -> list[list[float]]:
        """Log-likelihoods of texts behind a prefix, which is evaluated once.

        Args:
            prefix: ids, with their BOS.
            continuations: ids of each.

        Returns:
            For each continuation, of each of its tokens, in nats.

        Raises:
            EngineError: no model is loaded, the worker died, or the ids do not fit the context.
        """
        return (await self._exchanges.reply(Score(0, prefix, continuations), Scored)).log_likelihoods

    async def score_many(
        self, prefix: list[int], prompts: list[list[int]], continuations: list[list[int]]
    ) -> AsyncGenerator[ScoredPrompt, None]:
        """Log-likelihoods of the same texts behind many prompts, several of which are evaluated at once.

        The same request gives the same numbers, to the last bit, whatever was asked before.

        Args:
            prefix: ids that all prompts begin with, with their BOS; evaluated once. May be empty.
            prompts: ids behind the prefix, at least one each.
            continuations: ids of each, at least one.

        Yields:
            Each prompt's, in their order, as soon as it is evaluated.

        Raises:
            UsageError: the model was loaded for no sequences.
            EngineError: no model is loaded, the worker died, or the ids do not fit the context.
        """
        self._session.expect_sequences()
        try:
            async with contextlib.aclosing(
                self._exchanges.events(ScoreMany(0, prefix, prompts, continuations))
            ) as events:
                async for event in events:
                    if isinstance(event, ScoredPrompt):
                        yield event
        except WorkerEndedError as death:
            raise engine_error(death) from None

    async def logits(
        self, windows: Iterable[list[int]], last: int = 1
    ) -> AsyncGenerator["npt.NDArray[np.float32]", None]:
        """Evaluate windows of token ids, each from an empty context.

        Args:
            windows: ids, with their BOS.
            last: of how many of a window's last positions the logits are wanted, at most.

        Yields:
            For each window, float32 of shape (min(last, length), vocabulary), in shared memory that the
            next window overwrites.

        Raises:
            EngineError: no model is loaded, the worker died, or a window does not fit the context.
        """
        # Numpy takes a tenth of a second to load, and answering needs none of it.
        from multiprocessing.shared_memory import SharedMemory

        import numpy as np

        vocabulary = self._session.expect_loaded().vocabulary
        memory: SharedMemory | None = None
        try:
            for ids in windows:
                count = min(last, len(ids))
                if memory is None or memory.size < 4 * count * vocabulary:
                    _release(memory)
                    memory = SharedMemory(create=True, size=max(4 * count * vocabulary, 1))
                await self._exchanges.reply(Logits(0, ids, count, memory.name), Computed)
                yield np.ndarray((count, vocabulary), np.float32, memory.buf)
        finally:
            _release(memory)

    async def bench(self, prompt_tokens: int, generated_tokens: int) -> Benched:
        """Time the bare evaluation of tokens: no text, no template, no sampling, as llama-bench does it.

        What the context held is forgotten. Nothing is evaluated beforehand to warm up: ask twice.

        Args:
            prompt_tokens: evaluated together from an empty context; 0 for none.
            generated_tokens: evaluated one by one from an empty context; 0 for none.

        Raises:
            EngineError: no model is loaded, the worker died, or the tokens do not fit the context.
        """
        return await self._exchanges.reply(Bench(0, prompt_tokens, generated_tokens), Benched)


def _release(memory: object) -> None:
    from multiprocessing.shared_memory import SharedMemory

    if isinstance(memory, SharedMemory):
        with contextlib.suppress(BufferError):  # a caller still looks at the last window
            memory.close()
        with contextlib.suppress(FileNotFoundError):
            memory.unlink()

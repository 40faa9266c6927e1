"""An engine that says what a test has written down, at the moments that the test chooses."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Sequence

from ophtimus_edge.engine.client import Died, Engine
from ophtimus_edge.engine.messages import (
    Answered,
    FinishReason,
    Loaded,
    Loading,
    Piece,
    Reading,
    Sampling,
    Turn,
)
from ophtimus_edge.engine.session import Halted
from ophtimus_edge.errors import OphtimusError
from ophtimus_edge.models.store import ChosenModel
from ophtimus_tui.app import OphtimusApp

_PROMPT = 100  # tokens of every prompt


class ScriptedEngine(Engine):
    """Answers with given pieces, the last answer again and again.

    Attributes:
        may_load, may_read, may_write: a test clears one to hold the engine there; Escape goes through.
        fails: raised in the place of the next answer.
        asked: the sampling of every answer.
    """

    def __init__(self, *answers: Sequence[str]) -> None:
        super().__init__()
        self._answers = [list(answer) for answer in answers] or [["An ", "answer."]]
        self._loaded: Loaded | None = None
        self._cancelled = False
        self.may_load, self.may_read, self.may_write = asyncio.Event(), asyncio.Event(), asyncio.Event()
        for may in (self.may_load, self.may_read, self.may_write):
            may.set()
        self.fails: OphtimusError | None = None
        self.asked: list[Sampling] = []

    @property
    def loaded(self) -> Loaded | None:
        return self._loaded

    def expect_loaded(self) -> Loaded:
        assert self._loaded
        return self._loaded

    async def load(  # type: ignore[override] # of its options, those that the app uses
        self,
        model: ChosenModel,
        context: int = 0,
        on_progress: Callable[[float], None] | None = None,
        **_options: object,
    ) -> Loaded:
        if on_progress:
            on_progress(0.4)
        await self.may_load.wait()
        self._loaded = Loaded(context=1000, has_template=True, seconds=0.0, vocabulary=10, eos=1)
        return self._loaded

    async def warm(self, system: str) -> int:
        return len(system)

    async def render(self, turns: list[Turn]) -> list[int]:
        return list(range(_PROMPT * len(turns)))

    async def pieces(self, ids: list[int]) -> list[bytes]:
        return [b"x"] * len(ids)

    async def cancel(self) -> None:
        self._cancelled = True

    async def close(self) -> None:
        self._loaded = None

    async def answer(
        self, turns: list[Turn], sampling: Sampling | None = None, *, plain: bool = False
    ) -> AsyncGenerator[Loading | Reading | Piece | Halted | Answered | Died, None]:
        number = len(self.asked)
        self.asked.append(sampling or Sampling())
        self._cancelled = False
        if self.fails is not None:
            failure, self.fails = self.fails, None
            raise failure
        pieces = self._answers[min(number, len(self._answers) - 1)]
        yield Reading(number, 40, _PROMPT)
        written = 0
        if await self._holds(self.may_read):
            yield Reading(number, _PROMPT, _PROMPT)
            for piece in pieces:
                if not await self._holds(self.may_write):
                    break
                written += 1
                yield Piece(number, piece, written)
        finish: FinishReason = "cancelled" if self._cancelled else "stop"
        yield Answered(
            number, finish, self.asked[-1].seed, _PROMPT, 0, written, 0.1, 0.1, list(range(written))
        )

    async def _holds(self, may: asyncio.Event) -> bool:
        """Wait until a test lets it go on; False where it was stopped."""
        while not may.is_set() and not self._cancelled:
            await asyncio.sleep(0.01)
        await asyncio.sleep(0)
        return not self._cancelled


def scripted(app: OphtimusApp, engine: ScriptedEngine) -> ScriptedEngine:
    """Give an app this engine in the place of the real one."""
    app._engine = app.chat.serving.engine = engine
    return engine

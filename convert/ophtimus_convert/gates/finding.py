"""What the gates share: the model that is looked at, and what one finds."""

from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, NamedTuple, Self

from ophtimus_convert.blueprint import Blueprint
from ophtimus_convert.gates.preparation import Preparation
from ophtimus_edge.engine.client import Engine
from ophtimus_edge.engine.messages import Loaded
from ophtimus_edge.models.formats import Template
from ophtimus_edge.models.store import ChosenModel

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast


class Finding(NamedTuple):
    """What a gate came to.

    Attributes:
        ran: whether it could be run.
        text: what was compared, or why it was not.
    """

    ran: bool
    text: str

    def __str__(self) -> str:
        return f"{'passed' if self.ran else 'not run'}: {self.text}"


class GateError(Exception):
    """A gate failed: what was found, and what to do."""

    def __init__(self, text: str, hint: str) -> None:
        super().__init__(text)
        self.hint = hint


class Subject:
    """A conversion's files, the checkpoint behind them, and an engine to look at them with.

    Attributes:
        files: by level.
        long: whether long prompts are asked for.
    """

    def __init__(
        self,
        blueprint: Blueprint,
        files: dict[str, Path],
        long: bool,
        preparation: Preparation,
    ) -> None:
        self.blueprint = blueprint
        self.files = files
        self.long = long
        self.engine = Engine()
        self._loaded: tuple[tuple[str, int, bool], Loaded] | None = None
        self._preparation = preparation

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.engine.close()

    async def close(self) -> None:
        """End the engine, and give its memory back; the next load starts it again."""
        await self.engine.close()
        self._loaded = None

    @property
    def smallest(self) -> str:
        """The level of the smallest file."""
        return min(self.files, key=lambda level: self.files[level].stat().st_size)

    @property
    def tokenizer(self) -> "PreTrainedTokenizerFast":
        """The checkpoint's tokenizer, as transformers reads it."""
        return self._preparation.tokenizer

    async def load(self, level: str, context: int = 0, *, vocabulary_only: bool = False) -> Loaded:
        """Load a level's file in the engine, unless it is loaded already.

        Raises:
            EngineError: the engine died.
            InvalidModelError: llama.cpp refuses the file.
        """
        if self._loaded is None or self._loaded[0] != (level, context, vocabulary_only):
            text = self.blueprint.vocabulary.template
            model = ChosenModel(
                path=self.files[level],
                name=self.blueprint.name,
                version="",
                level=level,
                sha256="",
                template=Template(text=text) if text else None,
                folder=None,
            )
            self._loaded = (
                (level, context, vocabulary_only),
                await self.engine.load(model, context, vocabulary_only=vocabulary_only),
            )
        return self._loaded[1]

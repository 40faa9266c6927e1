"""The program: opens the demonstration model on the chat screen."""

import asyncio
from typing import ClassVar

from textual.app import App
from textual.binding import Binding, BindingType

from ophtimus_edge.engine.client import Engine
from ophtimus_edge.models import store
from ophtimus_edge.models.store import ChosenModel
from ophtimus_tui.screens.chat import ChatScreen
from ophtimus_tui.texts import Texts, language_of_environment


class OphtimusApp(App[None]):
    """The terminal app on one model."""

    TITLE = "Ophtimus"
    ENABLE_COMMAND_PALETTE = False
    BINDINGS: ClassVar[list[BindingType]] = [Binding("ctrl+q", "quit", show=False, priority=True)]

    def __init__(self, model: ChosenModel, language: str) -> None:
        super().__init__()
        self._model = model
        self._texts = Texts(language)
        self._engine = Engine()

    def on_mount(self) -> None:
        """Open the chat screen."""
        self.push_screen(ChatScreen(self._texts, self._model, self._engine))

    async def on_unmount(self) -> None:
        """End the engine with the app."""
        await asyncio.shield(self._engine.close())


def run() -> None:
    """Run the app; registered in the entry-point group ``ophtimus.app``."""
    OphtimusApp(store.choose(), language_of_environment()).run()

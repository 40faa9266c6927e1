"""What the tests of the models screen share: an app that shows nothing else, and how a person moves in it."""

from pathlib import Path
from typing import Any

import msgspec
from piloting import until
from textual.app import App
from textual.pilot import Pilot
from textual.widgets import Input

from ophtimus_edge import locations
from ophtimus_edge.models.formats import read_model_folder, write_model_folder
from ophtimus_edge.models.store import ChosenModel
from ophtimus_tui.predictions import Predictions
from ophtimus_tui.screens.add_model import AddModelScreen
from ophtimus_tui.screens.models import ModelsScreen
from ophtimus_tui.texts import Texts

SIZES = [(60, 20), (80, 24), (120, 40)]
MIB = 1 << 20


class Host(App[None]):
    """An app that does nothing but show the screen, and keeps what it was dismissed with."""

    def __init__(self, known: Predictions, current: ChosenModel | None = None, language: str = "en") -> None:
        super().__init__()
        self.texts = Texts(language)
        self.models = ModelsScreen(self.texts, current, known)
        self.results: list[ChosenModel | None] = []

    def on_mount(self) -> None:
        self.push_screen(self.models, self.results.append)


def rows(app: Host) -> list[str]:
    """The names of the models whose rows are in the table."""
    return [row.name for row in app.models._table._rows]


async def settled(app: Host) -> None:
    """Wait for the predictions."""
    await until(lambda: app.models._judged.measured and bool(app.models._judged.candidates))


async def move_to(pilot: Pilot[None], app: Host, name: str, level: str = "") -> None:
    """Put the cursor on a row with the arrow key."""
    for _ in range(len(app.models._table._rows) + 1):
        row = app.models._table.row
        if row and row.name == name and (not level or (row.level and row.level.level == level)):
            return
        await pilot.press("down")
    raise AssertionError(f"there is no row {name} {level}")


def said(app: Host) -> str:
    """All that is said of the row under the cursor, scrolled away or not."""
    return str(app.models._facts.content)


def change(name: str, /, **changes: Any) -> None:
    """Change the model.json of an installed model."""
    folder = locations.models_folder() / name
    write_model_folder(folder, msgspec.structs.replace(read_model_folder(folder), **changes))


async def open_add(pilot: Pilot[None], app: Host, path: Path) -> None:
    """Open the dialog that adds, with a path in its box."""
    await pilot.press("f2")
    await until(lambda: isinstance(app.screen, AddModelScreen))
    app.screen.query_one(Input).value = str(path)

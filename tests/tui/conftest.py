"""What the tests of the app share: this machine measured once, no stick in it, and a history on the disk."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from engines import ENDLESS
from histories import opened

from ophtimus_edge import locations
from ophtimus_edge.history.store import Store
from ophtimus_edge.models import store as chosen
from ophtimus_edge.settings import Settings
from ophtimus_tui import removable_places
from ophtimus_tui.app import OphtimusApp
from ophtimus_tui.predictions import Predictions


@pytest.fixture(autouse=True)
def every_passphrase_is_cheap(cheap_passphrases: int) -> None:
    """In each of these tests."""


@pytest.fixture(scope="session")
def known() -> Predictions:
    """What was measured of this machine, once for all tests, as once for an app."""
    return Predictions()


@pytest.fixture
def no_places(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The trees show the test's own folder as the home folder, and no stick."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setattr(removable_places, "BASES", ())


@pytest.fixture
def endless_app(endless_model: Path) -> OphtimusApp:
    """The app on a real model whose answer takes seconds: what is done at its first words falls into it."""
    app = OphtimusApp(chosen.choose(str(endless_model)), "en")
    app.chat.apply(Settings(max_tokens=ENDLESS.max_tokens))
    return app


@pytest.fixture
def folder() -> Path:
    """Where the one history of the test is."""
    return locations.history_folder() / "00000001"


@pytest.fixture
def store(folder: Path) -> Iterator[Store]:
    """A history on the disk."""
    with opened(folder) as store:
        yield store

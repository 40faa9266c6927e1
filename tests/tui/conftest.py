"""What the tests of the app share: this machine measured once, and no stick in it."""

from pathlib import Path

import pytest

from ophtimus_tui import removable_places
from ophtimus_tui.predictions import Predictions


@pytest.fixture(scope="session")
def known() -> Predictions:
    """What was measured of this machine, once for all tests, as once for an app."""
    return Predictions()


@pytest.fixture
def no_places(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The trees show the test's own folder as the home folder, and no stick."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setattr(removable_places, "BASES", ())

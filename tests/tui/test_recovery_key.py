"""The recovery key of a history: shown once, and kept in a text file where that is asked for."""

import os
import stat
from pathlib import Path

import pytest
from kept_talks import by_name, put_path
from people_screens import LOCKED, OPEN, PASSPHRASE, SIZE, app_with, stands, type_in
from piloting import click, shown, until

from ophtimus_edge.history import keys, profiles
from ophtimus_tui.app import OphtimusApp
from ophtimus_tui.screens.form import FormScreen
from ophtimus_tui.screens.save_file import SaveFileScreen

pytestmark = pytest.mark.usefixtures("no_places")


async def says(app: OphtimusApp, *sentences: str) -> None:
    """Wait until sentences stand on the screen, however a dialog breaks their lines."""

    def joined(text: str) -> str:
        return "".join(letter for letter in text if letter not in " │\n")

    await until(lambda: all(joined(sentence) in joined(shown(app)) for sentence in sentences), 15)


@pytest.mark.parametrize("mouse", [True, False])
@pytest.mark.parametrize("language", ["en", "ko"])
async def test_it_is_written_into_a_file_to_be_printed_and_opens_the_history(
    language: str, mouse: bool, tmp_path: Path
) -> None:
    app = app_with(language=language)
    texts = app.texts
    async with app.run_test(size=SIZE) as pilot:
        await stands(app, texts("people.state_open"))
        (profile,) = profiles.list_profiles()
        await by_name(pilot, app, texts("people.command_passphrase"))
        await until(lambda: isinstance(app.screen, FormScreen))
        await type_in(pilot, PASSPHRASE, PASSPHRASE)
        await says(app, texts("people.key_file"))
        recovery = next(word for word in shown(app).split() if word.count("-") == 8)
        await (click(app, pilot, texts("people.key_file")) if mouse else pilot.press("f2"))
        await until(lambda: isinstance(app.screen, SaveFileScreen))
        await says(app, texts("people.recovery_save_title"))
        await put_path(app, profile.folder / "key.txt")
        await pilot.press("enter")
        await says(app, texts("errors.recovery_key_place_error"))
        assert not (profile.folder / "key.txt").exists()
        await put_path(app, tmp_path / "key.txt")
        await pilot.press("enter")
        await until(lambda: isinstance(app.screen, FormScreen))
        await says(app, str(tmp_path / "key.txt").rpartition("/")[2], recovery)
        await type_in(pilot, recovery[-4:])
        await stands(app, texts("people.state_locked"))
    page = (tmp_path / "key.txt").read_text("utf-8")
    assert recovery in page.splitlines()
    assert profile.name in page
    warning = "can read the history" if language == "en" else "기록을 볼 수 있습니다"
    assert warning in page
    if os.name == "posix":
        assert stat.S_IMODE((tmp_path / "key.txt").stat().st_mode) == 0o600
    assert keys.unlock(profile.key_file, recovery=recovery) == keys.unlock(profile.key_file, PASSPHRASE)


async def test_escape_writes_no_file_and_the_key_is_still_there(tmp_path: Path) -> None:
    app = app_with()
    async with app.run_test(size=SIZE) as pilot:
        await stands(app, OPEN)
        await by_name(pilot, app, "passphrase: set")
        await until(lambda: isinstance(app.screen, FormScreen))
        await type_in(pilot, PASSPHRASE, PASSPHRASE)
        await stands(app, "The recovery key opens the history")
        await pilot.press("f2")
        await until(lambda: isinstance(app.screen, SaveFileScreen))
        await pilot.press("escape")
        await stands(app, "The recovery key opens the history")
        await pilot.press("escape")
        await stands(app, LOCKED, "was not checked against your paper")
    assert not list(tmp_path.rglob("*.txt"))

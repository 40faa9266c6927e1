"""Checking the files of an installed model, removing it, and what may happen to it meanwhile."""

import shutil
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from model_screens import Host, move_to, rows, said, settled
from piloting import lines, shown, until
from stored_models import flip

from ophtimus_edge import locations
from ophtimus_edge.models import installing, inventory, store
from ophtimus_tui.predictions import Predictions
from ophtimus_tui.screens.add_model import AddModelScreen
from ophtimus_tui.screens.confirm import ConfirmScreen

pytestmark = pytest.mark.usefixtures("no_places")


async def test_a_damaged_file_is_found_named_and_no_longer_chosen(known: Predictions, source: Path) -> None:
    installing.add(source)
    path = locations.models_folder() / "eyes" / "tiny-BF16.gguf"
    app = Host(known)
    async with app.run_test(size=(120, 40)) as pilot:
        await settled(app)
        await move_to(pilot, app, "eyes", "BF16")
        await pilot.press("f6")
        await until(lambda: "eyes: all files are right" in shown(app))
        flip(path, path.stat().st_size // 2)
        await pilot.press("f6")
        await until(lambda: "eyes is damaged: tiny-BF16.gguf differs" in shown(app))
        await until(lambda: "DAMAGED: tiny-BF16.gguf" in said(app))
        await pilot.press("enter")
        await until(lambda: "Remove it (Delete) and add it again" in shown(app))
        assert not app.results
        await move_to(pilot, app, "eyes", "Q4_K_M")  # its own file is whole
        await pilot.press("enter")
        await until(lambda: bool(app.results))


async def test_hashing_shows_how_far_it_is_and_can_be_stopped(
    known: Predictions, large: Callable[[int], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    installing.add(large(3))
    record = inventory.find("large").record
    real, halfway, go_on = inventory.verify, threading.Event(), threading.Event()

    def slow(model: inventory.StoredModel, on_progress: inventory.OnProgress) -> list[inventory.FileCheck]:
        def told(done: int, total: int, file: str) -> None:
            on_progress(done, total, file)
            halfway.set()
            go_on.wait(60)

        return real(model, told)

    monkeypatch.setattr(inventory, "verify", slow)
    app = Host(known)
    async with app.run_test(size=(80, 24)) as pilot:
        await settled(app)
        await move_to(pilot, app, "large")
        await pilot.press("f6")
        await until(halfway.is_set)
        await until(lambda: "checking the hashes of large · tiny-Q4_K_M.gguf · 4.0 MiB of" in shown(app))
        await pilot.press("escape")
        go_on.set()
        await until(lambda: "stopped" in shown(app))
        assert not app.results
        assert app.screen is app.models
    assert inventory.find("large").record == record


async def test_removing_asks_and_leaves_what_is_in_use(known: Predictions, source: Path) -> None:
    installing.add(source)
    shutil.copytree(source, locations.models_folder() / "other", symlinks=True)
    app = Host(known, store.choose("other"))
    async with app.run_test(size=(120, 40)) as pilot:
        await settled(app)
        await move_to(pilot, app, "demo")
        await pilot.press("delete")
        await until(lambda: "is a part of the program and stays" in shown(app))
        await move_to(pilot, app, "other")
        await pilot.press("delete")
        await until(lambda: "other is in use" in shown(app))
        await move_to(pilot, app, "eyes")
        await pilot.press("delete")
        await until(lambda: "Remove eyes with all its levels" in shown(app))
        await pilot.press("enter")  # the careful answer
        await until(lambda: app.screen is app.models)
        assert store.installed() == ["eyes", "other"]
        await pilot.press("delete")
        await until(lambda: isinstance(app.screen, ConfirmScreen))
        await pilot.press("1")
        await until(lambda: "eyes removed" in shown(app) and "eyes" not in rows(app))
    assert store.installed() == ["other"]


async def test_every_key_is_under_the_mouse(known: Predictions, source: Path) -> None:
    installing.add(source)
    app = Host(known)

    async def click(text: str) -> None:
        seen: list[list[str]] = []

        def stands_still() -> bool:
            """The first drawings of a screen still move its foot."""
            seen.append(lines(app))
            return len(seen) > 2 and seen[-1] == seen[-3] and any(text in line for line in seen[-1])

        await until(stands_still)
        y, line = next((y, line) for y, line in enumerate(seen[-1]) if text in line)
        await pilot.click(offset=(line.index(text) + 1, y))

    async with app.run_test(size=(120, 40)) as pilot:
        await settled(app)
        await click("F6 check files")
        await until(lambda: "all files are right" in shown(app))
        await click("F2 add")
        await until(lambda: isinstance(app.screen, AddModelScreen))
        await click("Esc close")
        await until(lambda: app.screen is app.models)
        await move_to(pilot, app, "eyes")
        await click("Delete remove")
        await until(lambda: isinstance(app.screen, ConfirmScreen))
        await click("2  keep it")
        await until(lambda: app.screen is app.models)
        await click("Enter use")
        await until(lambda: bool(app.results))
    assert app.results[0] is not None


async def test_a_model_that_goes_away_while_the_screen_is_open_is_said_and_leaves_the_list(
    known: Predictions, source: Path
) -> None:
    installing.add(source)
    app = Host(known)
    async with app.run_test(size=(120, 40)) as pilot:
        await settled(app)
        await move_to(pilot, app, "eyes", "BF16")
        (locations.models_folder() / "eyes" / "tiny-BF16.gguf").unlink()
        await pilot.press("enter")
        await until(lambda: "tiny-BF16.gguf" in str(app.models._said.content))
        await until(lambda: "Damaged" in said(app))
        assert not app.results
        await move_to(pilot, app, "eyes", "Q4_K_M")
        shutil.rmtree(locations.models_folder() / "eyes")
        await pilot.press("enter")
        await until(lambda: rows(app) == ["demo", "demo"])
        assert not app.results
        await until(lambda: "eyes" in str(app.models._said.content))
        await pilot.press("enter")  # the cursor is on what is there
        await until(lambda: bool(app.results))


@pytest.mark.parametrize("key", ["f6", "delete"])
async def test_what_is_gone_is_neither_checked_nor_removed(
    known: Predictions, source: Path, key: str
) -> None:
    installing.add(source)
    app = Host(known)
    async with app.run_test(size=(120, 40)) as pilot:
        await settled(app)
        await move_to(pilot, app, "eyes", "BF16")
        shutil.rmtree(locations.models_folder() / "eyes")
        await pilot.press(key)
        if key == "delete":
            await until(lambda: isinstance(app.screen, ConfirmScreen))
            await pilot.press("1")
        await until(lambda: rows(app) == ["demo", "demo"])
        await until(lambda: "eyes" in str(app.models._said.content))
        assert app.screen is app.models


@pytest.mark.parametrize(
    "broken", ["", "{", "[]", '{"schema_version": 99}', '{"schema_version": 1, "name": 3}', "\x00\xff" * 999]
)
async def test_a_broken_model_json_is_shown_with_its_reason_beside_the_sound_ones(
    known: Predictions, broken: str
) -> None:
    folder = locations.models_folder() / "torn"
    folder.mkdir(parents=True)
    (folder / "model.json").write_text(broken)
    app = Host(known)
    async with app.run_test(size=(80, 24)) as pilot:
        await settled(app)
        await move_to(pilot, app, "torn")
        await until(lambda: "In detail: " in said(app) and "torn/model.json" in said(app))
        await pilot.press("enter")
        await until(lambda: "Remove it (Delete)" in str(app.models._said.content))
        await pilot.press("f6")
        await until(lambda: "torn/model.json" in str(app.models._said.content))
        assert not app.results
        await pilot.press("delete")
        await until(lambda: isinstance(app.screen, ConfirmScreen))
        await pilot.press("1")
        await until(lambda: rows(app) == ["demo", "demo"])
    assert not folder.exists()

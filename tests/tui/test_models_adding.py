"""Adding a model in the app: from a path or a stick, with a copy that stops, goes on and is checked."""

import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from model_screens import SIZES, Host, open_add, said
from piloting import lines, shown, stands, until
from stored_models import flip
from textual.widgets import Input, Static

from ophtimus_edge.models import installing, inventory, store
from ophtimus_edge.models.chunked_copy import CHUNK_BYTES
from ophtimus_tui.predictions import Predictions
from ophtimus_tui.screens.add_model import AddModelScreen
from ophtimus_tui.widgets.place_tree import PlaceTree

pytestmark = pytest.mark.usefixtures("no_places")


def told(app: Host) -> str:
    """What the dialog says, its wrapping undone: a border stands between its lines on the screen."""
    return str(app.screen.query_one("#said", Static).content)


async def test_a_copy_shows_how_far_it_is_stops_and_goes_on(
    known: Predictions, large: Callable[[int], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, real = large(5), installing.add
    halfway, go_on = threading.Event(), threading.Event()
    added: list[installing.Added] = []

    def slow(path: Path, on_progress: inventory.OnProgress) -> installing.Added:
        """The real copy, from a stick that takes its time after the second chunk."""

        def told(done: int, total: int, file: str) -> None:
            on_progress(done, total, file)
            if done == 2 * CHUNK_BYTES and not go_on.is_set():
                halfway.set()
                go_on.wait(60)

        added.append(real(path, told))
        return added[-1]

    monkeypatch.setattr(installing, "add", slow)
    app = Host(known)
    async with app.run_test(size=(80, 24)) as pilot:
        await open_add(pilot, app, folder)
        await pilot.press("enter")
        await until(halfway.is_set)
        await until(lambda: "tiny-Q4_K_M.gguf · 8.0 MiB of 22.0 MiB" in shown(app))
        await pilot.press("escape")
        go_on.set()
        await until(lambda: "What is copied is kept (8.0 MiB)" in shown(app))
        assert store.installed() == []
        await pilot.press("escape")
        await until(lambda: app.screen is app.models and "unfinished copy" in shown(app))
        await open_add(pilot, app, folder)
        await pilot.press("enter")
        await until(lambda: app.screen is app.models and "large 1 added" in shown(app))
        await until(lambda: said(app).startswith("large 1 · Q4_K_M"))  # the cursor is on it
        await stands(app, "no signature covers it", without=["unfinished"])
    # The third chunk was written before its thread looked whether it should stop.
    assert added[0].copied_bytes < folder.joinpath("tiny-Q4_K_M.gguf").stat().st_size - CHUNK_BYTES
    assert not any(check.bad for check in inventory.verify(inventory.find("large")))


async def test_what_cannot_be_added_is_said_in_its_place_with_what_to_do(
    known: Predictions, source: Path, tmp_path: Path
) -> None:
    flip(source / "tiny-BF16.gguf", 200_000)
    app = Host(known)
    async with app.run_test(size=(80, 24)) as pilot:
        await open_add(pilot, app, tmp_path / "missing")
        await pilot.press("enter")
        await until(lambda: "there is no model at" in told(app) and "Name a model folder" in told(app))
        app.screen.query_one(Input).value = f"'{source}'"  # as a terminal writes a file dragged into it
        await pilot.press("enter")
        await until(lambda: "is damaged between its bytes" in told(app) and "Copy it again" in told(app))
        assert store.installed() == []
        flip(source / "tiny-BF16.gguf", 200_000)
        await pilot.press("enter")
        await until(lambda: app.screen is app.models)
        await stands(app, "eyes 7 added", "loose.gguf, patients.csv")
    assert store.installed() == ["eyes"]


@pytest.mark.parametrize("size", SIZES)
async def test_a_model_is_picked_from_the_tree_which_offers_models_only(
    known: Predictions, source: Path, size: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    odd = source.parent / "a[b]\x1b[2J\n"
    source.rename(odd)
    monkeypatch.setenv("HOME", str(odd.parent))
    (odd.parent / "letters.txt").write_text("no model")
    app = Host(known)
    async with app.run_test(size=size) as pilot:
        await pilot.press("f2")
        await stands(app, "home folder", "no USB stick found")
        await pilot.press("tab", "down", "enter")
        await until(lambda: "a[b][2J · model folder" in shown(app))
        assert "letters.txt" not in shown(app)
        await pilot.press("down", "enter")
        await until(lambda: app.screen.query_one(Input).value.endswith("/a[b][2J"))
        assert "\x1b" not in "".join(lines(app))
        await pilot.press("enter")  # the box has the focus; its text stands for the folder's real name
        await until(lambda: app.screen is app.models and "eyes 7 added" in shown(app))
    assert store.installed() == ["eyes"]


async def test_a_path_may_begin_at_the_home_folder(known: Predictions, source: Path) -> None:
    app = Host(known)
    async with app.run_test(size=(80, 24)) as pilot:
        await open_add(pilot, app, Path("~/stick/eyes-7"))
        await pilot.press("enter")
        await until(lambda: app.screen is app.models and "eyes 7 added" in shown(app))
    assert store.installed() == ["eyes"]


async def test_the_dialog_speaks_the_other_language_at_once(known: Predictions, source: Path) -> None:
    app = Host(known)
    async with app.run_test(size=(80, 24)) as pilot:
        await open_add(pilot, app, source)
        await until(lambda: "home folder" in shown(app))
        app.texts.switch("ko")
        screen = app.screen
        assert isinstance(screen, AddModelScreen)
        screen.relabel()
        await until(lambda: "홈 폴더" in shown(app) and "모델 추가" in shown(app))
        assert screen.query_one(Input).value == str(source)
        assert screen.query_one(PlaceTree).root.children


async def test_a_folder_of_thousands_shows_the_models_first_and_says_what_it_leaves_out(
    known: Predictions, source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stick = source.parent
    for number in range(3000):
        (stick / f"a{number:04}").mkdir()
    monkeypatch.setenv("HOME", str(stick))
    app = Host(known)
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("f2")
        await until(lambda: "home folder" in shown(app))
        await pilot.press("tab", "down", "enter")
        await until(lambda: "eyes-7 · model folder" in shown(app))
        await pilot.press("end")
        await until(lambda: "2,501 more that are not shown; type the path above" in shown(app))
        await pilot.press("home", "down", "down", "enter")
        await until(lambda: app.screen.query_one(Input).value.endswith("/eyes-7"))

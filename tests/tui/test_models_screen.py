"""The models screen on the real store, driven as a person drives it."""

import shutil
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest
from piloting import lines, shown, until
from stored_models import flip
from textual.app import App
from textual.pilot import Pilot
from textual.widgets import Input

from ophtimus_edge import locations
from ophtimus_edge.models import hardware, installing, inventory, probe, store
from ophtimus_edge.models.chunked_copy import CHUNK_BYTES
from ophtimus_edge.models.formats import Licence, read_model_folder, write_model_folder
from ophtimus_edge.models.store import ChosenModel
from ophtimus_tui import removable_places
from ophtimus_tui.predictions import Predictions
from ophtimus_tui.screens.add_model import AddModelScreen
from ophtimus_tui.screens.confirm import ConfirmScreen
from ophtimus_tui.screens.models import ModelsScreen
from ophtimus_tui.texts import Texts
from ophtimus_tui.widgets.model_tree import ModelTree

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


@pytest.fixture(scope="module")
def known() -> Predictions:
    """What was measured of this machine, once for all tests, as once for an app."""
    return Predictions()


@pytest.fixture(autouse=True)
def no_places(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The tree shows the test's own folder as the home folder, and no stick."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setattr(removable_places, "BASES", ())


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


# What it shows


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("language", ["en", "ko"])
async def test_every_cell_of_every_level_can_be_read_at_any_size(
    known: Predictions, source: Path, size: tuple[int, int], language: str
) -> None:
    installing.add(source)
    app = Host(known, store.choose(), language)
    async with app.run_test(size=size) as pilot:
        await settled(app)
        texts = app.texts
        for name, level in (("demo", "BF16"), ("demo", "Q4_K_M"), ("eyes", "BF16"), ("eyes", "Q4_K_M")):
            await move_to(pilot, app, name, level)
            candidate = app.models._judged.candidates[app.models._table.row.key]  # type: ignore[union-attr]
            rate = candidate.tokens_per_s or 0
            speed = f"{rate:.0f}" if rate >= 10 else f"{rate:.1f}"
            memory = f"{candidate.memory_bytes / MIB:.1f} MiB"
            file = f"{candidate.file_bytes / MIB:.1f} MiB"
            for cell in (
                level, file, memory, texts("models.not_measured"), texts("models.speed", speed=speed),
                texts("models.fits"),
            ):  # fmt: skip
                await until(lambda cell=cell: " ".join(cell.split()) in shown(app))
            assert "Built with Llama" in said(app) or name == "demo"
        await pilot.press("home")
        await until(lambda: texts("models.in_use") in shown(app))
        assert texts("models.demonstration") in shown(app)
        # No line is wider than the screen, and no key is torn apart.
        keys = [line for line in lines(app) if "F2" in line or "Esc" in line]
        assert any(texts("models.key_add") in line for line in keys)
        assert any(texts("models.key_back") in line for line in keys)


async def test_what_is_known_of_a_model_is_said_under_the_rows(known: Predictions, source: Path) -> None:
    installing.add(source)
    change(
        "eyes",
        name="Ophtimus-Llama-3B",
        verdict="Q4_K_M is the smallest level within tolerance. KL divergence 0.031 [0.029, 0.034].",
        gates={"tokens": "passed: all", "logits": "skipped: by hand"},
    )
    app = Host(known)
    async with app.run_test(size=(120, 40)) as pilot:
        await settled(app)
        await move_to(pilot, app, "eyes", "Q4_K_M")
        await until(lambda: "★ Q4_K_M" in shown(app))
        screen = shown(app)
        for sentence in (
            "0.031", "fits · ★ recommended", "stored as eyes", "Answers tested in English only.",
            "Instruct model", "Llama-3.2 · Built with Llama", "Unverified: no signature covers it",
            "Checks passed when it was converted: tokens",
            "Check not passed, logits: skipped: by hand", "free. Memory for a conversation",
        ):  # fmt: skip
            assert sentence in screen, sentence
        await move_to(pilot, app, "eyes", "BF16")
        await until(lambda: "· BF16" in said(app).splitlines()[0])
        assert "★" not in said(app)
        await move_to(pilot, app, "demo")
        assert "Part of the program." in said(app)
        assert "Answers not tested." in said(app)
        assert "Built with Llama" not in said(app)


async def test_a_hostile_description_is_shown_as_the_text_that_it_is(
    known: Predictions, source: Path
) -> None:
    installing.add(source)
    hostile = "[@click=app.quit]x[/] \x1b]52;c;aGk=\x07\u202eeno [/foo] \x9b2J\n\nlines"
    change(
        "eyes",
        name=hostile,
        version="[bold]\x1b[2J",
        verdict=hostile,
        gates={hostile: hostile, "[red]": "passed: \x1b[31m"},
        licences=[Licence(name=hostile, file="LICENSE.txt", notice="[link=x]\x1b]0;t\x07")],
    )
    folder = locations.models_folder() / "bro[ken]\x1b[2J"
    folder.mkdir()
    (folder / "model.json").write_text('{"schema_version": "[bold]\\u001b[2J"}')
    app = Host(known)
    async with app.run_test(size=(120, 40)) as pilot:
        await settled(app)
        for name in ("eyes", folder.name):
            await move_to(pilot, app, name)
            await until(lambda: "[" in said(app))
            everything = said(app) + "".join(lines(app))
            assert not set(everything) & set("\x1b\x07\x9b\u202e")
        await until(lambda: "[@click=app.quit]x[/]" in shown(app) and "bro[ken][2J" in shown(app))
        assert "cannot be used" in shown(app)
        # Its text is no action: a click on it chooses nothing and ends nothing.
        at = next(y for y, line in enumerate(lines(app)) if "[@click=app.quit]" in line)
        await pilot.click(offset=(3, at))
        assert app.is_running
        assert not app.results


async def test_the_language_changes_under_the_eyes(known: Predictions) -> None:
    app = Host(known)
    async with app.run_test(size=(120, 40)):
        await settled(app)
        await until(lambda: "Instruct model" in shown(app))
        app.texts.switch("ko")
        app.models.relabel()
        await until(lambda: "압축 수준" in shown(app) and "질문에 답합니다" in shown(app))
        for english in ("level", "fits", "F2 add", "Instruct model", "Models"):
            assert english not in shown(app)


async def test_this_machine_is_measured_once_and_the_screen_does_not_wait(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    real, gate, runs = probe.run, threading.Event(), []

    def slow(machine: hardware.Machine, threads: int) -> probe.Probe:
        runs.append(threads)
        gate.wait(60)
        return msgspec.structs.replace(real(machine, threads), bandwidth=1e3)

    monkeypatch.setattr(probe, "run", slow)
    mine = Predictions()
    app = Host(mine)
    async with app.run_test(size=(120, 40)) as pilot:
        await until(lambda: "measuring …" in shown(app) and "fits" in shown(app))
        await pilot.press("down")
        assert app.models._table.row is not None
        gate.set()
        await settled(app)
        await until(lambda: "slow: under 5 tokens/s" in shown(app))
        assert "it would write 0.0" in said(app)
    again = Host(mine)
    async with again.run_test(size=(120, 40)):
        await settled(again)
    assert len(runs) == 1


# Choosing


async def test_enter_chooses_the_row_and_escape_goes_back(known: Predictions, source: Path) -> None:
    installing.add(source)
    app = Host(known)
    async with app.run_test(size=(80, 24)) as pilot:
        await settled(app)
        await move_to(pilot, app, "eyes", "BF16")
        await pilot.press("enter")
        await until(lambda: bool(app.results))
    (chosen,) = app.results
    assert chosen is not None
    assert (chosen.name, chosen.level, chosen.path) == (
        "eyes", "BF16", locations.models_folder() / "eyes" / "tiny-BF16.gguf"
    )  # fmt: skip
    app = Host(known)
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("escape")
        await until(lambda: app.results == [None])


async def test_a_click_moves_the_cursor_and_a_second_one_chooses(known: Predictions, source: Path) -> None:
    installing.add(source)
    app = Host(known, store.choose())
    async with app.run_test(size=(120, 40)) as pilot:
        await settled(app)
        await until(lambda: sum("BF16" in line for line in lines(app)) == 2)
        at = [y for y, line in enumerate(lines(app)) if "BF16" in line][-1]
        await pilot.click(offset=(5, at))
        await until(lambda: said(app).startswith("eyes 7 · BF16"))
        assert not app.results
        await pilot.click(offset=(5, at))
        await until(lambda: bool(app.results))
    assert app.results[0] is not None
    assert app.results[0].level == "BF16"


async def test_a_level_that_does_not_fit_is_tried_after_a_question_only(
    known: Predictions, monkeypatch: pytest.MonkeyPatch
) -> None:
    small = msgspec.structs.replace(hardware.read_machine(), memory_bytes=16 * MIB, available_bytes=8 * MIB)
    monkeypatch.setattr(hardware, "read_machine", lambda: small)
    app = Host(known)
    async with app.run_test(size=(120, 40)) as pilot:
        await until(lambda: "does not fit: this machine has 16.0 MiB" in shown(app))
        for refuse in ("enter", "2", "escape"):  # the careful answer is under the cursor
            await pilot.press("enter")
            await until(lambda: isinstance(app.screen, ConfirmScreen))
            await until(lambda: "of memory; this machine has 16.0 MiB" in shown(app))
            await pilot.press(refuse)
            await until(lambda: app.screen is app.models)
            assert not app.results
        await pilot.press("enter")
        await until(lambda: isinstance(app.screen, ConfirmScreen))
        await pilot.press("1")
        await until(lambda: bool(app.results))
    assert app.results[0] is not None


# Adding


async def open_add(pilot: Pilot[None], app: Host, path: Path) -> None:
    await pilot.press("f2")
    await until(lambda: isinstance(app.screen, AddModelScreen))
    app.screen.query_one(Input).value = str(path)


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
        assert "unfinished" not in shown(app)
        assert "no signature covers it" in shown(app)
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
        await until(lambda: "there is no model at" in shown(app) and "Name a model folder" in shown(app))
        app.screen.query_one(Input).value = f"'{source}'"  # as a terminal writes a file dragged into it
        await pilot.press("enter")
        await until(lambda: "is damaged between its bytes" in shown(app))
        assert "Copy it again" in shown(app)
        assert store.installed() == []
        flip(source / "tiny-BF16.gguf", 200_000)
        await pilot.press("enter")
        await until(lambda: app.screen is app.models and "eyes 7 added" in shown(app))
        assert "loose.gguf, patients.csv" in shown(app)
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
        await until(lambda: "home folder" in shown(app))
        assert "no USB stick found" in shown(app)
        await pilot.press("tab", "down", "enter")
        await until(lambda: "a[b][2J · model folder" in shown(app))
        assert "letters.txt" not in shown(app)
        await pilot.press("down", "enter")
        await until(lambda: app.screen.query_one(Input).value.endswith("/a[b][2J"))
        assert "\x1b" not in "".join(lines(app))
        await pilot.press("enter")  # the box has the focus; its text stands for the folder's real name
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
        assert screen.query_one(ModelTree).root.children


# Verifying and removing


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

"""The models screen on the real store, driven as a person drives it: what it shows, and choosing."""

import threading
from pathlib import Path

import msgspec
import pytest
from model_screens import MIB, SIZES, Host, change, move_to, said, settled
from piloting import lines, shown, stands, until

from ophtimus_edge import locations
from ophtimus_edge.models import hardware, installing, probe, store
from ophtimus_edge.models.formats import Licence, Statistic, Verdict
from ophtimus_tui.app import OphtimusApp
from ophtimus_tui.predictions import Predictions
from ophtimus_tui.screens.add_model import AddModelScreen
from ophtimus_tui.screens.confirm import ConfirmScreen
from ophtimus_tui.screens.models import ModelsScreen

pytestmark = pytest.mark.usefixtures("no_places")

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
        await stands(app, texts("models.in_use"), texts("models.demonstration"))
        # No line is wider than the screen, and no key is torn apart.
        keys = [line for line in lines(app) if "F2" in line or "Esc" in line]
        assert any(texts("models.key_add") in line for line in keys)
        assert any(texts("models.key_back") in line for line in keys)


async def test_what_is_known_of_a_model_is_said_under_the_rows(known: Predictions, source: Path) -> None:
    installing.add(source)
    change(
        "eyes",
        name="Ophtimus-Llama-3B",
        verdict=Verdict(
            level="Q4_K_M",
            kl_mean={"BF16": Statistic(0, 0, 0), "Q4_K_M": Statistic(0.0314, 0.029, 0.034)},
            report_sha256="f" * 64,
            statement="Q4_K_M is the smallest level within tolerance.",
        ),
        tested_languages=["en"],
        gates={"tokens": "passed: all", "logits": "skipped: by hand"},
    )
    app = Host(known)
    async with app.run_test(size=(120, 40)) as pilot:
        await settled(app)
        await move_to(pilot, app, "eyes", "Q4_K_M")
        await until(lambda: "★ Q4_K_M" in shown(app))
        screen = shown(app)
        for sentence in (
            "0.031", "fits · ★ recommended", "stored as eyes", "Answers tested in English. Not measured in Korean.",
            "★ The level that a comparison recommends.",
            "Mean KL divergence from the reference: 0.031 nats [0.029, 0.034]",
            "Comparison: Q4_K_M is the smallest level within tolerance.", "report: ffff",
            "Instruct model", "Llama-3.2 · Built with Llama", "Unverified: no signature covers it",
            "Checks passed when it was converted: tokens",
            "Check not passed, logits: skipped: by hand", "free. Memory for a conversation",
        ):  # fmt: skip
            assert sentence in screen, sentence
        await move_to(pilot, app, "eyes", "BF16")
        await until(lambda: "· BF16" in said(app).splitlines()[0])
        assert "★" not in said(app)
        assert "A comparison recommends Q4_K_M." in said(app)
        await move_to(pilot, app, "demo")
        assert "Part of the program." in said(app)
        assert "In which languages it answers well was not measured." in said(app)
        assert "comparison" not in said(app)
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
        verdict=Verdict(
            level=hostile,
            kl_mean={"BF16": Statistic(1e300, -1e300, 1e308)},
            statement=hostile,
            report_sha256=hostile,
        ),
        tested_languages=[hostile, "", "en"],
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
        await stands(app, "[@click=app.quit]x[/]", "bro[ken][2J", "cannot be used")
        # Its text is no action: a click on it chooses nothing and ends nothing.
        at = next(y for y, line in enumerate(lines(app)) if "[@click=app.quit]" in line)
        await pilot.click(offset=(3, at))
        assert app.is_running
        assert not app.results


@pytest.mark.parametrize(
    ("tested", "said_of_it"),
    [
        ([], "언어별 답변 성능은 측정되지 않았습니다."),
        (["en"], "답변을 검증한 언어: 영어. 한국어 답변은 측정되지 않았습니다."),
        (["ko", "en"], "답변을 검증한 언어: 한국어, 영어."),
        (["ja"], "답변을 검증한 언어: ja. 영어, 한국어 답변은 측정되지 않았습니다."),
    ],
)
async def test_the_languages_that_were_tested_are_said_and_those_that_were_not(
    known: Predictions, source: Path, tested: list[str], said_of_it: str
) -> None:
    installing.add(source)
    change("eyes", tested_languages=tested, verdict="BF16 for all")
    app = Host(known, language="ko")
    async with app.run_test(size=(80, 24)) as pilot:
        await settled(app)
        await move_to(pilot, app, "eyes", "BF16")
        await until(lambda: said_of_it in said(app).splitlines())
        assert "비교 결과: BF16 for all" in said(app)  # of a file from before, only the words


async def test_the_language_changes_under_the_eyes(known: Predictions) -> None:
    app = Host(known)
    async with app.run_test(size=(120, 40)):
        await settled(app)
        await until(lambda: "Instruct model" in shown(app))
        app.texts.switch("ko")
        app.models.relabel()
        await stands(
            app,
            "압축 수준",
            "질문에 답합니다",
            without=("level", "fits", "F2 add", "Instruct model", "Models"),
        )


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


async def test_the_level_is_switched_in_place() -> None:
    app = OphtimusApp(store.choose(), "en")
    async with app.run_test(size=(120, 40)) as pilot:
        await until(lambda: "Q4_K_M" in shown(app) and "ready" in shown(app))
        await pilot.press("f4")
        await until(lambda: isinstance(app.screen, ModelsScreen) and "in use" in shown(app))
        await pilot.press("up", "enter")
        await until(lambda: app.screen is app.chat and "BF16" in shown(app) and "ready" in shown(app))
        assert app.chat.model.level == "BF16"


# Small screens


async def test_the_smallest_terminal_and_a_changing_one_lose_nothing(
    known: Predictions, source: Path
) -> None:
    installing.add(source)
    app = Host(known, store.choose())
    async with app.run_test(size=(20, 5)) as pilot:
        await settled(app)
        await move_to(pilot, app, "eyes", "BF16")
        await pilot.press("f2")
        await until(lambda: isinstance(app.screen, AddModelScreen))
        await pilot.press("escape")
        await until(lambda: app.screen is app.models)
        for size in ((120, 40), (21, 6), (200, 50), (20, 5), (80, 24)):
            await pilot.resize_terminal(*size)
            await until(lambda size=size: len(lines(app)) == size[1])
        row = app.models._table.row
        assert row is not None
        assert row.level is not None
        assert (row.name, row.level.level) == ("eyes", "BF16")  # the cursor is where it was
        await until(lambda: "Q4_K_M" in shown(app) and app.texts("models.fits") in shown(app))
        await pilot.press("enter")
        await until(lambda: bool(app.results))

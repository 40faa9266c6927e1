"""Talks written out, handouts, backups and what is made of them: from the palette to the file."""

import csv
import io
import json
from pathlib import Path

import pytest
from conftest import Disk
from kept_talks import TEXTS, by_name, notes, open_talk, put_path, with_history, with_talks
from piloting import shown, until
from textual.pilot import Pilot
from textual.widgets import Input, OptionList

from ophtimus_edge import locations
from ophtimus_edge.history import keys, profiles
from ophtimus_edge.history.keeping import Forgetting
from ophtimus_edge.history.store import Store
from ophtimus_edge.history.talk import Flag, now
from ophtimus_edge.models import store as models
from ophtimus_tui import local_pages, removable_places
from ophtimus_tui.app import OphtimusApp
from ophtimus_tui.screens.choose import ChooseScreen
from ophtimus_tui.screens.handout import HandoutScreen
from ophtimus_tui.screens.passphrase_boxes import SecretScreen
from ophtimus_tui.screens.restore import RestoreScreen
from ophtimus_tui.screens.save_file import SaveFileScreen
from ophtimus_tui.widgets.editor import Editor

pytestmark = pytest.mark.usefixtures("no_places", "no_window")
WORDS = "a quiet lamp by the window"


@pytest.fixture
def no_window(monkeypatch: pytest.MonkeyPatch) -> None:
    """No browser can be opened here."""
    monkeypatch.setattr(local_pages, "can_be_opened", lambda: False)


async def to_save(pilot: Pilot[None], app: OphtimusApp, kind: str, scope: str) -> None:
    """Go through the export's questions."""
    await by_name(pilot, app, "export this talk or all")
    await until(lambda: isinstance(app.screen, ChooseScreen) and "which format" in shown(app))
    await pilot.press(kind)
    await until(lambda: isinstance(app.screen, ChooseScreen) and "Which talks" in shown(app))
    await pilot.press(scope)
    await until(lambda: isinstance(app.screen, SaveFileScreen))


@pytest.mark.parametrize(("digit", "kind"), [("1", "md"), ("2", "json"), ("3", "csv"), ("4", "html")])
async def test_this_talk_or_all_are_written_with_their_flags(digit: str, kind: str, tmp_path: Path) -> None:
    app, talks = with_talks()
    reply = talks[1].path()[0].reply
    assert reply
    reply.flag = Flag(kind="unsafe", correction="의사에게 물어보십시오.", at=now())
    async with app.run_test(size=(100, 30)) as pilot:
        await open_talk(pilot, app, talks[1])
        await to_save(pilot, app, digit, "1")
        await put_path(app, tmp_path / f"one.{kind}")
        await pilot.press("enter")
        await until(lambda: "Written: " in notes(app) and f"one.{kind}" in notes(app))
        await to_save(pilot, app, digit, "2")
        await put_path(app, tmp_path / f"all.{kind}")
        await pilot.press("f2")
        await until(lambda: f"all.{kind}" in notes(app))
    one, every = ((tmp_path / f"{name}.{kind}").read_text("utf-8-sig") for name in ("one", "all"))
    assert TEXTS[1][1] in one
    assert "의사에게 물어보십시오." in one
    assert TEXTS[0][1] not in one
    assert all(text in every for talk in TEXTS for text in talk)
    if kind == "json":
        assert len(json.loads(every)["talks"]) == 3
    if kind == "csv":
        assert len(list(csv.reader(io.StringIO(every)))) == 4


async def test_the_offered_name_has_date_and_title_and_a_file_that_is_there_is_asked_about(
    tmp_path: Path, home: Path
) -> None:
    home.mkdir()
    app, talks = with_talks()
    async with app.run_test(size=(110, 30)) as pilot:
        await open_talk(pilot, app, talks[1])
        await to_save(pilot, app, "1", "1")
        offered = Path(app.screen.query("PathBox").first(Input).value)
        assert offered.parent == home
        assert offered.name == f"{talks[1].begun_at.date()} 백내장 수술 뒤에 주의할 점은.md"
        offered.write_text("somebody's own")
        await pilot.press("enter")
        await until(lambda: "such a file already" in shown(app))
        await pilot.press("enter")  # name another
        await until(lambda: isinstance(app.screen, SaveFileScreen))
        assert offered.read_text() == "somebody's own"
        await pilot.press("f2")
        await until(lambda: "such a file already" in shown(app))
        await pilot.press("1")
        await until(lambda: "Written: " in notes(app))
        assert TEXTS[1][1] in offered.read_text()


async def test_a_place_is_picked_and_a_folder_that_is_missing_is_said(tmp_path: Path) -> None:
    app, talks = with_talks()
    async with app.run_test(size=(100, 30)) as pilot:
        await open_talk(pilot, app, talks[0])
        await to_save(pilot, app, "1", "1")
        await put_path(app, tmp_path / "missing" / "my own name.md")
        await pilot.press("enter")
        await until(lambda: "could not be written" in shown(app))
        await until(lambda: app.screen.query_one(OptionList).option_count > 0)
        await pilot.press("tab")
        await until(lambda: app.screen.query_one(OptionList).has_focus)
        await pilot.press("end", "enter")
        box = app.screen.query("PathBox").first(Input)
        await until(lambda: box.value == str(tmp_path / "my own name.md"))
        await pilot.press("enter")
        await until(lambda: "Written: " in notes(app))
        assert (tmp_path / "my own name.md").exists()


async def test_a_stick_is_offered_and_a_full_one_is_said(
    tmp_path: Path, disk: Disk, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "media").mkdir()
    stick = disk(tmp_path / "media" / "stick", 1)
    monkeypatch.setattr(removable_places, "BASES", (tmp_path / "media",))
    filler = stick / "filler"
    filler.write_bytes(bytes((1 << 20) - 4096))
    app, talks = with_talks([("What fills a stick?", "words " * 10_000)])
    async with app.run_test(size=(100, 30)) as pilot:
        await open_talk(pilot, app, talks[0])
        await to_save(pilot, app, "1", "1")
        await until(lambda: "USB stick or other disk" in shown(app))
        await pilot.press("tab", "end", "enter")
        box = app.screen.query("PathBox").first(Input)
        await until(lambda: box.value.startswith(str(stick)))
        await pilot.press("enter")
        await until(lambda: "its disk is full" in shown(app))
        assert [path.name for path in stick.iterdir()] == ["filler"]
        filler.unlink()
        await pilot.press("enter")
        await until(lambda: "Written: " in notes(app))
        assert talks[0].title[:10] in next(stick.iterdir()).name


async def test_escape_writes_nothing(home: Path) -> None:
    home.mkdir()
    app, talks = with_talks()
    async with app.run_test(size=(100, 30)) as pilot:
        await open_talk(pilot, app, talks[0])
        await to_save(pilot, app, "1", "1")
        await pilot.press("escape")
        await until(lambda: app.screen is app.chat)
        assert list(home.iterdir()) == []


async def in_handout(pilot: Pilot[None], app: OphtimusApp) -> HandoutScreen:
    await by_name(pilot, app, "patient handout of the chosen")
    await until(lambda: isinstance(app.screen, HandoutScreen))
    assert isinstance(app.screen, HandoutScreen)
    return app.screen


@pytest.mark.parametrize("size", [(100, 40), (60, 20)])
async def test_a_handout_is_corrected_signed_and_written(size: tuple[int, int], tmp_path: Path) -> None:
    app, talks = with_talks()
    async with app.run_test(size=size) as pilot:
        await open_talk(pilot, app, talks[1])
        screen = await in_handout(pilot, app)
        assert screen.query_one(Editor).text == TEXTS[1][1]
        await pilot.press("f2")
        await until(lambda: "the name of the person" in shown(app))  # no page without a name
        assert app.screen is screen
        screen.query_one(Editor).text = "수술 뒤 4주 동안 <눈>을 비비지 마십시오."
        screen._signer.value = "김의사"
        screen._contact.value = "02-000-0000"
        await pilot.press("f2")
        await until(lambda: isinstance(app.screen, SaveFileScreen))
        await put_path(app, tmp_path / "handout.html")
        await pilot.press("enter")
        await until(lambda: "Written: " in notes(app))
    page = (tmp_path / "handout.html").read_text("utf-8")
    assert "4주 동안 &lt;눈&gt;을" in page
    assert "2주" not in page
    assert "김의사" in page
    assert "02-000-0000" in page
    assert "<html lang=ko>" in page  # the language of the text, not of the app
    assert "<script" not in page
    assert talks[1].path()[0].reply.text == TEXTS[1][1]  # type: ignore[union-attr]


async def test_what_was_corrected_is_asked_about_before_it_is_left() -> None:
    app, talks = with_talks()
    async with app.run_test(size=(100, 40)) as pilot:
        await open_talk(pilot, app, talks[0])
        screen = await in_handout(pilot, app)
        screen.query_one(Editor).text = "mine"
        await pilot.press("escape")
        await until(lambda: "not written yet" in shown(app))
        await pilot.press("enter")
        await until(lambda: app.screen is screen)
        assert screen.query_one(Editor).text == "mine"
        screen.query_one(Editor).text = TEXTS[0][1]
        await pilot.press("escape")
        await until(lambda: app.screen is app.chat)


async def test_an_empty_handout_is_refused() -> None:
    app, talks = with_talks()
    async with app.run_test(size=(100, 40)) as pilot:
        await open_talk(pilot, app, talks[0])
        screen = await in_handout(pilot, app)
        screen.query_one(Editor).text = " \n"
        screen._signer.value = "A name"
        await pilot.press("f2")
        await until(lambda: "The handout is empty" in shown(app))
        assert app.screen is screen


@pytest.mark.parametrize("language", ["en", "ko"])
async def test_a_handout_is_refused_with_its_reason(language: str) -> None:
    app, talks = with_talks(language=language)
    flagged, demonstrated = (talk.path()[0].reply for talk in talks[:2])
    assert flagged
    assert demonstrated
    flagged.flag = Flag(kind="wrong", at=now())
    model = models.choose()
    demonstrated.provenance = type(demonstrated.provenance)(
        model=model.name, version=model.version, level=model.level, sha256=model.sha256, role="free",
        temperature=0.0, seed=0,
    )  # fmt: skip
    async with app.run_test(size=(100, 40)) as pilot:
        for talk, reason in ((talks[0], "flagged"), (talks[1], "demonstration")):
            await open_talk(pilot, app, talk)
            await by_name(pilot, app, app.texts("keys.handout")[:14])
            await until(lambda reason=reason: app.texts(f"handout.refused_{reason}") in notes(app))  # type: ignore[misc]
            assert app.screen is app.chat


async def test_a_page_is_opened_in_the_browser_only_where_it_is_asked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[str] = []
    monkeypatch.setattr(local_pages, "can_be_opened", lambda: True)
    monkeypatch.setattr("webbrowser.open", lambda address: opened.append(address) or True)
    app, talks = with_talks()
    async with app.run_test(size=(100, 30)) as pilot:
        await open_talk(pilot, app, talks[0])
        for answer, expected in (("enter", []), ("1", [(tmp_path / "1.html").as_uri()])):
            await to_save(pilot, app, "4", "1")
            await put_path(app, tmp_path / f"{answer}.html")
            await pilot.press("enter")
            await until(
                lambda: isinstance(app.screen, ChooseScreen) and "Open it in the browser" in shown(app)
            )
            await pilot.press(answer)
            await until(lambda: app.screen is app.chat)
            await until(lambda expected=expected: opened == expected)  # type: ignore[misc]


async def test_a_history_is_backed_up_and_restored_as_a_new_profile(tmp_path: Path) -> None:
    profile = profiles.create("김간호사")
    key = keys.unlock(profile.key_file)
    file = tmp_path / "a copy.ophtimus-backup"
    with Store(profile.folder, key) as store:
        app, talks = with_talks(history=store)
        app.chat.owner = profile, key
        async with app.run_test(size=(100, 30)) as pilot:
            await open_talk(pilot, app, talks[0])
            await by_name(pilot, app, "back up the history")
            await until(lambda: isinstance(app.screen, SecretScreen))
            first, second = app.screen.query(Input)
            for one, other, said in (("short", "short", "too short"), (WORDS, "else", "not the same")):
                first.value, second.value = one, other
                await pilot.press("f2")
                await until(lambda said=said: said in shown(app))  # type: ignore[misc]
            first.value = second.value = WORDS
            await pilot.press("f2")
            await until(lambda: isinstance(app.screen, SaveFileScreen))
            await put_path(app, file)
            await pilot.press("enter")
            await until(lambda: isinstance(app.screen, ChooseScreen) and "recovery key" in shown(app))
            await pilot.press("escape")  # it is not shown again, so it stays until somebody says so
            await until(lambda: isinstance(app.screen, ChooseScreen) and "recovery key" in shown(app))
            await pilot.press("1")
            await until(lambda: "Backed up and checked" in notes(app))
            await by_name(pilot, app, "restore a backup")
            await until(lambda: isinstance(app.screen, RestoreScreen))
            await put_path(app, file)
            await pilot.press("enter")
            await until(lambda: app.screen.query("#secret").first().has_focus)
            app.screen.query("#secret").first(Input).value = "not the passphrase"
            await pilot.press("f2")
            await until(lambda: "stays locked" in shown(app))
            assert len(profiles.list_profiles()) == 1
            app.screen.query("#secret").first(Input).value = WORDS
            await pilot.press("f2")
            await until(lambda: "as a new profile" in notes(app))
    restored = next(one for one in profiles.list_profiles() if one.id != profile.id)
    assert restored.name.startswith("김간호사")
    with Store(restored.folder, keys.unlock(restored.key_file, WORDS)) as store:
        assert {head.id for head in store.heads()} == {talk.id for talk in talks}


async def test_the_recovery_key_goes_into_a_file_and_opens_the_backup(tmp_path: Path) -> None:
    profile = profiles.create("a")
    key = keys.unlock(profile.key_file)
    with Store(profile.folder, key) as store:
        app, _ = with_talks(history=store)
        app.chat.owner = profile, key
        async with app.run_test(size=(100, 30)) as pilot:
            await by_name(pilot, app, "back up the history")
            await until(lambda: isinstance(app.screen, SecretScreen))
            for box in app.screen.query(Input):
                box.value = WORDS
            await pilot.press("f2")
            await until(lambda: isinstance(app.screen, SaveFileScreen))
            await put_path(app, tmp_path / "a.ophtimus-backup")
            await pilot.press("enter")
            await until(lambda: isinstance(app.screen, ChooseScreen))
            await pilot.press("2")
            await until(lambda: isinstance(app.screen, SaveFileScreen))
            await until(lambda: "Not onto the stick" in shown(app))
            await put_path(app, profile.folder / "key.txt")
            await pilot.press("enter")
            await until(lambda: "on the same disk or stick" in shown(app))
            await pilot.press("1")
            await until(lambda: "is not kept beside the history" in shown(app))
            assert not (profile.folder / "key.txt").exists()
            await put_path(app, tmp_path / "key.txt")
            await pilot.press("enter")
            await until(lambda: isinstance(app.screen, ChooseScreen) and "on the same disk" in shown(app))
            await pilot.press("enter")  # name another: nothing is written beside the backup without a word
            await until(lambda: isinstance(app.screen, SaveFileScreen))
            assert not (tmp_path / "key.txt").exists()
            await pilot.press("enter")
            await until(lambda: "on the same disk" in shown(app))
            await pilot.press("1")
            await until(lambda: isinstance(app.screen, ChooseScreen) and "I have written it" in shown(app))
            await pilot.press("1")
            await until(lambda: "Backed up and checked" in notes(app))
            page = (tmp_path / "key.txt").read_text()
            assert "can read the history" in page
            recovery = page.splitlines()[2]
            await by_name(pilot, app, "restore a backup")
            await until(lambda: isinstance(app.screen, RestoreScreen))
            await put_path(app, tmp_path / "key.txt")  # no backup at all
            app.screen.query("#secret").first(Input).value = recovery.lower()
            await pilot.press("f2")
            await until(lambda: "In detail" in shown(app))
            await put_path(app, tmp_path / "a.ophtimus-backup")
            await pilot.press("f2")
            await until(lambda: "as a new profile" in notes(app))
    assert len(profiles.list_profiles()) == 2


async def test_a_locked_profile_is_backed_up_under_its_own_passphrase(tmp_path: Path) -> None:
    profile = profiles.create("a")
    keys.set_passphrase(profile.key_file, WORDS)
    key = keys.unlock(profile.key_file, WORDS)
    with Store(profile.folder, key) as store:
        app, _ = with_talks(history=store)
        app.chat.owner = profile, key
        async with app.run_test(size=(100, 30)) as pilot:
            await by_name(pilot, app, "back up the history")
            await until(
                lambda: isinstance(app.screen, SaveFileScreen) and "passphrase that you" in shown(app)
            )
            await put_path(app, tmp_path / "a.ophtimus-backup")
            await pilot.press("enter")
            await until(lambda: "Backed up and checked" in notes(app))
    assert (tmp_path / "a.ophtimus-backup").exists()


async def test_where_nothing_is_kept_there_is_nothing_to_back_up() -> None:
    app = with_history(Forgetting())
    async with app.run_test(size=(100, 30)) as pilot:
        await by_name(pilot, app, "back up the history")
        await until(lambda: "nothing to back up" in notes(app))
        assert app.screen is app.chat
        assert not locations.history_folder().exists()

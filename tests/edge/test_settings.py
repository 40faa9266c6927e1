"""The settings file: what is written is read again, a person's own hand stays, and damage costs nobody a word."""

import os
import stat
import tomllib
from pathlib import Path

import msgspec
import pytest

from ophtimus_edge import locations, settings
from ophtimus_edge.errors import FolderNotWritableError, OwnSettingsError, SettingsError
from ophtimus_edge.settings import Settings
from ophtimus_edge.specialties import roles

CHANGED = Settings(
    language="ko", theme="light", role="teaching", model="/media/usb/eyes 7", level="Q4_K_M",
    temperature=0.7, max_tokens=300, details=True, keep_draft=False, history="nothing", lock_after_minutes=3,
    retention_days=30, first_start_done=settings.FIRST_START,
)  # fmt: skip


@pytest.fixture
def file() -> Path:
    path = locations.settings_file()
    path.parent.mkdir(parents=True)
    return path


def test_without_a_file_the_defaults_hold_and_none_is_made(home: Path) -> None:
    assert settings.read() == Settings()
    assert not home.exists()


@pytest.mark.parametrize("written", [Settings(), CHANGED, Settings(model='a "b" \\ 안과', details=False)])
def test_what_is_written_is_read_again(written: Settings) -> None:
    assert settings.write(written) is None
    assert settings.read() == written
    assert settings.write(CHANGED) is None
    assert settings.read() == CHANGED


def test_every_key_stands_under_a_comment_that_says_what_it_may_be() -> None:
    settings.write(CHANGED)
    lines = locations.settings_file().read_text("utf-8").splitlines()
    assert set(tomllib.loads("\n".join(lines))) == set(Settings.__struct_fields__)
    for key in Settings.__struct_fields__:
        (at,) = [number for number, line in enumerate(lines) if line.startswith(f"{key} = ")]
        assert lines[at - 1].startswith("# "), key
        assert lines[at - 1].endswith("."), key


@pytest.mark.skipif(os.name != "posix", reason="a mode is a matter of POSIX")
def test_only_its_owner_can_read_it(file: Path) -> None:
    file.write_text("")
    file.chmod(0o666)
    settings.write(CHANGED)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_a_persons_own_comments_and_order_stay(file: Path) -> None:
    file.write_text('# the screen by the window\ntheme = "light"  # glare\nlanguage = "ko"\n', "utf-8")
    settings.write(msgspec.structs.replace(settings.read(), theme="dark"))
    text = file.read_text("utf-8")
    assert text.startswith('# the screen by the window\ntheme = "dark"  # glare\nlanguage = "ko"\n')
    assert settings.read() == Settings(theme="dark", language="ko")


def test_a_byte_order_mark_and_windows_line_ends_are_read_and_rewritten(file: Path) -> None:
    file.write_bytes('\ufefflanguage = "ko"\r\nmax_tokens = 5\r\n'.encode())
    assert settings.read() == Settings(language="ko", max_tokens=5)
    settings.write(settings.read())
    assert settings.read() == Settings(language="ko", max_tokens=5)


SOUND = {
    "language": ['"auto"', '"en"', '"ko"'],
    "theme": ['"dark"', '"light"'],
    "role": ['"clinical"', '"free"'],
    "temperature": ["0", "0.0", "5.0", "1"],
    "max_tokens": ["1", "4096"],
    "details": ["true", "false", '"by role"'],
    "keep_draft": ["true", "false"],
    "history": ['"keep"', '"nothing"'],
    "lock_after_minutes": ["0", "1", "1440"],
    "retention_days": ["0", "365"],
    "first_start_done": ["0", "7"],
}
WRONG = {
    "language": ['"de"', "1", "true"],
    "theme": ['"blue"', "[]"],
    "role": ['"surgeon"', "3", '"Clinical"'],
    "model": ["1", "[]"],
    "level": ["4"],
    "temperature": ["-0.1", "5.1", "nan", "inf", '"0.5"', "true"],
    "max_tokens": ["0", "-3", "1.5", '"many"', "true"],
    "details": ['"sometimes"', "1"],
    "keep_draft": ["1", '"yes"'],
    "history": ['"some"', "true"],
    "lock_after_minutes": ["-1", "1441", "0.5"],
    "retention_days": ["-1", '"30"'],
    "first_start_done": ["-1", "true"],
    "colour": ['"red"'],
    '"\\u001b]52;c;x\\u0007"': ["1"],
    "history.keep": ["true"],
}


@pytest.mark.parametrize(("key", "value"), [(key, one) for key, all_ in SOUND.items() for one in all_])
def test_a_sound_value_is_taken(file: Path, key: str, value: str) -> None:
    file.write_text(f"{key} = {value}\n")
    assert getattr(settings.read(), key) == tomllib.loads(f"x = {value}")["x"]


@pytest.mark.parametrize(("key", "value"), [(key, one) for key, all_ in WRONG.items() for one in all_])
def test_a_wrong_key_or_value_is_refused_with_file_key_and_a_way_out(
    file: Path, key: str, value: str
) -> None:
    file.write_text(f"{key} = {value}\n")
    with pytest.raises(SettingsError) as caught:
        settings.read()
    assert str(file) in caught.value.message
    if key.isidentifier():
        assert key in caught.value.message
    assert "emove" in caught.value.hint
    assert "\x1b" not in str(caught.value)


@pytest.mark.parametrize(
    "damage", [b'language = "ko\n', b"\xff\xfel\x00", b"{}", b"\x00" * 40, b"a = " + b"[" * 5000]
)
def test_a_damaged_file_is_said_gone_on_with_and_kept(file: Path, damage: bytes) -> None:
    file.write_bytes(damage)
    found, error = settings.read_or_defaults()
    assert found == Settings()
    assert error is not None
    assert str(file) in error.message
    assert file.read_bytes() == damage  # until a setting is changed
    aside = settings.write(CHANGED)
    assert aside == file.with_name("settings.toml.broken")
    assert aside.read_bytes() == damage
    assert settings.read() == CHANGED
    file.write_bytes(b"again")
    second = settings.write(CHANGED)
    assert second is not None
    assert (aside.read_bytes(), second.read_bytes()) == (damage, b"again")


def test_a_value_that_the_file_could_not_have_is_not_written() -> None:
    settings.write(CHANGED)
    with pytest.raises(SettingsError, match="max_tokens"):
        settings.write(msgspec.structs.replace(CHANGED, max_tokens=0))
    assert settings.read() == CHANGED


def test_a_folder_that_cannot_be_written_is_said(home: Path) -> None:
    home.write_text("a file where the folder should be")
    with pytest.raises(FolderNotWritableError):
        settings.write(CHANGED)


@pytest.mark.parametrize(
    ("details", "shown"),
    [
        (True, ["clinical", "counselling", "teaching", "free"]),
        (False, []),
        ("by role", ["teaching", "free"]),
    ],
)
def test_details_are_shown_as_they_are_set(details: "bool | str", shown: list[str]) -> None:
    chosen = msgspec.convert({"details": details}, Settings)
    assert [role for role in roles() if chosen.shows_details(role)] == shown


def test_a_language_that_is_set_goes_before_the_locale(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LC_ALL", "ko_KR.UTF-8")
    assert Settings().spoken_language() == "ko"
    assert Settings(language="en").spoken_language() == "en"


@pytest.fixture
def own(home: Path) -> Path:
    """A person's file, in a folder that is there."""
    folder = home / "history" / "00000001"
    folder.mkdir(parents=True)
    return folder / "settings.toml"


def test_a_persons_settings_go_before_the_computers_and_the_rest_is_the_computers(own: Path) -> None:
    assert settings.read_own(own, CHANGED) == CHANGED
    assert settings.write_own(own, language="en", theme="dark") is None
    assert set(tomllib.loads(own.read_text("utf-8"))) == {"language", "theme"}  # all else may change for all
    assert settings.read_own(own, CHANGED) == msgspec.structs.replace(CHANGED, language="en", theme="dark")
    settings.write_own(own, retention_days=0)
    later = settings.read_own(own, Settings(retention_days=9, max_tokens=7))
    assert later == Settings(language="en", theme="dark", retention_days=0, max_tokens=7)


def test_each_key_is_a_persons_or_the_computers(own: Path) -> None:
    for key in Settings.__struct_fields__:
        value = getattr(CHANGED, key)
        if key in settings.OWN:
            settings.write_own(own, **{key: value})
        else:
            with pytest.raises(OwnSettingsError, match=key):
                settings.write_own(own, **{key: value})
    assert {"model", "level"}.isdisjoint(settings.OWN)
    theirs = {key: getattr(CHANGED, key) for key in settings.OWN}
    assert settings.read_own(own, Settings()) == msgspec.structs.replace(Settings(), **theirs)


@pytest.mark.parametrize(
    "damage", [b'language = "ko\n', b"\xff\xfel\x00", b'model = "demo"', b'theme = "blue"', b"colour = 1"]
)
def test_a_persons_damaged_file_is_said_and_set_aside_when_something_is_set(own: Path, damage: bytes) -> None:
    own.write_bytes(damage)
    with pytest.raises(OwnSettingsError) as caught:
        settings.read_own(own, CHANGED)
    assert str(own) in caught.value.message
    assert caught.value.hint
    assert own.read_bytes() == damage
    assert settings.write_own(own, theme="light") == own.with_name("settings.toml.broken")
    assert own.with_name("settings.toml.broken").read_bytes() == damage
    assert settings.read_own(own, Settings()) == Settings(theme="light")


def test_a_persons_own_comments_stay_and_the_file_is_theirs_alone(own: Path) -> None:
    own.write_text('# mine\nlanguage = "ko"  # at home\n', "utf-8")
    own.chmod(0o666)
    settings.write_own(own, language="en")
    assert own.read_text("utf-8") == '# mine\nlanguage = "en"  # at home\n'
    if os.name == "posix":
        assert stat.S_IMODE(own.stat().st_mode) == 0o600


def test_a_person_who_was_deleted_meanwhile_gets_no_folder_again(own: Path) -> None:
    own.parent.rmdir()
    with pytest.raises(FolderNotWritableError):
        settings.write_own(own, theme="light")
    assert not own.parent.exists()

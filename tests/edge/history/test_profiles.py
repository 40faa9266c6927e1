"""Several people on one computer: each with a name, a folder and a key of their own."""

import stat
import sys
from pathlib import Path

import pytest
from histories import talk_of

from ophtimus_edge import locations
from ophtimus_edge.errors import HistoryBusyError, ProfileError
from ophtimus_edge.history import keys, profiles
from ophtimus_edge.history.store import Store


def test_profiles_are_apart_and_their_owners_alone(home: Path) -> None:
    assert profiles.list_profiles() == []
    first, second = profiles.create("김 간호사"), profiles.create("Dr. Ahn")
    assert profiles.list_profiles() == [second, first]
    assert {first.folder.parent, second.folder.parent} == {home / "history"} == {locations.history_folder()}
    assert keys.unlock(first.key_file) != keys.unlock(second.key_file)
    talk = talk_of("one", "first")
    with (
        Store(first.folder, keys.unlock(first.key_file)) as one,
        Store(second.folder, keys.unlock(second.key_file)) as other,
    ):
        one.begin(talk)
        assert (len(one.heads()), len(other.heads())) == (1, 0)
        assert not one.read_only
        assert not other.read_only
    if sys.platform != "win32":
        modes = {stat.S_IMODE(path.stat().st_mode) for path in (first.folder, first.folder.parent)}
        assert modes == {0o700}
        assert {stat.S_IMODE(path.stat().st_mode) for path in first.folder.iterdir()} == {0o600}


def test_a_name_can_be_anything_once_but_nothing(home: Path) -> None:
    first = profiles.create(" 백내장  클리닉\n")
    assert first.name == "백내장 클리닉"
    for wrong in ("", " \n", "\x1b", "백내장 클리닉", "x" * 61):
        with pytest.raises(ProfileError):
            profiles.create(wrong)
    for right in ("../../etc", 'a "b" = c', "x" * 60, "\x1b[31mred"):
        assert profiles.create(right).folder.parent == home / "history"
    assert {profile.name for profile in profiles.list_profiles()} == {
        "백내장 클리닉", "../../etc", 'a "b" = c', "x" * 60, "[31mred",
    }  # fmt: skip


def test_a_profile_is_renamed_and_stays_itself() -> None:
    first, second = profiles.create("one"), profiles.create("two")
    with pytest.raises(ProfileError, match="already"):
        profiles.rename(first, "TWO")
    renamed = profiles.rename(first, "One")
    assert profiles.list_profiles() == [renamed, second]
    assert (renamed.id, renamed.folder) == (first.id, first.folder)


def test_a_profile_is_removed_when_nobody_has_it_open() -> None:
    first, second = profiles.create("one"), profiles.create("two")
    with Store(first.folder, keys.unlock(first.key_file)) as store:
        store.begin(talk_of("one", "first"))
        with pytest.raises(HistoryBusyError):
            profiles.remove(first)
        assert len(store.heads()) == 1
    profiles.remove(first)
    assert profiles.list_profiles() == [second]
    assert [path.name for path in locations.history_folder().glob("*") if path.name != ".lock"] == [second.id]
    with pytest.raises(ProfileError):
        profiles.remove(first)


def test_what_a_killed_program_left_half_made_is_no_profile_and_goes(home: Path) -> None:
    first = profiles.create("one")
    for left in (".12345678.part", ".12345678.removed", "notes"):
        (home / "history" / left).mkdir()
        (home / "history" / left / "key.json").write_text("x")
    assert profiles.list_profiles() == [first]
    second = profiles.create("two")
    assert {path.name for path in (home / "history").iterdir() if path.name != ".lock"} == {
        first.id,
        second.id,
        "notes",
    }


def test_a_profile_whose_name_cannot_be_read_is_still_there() -> None:
    first = profiles.create("one")
    for broken in (b"\xff", b"name = ", b"name = 3", b"", b"[" * 100_000):
        (first.folder / "profile.toml").write_bytes(broken)
        assert [(profile.id, profile.name) for profile in profiles.list_profiles()] == [(first.id, first.id)]
    assert profiles.rename(first, "one again").name == "one again"
    assert [profile.name for profile in profiles.list_profiles()] == ["one again"]


def test_a_profile_says_whether_it_is_locked() -> None:
    profile = profiles.create("one")
    assert not profile.locked
    keys.set_passphrase(profile.key_file, "a long passphrase")
    assert profile.locked

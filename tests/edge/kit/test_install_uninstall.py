"""An installation is removed, and the histories stay or go as it was asked."""

import subprocess
from pathlib import Path

import pytest
from installing import Witness

from ophtimus_edge import locations
from ophtimus_edge.errors import HistoryDamagedError, KitInstallError
from ophtimus_edge.history import keys, profiles, whole
from ophtimus_edge.kit.installing import launchers
from ophtimus_edge.kit.installing.uninstalling import uninstall
from ophtimus_edge.kit.state import read_state


@pytest.fixture
def updated(root: Path) -> Path:
    """An installation with a history, a copy of it, and what a person has set and added."""
    profile = profiles.create("Dr. Kim")
    (profile.folder / "history.db").write_bytes(b"asked and answered")
    whole.copy_to(root / "kept" / "before-1.0.0")
    locations.models_folder().mkdir(parents=True)
    (locations.models_folder() / "own.gguf").write_bytes(b"added by hand")
    locations.settings_file().write_text('theme = "light"\n')
    locations.draft_file().write_text("a question that was begun")
    return root


@pytest.mark.parametrize("delete", [False, True])
def test_the_program_goes_and_the_history_as_asked(updated: Path, delete: bool) -> None:
    home = locations.history_folder()
    (aside := home.with_name("history-of-9.9.9")).mkdir()
    (aside / "key.json").write_bytes(b"{}")
    assert uninstall(updated, Witness(), delete_history=delete) == []
    assert not updated.exists()
    assert not launchers.desktop_entry().exists()
    assert not (locations.programs_folder() / "ophtimus").is_symlink()
    assert (locations.models_folder() / "own.gguf").read_bytes() == b"added by hand"
    assert locations.settings_file().is_file()
    if delete:
        assert profiles.list_profiles() == []
        assert not any(path.exists() for path in (home, aside, locations.draft_file()))
    else:
        (profile,) = profiles.list_profiles()
        assert len(keys.unlock(profile.key_file)) == 32
        assert (profile.folder / "history.db").read_bytes() == b"asked and answered"
        assert aside.is_dir()


def test_a_key_that_is_deleted_is_overwritten_first(updated: Path, tmp_path: Path) -> None:
    (profile,) = profiles.list_profiles()
    (tmp_path / "same file").hardlink_to(profile.key_file)
    uninstall(updated, Witness(), delete_history=True)
    with pytest.raises(HistoryDamagedError):
        keys.unlock(tmp_path / "same file")
    assert set((tmp_path / "same file").read_bytes()) == {0}


def test_what_the_installer_did_not_put_there_stays(updated: Path) -> None:
    (updated / "notes.txt").write_text("a person's")
    assert uninstall(updated, Witness(), delete_history=False) == [updated / "notes.txt"]
    assert read_state(updated) is None


def test_a_program_that_runs_is_not_removed(updated: Path) -> None:
    command = [str(launchers.launcher(updated)), "wait"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        process.stdout.readline()
        with pytest.raises(KitInstallError, match="in use"):
            uninstall(updated, Witness(), delete_history=True)
        process.communicate("\n", timeout=30)
    assert len(profiles.list_profiles()) == 1
    assert uninstall(updated, Witness(), delete_history=True) == []


def test_where_nothing_is_installed_nothing_is_removed(tmp_path: Path) -> None:
    (tmp_path / "letters").write_text("a person's")
    with pytest.raises(KitInstallError, match="nothing is installed"):
        uninstall(tmp_path, Witness(), delete_history=True)
    assert (tmp_path / "letters").is_file()

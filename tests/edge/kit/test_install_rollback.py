"""Back to the version before, with histories that it can read; nothing that was kept is lost."""

import shutil
from pathlib import Path

import pytest
from installing import FAILS, Kit, Order, Take, Witness, said, tree

from ophtimus_edge import locations
from ophtimus_edge.errors import KitError, KitInstallError
from ophtimus_edge.history import profiles
from ophtimus_edge.kit.installing import launchers, versions
from ophtimus_edge.kit.installing.rollback import roll_back
from ophtimus_edge.kit.state import read_state


@pytest.fixture
def history() -> Path:
    """The history of one person: a real profile, and what stands for its database."""
    profile = profiles.create("Dr. Kim")
    (profile.folder / "history.db").write_bytes(b"as version 1.0.0 keeps it")
    return profile.folder


def changed(history: Path) -> None:
    (history / "history.db").write_bytes(b"as the newer version keeps it")
    profiles.create("since then")


def test_the_version_before_runs_and_the_newer_kit_may_be_installed_again(
    root: Path, kit: Kit, take: Take
) -> None:
    newer = kit(Order("1.1.0"))
    take(newer, root, Witness())
    done = roll_back(root, Witness())
    assert (done.version, done.left, done.histories_put_back) == ("1.0.0", "1.1.0", False)
    assert said(root) == "1.0.0"
    state = read_state(root)
    assert state is not None
    assert (state.current, state.previous, state.highest["eye-clinic"].version) == ("1.0.0", "", "1.1.0")
    with pytest.raises(KitInstallError, match=r"no version before 1\.0\.0"):
        roll_back(root, Witness())
    again = Witness()
    take(newer, root, again)
    assert again.steps == ["try"]  # it lies there already
    assert said(root) == "1.1.0"
    assert roll_back(root, Witness()).version == "1.0.0"


def test_after_a_rollback_an_older_kit_is_refused_still(root: Path, kit: Kit, take: Take) -> None:
    take(kit(Order("2.0.0")), root, Witness())
    roll_back(root, Witness())
    with pytest.raises(KitError, match=r"older than 2\.0\.0"):
        take(kit(Order("1.9.0")), root, Witness())


def test_a_version_before_that_does_not_work_any_more_is_not_gone_back_to(
    root: Path, kit: Kit, take: Take
) -> None:
    take(kit(Order("1.1.0")), root, Witness())
    (smoke,) = versions.folder_of(root, "1.0.0").rglob("smoke.py")
    shutil.rmtree(smoke.parent / "__pycache__", ignore_errors=True)
    smoke.write_text(FAILS)
    with pytest.raises(KitInstallError, match=r"version 1\.0\.0 does not work here"):
        roll_back(root, Witness())
    assert said(root) == "1.1.0"


def test_histories_that_the_older_program_reads_stay_as_they_are(
    root: Path, kit: Kit, take: Take, history: Path
) -> None:
    """A step that only adds: the copy that was made is not needed."""
    done = take(kit(Order("1.1.0", history_schema=2)), root, Witness())
    assert done.kept is not None
    changed(history)
    before = tree(locations.history_folder())
    assert not roll_back(root, Witness()).histories_put_back
    assert tree(locations.history_folder()) == before


def test_histories_that_the_older_program_cannot_read_are_put_back_and_the_newer_ones_kept(
    root: Path, kit: Kit, take: Take, history: Path
) -> None:
    home = locations.history_folder()
    before = tree(home)
    take(kit(Order("1.1.0", history_schema=2, history_compatible_from=2)), root, Witness())
    changed(history)
    newer = tree(home)
    done = roll_back(root, Witness())
    assert done.histories_put_back
    assert done.set_aside == home.with_name("history-of-1.1.0")
    assert tree(home) == before
    assert tree(done.set_aside) == newer
    assert said(root) == "1.0.0"
    assert (history / "history.db").stat().st_mode & 0o077 == 0


def test_histories_in_which_nothing_was_kept_since_are_left_alone(
    root: Path, kit: Kit, take: Take, history: Path
) -> None:
    take(kit(Order("1.1.0", history_schema=2, history_compatible_from=2)), root, Witness())
    done = roll_back(root, Witness())
    assert (done.histories_put_back, done.set_aside) == (True, None)
    assert history.is_dir()


def test_where_there_was_no_history_before_there_is_none_again(root: Path, kit: Kit, take: Take) -> None:
    take(kit(Order("1.1.0", history_schema=2, history_compatible_from=2)), root, Witness())
    profiles.create("since then")
    done = roll_back(root, Witness())
    assert done.set_aside is not None
    assert profiles.list_profiles() == []


def test_a_rollback_that_was_broken_off_is_done_again_without_loss(
    root: Path, kit: Kit, take: Take, history: Path
) -> None:
    """The power fails between the two names: what was there lies beside, and nothing in its place."""
    home = locations.history_folder()
    before = tree(home)
    take(kit(Order("1.1.0", history_schema=2, history_compatible_from=2)), root, Witness())
    changed(history)
    newer = tree(home)
    home.rename(home.with_name("history-of-1.1.0"))
    done = roll_back(root, Witness())
    assert (done.histories_put_back, done.set_aside) == (True, home.with_name("history-of-1.1.0"))
    assert tree(home) == before
    assert tree(home.with_name("history-of-1.1.0")) == newer


def test_a_copy_of_histories_goes_away_with_the_version_that_it_is_for(
    root: Path, kit: Kit, take: Take, history: Path
) -> None:
    first = take(kit(Order("1.1.0", history_schema=2)), root, Witness()).kept
    assert first is not None
    assert first.is_dir()
    second = take(kit(Order("1.2.0", history_schema=2)), root, Witness()).kept
    assert second is None
    assert not first.exists()
    assert history.is_dir()


def test_without_its_copy_a_history_is_never_left_to_a_program_that_cannot_read_it(
    root: Path, kit: Kit, take: Take, history: Path
) -> None:
    done = take(kit(Order("1.1.0", history_schema=2, history_compatible_from=2)), root, Witness())
    assert done.kept is not None
    shutil.rmtree(done.kept)
    with pytest.raises(KitInstallError, match=r"cannot read the histories of version 1\.1\.0"):
        roll_back(root, Witness())
    assert said(root) == "1.1.0"
    assert launchers.launcher(root).is_file()

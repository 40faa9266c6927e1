"""How a person starts what is installed, wherever it lies, and that nobody else's files are touched."""

import shutil
import subprocess
from pathlib import Path

import pytest
from installing import Kit, Order, Take, Witness, said

from ophtimus_edge import locations
from ophtimus_edge.kit.installing import launchers, versions

ODD = "a b'c\"$HOME`%f\\눈"


@pytest.fixture
def odd_root(root: Path, tmp_path: Path) -> Path:
    """An installation in a folder whose name has everything in it that a shell or a menu entry could misread."""
    place = tmp_path / ODD
    root.rename(place)
    shutil.rmtree(locations.applications_folder())
    (locations.programs_folder() / "ophtimus").unlink()
    launchers.write(place)
    return place


def test_the_launcher_starts_what_runs_at_that_moment(odd_root: Path, kit: Kit, take: Take) -> None:
    assert said(odd_root, "ask", "a 'question'") == "1.0.0 ask a 'question'"
    take(kit(Order("1.1.0")), odd_root, Witness())
    assert said(odd_root) == "1.1.0"
    name = locations.programs_folder() / "ophtimus"
    assert subprocess.run([str(name)], capture_output=True, text=True, check=True).stdout == "1.1.0\n"


def test_what_lies_in_the_folder_that_it_is_started_in_is_not_loaded(root: Path, tmp_path: Path) -> None:
    planted = tmp_path / "stick" / "ophtimus_edge"
    planted.mkdir(parents=True)
    (planted / "__init__.py").write_text("raise SystemExit('planted')")
    (planted / "__main__.py").write_text("raise SystemExit('planted')")
    done = subprocess.run(
        [str(launchers.launcher(root))], capture_output=True, text=True, check=True, cwd=planted.parent,
        env={"PYTHONPATH": str(planted.parent), "HOME": str(tmp_path)},
    )  # fmt: skip
    assert done.stdout == "1.0.0\n"


def test_without_a_version_the_launcher_says_so(root: Path) -> None:
    versions.unswitch(root)
    done = subprocess.run([str(launchers.launcher(root))], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "no version is installed" in done.stderr
    assert len(done.stderr.splitlines()) == 2


def test_the_menu_entry_opens_a_terminal_and_is_read_as_the_desktop_reads_it(odd_root: Path) -> None:
    lines = launchers.desktop_entry().read_text(encoding="utf-8").splitlines()
    entry = dict(line.split("=", 1) for line in lines if "=" in line)
    assert entry["Terminal"] == "true"
    assert "안과" in entry["Comment[ko]"]
    # Desktop Entry Specification: escapes of a string value, field codes, then those of a quoted argument.
    value = entry["Exec"].replace("\\\\", "\0").replace("\\n", "\n").replace("\0", "\\").replace("%%", "%")
    assert value[0] == value[-1] == '"'
    word, rest = "", iter(value[1:-1])
    for letter in rest:
        word += next(rest) if letter == "\\" else letter
    assert word == str(launchers.launcher(odd_root))


def test_files_of_another_installation_are_left_alone(root: Path, tmp_path: Path) -> None:
    entry, name = launchers.desktop_entry(), locations.programs_folder() / "ophtimus"
    before = entry.read_bytes(), name.readlink()
    other = tmp_path / "other"
    shutil.copytree(root, other, symlinks=True)
    launchers.write(other)
    launchers.remove(other)
    assert (entry.read_bytes(), name.readlink()) == before
    assert said(other) == "1.0.0"
    launchers.remove(root)
    assert not entry.exists()
    assert not name.is_symlink()


def test_a_name_that_a_person_has_in_use_is_left_alone(root: Path) -> None:
    name = locations.programs_folder() / "ophtimus"
    name.unlink()
    name.write_text("#!/bin/sh\n")
    launchers.write(root)
    launchers.remove(root)
    assert name.read_text() == "#!/bin/sh\n"

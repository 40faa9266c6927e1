"""The program's own wheel: the same from a clone whenever it is built, and from an installation of it."""

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from conftest import ROOT
from kit_wheels import Silent

from ophtimus_edge import __version__
from ophtimus_edge.errors import KitBuildError
from ophtimus_edge.kit.building import program
from ophtimus_edge.kit.building.targets import Target
from ophtimus_edge.kit.building.wheel_files import check_whole, read_wheel
from ophtimus_edge.kit.building.wheels import read_pins

pytest.importorskip("hatchling", reason="the [dev] extra has it")
PINS = read_pins((ROOT / "constraints.txt").read_text("utf-8"), "constraints.txt")
# Run as an installed program: from its own folder, without the clone.
MAKE = """
import sys
from pathlib import Path
sys.path.insert(0, sys.argv[1])
from ophtimus_edge.errors import OphtimusError
from ophtimus_edge.kit.building.program import program_wheel, source_tree
from ophtimus_edge.kit.building.gathering import pins_of
from ophtimus_edge.kit.building.order import KitOrder
class Told:
    def step(self, sentence): pass
assert source_tree() is None
pins = pins_of(KitOrder(name="n", version="1.0.0", out=Path("kit")))
try:
    print(program_wheel(Path(sys.argv[2]), pins, True, Told()).path, len(pins))
except OphtimusError as error:
    print(error)
    sys.exit(1)
"""


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel of the clone that the tests run in."""
    assert program.source_tree() == ROOT
    return program.program_wheel(tmp_path_factory.mktemp("program"), PINS, True, Silent()).path


@pytest.fixture(scope="module")
def site(built: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that it is installed in."""
    folder = tmp_path_factory.mktemp("site")
    pip = [
        sys.executable,
        "-m",
        "pip",
        "install",
        "--no-deps",
        "--no-index",
        "--target",
        str(folder),
        str(built),
    ]
    subprocess.run(pip, check=True, capture_output=True)
    return folder


def make(site: Path, out: Path) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-I", "-c", MAKE, str(site), str(out)],
        capture_output=True, text=True, check=False, cwd=out.parent,
    )  # fmt: skip


def content(wheel: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(wheel) as archive:
        return {name: archive.read(name) for name in archive.namelist() if not name.endswith("/RECORD")}


def test_a_clone_gives_the_same_wheel_each_time(built: Path, tmp_path: Path) -> None:
    again = program.program_wheel(tmp_path / "again", PINS, True, Silent())
    assert again.path.read_bytes() == built.read_bytes()
    assert str(again.version) == __version__
    program.check_program(again, [Target("linux-x86_64", "3.11"), Target("win_amd64", "3.13")])


def test_the_wheel_has_what_a_clinic_and_the_next_builder_need(built: Path) -> None:
    names = set(content(built))
    assert {
        "ophtimus_edge/kit/installing/install.sh", "ophtimus_edge/kit/building/texts/ko.toml",
        "ophtimus_edge/demo/model.json", "ophtimus_tui/app.py",
    } <= names  # fmt: skip
    packed = content(built)["ophtimus_edge/kit/building/constraints.txt"]
    assert packed == (ROOT / "constraints.txt").read_bytes()


def test_an_installation_gives_its_wheel_back(built: Path, site: Path, tmp_path: Path) -> None:
    result = make(site, tmp_path / "out")
    assert result.returncode == 0, result.stdout + result.stderr
    path, pins = result.stdout.split()
    assert content(Path(path)) == content(built)
    check_whole(read_wheel(Path(path)))
    assert int(pins) == len(PINS)


def test_an_installation_that_was_changed_is_refused(site: Path, tmp_path: Path) -> None:
    page = site / "ophtimus_edge" / "text.py"
    before = page.read_bytes()
    try:
        page.write_bytes(before + b"\n")
        result = make(site, tmp_path / "out")
    finally:
        page.write_bytes(before)
    assert result.returncode == 1
    assert "ophtimus_edge/text.py was changed since it was installed" in result.stdout
    assert "--program-wheel" in result.stdout


def test_another_wheel_in_its_place_is_refused(built: Path, tmp_path: Path) -> None:
    from kit_wheels import make_wheel

    other = read_wheel(make_wheel(tmp_path, "other", "1.0"))
    with pytest.raises(KitBuildError, match="is not the wheel of ophtimus-edge"):
        program.check_program(other, [])
    with pytest.raises(KitBuildError, match="there is no wheel"):
        read_wheel(built.with_name("ophtimus_edge-9.0.0-py3-none-any.whl"))

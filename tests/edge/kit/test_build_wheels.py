"""Which wheels go into a kit: those of exact versions that the clinic's machine needs, whole, and no others."""

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from kit_wheels import PINS, Silent, make_index, make_llama, make_program, make_wheel
from packaging.requirements import Requirement

from ophtimus_edge.errors import KitBuildError
from ophtimus_edge.kit.building.targets import Target, checked_python, glibc_of
from ophtimus_edge.kit.building.wheel_files import check_whole, read_wheel, write_wheel
from ophtimus_edge.kit.building.wheels import Shelf, collect, read_pins, requirements_text

LINUX, LINUX_13, WINDOWS = (
    Target("linux-x86_64", "3.11"),
    Target("linux-x86_64", "3.13"),
    Target("win_amd64", "3.11"),
)
ROOTS = [Requirement("ophtimus-edge[tui]")]


@pytest.fixture
def shelf(tmp_path: Path) -> Shelf:
    """A cache that has everything, and the program's wheel."""
    given = [read_wheel(make_program(tmp_path / "made"))]
    return Shelf(make_index(tmp_path / "pool"), read_pins(PINS, "pins"), given, True, Silent())


def names(shelf: Shelf, target: Target) -> list[str]:
    return [wheel.path.name for wheel in collect(shelf, target, ROOTS)]


def test_each_machine_gets_what_its_conditions_ask_for(shelf: Shelf) -> None:
    program, alpha = "ophtimus_edge-0.1.0-py3-none-any.whl", "alpha-1.2-py3-none-any.whl"
    delta = "delta-4.1-cp311-abi3-manylinux_2_28_x86_64.whl"
    beta = "beta-2.0-cp311-cp311-manylinux_2_17_x86_64.whl"
    assert names(shelf, LINUX) == [alpha, beta, delta, program]
    assert names(shelf, LINUX_13) == [alpha, delta, program]
    assert names(shelf, WINDOWS) == [
        alpha,
        "beta-2.0-cp311-cp311-win_amd64.whl",
        "delta-4.1-cp311-abi3-win_amd64.whl",
        "gamma-3.0-py3-none-any.whl",
        program,
    ]


def test_a_requirement_that_comes_with_a_new_extra_is_followed_too(shelf: Shelf) -> None:
    make_wheel(shelf.pool, "alpha", "1.2", ["beta", "delta"])
    make_wheel(shelf.pool, "delta", "4.1", ["alpha[more]"], tag="cp311-abi3-manylinux_2_28_x86_64")
    make_wheel(shelf.pool, "alpha", "1.2", ['gamma; extra == "more"'], more="Provides-Extra: more")
    assert "gamma-3.0-py3-none-any.whl" in names(shelf, LINUX)


def test_what_is_missing_is_fetched_by_pip_and_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    index = make_index(tmp_path / "index")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(index))
    shelf = Shelf(
        tmp_path / "pool", read_pins(PINS, "pins"), [read_wheel(make_program(tmp_path))], False, Silent()
    )
    found = names(shelf, LINUX)
    assert found[1] == "beta-2.0-cp311-cp311-manylinux_2_17_x86_64.whl"
    assert sorted(path.name for path in shelf.pool.glob("*.whl")) == found[:3]
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path / "nothing"))
    shelf.offline = True
    assert names(shelf, LINUX) == found
    with pytest.raises(KitBuildError, match=r"cache has no wheels of delta==4\.1 for win_amd64"):
        names(shelf, WINDOWS)


def test_what_no_kit_may_hold_is_refused(shelf: Shelf, tmp_path: Path) -> None:
    shelf.given = [read_wheel(make_program(tmp_path, ["torch>=2"]))]
    with pytest.raises(KitBuildError, match="requires torch"):
        names(shelf, LINUX)


@pytest.mark.parametrize(
    ("requires", "message"),
    [("epsilon", "pins no version of epsilon"), ("alpha>=2", r"alpha 1.2 is not what is required")],
)
def test_what_the_pins_do_not_cover_is_refused(
    shelf: Shelf, tmp_path: Path, requires: str, message: str
) -> None:
    shelf.given = [read_wheel(make_program(tmp_path, [requires]))]
    with pytest.raises(KitBuildError, match=message):
        names(shelf, LINUX)


def test_a_given_wheel_goes_before_those_of_the_cache(shelf: Shelf, tmp_path: Path) -> None:
    shelf.given.append(read_wheel(make_wheel(tmp_path / "own", "alpha", "1.5")))
    assert "alpha-1.5-py3-none-any.whl" in names(shelf, LINUX)


def test_llama_cpp_is_never_fetched(shelf: Shelf, tmp_path: Path) -> None:
    program = read_wheel(make_program(tmp_path, ["llama-cpp-python>=0.3"]))
    make_llama(shelf.pool)
    shelf.given = [program]
    with pytest.raises(KitBuildError, match="published as a source only"):
        names(shelf, LINUX)
    shelf.given = [program, read_wheel(make_llama(tmp_path))]
    assert "llama_cpp_python-0.3.36-py3-none-manylinux_2_34_x86_64.whl" in names(shelf, LINUX)


def spoilt(wheel: Path, name: str, data: bytes | None) -> None:
    """Another content for one of a wheel's files, or none."""
    with zipfile.ZipFile(wheel) as archive:
        content = {entry: archive.read(entry) for entry in archive.namelist()}
    with zipfile.ZipFile(wheel, "w") as archive:
        for entry, old in content.items():
            if entry != name:
                archive.writestr(entry, old)
            elif data is not None:
                archive.writestr(entry, data)
        if name not in content and data is not None:
            archive.writestr(name, data)


@pytest.mark.parametrize(
    ("name", "data", "message"),
    [
        ("alpha.py", b"ANSWER = 43\n", "alpha.py is not as its RECORD has it"),
        ("alpha.py", None, "alpha.py is missing"),
        ("more.py", b"", "more.py is not as its RECORD has it"),
        ("../outside.py", b"", "as no wheel may"),
        ("alpha-1.2.dist-info/METADATA", None, "METADATA is missing"),
    ],
)
def test_a_wheel_that_is_not_whole_is_refused(
    shelf: Shelf, name: str, data: bytes | None, message: str
) -> None:
    wheel = shelf.pool / "alpha-1.2-py3-none-any.whl"
    check_whole(read_wheel(wheel))
    spoilt(wheel, name, data)
    with pytest.raises(KitBuildError, match=message):
        names(shelf, LINUX)


def test_a_wheel_that_is_cut_is_refused(shelf: Shelf) -> None:
    wheel = shelf.pool / "alpha-1.2-py3-none-any.whl"
    wheel.write_bytes(wheel.read_bytes()[:200])
    with pytest.raises(KitBuildError, match="is no wheel, or damaged"):
        names(shelf, LINUX)


def test_a_wheel_of_another_package_under_its_name_is_refused(shelf: Shelf, tmp_path: Path) -> None:
    other = make_wheel(tmp_path / "own", "beta", "1.2")
    with zipfile.ZipFile(other) as archive:
        content = {entry: archive.read(entry) for entry in archive.namelist()}
    write_wheel(shelf.pool / "alpha-1.2-py3-none-any.whl", content, "beta-1.2.dist-info")
    with pytest.raises(KitBuildError, match="wheel of another package"):
        names(shelf, LINUX)


def test_the_requirements_are_what_pip_installs_and_only_with_these_hashes(
    shelf: Shelf, tmp_path: Path
) -> None:
    sets = {target.python: collect(shelf, target, ROOTS) for target in (LINUX_13, LINUX)}
    text = requirements_text(sets)
    assert text == requirements_text(dict(reversed(sets.items())))
    assert 'beta==2.0 ; python_version == "3.11" \\\n    --hash=sha256:' in text
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    file = tmp_path / "requirements.txt"
    file.write_text(text)
    command = [
        sys.executable, "-m", "pip", "install", "--no-index", "--no-deps", "--require-hashes",
        "--find-links", str(shelf.pool), "--find-links", str(tmp_path / "made"), "-r", str(file),
        "--target", str(tmp_path / "site"),
    ]  # fmt: skip
    subprocess.run(command, check=True, capture_output=True)
    there = {path.name for path in (tmp_path / "site").iterdir()}
    assert {"alpha.py", "delta.py", "ophtimus_edge"} <= there
    assert ("beta.py" in there) == (version == "3.11")
    make_wheel(shelf.pool, "alpha", "1.2", files={"alpha.py": b"import os\n"})
    result = subprocess.run(command, check=False, capture_output=True, text=True)
    assert result.returncode != 0
    assert "DO NOT MATCH THE HASHES" in result.stderr


def test_a_wheel_is_written_with_the_same_bytes_each_time(tmp_path: Path) -> None:
    files = {"b.py": b"2", "a/__init__.py": b"1", "x-1.dist-info/METADATA": b"Name: x\nVersion: 1\n"}
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        write_wheel(tmp_path / name / "x-1-py3-none-any.whl", files, "x-1.dist-info")
        files = dict(reversed(files.items()))
    one, two = (tmp_path / name / "x-1-py3-none-any.whl" for name in ("one", "two"))
    assert one.read_bytes() == two.read_bytes()
    check_whole(read_wheel(one))


def test_the_glibc_of_a_wheel_is_the_oldest_that_its_name_gives(tmp_path: Path) -> None:
    tags = {
        "cp311-cp311-manylinux2014_x86_64.manylinux_2_17_x86_64": 17,
        "cp311-cp311-manylinux_2_28_x86_64": 28,
        "py3-none-linux_x86_64": None,
        "py3-none-any": None,
    }
    for tag, glibc in tags.items():
        assert glibc_of(read_wheel(make_wheel(tmp_path, "x", "1", tag=tag)).tags) == glibc


@pytest.mark.parametrize("version", ["3.10", "2.7", "3", "3.11.2", "3.x", "", "3.²"])
def test_a_python_that_the_program_does_not_run_with_is_refused(version: str) -> None:
    assert checked_python("3.11") == "3.11"
    with pytest.raises(KitBuildError, match="no version of Python"):
        checked_python(version)


@pytest.mark.parametrize("line", ["alpha>=1", "alpha", "alpha==1,==2", "-r other.txt", "=="])
def test_a_line_that_pins_nothing_is_refused(line: str) -> None:
    assert list(read_pins("# words\nAlpha_Beta==1 # more\n\n", "pins")) == ["alpha-beta"]
    with pytest.raises(KitBuildError, match="pins no exact version"):
        read_pins(f"alpha==1\n{line}\n", "pins")

"""The first installation: ``sh install.sh`` on a machine that has Python and nothing else."""

import ast
import hashlib
import os
import pty
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from installing import (
    INSTALLERS,
    NEEDED,
    PYTHON,
    SOURCE,
    Kit,
    Model,
    Order,
    installed_wheel,
    make_kit,
    said,
    source_files,
    tree,
    wheel,
)

from ophtimus_edge import locations
from ophtimus_edge.kit.installing import first, launchers, versions
from ophtimus_edge.kit.keys import SigningKey
from ophtimus_edge.kit.state import read_state

BOOTSTRAP = ("__init__.py", "kit/__init__.py", "kit/installing/__init__.py", "kit/installing/first.py")
# What the kit's own program is asked to do, told instead of done.
_TELLS = "import sys\ndef main(words):\n    sys.stdout.write(' '.join(words))\n    return 0\n"


@pytest.fixture
def bare_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A person's home, without the tests' own."""
    for name in ("OPHTIMUS_HOME", "XDG_DATA_HOME"):
        monkeypatch.delenv(name, raising=False)
    home = tmp_path / "person"
    home.mkdir()
    monkeypatch.setenv("HOME", str(home))
    return home


@pytest.fixture
def telling_kit(kit: Kit) -> Path:
    """A kit whose program tells what it is asked to do, found by the real first installation."""
    parts = {*BOOTSTRAP, "errors.py", "models/__init__.py", "models/processor.py"}
    files = {f"ophtimus_edge/{part}": (SOURCE / part).read_bytes() for part in parts}
    files["ophtimus_edge/cli/__init__.py"] = _TELLS.encode()
    return kit(Order(wheels=[wheel("ophtimus_edge", "1.0.0", files)]))


def start(kit: Path, *words: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        ["sh", str(kit / "install.sh"), *words],
        stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False, timeout=300,
    )  # fmt: skip


def at_a_terminal(kit: Path, typed: str) -> tuple[int, str]:
    """What a person at a terminal sees who starts the installer and types; and its exit code."""
    process, terminal = pty.fork()
    if process == 0:
        os.execvp("sh", ["sh", str(kit / "install.sh")])  # noqa: S606 - the child of the terminal
    os.write(terminal, typed.encode())
    seen = b""
    while True:
        try:
            data = os.read(terminal, 1 << 16)
        except OSError:  # it is gone
            data = b""
        if not data:
            break
        seen += data
    os.close(terminal)
    return os.waitstatus_to_exitcode(os.waitpid(process, 0)[1]), seen.decode()


def test_the_program_of_the_kit_is_asked_to_install_it(telling_kit: Path, bare_home: Path) -> None:
    done = start(telling_kit, "--yes", "--json")
    root = bare_home / ".local" / "share" / "ophtimus" / "program"
    sha256 = hashlib.sha256((telling_kit / "manifest.json").read_bytes()).hexdigest()
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == f"kit install {telling_kit} --to {root} --compared {sha256} --yes --json"
    assert list(root.iterdir()) == []  # what was unpacked is gone
    assert (
        start(telling_kit, "--to", str(bare_home / "a b"), "--yes")
        .stdout.split(" --to ")[1]
        .startswith(f"{bare_home / 'a b'} --compared")
    )


def test_a_person_compares_the_sha256_first(telling_kit: Path, bare_home: Path) -> None:
    done = start(telling_kit)
    assert done.returncode == 2
    assert "no terminal to ask at" in done.stderr
    code, seen = at_a_terminal(telling_kit, "n\n")
    digits = hashlib.sha256((telling_kit / "manifest.json").read_bytes()).hexdigest()
    assert code == 1
    assert digits in seen.replace(" ", "").replace("\r\n", "")
    assert "설치하지 않았습니다" in seen
    assert not (bare_home / ".local").exists()
    code, seen = at_a_terminal(telling_kit, "y\n")
    assert code == 0
    assert "kit install" in seen


def test_a_changed_wheel_is_refused_and_nothing_is_left(telling_kit: Path, bare_home: Path) -> None:
    (path,) = (telling_kit / "wheels/linux-x86_64").iterdir()
    with path.open("ab") as file:
        file.write(b"\0")
    done = start(telling_kit, "--yes")
    assert done.returncode == 1
    assert "is not the file that the kit's manifest lists" in done.stderr
    assert tree(bare_home) == {}


@pytest.mark.parametrize("damage", [b"", b"[]", b'{"platforms": 3}', b"\xff", b"[" * 10000])
def test_a_damaged_manifest_is_said_in_words(telling_kit: Path, bare_home: Path, damage: bytes) -> None:
    (telling_kit / "manifest.json").write_bytes(damage)
    done = start(telling_kit, "--yes")
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert done.stderr.startswith("install: ")
    assert tree(bare_home) == {}


def test_a_kit_for_another_machine_or_python_is_refused(
    kit: Kit, telling_kit: Path, bare_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    manifest = telling_kit / "manifest.json"
    right = manifest.read_text()
    for now, then, why in (
        ("linux-x86_64", "win_amd64", "this kit is for win_amd64, and this computer is linux-x86_64"),
        (f'"{PYTHON}"', '"3.99"', f"for Python 3.99, and here is Python {PYTHON}"),
        ('"glibc": ""', '"glibc": "2.99"', "needs the system library glibc 2.99"),
    ):
        assert now in right
        manifest.write_text(right.replace(now, then))
        done = start(telling_kit, "--yes")
        assert done.returncode == 1
        assert why in done.stderr
    manifest.write_text(right)
    assert start(telling_kit, "--yes").returncode == 0


def test_what_is_installed_is_asked_to_update_at_once(root: Path, telling_kit: Path) -> None:
    (telling_kit / "wheels").rename(telling_kit / "nothing of the kit is looked at")
    done = start(telling_kit, "--to", str(root), "--json")
    assert done.stdout == f"1.0.0 kit update {telling_kit} --to {root} --json\n"


def test_an_installation_that_does_not_start_any_more_is_installed_again(
    root: Path, telling_kit: Path
) -> None:
    (versions.folder_of(root, "1.0.0") / "venv" / "bin" / "python").unlink()
    done = start(telling_kit, "--to", str(root), "--yes")
    assert "does not start any more" in done.stderr
    assert done.stdout.startswith("kit install")


def test_an_old_python_is_told_what_is_needed() -> None:
    for name in BOOTSTRAP:
        ast.parse((SOURCE / name).read_text(encoding="utf-8"), feature_version=(3, 8))
    script = "import sys; sys.version_info = (3, 9, 2); " + first.START
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", script, str(SOURCE.parent), "kit"], capture_output=True, text=True,
        check=False,
    )  # fmt: skip
    assert done.returncode == 1
    assert "Python 3.11 or newer is needed; this is Python 3.9." in done.stderr
    assert "Traceback" not in done.stderr


def test_it_needs_the_standard_library_alone() -> None:
    script = (
        f"import sys; sys.path.insert(0, {str(SOURCE.parent)!r}); import ophtimus_edge.kit.installing.first, "
        "ophtimus_edge.errors, ophtimus_edge.models.processor; sys.stdout.write(' '.join(sys.modules))"
    )
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", script], capture_output=True, text=True, check=True
    )
    loaded = {name.split(".")[0] for name in done.stdout.split()}
    assert loaded - set(sys.stdlib_module_names) - {"__main__"} == {"ophtimus_edge"}


@pytest.mark.parametrize(
    "variables", [{}, {"XDG_DATA_HOME": "/somewhere/data"}, {"OPHTIMUS_HOME": "~/stick"}]
)
def test_it_installs_where_the_program_looks(
    bare_home: Path, monkeypatch: pytest.MonkeyPatch, variables: dict[str, str]
) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert first.default_root() == locations.kit_root()


@pytest.mark.parametrize(
    ("wheel_name", "minor", "fits"),
    [
        ("a-1-py3-none-any.whl", 11, True), ("a-1-py2.py3-none-any.whl", 13, True),
        ("a-1-cp311-cp311-manylinux_2_17_x86_64.whl", 11, True),
        ("a-1-cp311-cp311-manylinux_2_17_x86_64.whl", 12, False),
        ("a-1-cp36-abi3-manylinux_2_17_x86_64.whl", 13, True),
        ("a-1-cp312-abi3-manylinux_2_17_x86_64.whl", 11, False),
        ("a-1-2-cp311-cp311-linux_x86_64.whl", 11, True), ("a-1-py2-none-any.whl", 11, False),
    ],
)  # fmt: skip
def test_a_wheel_of_each_python_is_told_from_the_others(wheel_name: str, minor: int, fits: bool) -> None:
    assert first.fits(wheel_name, minor) is fits


@pytest.fixture
def read_only(tmp_path: Path) -> Iterator[Path]:
    """A folder that is mounted as a stick may be: nothing can be written to it, nor executed from it."""
    if os.geteuid() != 0:
        pytest.skip("only root can mount a folder read-only")
    folder = tmp_path / "media"
    folder.mkdir()
    stick = tmp_path / "stick"
    stick.mkdir(exist_ok=True)
    subprocess.run(["mount", "--bind", str(stick), str(folder)], check=True)
    subprocess.run(["mount", "-o", "remount,bind,ro,noexec", str(folder)], check=True)
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def test_the_real_program_from_a_read_only_stick_without_a_network(
    signing_key: SigningKey, read_only: Path, bare_home: Path, tmp_path: Path
) -> None:
    """All of it but the engine: install.sh, this program's own code out of the kit, and what it installs."""
    needed = [installed_wheel(name) for name in NEEDED]
    for version in ("1.0.0", "1.1.0"):
        program = wheel("ophtimus_edge", "0.1.0", source_files())
        order = Order(version, wheels=[program, *needed], models={"eyes": Model({"a": version.encode()})})
        make_kit(tmp_path / "stick" / version, signing_key, order)
    start = ["unshare", "-n", "sh"]
    done = subprocess.run(
        [*start, str(read_only / "1.0.0" / "install.sh"), "--yes"],
        capture_output=True,
        text=True,
        check=False,
    )
    root = locations.kit_root()
    assert done.returncode == 0, done.stderr
    assert f"eye-clinic 1.0.0 is installed in {root}" in done.stdout
    assert said(root, "--version") == "ophtimus 0.1.0"
    assert list(root.glob(".first-*")) == []
    done = subprocess.run(
        [*start, str(read_only / "1.1.0" / "install.sh"), "--yes"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "Version 1.0.0 is kept" in done.stdout
    assert "Version 1.0.0 runs again" in said(root, "kit", "rollback")
    state = read_state(root)
    assert state is not None
    assert state.public_key == signing_key.public
    assert "Removed from" in said(root, "kit", "uninstall", "--keep-history", "--yes")
    assert not root.exists()
    assert not launchers.desktop_entry().exists()


def test_the_installers_have_the_line_ends_that_their_systems_read() -> None:
    assert b"\r" not in (INSTALLERS / "install.sh").read_bytes()
    lines = (INSTALLERS / "install.cmd").read_bytes().split(b"\n")
    assert all(line.endswith(b"\r") for line in lines[:-1])

"""A version's own Python environment, of the kit's wheels alone: no network, no resolver, every hash given.

pip takes each wheel from the kit only when it has the hash of the requirements file, which the manifest lists; what
changes on the stick meanwhile is not installed.
"""

import contextlib
import hashlib
import os
import shutil
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path

from ophtimus_edge.errors import KitError, KitInstallError
from ophtimus_edge.kit.installing.first import fits
from ophtimus_edge.kit.installing.machine import python_for
from ophtimus_edge.kit.installing.transfer import NOTHING_HELD, copy_files, single
from ophtimus_edge.kit.installing.versions import ENVIRONMENT, python_of
from ophtimus_edge.kit.manifest import KitPlatform
from ophtimus_edge.kit.verifying import Verified
from ophtimus_edge.locations import staged

RUNTIME = "runtime"
_READY = "ready"  # in the environment: of which requirements it was made
_TEMPORARY = "tmp"  # what pip unpacks goes away with the environment, however it ends
# pip is run from the wheel that Python carries of it, as ensurepip does, and is not installed: nobody needs it later.
# It ends with the installer (PR_SET_PDEATHSIG): no orphan writes into the environment that the next run makes.
# A library in it opens a socket of IPv6 on being imported, to see whether there is any: it is told of none.
_PIP = """
import ctypes, ensurepip, pathlib, runpy, socket, sys, sysconfig
socket.has_ipv6 = False
if sys.platform == "linux":
    ctypes.CDLL(None).prctl(1, 9)
places = [sysconfig.get_config_var("WHEEL_PKG_DIR"), pathlib.Path(ensurepip.__file__).parent / "_bundled"]
wheels = [wheel for place in places if place for wheel in pathlib.Path(place).glob("pip-*.whl")]
if wheels:
    sys.path.insert(0, str(wheels[0]))
else:
    ensurepip.bootstrap()
sys.argv[0] = "pip"
runpy.run_module("pip", run_name="__main__", alter_sys=True)
"""
_ROOM = 8 << 20  # for the environment's own files
_COMPILED = 1.5  # of the files' size, with what Python compiles of them
_LAST = 12  # lines of a failed program that are kept to be told from
_DO_NOT = "Copy the whole kit again from its source, or ask who gave it to you."

OnStep = Callable[[int, int, str], None]


def needed_bytes(kit: Verified, here: KitPlatform, folder: Path) -> int:
    """How much of the disk the environment will take, about; 0 where it is there already.

    Raises:
        KitError: a wheel cannot be read.
    """
    if is_ready(kit, here, folder):
        return 0
    unpacked = 0
    running = f"{sys.version_info[0]}.{sys.version_info[1]}"
    minor = int((running if running in here.pythons else here.pythons[0]).split(".")[1])
    for wheel in _wheels(kit, here):
        if not fits(wheel.name, minor):
            continue
        try:
            with zipfile.ZipFile(wheel) as archive:
                unpacked += sum(entry.file_size for entry in archive.infolist())
        except (OSError, zipfile.BadZipFile) as error:
            raise KitError(f"{wheel} is no wheel that can be read.", _DO_NOT) from error
    runtime = kit.manifest.file(here.runtime) if here.runtime else None
    return int(unpacked * _COMPILED) + _ROOM + (5 * runtime.size_bytes if runtime else 0)


def is_ready(kit: Verified, here: KitPlatform, folder: Path) -> bool:
    """Whether an earlier run made the environment, of the same wheels."""
    with contextlib.suppress(OSError, UnicodeDecodeError):
        ready = (folder / ENVIRONMENT / _READY).read_text(encoding="ascii")
        return ready == _key(kit, here) and python_of(folder).exists()
    return False


def make(kit: Verified, here: KitPlatform, folder: Path, on_step: OnStep = lambda *_: None) -> None:
    """Make the environment of a version, or leave it as it is where it is there.

    Args:
        on_step: told how many wheels are done, how many there are, and which is next.

    Raises:
        KitError: the kit cannot be read, or its wheels do not fit together.
        KitInstallError: there is no Python for it, or the environment cannot be made.
        OSError: the disk cannot be written.
    """
    if is_ready(kit, here, folder):
        return
    place = folder / ENVIRONMENT
    _clear(place)
    (place / _TEMPORARY).mkdir(parents=True)
    requirements = folder / "requirements.txt"
    wanted = kit.manifest.file(here.requirements)
    if wanted is None:
        raise KitError("the kit names no packages to install.", _DO_NOT)
    copy_files([single(wanted)._replace(path=requirements.name)], kit.folder, folder, NOTHING_HELD)
    wheels = _wheels(kit, here)
    on_step(0, len(wheels), "Python")
    base = _own_python(kit, here, folder) if here.runtime else python_for(here)
    make_venv = [str(base), "-I", "-m", "venv", "--without-pip", str(place)]
    _run(make_venv, folder, "the Python environment cannot be made")
    command = [
        str(python_of(folder)), "-I", "-c", _PIP, "--isolated", "--disable-pip-version-check", "--no-input",
        "install", "--no-index", "--no-cache-dir", "--no-deps", "--only-binary", ":all:", "--require-hashes",
        "--progress-bar", "off", "--no-warn-script-location",
        "--find-links", str(wheels[0].parent) if wheels else str(kit.folder), "-r", str(requirements),
    ]  # fmt: skip
    _run(command, folder, "the program's packages cannot be installed", _counting(len(wheels), on_step))
    requirements.unlink()
    _clear(place / _TEMPORARY)
    with staged(place / _READY) as part:
        part.write_text(_key(kit, here), encoding="ascii")


def _wheels(kit: Verified, here: KitPlatform) -> list[Path]:
    prefix = f"wheels/{here.platform}/"
    return [
        kit.folder / file.path
        for file in kit.manifest.files
        if file.path.startswith(prefix) and file.path.endswith(".whl")
    ]


def _key(kit: Verified, here: KitPlatform) -> str:
    """What an environment is made of: another one is needed where any of it changed."""
    parts = [kit.manifest.file(path) for path in (here.requirements, here.runtime) if path]
    return hashlib.sha256("".join(part.sha256 for part in parts if part).encode("ascii")).hexdigest()


def _own_python(kit: Verified, here: KitPlatform, folder: Path) -> Path:
    """Unpack the kit's own Python into the version; returns its program."""
    target, archive = folder / RUNTIME, folder / f"{RUNTIME}.part"
    listed = kit.manifest.file(here.runtime)
    if listed is None:
        raise KitError("the kit's Python is missing.", _DO_NOT)
    copy_files([single(listed)._replace(path=archive.name)], kit.folder, folder, NOTHING_HELD)
    _clear(target)
    target.mkdir()
    try:
        if here.runtime.endswith(".zip"):
            with zipfile.ZipFile(archive) as zipped:
                zipped.extractall(target)  # noqa: S202 - it keeps names inside
        else:
            with tarfile.open(archive) as packed:
                packed.extractall(target, filter="data")  # nothing outside, no devices, no odd modes
    except (zipfile.BadZipFile, tarfile.TarError) as error:
        raise KitError(f"the kit's Python cannot be unpacked: {error}.", _DO_NOT) from error
    archive.unlink()
    names = ("python.exe", "*/python.exe") if os.name == "nt" else ("bin/python3", "*/bin/python3")
    found = next((path for name in names for path in sorted(target.glob(name))), None)
    if found is None:
        raise KitError("there is no Python in the kit's archive of one.", _DO_NOT)
    return found


def _counting(total: int, on_step: OnStep) -> Callable[[str], None]:
    """Turn pip's lines into steps: it names each wheel when it takes it up."""
    seen = 0

    def line(text: str) -> None:
        nonlocal seen
        if text.startswith(("Processing ", "Looking in links")):
            seen += text.startswith("Processing ")
            on_step(min(seen, total), total, text.split("/")[-1].split("\\")[-1].split("-")[0].strip())
        elif text.startswith("Installing collected"):
            on_step(total, total, "")

    return line


def _run(
    command: Sequence[str], folder: Path, failed: str, on_line: Callable[[str], None] = lambda _: None
) -> None:
    """Run a program of Python's, without what the machine's own settings would have it do.

    Raises:
        KitInstallError: it failed; with its last line, which says why.
    """
    env = {key: value for key, value in os.environ.items() if not key.startswith(("PIP_", "PYTHON"))}
    env |= {
        "PIP_CONFIG_FILE": os.devnull,
        "TMPDIR": str(folder / ENVIRONMENT / _TEMPORARY),
        "LC_ALL": "C.UTF-8",
    }
    lines: list[str] = []
    with subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        encoding="utf-8", errors="replace", env=env,
    ) as process:  # fmt: skip
        try:
            assert process.stdout is not None  # noqa: S101 - asked for as a pipe
            for text in process.stdout:
                on_line(text)
                lines = [*lines, text.strip()][-_LAST:]
        except BaseException:
            process.kill()
            raise
    if process.returncode:
        told = [text for text in lines if text.startswith("ERROR")] or [text for text in lines if text]
        why = told[-1] if told else f"it ended with {process.returncode}"
        if any("No space left" in text or "Disk quota" in text for text in lines):
            raise KitInstallError(f"{failed}: the disk is full.", "Free some space, and run the same again.")
        raise KitInstallError(f"{failed}: {why}.", "See docs/installing.md, or ask who gave you the kit.")


def _clear(place: Path) -> None:
    if place.is_dir() and not place.is_symlink():
        shutil.rmtree(place)

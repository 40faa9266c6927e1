"""The first installation, with what a clinic's machine has: Python and its standard library.

``install.sh`` runs this file straight out of the program's wheel in the kit. Nothing here can prove where a kit
comes from, since it comes from the same stick: the person compares the manifest's SHA-256 with the paper that came
another way. What is in the manifest is then checked, unpacked into a folder of its own, and asked to install the
kit: that is ``ophtimus kit install``, which checks everything else.

It is read by any Python from 3.8 on, so that an old one can be told what is needed.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import platform
import shutil
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path, PurePosixPath
from typing import Any

OLDEST = (3, 11)
UNPACKED = ".first-"  # a folder of this name in the installation's is what a run that was killed left
START = (
    "import sys; sys.path.insert(0, sys.argv[1]); "
    "from ophtimus_edge.kit.installing.first import main; sys.exit(main(sys.argv[2:]))"
)
_PROGRAM = (
    "import sys; sys.path.insert(0, sys.argv[1]); "
    "from ophtimus_edge.cli import main; sys.exit(main(sys.argv[2:]))"
)
_LARGEST_MANIFEST = 64 << 20
_FAILED = 1
_STOPPED = 130
_YES = ("y", "yes", "예", "네", "ㅇ")


def main(arguments: list[str]) -> int:
    """Install a kit where nothing is installed yet; returns the exit code.

    Args:
        arguments: the kit's folder, and what ``ophtimus kit install`` takes of ``--to``, ``--yes`` and ``--json``.
    """
    if sys.version_info < OLDEST:
        return _refused(
            "Python 3.11 or newer is needed; this is Python {}.{}.".format(*sys.version_info[:2]),
            "Install it, with its venv module (Debian: apt install python3 python3-venv), and start again.",
            "파이썬 3.11 이상이 필요합니다. 관리자에게 설치를 요청하십시오(python3, python3-venv).",
        )
    from ophtimus_edge.errors import OphtimusError

    parser = argparse.ArgumentParser(prog="install.sh", description="Install Ophtimus Edge from this kit.")
    parser.add_argument("kit", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--to", type=Path, metavar="DIR", help="where to install it")
    parser.add_argument("--yes", action="store_true", help="do not ask")
    parser.add_argument("--json", action="store_true", help="JSON on standard output")
    options = parser.parse_args(arguments)
    try:
        return _install(options, arguments)
    except OphtimusError as error:
        return _refused(error.message, error.hint, code=error.exit_code)
    except OSError as error:
        return _refused(
            f"{error.filename or options.kit}: {error.strerror or error}.",
            "Free some space, check the stick, and start again. Nothing is installed.",
        )
    except KeyboardInterrupt:
        sys.stderr.write("\n")
        return _STOPPED


def default_root() -> Path:
    """What :func:`ophtimus_edge.locations.kit_root` says where nothing is installed, without platformdirs."""
    home = os.environ.get("OPHTIMUS_HOME")
    if home:
        return Path(home).expanduser() / "program"
    if os.name == "nt":
        data = os.environ.get("LOCALAPPDATA") or str(Path.home() / "AppData" / "Local")
    else:
        data = os.environ.get("XDG_DATA_HOME", "").strip() or str(Path.home() / ".local" / "share")
    return Path(data) / "ophtimus" / "program"


def _install(options: argparse.Namespace, arguments: list[str]) -> int:
    from ophtimus_edge.errors import KitError

    kit = options.kit.absolute()
    manifest, sha256 = _read_manifest(kit)
    here = _platform_of(manifest)
    _check_processor()
    other = _other_python(here)
    if other:
        os.execv(other, [other, "-I", "-B", "-c", START, _own_wheel(), *arguments])  # noqa: S606 - no shell
    _check_venv()
    name, version = str(manifest.get("name", ""))[:80], str(manifest.get("version", ""))[:29]
    if not (_plain(name) and _plain(version)):
        raise KitError("the kit's manifest is damaged.", "Copy the whole kit again from its source.")
    if not options.yes and not _compared(name, version, sha256):
        sys.stderr.write("Nothing was installed. 설치하지 않았습니다.\n")
        return _FAILED
    root = (options.to or default_root()).expanduser().absolute()
    root.mkdir(parents=True, exist_ok=True)
    unpacked = Path(tempfile.mkdtemp(prefix=UNPACKED, dir=root))
    try:
        _unpack(_checked_wheels(kit, manifest, here), unpacked)
        words = ["kit", "install", str(kit), "--to", str(root), "--compared", sha256]
        words += ["--yes"] * options.yes + ["--json"] * options.json
        return _wait([sys.executable, "-I", "-B", "-c", _PROGRAM, str(unpacked), *words])
    finally:
        shutil.rmtree(unpacked, ignore_errors=True)


def _read_manifest(kit: Path) -> tuple[dict[str, Any], str]:
    from ophtimus_edge.errors import KitError

    path = kit / "manifest.json"
    if not path.is_file() or path.stat().st_size > _LARGEST_MANIFEST:
        raise KitError(f"{kit} is no kit: its manifest.json is missing or too large.", "Copy the kit again.")
    data = path.read_bytes()
    try:
        manifest = json.loads(data)
        if not isinstance(manifest, dict):
            raise ValueError
    except (ValueError, RecursionError):
        raise KitError(f"{path} is damaged.", "Copy the whole kit again from its source.") from None
    return manifest, hashlib.sha256(data).hexdigest()


def _platform_of(manifest: dict[str, Any]) -> dict[str, Any]:
    """What the kit has for this machine."""
    from ophtimus_edge.errors import KitInstallError

    machine = platform.machine()
    name = {
        ("linux", "x86_64"): "linux-x86_64", ("win32", "AMD64"): "win_amd64"
    }.get((sys.platform, machine), f"{platform.system()} {machine}")  # fmt: skip
    found = [one for one in _dicts(manifest.get("platforms")) if one.get("platform") == name]
    if not found:
        there = ", ".join(str(one.get("platform")) for one in _dicts(manifest.get("platforms")))
        raise KitInstallError(
            f"this kit is for {there or 'no machine'}, and this computer is {name}.",
            "Ask for a kit for this computer.",
        )
    wanted = str(found[0].get("glibc", ""))
    library, there = platform.libc_ver()
    if wanted and sys.platform == "linux" and (library != "glibc" or _numbers(there) < _numbers(wanted)):
        raise KitInstallError(
            f"this kit needs the system library glibc {wanted} or newer, and here is {library} {there}.",
            "Install it on a newer system (Debian 12, Ubuntu 22.04 or later).",
        )
    return found[0]


def _check_processor() -> None:
    from ophtimus_edge.errors import KitInstallError
    from ophtimus_edge.models.processor import has_avx

    if has_avx() is False:
        raise KitInstallError(
            "this computer's processor is older than the program needs: it lacks AVX (Intel from 2011, Sandy "
            "Bridge, and AMD from 2011, Bulldozer, have it). 이 컴퓨터의 프로세서는 너무 오래되었습니다(AVX 없음).",
            "Install it on a newer computer. Nothing was installed.",
        )


def _other_python(here: dict[str, Any]) -> str:
    """Another Python of this machine, where the kit has no wheels for the one that runs; "" for this one.

    Raises:
        KitInstallError: there is none that the kit has wheels for.
    """
    from ophtimus_edge.errors import KitInstallError

    running = "{}.{}".format(*sys.version_info[:2])
    pythons = [one for one in here.get("pythons") or [] if isinstance(one, str)]
    if running in pythons or here.get("runtime"):
        return ""
    for version in pythons:
        found = shutil.which(f"python{version}")
        if found and _plain(version):
            return found
    raise KitInstallError(
        f"this kit is for Python {' or '.join(pythons)}, and here is Python {running}.",
        "Install one of those (with its venv module), or ask for a kit for this Python.",
    )


def _check_venv() -> None:
    """Debian keeps the standard library's venv in a package of its own."""
    from ophtimus_edge.errors import KitInstallError

    try:
        import ensurepip  # noqa: F401
        import venv  # noqa: F401
    except ImportError:
        raise KitInstallError(
            "Python's venv module is missing. 파이썬의 venv 모듈이 없습니다.",
            "Install it (Debian, Ubuntu: apt install python3-venv), and start again.",
        ) from None


def _compared(name: str, version: str, sha256: str) -> bool:
    """Whether a person at a terminal says that the manifest is the one of the paper."""
    from ophtimus_edge.errors import UsageError

    groups = [sha256[at : at + 4] for at in range(0, 64, 4)]
    sys.stderr.write(
        f"Ophtimus Edge: {name} {version}\n"
        "This kit's SHA-256; compare it with the sheet of paper that came with the kit.\n"
        "이 키트의 SHA-256입니다. 함께 받은 종이의 값과 비교하십시오.\n\n"
        f"    {' '.join(groups[:8])}\n    {' '.join(groups[8:])}\n\n"
    )
    if not (sys.stdin is not None and sys.stdin.isatty()):
        raise UsageError(
            "there is no terminal to ask at whether the SHA-256 is that of the paper.",
            "Start it in a terminal; or, where it was compared, with --yes.",
        )
    sys.stderr.write("Is it the same, and shall it be installed? 값이 같습니까? 설치할까요? [y/N] ")
    sys.stderr.flush()
    return sys.stdin.readline().strip().casefold() in _YES


def _checked_wheels(kit: Path, manifest: dict[str, Any], here: dict[str, Any]) -> list[Path]:
    """The wheels for this machine, each with the hash that the manifest has of it."""
    from ophtimus_edge.errors import KitError

    prefix = f"wheels/{here['platform']}/"
    listed = {str(one.get("path")): one for one in _dicts(manifest.get("files"))}
    wheels = []
    for path in sorted(path for path in listed if path.startswith(prefix) and path.endswith(".whl")):
        name = PurePosixPath(path).name
        if path != prefix + name or not fits(name, sys.version_info[1]):
            continue
        digest = hashlib.sha256()
        with (kit / "wheels" / here["platform"] / name).open("rb") as file:
            for block in iter(lambda: file.read(1 << 20), b""):
                digest.update(block)
        if digest.hexdigest() != listed[path].get("sha256"):
            raise KitError(
                f"{path} is not the file that the kit's manifest lists.",
                "Do not use this kit; copy the whole kit again from its source.",
            )
        wheels.append(kit / "wheels" / here["platform"] / name)
    if not wheels:
        raise KitError("the kit has no wheels for this machine.", "Copy the whole kit again from its source.")
    return wheels


def fits(wheel: str, minor: int) -> bool:
    """Whether a wheel is for Python 3 of a minor version; of one package a kit may have one for each.

    A name ends in -python-abi-platform.whl (the binary distribution format of PyPA); abi3 is for later ones too.
    """
    python, abi = wheel[: -len(".whl")].split("-")[-3:-1]
    for tag in python.split("."):
        if tag in ("py3", f"cp3{minor}"):
            return True
        if abi == "abi3" and tag.startswith("cp3") and tag[3:].isdigit() and int(tag[3:]) <= minor:
            return True
    return False


def _unpack(wheels: list[Path], target: Path) -> None:
    """Put the wheels' packages into one folder, as an installer without scripts would."""
    from ophtimus_edge.errors import KitInstallError

    need = 0
    for wheel in wheels:
        with zipfile.ZipFile(wheel) as archive:
            need += sum(entry.file_size for entry in archive.infolist())
    free = shutil.disk_usage(target).free
    if need > free:
        raise KitInstallError(
            f"{need / 2**20:.0f} MiB are needed to begin with, and the disk of {target.parent} has "
            f"{free / 2**20:.0f} MiB free.",
            "Free some space, or name a folder on another disk: --to DIR.",
        )
    for wheel in wheels:
        with zipfile.ZipFile(wheel) as archive:
            archive.extractall(target)
        for scheme in ("purelib", "platlib"):
            for folder in target.glob(f"*.data/{scheme}"):
                shutil.copytree(folder, target, dirs_exist_ok=True)


def _wait(command: list[str]) -> int:
    """Run the program; Ctrl-C is its own to answer."""
    with subprocess.Popen(command) as process:
        while True:
            try:
                return process.wait()
            except KeyboardInterrupt:
                continue


def _own_wheel() -> str:
    """What this file is imported from."""
    return sys.path[0]


def _dicts(value: object) -> list[dict[str, Any]]:
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split(".") if part.isdigit())


def _plain(text: str) -> bool:
    """Whether a text from the kit can be shown: no control character of a terminal is in it."""
    return bool(text) and text.isprintable()


def _refused(message: str, hint: str, korean: str = "", code: int = _FAILED) -> int:
    lines = [f"install: {message}", f"         {hint}", *([f"         {korean}"] if korean else [])]
    sys.stderr.write("".join("".join(c for c in line if c.isprintable()) + "\n" for line in lines))
    return code

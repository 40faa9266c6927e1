"""Whether a kit is for this machine, and which Python of it the program will run with."""

import os
import platform
import shutil
import sys
from pathlib import Path

from ophtimus_edge.errors import KitInstallError
from ophtimus_edge.kit.manifest import KitPlatform, Manifest
from ophtimus_edge.models.processor import has_avx

TOO_OLD = (
    "this computer's processor is older than the program needs: it lacks AVX (Intel from 2011, Sandy Bridge, and AMD "
    "from 2011, Bulldozer, have it)."
)
_NAMES = {("linux", "x86_64"): "linux-x86_64", ("win32", "AMD64"): "win_amd64"}


def platform_here(manifest: Manifest) -> KitPlatform:
    """What a kit has for this machine.

    Raises:
        KitInstallError: it has nothing, or what it has does not run here.
    """
    machine = platform.machine()
    name = _NAMES.get((sys.platform, machine), f"{platform.system()} {machine}")
    found = next((one for one in manifest.platforms if one.platform == name), None)
    if found is None:
        there = ", ".join(one.platform for one in manifest.platforms) or "no machine"
        raise KitInstallError(
            f"this kit is for {there}, and this computer is {name}.", "Ask for a kit for this computer."
        )
    if has_avx() is False:
        raise KitInstallError(TOO_OLD, "Install it on a newer computer.")
    library, there = platform.libc_ver()
    if (
        found.glibc
        and sys.platform == "linux"
        and (library != "glibc" or _numbers(there) < _numbers(found.glibc))
    ):
        raise KitInstallError(
            f"this kit needs the system library glibc {found.glibc} or newer, and here is "
            f"{f'{library} {there}'.strip() or 'another one'}.",
            "Install it on a newer system (Debian 12, Ubuntu 22.04 or later).",
        )
    return found


def python_for(here: KitPlatform) -> Path:
    """A Python of this machine that the kit has wheels for, and that can make environments.

    The one that runs where it will do: not the environment that it runs in, which goes away with its version.

    Raises:
        KitInstallError: there is none.
    """
    running = f"{sys.version_info[0]}.{sys.version_info[1]}"
    if running in here.pythons:
        base = getattr(sys, "_base_executable", "") or sys.executable
        return Path(os.path.realpath(base))  # python3 may be another one after an upgrade, python3.11 is not
    for version in here.pythons:
        if found := shutil.which(f"python{version}"):
            return Path(os.path.realpath(found))
    raise KitInstallError(
        f"this kit is for Python {' or '.join(here.pythons)}, and here is Python {running}.",
        "Install one of those with its venv module, or ask for a kit for this Python.",
    )


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split(".") if part.isdigit())

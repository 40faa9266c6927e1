"""How a person starts what is installed: a program in the installation, a menu entry, a name in a terminal.

Each finds the version that runs at the moment it is started. What is not this installation's own is never written
over.
"""

import os
import shlex
from pathlib import Path

from ophtimus_edge import locations
from ophtimus_edge.kit.installing.versions import ENVIRONMENT, VERSIONS
from ophtimus_edge.locations import staged

_MARK = "X-Ophtimus-Installation"

_POSIX = """#!/bin/sh
# Starts the version of Ophtimus Edge that is installed here; written by its installer.
root={root}
if ! version=$(CDPATH='' cd -P -- "$root/current" 2>/dev/null && pwd); then
    echo "ophtimus: no version is installed in $root." >&2
    echo "          Install a kit: sh install.sh" >&2
    exit 1
fi
exec "$version/{environment}/bin/python" -I -m ophtimus_edge "$@"
"""

_WINDOWS = """@echo off
rem Starts the version of Ophtimus Edge that is installed here; written by its installer.
setlocal EnableExtensions DisableDelayedExpansion
set "VERSION="
if exist "%~dp0..\\current.txt" set /p VERSION=<"%~dp0..\\current.txt"
if not defined VERSION (
    echo ophtimus: no version is installed here. Install a kit: install.cmd 1>&2
    exit /b 1
)
"%~dp0..\\{versions}\\%VERSION%\\{environment}\\Scripts\\python.exe" -I -m ophtimus_edge %*
"""

_DESKTOP = """[Desktop Entry]
Type=Application
Version=1.0
Name=Ophtimus Edge
Name[ko]=옵티머스 엣지
GenericName=Ophthalmology assistant
GenericName[ko]=안과 질문 도우미
Comment=Ask an ophthalmology language model, offline; it does not replace a doctor's judgement
Comment[ko]=인터넷 없이 안과 언어 모델에 질문합니다. 의사의 판단을 대신하지 않습니다
Exec={command}
Terminal=true
Categories=Science;MedicalSoftware;
Keywords=eye;ophthalmology;안과;
{mark}={root}
"""


def launcher(root: Path) -> Path:
    """The program that starts an installation."""
    return root / "bin" / ("ophtimus.cmd" if os.name == "nt" else "ophtimus")


def desktop_entry() -> Path:
    """The entry in the desktop's menu."""
    return locations.applications_folder() / "ophtimus.desktop"


def write(root: Path) -> None:
    """Write the launcher, and on Linux the menu entry and the name in ``~/.local/bin``.

    Raises:
        OSError: they cannot be written.
    """
    program = launcher(root)
    program.parent.mkdir(parents=True, exist_ok=True)
    if os.name == "nt":
        text = _WINDOWS.format(versions=VERSIONS, environment=ENVIRONMENT).replace("\n", "\r\n")
    else:
        text = _POSIX.format(root=shlex.quote(str(root)), environment=ENVIRONMENT)
    with staged(program) as part:
        part.write_text(text, encoding="utf-8", newline="")
        part.chmod(0o755)
    if os.name == "nt":
        return
    entry = desktop_entry()
    if not entry.exists() or _is_of(entry, root):
        entry.parent.mkdir(parents=True, exist_ok=True)
        with staged(entry) as part:
            command = _desktop_quoted(str(program))
            part.write_text(
                _DESKTOP.format(command=command, mark=_MARK, root=_desktop_value(str(root))), encoding="utf-8"
            )
    name = locations.programs_folder() / "ophtimus"
    if not os.path.lexists(name):
        name.parent.mkdir(parents=True, exist_ok=True)
        name.symlink_to(program)


def remove(root: Path) -> None:
    """Remove the menu entry and the name, where they are this installation's.

    Raises:
        OSError: they cannot be removed.
    """
    entry, name = desktop_entry(), locations.programs_folder() / "ophtimus"
    if entry.is_file() and _is_of(entry, root):
        entry.unlink()
    if name.is_symlink() and name.readlink() == launcher(root):
        name.unlink()


def _is_of(entry: Path, root: Path) -> bool:
    try:
        lines = entry.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError):
        return False
    return f"{_MARK}={_desktop_value(str(root))}" in lines


def _desktop_quoted(path: str) -> str:
    """A path as a word of Exec: quoted by the Desktop Entry Specification, then escaped as any value."""
    quoted = "".join(f"\\{letter}" if letter in '"`$\\' else letter for letter in path)
    return _desktop_value(f'"{quoted}"').replace("%", "%%")


def _desktop_value(text: str) -> str:
    """A string value: a backslash and the ends of lines are written as escapes."""
    return text.replace("\\", "\\\\").replace("\n", "\\n").replace("\r", "\\r")

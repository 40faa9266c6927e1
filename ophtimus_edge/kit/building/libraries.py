"""Shared libraries of a wheel for Linux: which of their many copies are needed, and which glibc they want.

Read with ``objdump`` of the GNU binutils, which every compiler for Linux comes with.
"""

import re
import subprocess
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from ophtimus_edge.errors import KitBuildError

# Of every Debian and Ubuntu without anything installed; what else a library wants has to be in the wheel.
OF_THE_SYSTEM = frozenset({
    "libc.so.6", "libm.so.6", "libpthread.so.0", "libdl.so.2", "librt.so.1", "libstdc++.so.6", "libgcc_s.so.1",
    "ld-linux-x86-64.so.2",
})  # fmt: skip
_GLIBC = re.compile(r"GLIBC_2\.(\d+)(?:\.\d+)?$")


@dataclass(frozen=True)
class Library:
    """What a shared library says of itself.

    Attributes:
        name: that others ask for it by, "" for none.
        needs: the names that it asks for.
        glibc: the minor version of the oldest glibc 2 that has all it uses; 0 where it uses none.
    """

    name: str
    needs: frozenset[str]
    glibc: int


def read_library(path: Path) -> Library:
    """Read a library's dynamic section.

    Raises:
        KitBuildError: it is none, or objdump is not here.
    """
    try:
        result = subprocess.run(
            ["objdump", "-p", str(path)], capture_output=True, text=True, check=True, errors="replace"
        )
    except FileNotFoundError as error:
        raise KitBuildError(
            "objdump is not here, which reads what a library needs.",
            "Install it (Debian: apt install binutils).",
        ) from error
    except subprocess.CalledProcessError as error:
        raise KitBuildError(f"{path.name} is no shared library.", "Build the wheel again.") from error
    lines = [line.split() for line in result.stdout.splitlines()]
    glibcs = [int(match[1]) for words in lines if words and (match := _GLIBC.match(words[-1]))]
    return Library(
        name=next((words[1] for words in lines if words[:1] == ["SONAME"]), ""),
        needs=frozenset(words[1] for words in lines if words[:1] == ["NEEDED"]),
        glibc=max(glibcs, default=0),
    )


def needed_files(libraries: Mapping[str, Library], entry: str) -> set[str]:
    """Which files of a folder of libraries are needed, each under one name.

    Args:
        libraries: by file name; of a library with versions there are several copies.
        entry: the file that is opened by its name.

    Returns:
        The file names to keep. Those are the entry, every library that is loaded by its file while the program runs
        (a ggml backend: no version is in its name), and what these ask for, under the name that they ask for.

    Raises:
        KitBuildError: one asks for a library that is neither there nor a part of every system.
    """
    keep = set[str]()
    todo = [
        entry,
        *(name for name, one in libraries.items() if name.endswith(".so") and one.name in ("", name)),
    ]
    while todo:
        name = todo.pop()
        if name in keep:
            continue
        if name not in libraries:
            raise KitBuildError(
                f"a library of the wheel asks for {name}, which a clinic's computer may lack.",
                "Build the wheel without it; GGML_OPENMP=OFF does without libgomp.",
            )
        keep.add(name)
        todo += sorted(libraries[name].needs - OF_THE_SYSTEM)
    return keep


def oldest_glibc(libraries: Iterable[Library]) -> int:
    """The minor version of the oldest glibc 2 that all of them run with."""
    return max((library.glibc for library in libraries), default=0)

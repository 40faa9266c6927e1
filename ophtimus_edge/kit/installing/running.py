"""Which programs run from an installation: they are closed before another version takes its place."""

import os
import sys
from pathlib import Path
from typing import NamedTuple

from ophtimus_edge.kit.installing.versions import VERSIONS


class Running(NamedTuple):
    """A program that runs.

    Attributes:
        what: its words, such as "ophtimus ask"; without what was asked, which may be of a patient.
        user: who started it, "" where the system does not say.
    """

    pid: int
    what: str
    user: str


def programs(root: Path) -> list[Running]:
    """The programs that run from a folder's versions, but for this one and those that wait for it.

    A process is known by the Python that its command line begins with: what the system calls its file is the Python
    that the environment was made from.
    """
    import psutil

    tops = {os.path.normcase(path / VERSIONS) + os.sep for path in (root, root.resolve())}
    own = {os.getpid(), *(process.pid for process in psutil.Process().parents())}
    found = []
    for process in psutil.process_iter(["pid", "ppid", "cmdline", "username"]):
        words = process.info["cmdline"] or []
        if not words or process.pid in own:
            continue
        # A launcher of the old version that waits for its child is found by the child.
        if any(os.path.normcase(words[0]).startswith(top) for top in tops):
            found.append(Running(process.pid, _told(words), process.info["username"] or ""))
    return sorted(found)


def _told(words: list[str]) -> str:
    """A process's verb: the first word behind what starts the program."""
    rest = words[1:]
    while rest and rest[0].startswith("-"):
        rest = rest[2:] if rest[0] in {"-m", "-X", "-c"} else rest[1:]
    if "ophtimus_edge.engine.worker" in words:
        return "a model's process"
    script = rest[:1] and Path(rest[0]).name.startswith("ophtimus")
    verb = rest[1:2] if script else rest[:1]
    return " ".join(["ophtimus", *(word for word in verb if word.isalpha())])


def is_own(folder: Path) -> bool:
    """Whether this very program runs from a version's folder."""
    return Path(sys.prefix).is_relative_to(folder)

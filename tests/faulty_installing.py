"""Installers that are killed, or whose disk fills, at a counted moment: whenever they are about to change a file."""

import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

# Python tells of each change to the file system before it is made. The installer's own are counted, and at one of
# them it is killed, or the rest of the disk is taken; with 0 nothing happens, and how many there were is said.
_WATCHED = """
import os, signal, sys
left, filler = int(sys.argv[1]), sys.argv[2]
CHANGES = {"os.rename", "os.remove", "os.symlink", "os.link", "os.mkdir", "os.rmdir", "os.truncate", "os.chmod"}

def strike():
    if not filler:
        os.kill(os.getpid(), signal.SIGKILL)
    with open(filler, "wb", buffering=0) as file:
        try:
            while True:
                file.write(bytes(4096))
        except OSError:
            pass

def hook(event, words):
    global left
    if event in CHANGES or (event == "open" and isinstance(words[2], int) and words[2] & (os.O_WRONLY | os.O_RDWR)):
        left -= 1
        if left == 0:
            strike()

from ophtimus_edge.cli import main
sys.addaudithook(hook)
code = main(sys.argv[3:])
sys.stderr.write(f"\\nchanges {-left}\\n")
sys.exit(code)
"""


class Tried(NamedTuple):
    """What became of a command.

    Attributes:
        code: negative for a signal.
        changes: that it made, where it was not killed.
    """

    code: int
    said: str
    changes: int


def tried(words: list[str], at: int = 0, filler: Path | None = None) -> Tried:
    """Run ``ophtimus`` and strike at its change of a number; 0 for never."""
    done = subprocess.run(
        [sys.executable, "-c", _WATCHED, str(at), str(filler or ""), *words],
        stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip
    said, _, changes = done.stderr.rpartition("\nchanges ")
    return Tried(done.returncode, said or done.stderr, int(changes) if said else 0)

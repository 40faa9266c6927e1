"""The peak of a process's resident memory, and what exactly the system counts there."""

import sys
from pathlib import Path
from typing import NamedTuple

from ophtimus_edge.errors import ComparisonError

LINUX = "VmHWM: the peak of the resident memory, mapped pages of the model's file among it"
WINDOWS = "peak working set, mapped pages of the model's file among it"
ELSEWHERE = "resident memory behind the measurement; this system does not tell the peak"


class Resident(NamedTuple):
    """A process's memory.

    Attributes:
        size_bytes: resident.
        kind: what of it: LINUX, WINDOWS or ELSEWHERE.
    """

    size_bytes: int
    kind: str


def kind_here() -> str:
    """What is measured on this system."""
    if sys.platform == "linux":
        return LINUX
    return WINDOWS if sys.platform == "win32" else ELSEWHERE


def peak_resident(process: int) -> Resident:
    """The peak of a running process's resident memory.

    Args:
        process: its id.

    Raises:
        ComparisonError: the process has ended, or nothing may be known of it.
    """
    import psutil

    try:
        if sys.platform == "linux":
            status = Path(f"/proc/{process}/status").read_text(encoding="utf-8", errors="replace")
            fields = dict(line.split(":", 1) for line in status.splitlines() if ":" in line)
            return Resident(int(fields["VmHWM"].split()[0]) * 1024, LINUX)
        memory = psutil.Process(process).memory_info()
        size = memory.peak_wset if sys.platform == "win32" else memory.rss
        return Resident(int(size), kind_here())
    except (OSError, KeyError, psutil.Error) as error:
        raise ComparisonError(
            f"the memory of the model's process cannot be read: {error}.",
            "Run the command again; if it happens again, leave speed out.",
        ) from error

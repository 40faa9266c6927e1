"""What this machine has."""

import os
import sys


def usable_cores() -> int:
    """The cores that this process may run on; at least 1."""
    if sys.platform == "linux":
        return max(1, len(os.sched_getaffinity(0)))
    return max(1, os.cpu_count() or 1)

"""Whether the processor has what numpy and llama.cpp are built for, asked without importing either.

Of the standard library alone: the installer asks before there is anything else.
"""

import ctypes
import platform
import sys
from pathlib import Path

_AVX = 28  # CPUID leaf 1, ECX (Intel SDM, volume 2A)


class _Leaf(ctypes.Structure):
    """``struct cpuid_feature`` of glibc's <sys/platform/x86.h>: the registers as they are, and what is usable."""

    _fields_ = (("cpuid", ctypes.c_uint32 * 4), ("active", ctypes.c_uint32 * 4))


def has_avx() -> bool | None:
    """Whether programs can use AVX here; None where nobody says so.

    glibc asks the processor itself, which an emulator answers for the one that it emulates; ``/proc/cpuinfo`` is of
    the machine below it.
    """
    if platform.machine() not in {"x86_64", "AMD64"} or not sys.platform.startswith("linux"):
        return None
    usable = _from_glibc()
    return _from_cpuinfo() if usable is None else usable


def _from_glibc() -> bool | None:
    """From glibc 2.33 on; another C library has no such function."""
    try:
        ask = ctypes.CDLL(None).__x86_get_cpuid_feature_leaf
        ask.argtypes, ask.restype = [ctypes.c_uint], ctypes.POINTER(_Leaf)
        leaf = ask(0)  # CPUID_INDEX_1
        return bool(leaf.contents.active[2] >> _AVX & 1) if leaf else None
    except (OSError, AttributeError):
        return None


def _from_cpuinfo() -> bool | None:
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
    lines = [line for line in text.splitlines() if line.startswith("flags")]
    return "avx" in lines[0].split() if lines else None

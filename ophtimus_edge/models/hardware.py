"""What this machine has: processor, memory, graphics cards.

It imports neither numpy nor anything that does: on a processor that numpy was not built for, numpy's
import ends the process, and whoever asks must be told so instead.
"""

import ctypes
import importlib
import importlib.util
import os
import platform
import sys
from pathlib import Path
from typing import Any

import msgspec

from ophtimus_edge.models.processor import has_avx

# The instruction sets that llama.cpp has code for, as Linux names them in /proc/cpuinfo (x86) …
X86_FLAGS = (
    "sse4_2", "avx", "avx2", "fma", "f16c", "bmi2", "avx_vnni",
    "avx512f", "avx512bw", "avx512vbmi", "avx512_vnni", "avx512_bf16", "amx_tile", "amx_int8", "amx_bf16",
)  # fmt: skip
_WITHOUT_AVX = {"sse4_2", "bmi2"}  # the others compute in its registers
# … and for ARM: our name, and those of Linux (/proc/cpuinfo) and macOS (sysctl hw.optional).
_ARM_FLAGS = {
    "neon": ("asimd", "neon"),
    "dotprod": ("asimddp", "arm.FEAT_DotProd"),
    "i8mm": ("i8mm", "arm.FEAT_I8MM"),
    "sve": ("sve", ""),
    "sme": ("sme", "arm.FEAT_SME"),
}
# Windows tells of these alone: IsProcessorFeaturePresent, winnt.h, PF_…_INSTRUCTIONS_AVAILABLE.
_WINDOWS_X86 = {"sse4_2": 38, "avx": 39, "avx2": 40, "avx512f": 41}
_WINDOWS_ARM = {"neon": 19, "dotprod": 43}
# These numbers are younger than some versions of Windows, whose "no" may mean "never heard of it".
_WINDOWS_YOUNG = {"bmi2": 60, "i8mm": 66}


class Gpu(msgspec.Struct, frozen=True):
    """An NVIDIA graphics card, as its driver describes it.

    Attributes:
        memory_bytes, free_bytes: of its own memory.
        bandwidth: bytes a second that its memory delivers by its clock and the width of its bus; 0
            where the driver does not say.
    """

    name: str
    memory_bytes: int
    free_bytes: int
    bandwidth: float = 0.0


class Machine(msgspec.Struct, frozen=True, kw_only=True):
    """What a machine has.

    Attributes:
        system: such as "Linux 6.1.0".
        architecture: ``x86_64``, ``arm64``, or what the system calls it.
        cpu_name: as its maker calls it; "" where the system does not say.
        cpu_flags: the instruction sets that matter to llama.cpp and that are known to be there.
        unknown_flags: those that this system does not tell about.
        physical_cores: of the machine.
        usable_cores: that this process may run on.
        memory_bytes: of the machine; 0 where the system does not say.
        available_bytes: that a program may take now without swapping; 0 where the system does not say.
        gpus: the NVIDIA graphics cards.
        gpu_build: whether the installed llama.cpp can compute on them.
    """

    system: str
    architecture: str
    cpu_name: str
    cpu_flags: list[str]
    physical_cores: int
    usable_cores: int
    memory_bytes: int
    available_bytes: int
    gpus: list[Gpu] = []
    gpu_build: bool = False
    unknown_flags: list[str] = []


def usable_cores() -> int:
    """The cores that this process may run on; at least 1."""
    if sys.platform == "linux":
        return max(1, len(os.sched_getaffinity(0)))
    if sys.platform == "win32":
        import psutil

        return max(1, len(psutil.Process().cpu_affinity() or ()))
    return max(1, os.cpu_count() or 1)


def available_memory() -> int:
    """Bytes of memory that a program may take now without swapping; 0 where the system does not say."""
    return _memory()[1]


def read_machine() -> Machine:
    """What this machine has now; takes some milliseconds, and some tens with an NVIDIA driver."""
    import psutil

    cores = usable_cores()
    memory, available = _memory()
    architecture = {"AMD64": "x86_64", "aarch64": "arm64", "ARM64": "arm64"}.get(
        platform.machine(), platform.machine()
    )
    name, flags, unknown = _processor(architecture)
    return Machine(
        system=f"{platform.system()} {platform.release()}".strip(),
        architecture=architecture,
        cpu_name=name,
        cpu_flags=flags,
        unknown_flags=unknown,
        physical_cores=psutil.cpu_count(logical=False) or cores,
        usable_cores=cores,
        memory_bytes=memory,
        available_bytes=available,
        gpus=_gpus(),
        gpu_build=_gpu_build(),
    )


def lacks_avx(machine: Machine) -> bool:
    """Whether the processor is one on which numpy, and so the engine, ends with an illegal instruction.

    Seen in emulation: Sandy Bridge (2011), the first with AVX, works; Nehalem and Westmere fail in
    numpy's import.
    """
    known = {*machine.cpu_flags, *machine.unknown_flags}
    return machine.architecture == "x86_64" and "avx" not in known


def _memory() -> tuple[int, int]:
    """The machine's bytes of memory, and those available."""
    import psutil

    try:
        memory = psutil.virtual_memory()
    except (OSError, RuntimeError, ValueError):
        return 0, 0
    return int(memory.total), int(memory.available)


def _processor(architecture: str) -> tuple[str, list[str], list[str]]:
    """The processor's name, its known instruction sets, and those that nobody tells about."""
    if sys.platform == "linux":
        try:
            text = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace")
        except OSError:
            text = ""
        name, flags, unknown = _from_cpuinfo(text, architecture)
        if has_avx() is False:  # below an emulator, /proc/cpuinfo is another processor's
            flags = [flag for flag in flags if flag in _WITHOUT_AVX]
        return name, flags, unknown
    if sys.platform == "win32":
        return _from_windows(architecture)
    if sys.platform == "darwin":
        return _from_sysctl(architecture)
    return "", [], _wanted(architecture)


def _wanted(architecture: str) -> list[str]:
    return list({"x86_64": X86_FLAGS, "arm64": tuple(_ARM_FLAGS)}.get(architecture, ()))


def _from_cpuinfo(text: str, architecture: str) -> tuple[str, list[str], list[str]]:
    """From what Linux says of its first processor."""
    fields: dict[str, str] = {}
    for line in text.splitlines():
        key, found, value = line.partition(":")
        if found:
            fields.setdefault(key.strip().lower(), value.strip())
    name = fields.get("model name") or fields.get("model") or fields.get("hardware") or ""
    told = fields.get("flags", fields.get("features"))
    if told is None:
        return name, [], _wanted(architecture)
    words = set(told.split())
    if architecture == "arm64":
        return name, [flag for flag, (linux, _) in _ARM_FLAGS.items() if linux in words], []
    return name, [flag for flag in X86_FLAGS if flag in words], []


if sys.platform == "win32":

    def _from_windows(architecture: str) -> tuple[str, list[str], list[str]]:
        """From kernel32 and the registry."""
        import winreg

        name = ""
        try:
            path = r"HARDWARE\DESCRIPTION\System\CentralProcessor\0"
            with winreg.OpenKey(winreg.HKEY_LOCAL_MACHINE, path) as key:
                name = str(winreg.QueryValueEx(key, "ProcessorNameString")[0]).strip()
        except OSError:
            pass  # a locked-down registry; the name is for people only
        present = ctypes.windll.kernel32.IsProcessorFeaturePresent
        told = {"x86_64": _WINDOWS_X86, "arm64": _WINDOWS_ARM}.get(architecture, {})
        wanted = _wanted(architecture)
        numbers = told | _WINDOWS_YOUNG
        flags = [flag for flag in wanted if flag in numbers and present(numbers[flag])]
        return name, flags, [flag for flag in wanted if flag not in told and flag not in flags]


def _from_sysctl(architecture: str) -> tuple[str, list[str], list[str]]:
    """From macOS's sysctl."""
    libc = ctypes.CDLL(None)

    def value(name: str) -> bytes:
        buffer, size = ctypes.create_string_buffer(4096), ctypes.c_size_t(4096)
        failed = libc.sysctlbyname(name.encode(), buffer, ctypes.byref(size), None, 0)
        return b"" if failed else buffer.raw[: size.value]

    name = value("machdep.cpu.brand_string").rstrip(b"\0").decode("utf-8", "replace")
    if architecture == "arm64":
        flags = [flag for flag, (_, mac) in _ARM_FLAGS.items() if mac and any(value(f"hw.optional.{mac}"))]
        return name, flags, ["sve"]
    told = (value("machdep.cpu.features") + b" " + value("machdep.cpu.leaf7_features")).replace(b"\0", b" ")
    words = told.decode("ascii", "replace").lower().replace(".", "_").split()
    names = {"avx": "avx1_0", "avx512_vnni": "avx512vnni", "avx512_bf16": "avx512bf16"}
    return name, [flag for flag in X86_FLAGS if {flag, names.get(flag, flag)} & set(words)], []


def _gpus() -> list[Gpu]:
    """The NVIDIA graphics cards; none where the library or the driver is missing."""
    try:
        nvml = importlib.import_module("pynvml")
        nvml.nvmlInit()
    except Exception:
        # There is no library, no driver, or one that does not answer: the program works without.
        return []
    try:
        return [_gpu(nvml, nvml.nvmlDeviceGetHandleByIndex(at)) for at in range(nvml.nvmlDeviceGetCount())]
    except nvml.NVMLError:
        return []
    finally:
        nvml.nvmlShutdown()


def _gpu(nvml: Any, card: Any) -> Gpu:
    name, memory = nvml.nvmlDeviceGetName(card), nvml.nvmlDeviceGetMemoryInfo(card)
    try:
        # Two transfers a clock, for the graphics memories (GDDR) and the stacked ones (HBM) alike.
        clock = 1e6 * nvml.nvmlDeviceGetMaxClockInfo(card, nvml.NVML_CLOCK_MEM)
        bandwidth = 2 * clock * nvml.nvmlDeviceGetMemoryBusWidth(card) / 8
    except nvml.NVMLError:
        bandwidth = 0.0
    return Gpu(str(name), int(memory.total), int(memory.free), float(bandwidth))


def _gpu_build() -> bool:
    """Whether llama.cpp's part for NVIDIA cards lies beside the installed library; nothing is loaded."""
    spec = importlib.util.find_spec("llama_cpp")
    places = spec.submodule_search_locations if spec else None
    return any(any(Path(place, "lib").glob("*ggml-cuda*")) for place in places or ())

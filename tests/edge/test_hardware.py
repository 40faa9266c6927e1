import os
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from ophtimus_edge.models import hardware
from ophtimus_edge.models.hardware import Machine, read_machine

# The first lines of /proc/cpuinfo, as such machines have them.
WESTMERE = """processor\t: 0
model name\t: Intel(R) Core(TM) i5 CPU       M 540  @ 2.53GHz
flags\t\t: fpu vme sse sse2 ss ht tm pbe syscall nx rdtscp lm pni ssse3 cx16 sse4_1 sse4_2 popcnt aes lahf_lm
"""
ZEN4 = """processor\t: 0
model name\t: AMD Ryzen 7 7700 8-Core Processor
flags\t\t: fpu sse sse2 sse4_1 sse4_2 avx f16c fma avx2 bmi1 bmi2 avx512f avx512bw avx512_vnni avx512_bf16
processor\t: 1
model name\t: another
flags\t\t: fpu
"""
ARM = """processor\t: 0
Features\t: fp asimd evtstrm aes asimdrdm asimddp sve i8mm
CPU implementer\t: 0x41
"""


def machine(flags: list[str], architecture: str = "x86_64", unknown: list[str] | None = None) -> Machine:
    return Machine(
        system="", architecture=architecture, cpu_name="", cpu_flags=flags, physical_cores=1, usable_cores=1,
        memory_bytes=0, available_bytes=0, unknown_flags=unknown or [],
    )  # fmt: skip


def in_a_process(code: str) -> str:
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return result.stdout.strip()


@pytest.mark.skipif(sys.platform != "linux", reason="compares with what Linux says")
def test_what_is_read_is_what_the_system_says() -> None:
    found = read_machine()
    memory = dict(line.split(":", 1) for line in Path("/proc/meminfo").read_text().splitlines())
    assert found.memory_bytes == int(memory["MemTotal"].split()[0]) * 1024
    assert 0 < found.available_bytes <= found.memory_bytes
    words = Path("/proc/cpuinfo").read_text().split()
    assert found.cpu_flags
    assert set(found.cpu_flags) <= set(words) | {"neon", "dotprod"}
    assert found.cpu_name in Path("/proc/cpuinfo").read_text()
    assert found.usable_cores == len(os.sched_getaffinity(0))
    assert 1 <= found.physical_cores <= (os.cpu_count() or 1)
    assert found.unknown_flags == []


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="the system has no such call")
def test_the_cores_that_may_be_used_are_counted() -> None:
    code = (
        "import os\nos.sched_setaffinity(0, {CORE})\nfrom ophtimus_edge.models.hardware import read_machine\n"
    )
    core = min(os.sched_getaffinity(0))
    assert in_a_process(code.replace("CORE", str(core)) + "print(read_machine().usable_cores)") == "1"


def test_reading_the_machine_imports_nothing_that_an_old_processor_could_not_run() -> None:
    code = (
        "import sys\nfrom ophtimus_edge.models.hardware import read_machine\nread_machine()\n"
        "print('numpy' in sys.modules, 'llama_cpp' in sys.modules, 'msgspec' in sys.modules)"
    )
    assert in_a_process(code) == "False False True"


def test_without_a_library_for_cards_there_are_none_and_no_error() -> None:
    code = (
        "import sys\nsys.modules['pynvml'] = None\n"
        "from ophtimus_edge.models.hardware import read_machine\nprint(read_machine().gpus)"
    )
    assert in_a_process(code) == "[]"


def test_a_machine_survives_json() -> None:
    found = read_machine()
    assert msgspec.json.decode(msgspec.json.encode(found), type=Machine) == found


def test_instruction_sets_are_read_from_linux_names() -> None:
    name, flags, unknown = hardware._from_cpuinfo(ZEN4, "x86_64")
    assert name == "AMD Ryzen 7 7700 8-Core Processor"
    assert " ".join(flags) == "sse4_2 avx avx2 fma f16c bmi2 avx512f avx512bw avx512_vnni avx512_bf16"
    assert unknown == []
    assert hardware._from_cpuinfo(ARM, "arm64")[1] == ["neon", "dotprod", "i8mm", "sve"]
    # Where nothing is said, everything is unknown, and nothing is there or missing.
    assert hardware._from_cpuinfo("", "x86_64") == ("", [], list(hardware.X86_FLAGS))


def test_a_processor_that_is_too_old_is_told_from_one_that_does_not_say() -> None:
    old = hardware._from_cpuinfo(WESTMERE, "x86_64")[1]
    assert old == ["sse4_2"]
    assert hardware.lacks_avx(machine(old))
    assert not hardware.lacks_avx(machine(hardware._from_cpuinfo(ZEN4, "x86_64")[1]))
    assert not hardware.lacks_avx(machine([], unknown=["avx"]))
    assert not hardware.lacks_avx(machine(["neon"], architecture="arm64"))

"""The filter of system calls, run by the rules of the kernel's small machine: for CPUs that are not here too."""

import re
import socket
import struct
from pathlib import Path

import pytest

from ophtimus_edge.engine.worker import sandbox


def _runs(program: bytes, number: int, architecture: int, argument: int = 0) -> bool:
    """Whether a filter lets a system call through, by the rules of the kernel's small machine."""
    data = struct.pack("=IIQ6Q", number, architecture, 0, argument, 0, 0, 0, 0, 0)
    held, at = 0, 0
    while True:
        code, true, false, value = struct.unpack_from("=HBBI", program, at * 8)
        at += 1
        if code == 0x20:
            (held,) = struct.unpack_from("=I", data, value)
        elif code == 0x06:
            return bool(value == 0x7FFF0000)
        else:
            holds = held == value if code == 0x15 else held >= value
            at += true if holds else false


@pytest.mark.parametrize(("machine", "architecture"), [("x86_64", 0xC000003E), ("aarch64", 0xC00000B7)])
@pytest.mark.parametrize("own_sockets", [False, True])
def test_the_filter_refuses_what_it_names_and_nothing_else(
    machine: str, architecture: int, own_sockets: bool
) -> None:
    program = sandbox.filter_program(machine, own_sockets)
    named = sandbox.SYSTEM_CALLS[machine]
    refused = {number for name, number in named.items() if name != "seccomp"}
    left = {named[name] for name in ("bind", "listen", "accept", "accept4")} if own_sockets else set()
    for number in range(600):
        assert _runs(program, number, architecture) == (number not in refused or number in left)
        assert not _runs(program, number, 0x40000003)  # 32-bit
    for family in (socket.AF_UNIX, socket.AF_INET, socket.AF_INET6, socket.AF_NETLINK):
        allowed = own_sockets and family == socket.AF_UNIX
        assert _runs(program, named["socket"], architecture, family) == allowed
    if machine == "x86_64":
        assert not _runs(program, named["socket"] | 1 << 30, architecture)
        assert not _runs(program, 1 << 30, architecture)


@pytest.mark.parametrize("machine", ["x86_64", "aarch64"])
def test_the_numbers_are_those_of_the_kernel(machine: str) -> None:
    names = [Path("/usr/include/asm-generic/unistd.h")]
    if machine == "x86_64":
        names = sorted(Path("/usr/include").glob("**/asm/unistd_64.h"))
    if not names or not names[0].is_file():
        pytest.skip("the kernel's headers are not installed")
    header = dict(re.findall(r"define __NR(?:3264)?_(\w+)\s+(\d+)", names[0].read_text()))
    for name, number in sandbox.SYSTEM_CALLS[machine].items():
        assert int(header[name]) == number, name

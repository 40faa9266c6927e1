"""What the worker gives up before llama.cpp opens a file that nobody vouches for.

On Linux: Landlock takes the file system (reading what Python and llama.cpp need and the model's file,
writing nothing), a seccomp filter takes the network, other programs and other processes, and no memory
image is written when it crashes. The kernel holds to all of it for the rest of the process's life.
Elsewhere nothing is given up, and the answer says so. What this covers, and what not: docs/safety.md.
"""

import ctypes
import os
import platform
import stat
import struct
import sys
from collections.abc import Iterator
from pathlib import Path

ON = "on"
_NAMES = ("files", "network", "programs", "core dumps")

# prctl(2)
_SET_DUMPABLE, _SET_NO_NEW_PRIVS = 4, 38
# capabilities(7)
_CAPABILITIES_VERSION, _READ_ANY_FILE = 0x20080522, 1 << 1 | 1 << 2

# linux/landlock.h. The system calls have the same numbers on every architecture.
_CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF = 444, 445, 446
_ASK_VERSION, _PATH_BENEATH = 1, 1
_EXECUTE, _WRITE_FILE, _READ_FILE, _READ_DIR, _TRUNCATE, _IOCTL_DEV = (
    1 << bit for bit in (0, 1, 2, 3, 14, 15)
)
_OF_FILES = _EXECUTE | _WRITE_FILE | _READ_FILE | _TRUNCATE | _IOCTL_DEV
_ACCESS_BITS = {1: 13, 2: 14, 3: 15, 4: 15, 5: 16}  # version → rights on files that it knows
_TCP, _TCP_SINCE = 0b11, 4
_SCOPES, _SCOPES_SINCE = 0b11, 6  # abstract sockets and signals stay inside

# linux/seccomp.h, linux/bpf_common.h, linux/audit.h; numbers from asm/unistd.h.
_SET_MODE_FILTER, _ALL_THREADS = 1, 1
_LOAD, _JUMP_EQUAL, _JUMP_AT_LEAST, _RETURN = 0x20, 0x15, 0x35, 0x06
_AT_NUMBER, _AT_ARCHITECTURE, _AT_FIRST_ARGUMENT = 0, 4, 16  # in struct seccomp_data
_ALLOW, _REFUSE = 0x7FFF0000, 0x00050001  # EPERM
_X32 = 1 << 30  # system calls of x86-64's other binary interface
_AF_UNIX = 1
_EVERYWHERE = {
    "open_tree": 428, "move_mount": 429, "fsopen": 430, "fsconfig": 431, "fsmount": 432, "fspick": 433,
    "io_uring_setup": 425, "io_uring_enter": 426, "io_uring_register": 427, "pidfd_getfd": 438,
    "mount_setattr": 442,
}  # fmt: skip
SYSTEM_CALLS = {
    "x86_64": {
        "socket": 41, "connect": 42, "accept": 43, "sendto": 44, "sendmsg": 46, "bind": 49, "listen": 50,
        "accept4": 288, "sendmmsg": 307, "execve": 59, "execveat": 322, "ptrace": 101, "process_vm_readv": 310,
        "process_vm_writev": 311, "kcmp": 312, "bpf": 321, "perf_event_open": 298, "userfaultfd": 323,
        "unshare": 272, "setns": 308, "mount": 165, "umount2": 166, "pivot_root": 155, "chroot": 161,
        "open_by_handle_at": 304, "init_module": 175, "finit_module": 313, "delete_module": 176,
        "kexec_load": 246, "kexec_file_load": 320, "add_key": 248, "request_key": 249, "keyctl": 250,
        "seccomp": 317, **_EVERYWHERE,
    },
    "aarch64": {
        "socket": 198, "connect": 203, "accept": 202, "sendto": 206, "sendmsg": 211, "bind": 200, "listen": 201,
        "accept4": 242, "sendmmsg": 269, "execve": 221, "execveat": 281, "ptrace": 117, "process_vm_readv": 270,
        "process_vm_writev": 271, "kcmp": 272, "bpf": 280, "perf_event_open": 241, "userfaultfd": 282,
        "unshare": 97, "setns": 268, "mount": 40, "umount2": 39, "pivot_root": 41, "chroot": 51,
        "open_by_handle_at": 265, "init_module": 105, "finit_module": 273, "delete_module": 106,
        "kexec_load": 104, "kexec_file_load": 294, "add_key": 217, "request_key": 218, "keyctl": 219,
        "seccomp": 277, **_EVERYWHERE,
    },
}  # fmt: skip
_ARCHITECTURES = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
_OF_OWN_SOCKETS = {"socket", "bind", "listen", "accept", "accept4"}  # what CUDA does with a local socket

_SYSTEM_FOLDERS = ("/usr", "/lib", "/lib64", "/opt", "/proc", "/sys", "/etc/ld.so.cache", "/etc/localtime")
_DEVICES = ("/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom")
_GPUS = ("nvidia*", "dri", "kfd", "dxg")
_SHARED_MEMORY = "/dev/shm"  # noqa: S108 - logits go there


class _Refused(Exception):  # noqa: N818 - a reason, shown to people
    """The kernel would not have it."""


class _Ruleset(ctypes.Structure):
    _fields_ = (("files", ctypes.c_uint64), ("network", ctypes.c_uint64), ("scopes", ctypes.c_uint64))


class _PathRule(ctypes.Structure):
    _pack_ = 1
    _fields_ = (("access", ctypes.c_uint64), ("folder", ctypes.c_int32))


class _Filter(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("instructions", ctypes.c_char_p))


def restrict(model: Path) -> dict[str, str]:
    """Give up what serving a model does not need; there is no way back.

    Files are given up by this thread and by those that it starts later, so it comes before any other thread
    and before libraries that start some; the rest is given up by all threads.

    Args:
        model: the file that may still be opened.

    Returns:
        Each protection by name: "on", or why it is not. Nothing is raised: a machine without protections
        still answers.
    """
    if sys.platform != "linux":
        return dict.fromkeys(_NAMES, "off: on this system the program does not restrict itself")
    states = dict.fromkeys(_NAMES, ON)
    for names, step in (
        (_NAMES[:3], _no_privileges),
        (("core dumps",), _no_core_dumps),
        (("files",), lambda: _only_files(model)),
        (("network", "programs"), _no_network_no_programs),
    ):
        try:
            step()
        except (_Refused, OSError) as error:
            states.update(dict.fromkeys(names, f"off: {error}"))
    return states


def _no_core_dumps() -> None:
    """No image of the memory, with what was asked in it; no other program of this user may read it."""
    if sys.platform == "linux":
        import resource

        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    # A crash handler that cores are piped to is not bound by the limit, but by this. The state, the sizes
    # and the command line of the process stay readable for its user.
    _prctl(_SET_DUMPABLE, 0)


def _no_privileges() -> None:
    """Nothing of what an administrator may, but for reading files; and nothing that could be won back.

    Both Landlock and seccomp ask for the latter.
    """
    header = (ctypes.c_uint32 * 2)(_CAPABILITIES_VERSION, 0)
    sets = (ctypes.c_uint32 * 6)()  # effective, permitted, inheritable; of the first 32, then of the others
    library = ctypes.CDLL(None, use_errno=True)
    if library.capget(header, sets) == 0:
        kept = sets[1] & _READ_ANY_FILE
        if library.capset(header, (ctypes.c_uint32 * 6)(kept, kept, 0, 0, 0, 0)):
            raise _Refused(os.strerror(ctypes.get_errno()))
    _prctl(_SET_NO_NEW_PRIVS, 1)


def _only_files(model: Path) -> None:
    version = _system_call(_CREATE_RULESET, None, 0, _ASK_VERSION, missing="this kernel has no Landlock")
    known = (1 << _ACCESS_BITS[min(version, max(_ACCESS_BITS))]) - 1
    rules = _Ruleset(known, _TCP if version >= _TCP_SINCE else 0, _SCOPES if version >= _SCOPES_SINCE else 0)
    ruleset = _system_call(_CREATE_RULESET, ctypes.byref(rules), ctypes.sizeof(rules), 0)
    try:
        for path in _readable(model):
            _allow(ruleset, path, known & (_READ_FILE | _READ_DIR))
        for path in _writable():
            _allow(ruleset, path, known & (_READ_FILE | _READ_DIR | _WRITE_FILE | _IOCTL_DEV))
        _system_call(_RESTRICT_SELF, ruleset, 0)
    finally:
        os.close(ruleset)
    others = len(os.listdir("/proc/self/task")) - 1  # noqa: PTH208 - names alone
    if others:
        raise _Refused(f"for {others} threads that were there before; on for the others")


def _readable(model: Path) -> Iterator[Path]:
    """The model, Python, installed packages, the system's libraries, what the kernel says of the machine."""
    yield model
    yield Path(__file__).parents[2]  # this package, wherever an editable installation has it
    yield from map(Path, (sys.prefix, sys.base_prefix, sys.exec_prefix, sys.base_exec_prefix))
    folders = [*sys.path, *os.environ.get("LD_LIBRARY_PATH", "").split(":")]
    kept_out = {Path("/"), Path(os.environ.get("HOME", "/")), Path("/proc/self/cwd").readlink()}
    yield from (path for path in map(Path, filter(None, folders)) if path.resolve() not in kept_out)
    yield from map(Path, _SYSTEM_FOLDERS)


def _writable() -> Iterator[Path]:
    yield from map(Path, _DEVICES)
    yield Path(_SHARED_MEMORY)
    for pattern in _GPUS:
        yield from Path("/dev").glob(pattern)
    if _has_nvidia():
        yield Path("/proc/self/task")  # CUDA writes the names of its threads there, or does not start


def _has_nvidia() -> bool:
    return any(Path("/dev").glob("nvidia*"))


def _allow(ruleset: int, path: Path, access: int) -> None:
    if sys.platform != "linux":
        return
    try:
        place = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except OSError:
        return  # it is not there, so nothing will read it
    try:
        if not stat.S_ISDIR(os.fstat(place).st_mode):
            access &= _OF_FILES
        _system_call(_ADD_RULE, ruleset, _PATH_BENEATH, ctypes.byref(_PathRule(access, place)), 0)
    finally:
        os.close(place)


def _no_network_no_programs() -> None:
    machine = platform.machine()
    if machine not in SYSTEM_CALLS or ctypes.sizeof(ctypes.c_void_p) != 8:
        raise _Refused(f"system calls of {machine or 'this CPU'} are not known")
    program = filter_program(machine, _has_nvidia())
    rules = _Filter(len(program) // 8, program)
    number = SYSTEM_CALLS[machine]["seccomp"]
    thread = _system_call(
        number, _SET_MODE_FILTER, _ALL_THREADS, ctypes.byref(rules), missing="this kernel has no seccomp"
    )
    if thread:
        raise _Refused(f"thread {thread} has a filter of its own")


def filter_program(machine: str, own_sockets: bool) -> bytes:
    """The filter as the kernel's small machine runs it, 8 bytes an instruction.

    Args:
        machine: a key of :data:`SYSTEM_CALLS`.
        own_sockets: leave sockets that do not leave the machine, which CUDA opens; none can be connected.
    """
    calls = SYSTEM_CALLS[machine]
    refused = [
        number for name, number in calls.items()
        if name != "seccomp" and not (own_sockets and name in _OF_OWN_SOCKETS)
    ]  # fmt: skip
    # A jump skips so many instructions where it is so, and so many where it is not; "refuse" is the last.
    lines: list[tuple[int, int, int | str, int | str]] = [
        (_LOAD, _AT_ARCHITECTURE, 0, 0),
        (_JUMP_EQUAL, _ARCHITECTURES[machine], 0, "refuse"),
        (_LOAD, _AT_NUMBER, 0, 0),
    ]
    if machine == "x86_64":
        lines.append((_JUMP_AT_LEAST, _X32, "refuse", 0))
    lines += [(_JUMP_EQUAL, number, "refuse", 0) for number in refused]
    if own_sockets:
        lines.append((_JUMP_EQUAL, calls["socket"], 0, 2))
        lines.append((_LOAD, _AT_FIRST_ARGUMENT, 0, 0))
        lines.append((_JUMP_EQUAL, _AF_UNIX, 0, "refuse"))
    lines += [(_RETURN, _ALLOW, 0, 0), (_RETURN, _REFUSE, 0, 0)]
    program = b""
    for at, (code, value, true, false) in enumerate(lines):
        skipped = [len(lines) - 2 - at if jump == "refuse" else jump for jump in (true, false)]
        program += struct.pack("=HBBI", code, *skipped, value)
    return program


def _prctl(option: int, value: int) -> None:
    library = ctypes.CDLL(None, use_errno=True)
    if library.prctl(option, ctypes.c_ulong(value), ctypes.c_ulong(0), ctypes.c_ulong(0), ctypes.c_ulong(0)):
        raise _Refused(os.strerror(ctypes.get_errno()))


def _system_call(number: int, *args: object, missing: str = "") -> int:
    library = ctypes.CDLL(None, use_errno=True)
    library.syscall.restype = ctypes.c_long
    words = [ctypes.c_long(word) if isinstance(word, int) else word for word in args]
    result: int = library.syscall(ctypes.c_long(number), *words)
    if result < 0:
        raise _Refused(missing or os.strerror(ctypes.get_errno()))
    return result

"""What the worker gives up: each thing is first shown to work without the restrictions.

The probes run in a process of their own, once as any process and once restricted.
"""

import contextlib
import ctypes
import importlib
import json
import os
import re
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from multiprocessing.shared_memory import SharedMemory
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest

from ophtimus_edge.engine.client import Engine
from ophtimus_edge.engine.worker import sandbox
from ophtimus_edge.models import store

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the worker restricts itself on Linux only")

_GET_DUMPABLE, _SET_DUMPABLE = 3, 4
_TRACE_ME, _NEW_USER = 0, 0x10000000


class Place:
    """What the probes reach for."""

    def __init__(self, arguments: dict[str, Any]) -> None:
        self.model = Path(arguments["model"])
        self.folder = Path(arguments["folder"])
        self.port: int = arguments["port"]
        self.memory: str = arguments["memory"]
        self.parent: int = arguments["parent"]
        self.old_thread: Callable[[Callable[[], object]], None] = lambda _: None

    def connect(self, kind: int, family: int, address: object) -> None:
        with socket.socket(family, kind) as found:
            found.connect(address)  # type: ignore[arg-type]
            found.send(b"x")


def _in_child(run: Callable[[], object]) -> None:
    """Run something that changes the process, in a child."""
    child = os.fork()
    if child == 0:
        code = 0
        try:
            run()
        except OSError as error:
            code = error.errno or 255
        finally:
            os._exit(code)
    _, status = os.waitpid(child, 0)
    if code := os.waitstatus_to_exitcode(status):
        raise OSError(code, os.strerror(code) if code > 0 else f"signal {-code}")


def _call(name: str, *args: object) -> None:
    library = ctypes.CDLL(None, use_errno=True)
    if getattr(library, name)(*args) < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))


def _listen() -> None:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        found.listen()


def _datagram(place: Place) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as found:
        found.sendto(b"x", ("127.0.0.1", place.port))


def _read_own_memory() -> None:
    source, target = ctypes.create_string_buffer(b"secret"), ctypes.create_string_buffer(6)

    def vector(buffer: Any) -> Any:
        return (ctypes.c_size_t * 2)(ctypes.addressof(buffer), 6)

    _call(
        "process_vm_readv",
        os.getpid(),
        vector(target),
        ctypes.c_ulong(1),
        vector(source),
        ctypes.c_ulong(1),
        0,
    )


def _become(program: str) -> None:
    _in_child(lambda: os.execv(program, [program]))  # noqa: S606 - it is what is tried


def _new_memory() -> None:
    memory = SharedMemory(create=True, size=16)
    memory.close()
    memory.unlink()


DENIED: dict[str, Callable[[Place], object]] = {
    "read a file elsewhere": lambda place: (place.folder / "secret").read_text(),
    "read a file of the system": lambda _: Path("/etc/passwd").read_text(),
    "read a file beside the model": lambda place: (place.model.parent / "model.json").read_bytes(),
    "list a folder elsewhere": lambda place: list(place.folder.iterdir()),
    "list the model's folder": lambda place: list(place.model.parent.iterdir()),
    "write a file elsewhere": lambda place: (place.folder / "new").write_text("x"),
    "write a file beside the model": lambda place: (place.model.parent / "new").write_text("x"),
    "write over the model": lambda place: place.model.open("r+b").close(),
    "write behind a file": lambda place: (place.folder / "log").open("a").close(),
    "write a temporary file": lambda _: tempfile.TemporaryFile(dir="/tmp").close(),
    "write into Python": lambda _: tempfile.TemporaryFile(dir=sys.prefix).close(),
    "write a setting of the kernel": lambda _: Path("/proc/self/oom_score_adj").write_text("0"),
    "cut a file": lambda place: os.truncate(place.folder / "long", 1),
    "rename a file": lambda place: (place.folder / "old").rename(place.folder / "older"),
    "remove a file": lambda place: (place.folder / "gone").unlink(),
    "make a folder": lambda place: (place.folder / "made").mkdir(),
    "remove a folder": lambda place: (place.folder / "empty").rmdir(),
    "make a link": lambda place: (place.folder / "link").symlink_to("secret"),
    "make a pipe": lambda place: os.mkfifo(place.folder / "pipe"),
    "make shared memory": lambda _: _new_memory(),
    "connect": lambda place: place.connect(socket.SOCK_STREAM, socket.AF_INET, ("127.0.0.1", place.port)),
    "connect to a local socket": lambda place: place.connect(
        socket.SOCK_STREAM, socket.AF_UNIX, str(place.folder / "socket")
    ),
    "send a datagram": _datagram,
    "listen": lambda _: _listen(),
    "a socket of the kernel's": lambda _: socket.socket(socket.AF_NETLINK, socket.SOCK_RAW).close(),
    "run a program": lambda _: subprocess.run(["/bin/true"], check=True),
    "become a program": lambda _: _become("/bin/true"),
    "be traced": lambda _: _in_child(lambda: _call("ptrace", _TRACE_ME, 0, 0, 0)),
    "read a process's memory": lambda _: _read_own_memory(),
    "read another process's environment": lambda place: Path(f"/proc/{place.parent}/environ").read_bytes(),
    "a namespace of its own": lambda _: _in_child(lambda: _call("unshare", _NEW_USER)),
    "a socket of a thread that was there before": lambda place: place.old_thread(_listen),
}
ALLOWED: dict[str, Callable[[Place], object]] = {
    "read the model": lambda place: place.model.read_bytes(),
    "import a module": lambda _: importlib.import_module("colorsys"),
    "read what the kernel says": lambda _: [
        Path(name).read_bytes()
        for name in ("/proc/meminfo", "/proc/cpuinfo", "/proc/self/status", "/sys/devices/system/cpu/online")
    ],
    "write into nothing": lambda _: Path("/dev/null").write_text("x"),
    "draw random numbers": lambda _: [os.urandom(8), Path("/dev/urandom").open("rb").close()],
    "write to the open log": lambda _: os.write(2, b"a line\n"),
    "start threads": lambda _: _join(threading.Thread(target=_join)),
    "write into the client's shared memory": lambda place: _write_memory(place.memory),
}


def _join(thread: threading.Thread | None = None) -> None:
    if thread:
        thread.start()
        thread.join()


def _write_memory(name: str) -> None:
    with Path("/dev/shm", name).open("r+b") as file:  # noqa: S108 - where Linux has shared memory
        file.write(b"logits")


def main() -> None:
    """In the process of its own: whether each probe is done, a JSON object."""
    arguments = json.loads(sys.argv[1])
    place = Place(arguments)
    orders: list[Callable[[], object]] = []
    ordered, done = threading.Event(), threading.Event()
    failures: list[OSError] = []

    def old_thread() -> None:
        ordered.wait()
        try:
            orders[0]()
        except OSError as error:
            failures.append(error)
        done.set()

    def order(run: Callable[[], object]) -> None:
        orders.append(run)
        ordered.set()
        done.wait()
        if failures:
            raise failures[0]

    place.old_thread = order
    threading.Thread(target=old_thread, daemon=True).start()
    states = sandbox.restrict(place.model) if arguments["restricted"] else {}
    found: dict[str, Any] = {"states": states}
    for name, probe in {**DENIED, **ALLOWED}.items():
        try:
            probe(place)
            found[name] = "done"
        except OSError as error:
            found[name] = f"refused: {error}"
        except Exception as error:
            found[name] = f"failed: {error!r}"
    import resource

    found["core"] = [ctypes.CDLL(None).prctl(_GET_DUMPABLE), *resource.getrlimit(resource.RLIMIT_CORE)]
    print(json.dumps(found))  # noqa: T201


@contextlib.contextmanager
def listening(folder: Path) -> Iterator[int]:
    """Something to connect to: a port and a local socket."""
    with socket.socket() as over_tcp, socket.socket(socket.AF_UNIX) as local:
        over_tcp.bind(("127.0.0.1", 0))
        over_tcp.listen()
        local.bind(str(folder / "socket"))
        local.listen()
        yield over_tcp.getsockname()[1]


@pytest.fixture(scope="module")
def probed(tiny_model: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[bool, dict[str, Any]]:
    """What the probes did, by whether the process was restricted."""
    results = {}
    for restricted in (False, True):
        folder = tmp_path_factory.mktemp("reached")
        for name in ("secret", "log", "long", "old", "gone"):
            (folder / name).write_text("what nobody else should read")
        (folder / "empty").mkdir()
        memory = SharedMemory(create=True, size=64)
        try:
            with listening(folder) as port:
                arguments = {
                    "model": str(tiny_model / "tiny-Q4_K_M.gguf"),
                    "folder": str(folder),
                    "port": port,
                    "memory": memory.name,
                    "parent": os.getpid(),
                    "restricted": restricted,
                }
                # Started elsewhere than where the probes reach: a process's own folder is no exception.
                process = subprocess.run(
                    [sys.executable, __file__, json.dumps(arguments)],
                    capture_output=True,
                    text=True,
                    timeout=120,
                    check=False,
                    cwd="/",
                )
            assert process.returncode == 0, process.stderr
            results[restricted] = json.loads(process.stdout)
            assert bytes(memory.buf[:6]) == b"logits"
        finally:
            memory.close()
            memory.unlink()
        (tiny_model / "new").unlink(missing_ok=True)
    return results


def protected(states: dict[str, str]) -> bool:
    return all(state == sandbox.ON or "threads that were there before" in state for state in states.values())


@pytest.mark.parametrize("name", DENIED)
def test_what_is_given_up_worked_before(probed: dict[bool, dict[str, Any]], name: str) -> None:
    if not protected(probed[True]["states"]):
        pytest.skip(f"this kernel protects less: {probed[True]['states']}")
    assert probed[False][name] == "done"
    assert probed[True][name].startswith("refused: ")


@pytest.mark.parametrize("name", ALLOWED)
def test_what_is_needed_still_works(probed: dict[bool, dict[str, Any]], name: str) -> None:
    assert probed[False][name] == "done"
    assert probed[True][name] == "done"


def test_threads_that_were_there_before_are_counted(probed: dict[bool, dict[str, Any]]) -> None:
    """The probes' process has one; its files are not given up, and that is said."""
    states = probed[True]["states"]
    assert set(states) == {"files", "network", "programs", "core dumps"}
    if protected(states):
        assert re.search(r"[1-9]\d* threads that were there before", states["files"])
        assert states["network"] == states["programs"] == states["core dumps"] == "on"


def test_no_image_of_the_memory_is_written(probed: dict[bool, dict[str, Any]]) -> None:
    assert probed[False]["core"][0] == 1
    assert probed[True]["core"] == [0, 0, 0]


def test_the_process_can_be_watched_but_not_read(tiny_model: Path) -> None:
    """By another process of the same user, who is not the administrator."""
    script = (
        "import ctypes, json, os, signal, sys, time\n"
        "from pathlib import Path\n"
        "import psutil\n"
        "from ophtimus_edge.engine.worker.sandbox import restrict\n"
        "children, found = {}, {}\n"
        "root = os.geteuid() == 0\n"
        "for restricted in (False, True):\n"
        "    ready, written = os.pipe()\n"
        "    children[restricted] = os.fork()\n"
        "    if not children[restricted]:\n"
        "        root and (os.setgid(65534), os.setuid(65534))\n"
        f"        ctypes.CDLL(None).prctl({_SET_DUMPABLE}, 1, 0, 0, 0)\n"
        "        restricted and restrict(Path(sys.argv[1]))\n"
        "        os.write(written, b'x'); time.sleep(60); os._exit(0)\n"
        "    os.read(ready, 1)\n"
        "root and (os.setgid(65534), os.setuid(65534))\n"
        "for restricted, child in children.items():\n"
        "    process = psutil.Process(child)\n"
        "    os.kill(child, signal.SIGSTOP); os.waitpid(child, os.WUNTRACED)\n"
        "    one = {'rss': process.memory_info().rss, 'status': process.status(),\n"
        "           'line': process.cmdline()[0], 'peak': 'VmHWM' in Path(f'/proc/{child}/status').read_text()}\n"
        "    try:\n"
        "        one['memory'] = len(Path(f'/proc/{child}/maps').read_bytes()) > 0\n"
        "    except PermissionError:\n"
        "        one['memory'] = False\n"
        "    found[str(restricted)] = one\n"
        "    os.kill(child, signal.SIGKILL); os.waitpid(child, 0)\n"
        "print(json.dumps(found))\n"
    )
    process = subprocess.run(
        [sys.executable, "-c", script, str(tiny_model / "tiny-Q4_K_M.gguf")],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert process.returncode == 0, process.stderr
    for restricted, one in json.loads(process.stdout).items():
        assert one["rss"] > 1 << 20
        assert one["status"] == psutil.STATUS_STOPPED
        assert one["line"]
        assert one["peak"]
        assert one["memory"] == (restricted == "False")


async def test_a_restricted_worker_answers_and_gives_logits(tiny_model: Path) -> None:
    from engines import QUESTION, collect  # not in the processes of the probes, which do not have it

    async with Engine() as engine:
        loaded = await engine.load(store.choose(str(tiny_model), "BF16"))
        if "this kernel has no" not in " ".join(loaded.protections.values()):
            assert loaded.protections == dict.fromkeys(("files", "network", "programs", "core dumps"), "on")
        text, answered = await collect(engine, QUESTION, 12)
        ids = await engine.tokenize("What is glaucoma?")
        logits = [window.copy() async for window in engine.logits([ids, ids[:2], ids], last=2)]
        assert engine.process_id
        assert psutil.Process(engine.process_id).children() == []
    assert answered.completion_tokens == 12
    assert text
    assert logits[0].shape == (2, loaded.vocabulary)
    assert np.isfinite(logits[0]).all()
    np.testing.assert_array_equal(logits[0], logits[2])
    assert (logits[0] != logits[1]).any()


def test_on_another_system_it_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "win32")
    states = sandbox.restrict(Path("model.gguf"))
    assert set(states) == {"files", "network", "programs", "core dumps"}
    assert all(state.startswith("off: ") for state in states.values())


if __name__ == "__main__":
    main()

"""No network: whole sessions without one, and under a trace of system calls in which no internet socket is opened.

The commands that a clinic uses, and the app in a pseudo-terminal with a question asked and answered: once in a
network namespace without any device but an unconfigured loopback, once with every system call of the network seen.
"""

import os
import re
import select
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from conftest import BIN
from installing import EYES, Model, Order, make_kit

from ophtimus_edge import settings
from ophtimus_edge.kit import keys

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="namespaces and strace are Linux's")

INTERNET = re.compile(r"\b(?:AF|PF)_(?:INET6?|PACKET)\b")
OPHTIMUS = str(BIN / "ophtimus")

without_network = pytest.mark.skipif(
    shutil.which("unshare") is None or os.geteuid() != 0, reason="needs root and unshare"
)
traced = pytest.mark.skipif(shutil.which("strace") is None, reason="system calls are seen with strace")


def in_terminal(command: Sequence[str]) -> str:
    """The app as a person has it: opened, the example asked and answered, left with Ctrl+Q; everything it sent."""
    # A few words are enough: under a trace each of the engine's many waits for a thread takes a stop of the process.
    settings.write(settings.Settings(first_start_done=settings.FIRST_START, max_tokens=4))
    leader, follower = os.openpty()
    seen = b""
    with subprocess.Popen(
        command, stdin=follower, stdout=follower, stderr=follower,
        env={**os.environ, "TERM": "xterm-256color", "LC_ALL": "C.UTF-8", "COLUMNS": "110", "LINES": "32"},
        preexec_fn=lambda: os.login_tty(follower),
    ) as process:  # fmt: skip
        os.close(follower)

        def until(words: str) -> None:
            nonlocal seen
            deadline = time.monotonic() + 240
            while words.encode() not in seen:
                assert time.monotonic() < deadline, seen[-3000:]
                if select.select([leader], [], [], 0.2)[0]:
                    try:
                        seen += os.read(leader, 1 << 16)
                    except OSError:
                        assert words.encode() in seen, seen[-3000:]

        try:
            until("ready")
            os.write(leader, b"\r")
            until("cut short")
            os.write(leader, b"\x11")
            deadline = time.monotonic() + 60
            while process.poll() is None:
                assert time.monotonic() < deadline
                if select.select([leader], [], [], 0.1)[0]:
                    try:
                        seen += os.read(leader, 1 << 16)
                    except OSError:
                        break
            assert process.wait(60) == 0
        finally:
            process.kill()
            os.close(leader)
    return seen.decode(errors="replace")


def session(run: Callable[[Sequence[str]], "subprocess.CompletedProcess[str]"], tmp_path: Path) -> None:
    """Every command of a clinic's day, each of which has to succeed."""
    questions = tmp_path / "questions.txt"
    questions.write_text("What is glaucoma?\n녹내장이란 무엇인가요?\n", encoding="utf-8")
    out = tmp_path / "answers.jsonl"
    for words in (
        ["ask", "--max-tokens", "8", "What is glaucoma?"],
        ["batch", str(questions), "--out", str(out), "--max-tokens", "8"],
        ["models", "list"],
        ["models", "verify"],
        ["doctor"],
    ):
        result = run([OPHTIMUS, *words])
        assert result.returncode == 0, (words, result.stderr)
        assert result.stdout or words[0] == "batch"
    assert len(out.read_text(encoding="utf-8").splitlines()) == 2


def started(command: Sequence[str]) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)


def can_trace(tmp_path: Path) -> None:
    """Leave the test out where nobody may trace; else show that an internet socket would be seen."""
    trace = tmp_path / "seen"
    script = "import socket; socket.socket(socket.AF_INET6).close(); socket.socket(socket.AF_INET).close()"
    result = started(["strace", "-f", "-o", str(trace), "-e", "trace=%network", sys.executable, "-c", script])
    if "ptrace" in result.stderr or not trace.exists():
        pytest.skip("this machine lets nobody trace")
    assert len(INTERNET.findall(trace.read_text())) >= 2


@without_network
def test_a_clinics_day_needs_no_network(tmp_path: Path) -> None:
    probe = "import socket; socket.create_connection(('127.0.0.1', 9), 1)"
    unreachable = started(["unshare", "-n", sys.executable, "-c", probe])
    assert "Network is unreachable" in unreachable.stderr or "Errno 99" in unreachable.stderr
    session(lambda command: started(["unshare", "-n", *command]), tmp_path)


@without_network
def test_the_app_needs_no_network() -> None:
    assert "glaucoma" in in_terminal(["unshare", "-n", OPHTIMUS])


@traced
def test_no_command_opens_an_internet_socket(tmp_path: Path) -> None:
    can_trace(tmp_path)
    traces: list[Path] = []

    def run(command: Sequence[str]) -> "subprocess.CompletedProcess[str]":
        traces.append(tmp_path / f"trace-{len(traces)}")
        return started(["strace", "-f", "-o", str(traces[-1]), "-e", "trace=%network", *command])

    session(run, tmp_path)
    calls = [trace.read_text(errors="replace") for trace in traces]
    assert not [call for text in calls for call in text.splitlines() if INTERNET.search(call)]
    # The trace saw the workers too: asyncio's pair of local sockets is in it.
    assert any("AF_UNIX" in text for text in calls)


@traced
def test_the_app_opens_no_internet_socket(tmp_path: Path) -> None:
    can_trace(tmp_path)
    trace = tmp_path / "trace"
    in_terminal(["strace", "-f", "-o", str(trace), "-e", "trace=%network", OPHTIMUS])
    calls = trace.read_text(errors="replace")
    assert not [call for call in calls.splitlines() if INTERNET.search(call)]
    assert "AF_UNIX" in calls


@traced
def test_no_installation_opens_an_internet_socket(tmp_path: Path) -> None:
    can_trace(tmp_path)
    kit, trace = tmp_path / "kit", tmp_path / "trace"
    make_kit(kit, keys.generate_key(), Order(models={"eyes": Model(EYES)}))
    install = [OPHTIMUS, "kit", "install", str(kit), "--yes", "--to", str(tmp_path / "program")]
    result = started(["strace", "-f", "-o", str(trace), "-e", "trace=%network,execve", *install])
    assert result.returncode == 0, result.stderr
    calls = trace.read_text(errors="replace")
    assert not [call for call in calls.splitlines() if INTERNET.search(call)]
    assert '"--no-index"' in calls  # pip was seen, too

"""Whatever is acknowledged is on the disk: seen in the system calls between a call and its return."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

KEEPING = """
import os, sys
from pathlib import Path
from histories import HOW, KEY
from ophtimus_edge.history.store import Store
from ophtimus_edge.history.talk import new_talk

store = Store(Path(sys.argv[1]), KEY)
talk = new_talk()

def step(name, call, *given):
    os.write(1, f"call {name}\\n".encode())
    call(*given)
    os.write(1, f"kept {name}\\n".encode())

step("begin", store.begin, talk)
question = talk.ask("one")
step("question", store.keep_question, talk, question)
reply = talk.begin_reply(question, HOW)
for number in range(3):
    reply.text += "word "
    step(f"growing {number}", store.keep_reply, talk, question, reply)
reply.finish = "stop"
step("whole", store.keep_reply, talk, question, reply)
talk.pinned = True
step("view", store.keep_view, talk)
step("deletion", store.delete, [talk.id])
"""


@pytest.mark.skipif(shutil.which("strace") is None, reason="system calls are seen with strace")
def test_every_change_is_synced_before_it_is_acknowledged(tmp_path: Path) -> None:
    trace, folder = tmp_path / "trace", tmp_path / "profile"
    folder.mkdir()
    result = subprocess.run(
        [
            "strace", "-f", "-o", str(trace), "-e", "trace=openat,write,pwrite64,fsync,fdatasync",
            sys.executable, "-c", KEEPING, str(folder),
        ],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
        check=False,
    )  # fmt: skip
    if "ptrace" in result.stderr:
        pytest.skip("this machine lets nobody trace")
    assert result.returncode == 0, result.stderr
    calls = trace.read_text()
    assert "etilqs" not in calls  # SQLite's temporary files, which nothing encrypts
    steps = re.findall(r'write\(1, "call (.*?)\\n"(.*?)write\(1, "kept \1\\n"', calls, re.DOTALL)
    assert [name for name, _ in steps] == [
        "begin", "question", "growing 0", "growing 1", "growing 2", "whole", "view", "deletion",
    ]  # fmt: skip
    for name, between in steps:
        written = [match.start() for match in re.finditer(r"(pwrite64|write)\(\d+", between)]
        synced = [match.start() for match in re.finditer(r"f(data)?sync\(\d+\)\s+= 0", between)]
        assert written, name
        assert synced, name
        assert max(synced) > min(written), name

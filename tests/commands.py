"""What the tests of commands share."""

import os
import pty
import subprocess

from conftest import BIN


def two_lines(result: "subprocess.CompletedProcess[str]", code: int = 1) -> str:
    """Assert that a command ended with the two lines of an error; returns all that it said.

    What it said before them, such as which file it was reading, is for the test to look at.
    """
    assert result.returncode == code, result.stderr
    lines = result.stderr.rstrip("\n").split("\n")
    assert lines[-2].startswith("ophtimus: "), result.stderr
    assert lines[-1].startswith("          "), result.stderr
    assert sum(line.startswith("ophtimus: ") for line in lines) == 1, result.stderr
    assert "Traceback" not in result.stderr + result.stdout
    return result.stderr


def in_terminal(*words: str, typed: list[tuple[str, str]]) -> tuple[int, str, str]:
    """Run in a terminal, and type each answer when its prompt stands there: exit code, output, terminal."""
    leader, follower = pty.openpty()
    shown = ""
    with subprocess.Popen(
        [str(BIN / "ophtimus"), *words],
        stdin=follower, stdout=subprocess.PIPE, stderr=follower, start_new_session=True,
        env={**os.environ, "PYTHONUTF8": "1", "COLUMNS": "200"},
    ) as process:  # fmt: skip
        os.close(follower)
        for prompt, answer in typed:
            start = len(shown)
            while prompt not in shown[start:]:
                shown += os.read(leader, 4096).decode(errors="replace")
            os.write(leader, f"{answer}\n".encode())
        output, _ = process.communicate(timeout=60)
        try:
            while data := os.read(leader, 4096):
                shown += data.decode(errors="replace")
        except OSError:
            pass  # Linux says so at the end
    os.close(leader)
    return process.returncode, output.decode(), shown

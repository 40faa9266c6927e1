"""What the tests of commands share."""

import subprocess


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

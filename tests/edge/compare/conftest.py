"""What the tests of ``ophtimus compare`` share: the command in this process, which has loaded its libraries once."""

import contextlib
import io
import subprocess
from pathlib import Path

import pytest
from conftest import Command

from ophtimus_edge.cli import main
from ophtimus_edge.models import probe


@pytest.fixture
def compare(monkeypatch: pytest.MonkeyPatch) -> Command:
    """Run ``ophtimus compare`` on a machine whose speed is known; returns what it printed and its exit code.

    For tests of what is compared: that a person's command is all of that is asserted by those that start one.
    """
    known = probe.Probe(threads=2, bandwidth=1e10, arithmetic=5e10, step_s=3e-8)
    monkeypatch.setattr(probe, "run", lambda _machine, _threads: known)

    def run(*words: str, cwd: Path | None = None) -> "subprocess.CompletedProcess[str]":
        out, err = io.StringIO(), io.StringIO()
        with (
            contextlib.chdir(cwd or Path.cwd()),
            contextlib.redirect_stdout(out),
            contextlib.redirect_stderr(err),
        ):
            try:
                code = main(["compare", *words])
            except SystemExit as ending:  # of argparse
                code = int(ending.code or 0)
        return subprocess.CompletedProcess(words, code, out.getvalue(), err.getvalue())

    return run

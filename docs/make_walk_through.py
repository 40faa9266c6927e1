"""Makes docs/walk-through.md anew: runs every command that stands in it, in order, and puts in what each said.

    .venv/bin/python docs/make_walk_through.py [PAGE]

In the root of the project. Each block that begins with ``$ `` is run by a shell that finds the programs of this
environment first, with data and settings of its own (`XDG_…_HOME`), so that nothing of the reader's is touched; only
the cache is theirs. What it says on standard output takes the place of the old output.
Where the project lies on this machine is left out.
``<!-- first 20, last 30 -->`` before a block keeps so many lines of a long output, with … between them;
``<!-- at a terminal, Enter -->`` gives it a terminal, where every question is answered with Enter alone. Where a
command fails, the page stays as it was.
"""

import os
import pty
import re
import subprocess
import sys
import tempfile
from pathlib import Path

_BLOCK = re.compile(
    r"(?P<cut><!-- first (?P<first>\d+), last (?P<last>\d+) -->\n)?"
    r"(?P<terminal><!-- at a terminal, Enter -->\n)?```\n\$ (?P<command>.+?)\n(?P<output>.*?)```\n",
    re.DOTALL,
)


def run(command: str, environment: dict[str, str]) -> tuple[int, bytes]:
    """Run a command without a terminal; its exit code and what it said."""
    done = subprocess.run(
        ["sh", "-c", command], env=environment, stdout=subprocess.PIPE, stdin=subprocess.DEVNULL, check=False,
    )  # fmt: skip
    return done.returncode, done.stdout


def run_at_a_terminal(command: str, environment: dict[str, str]) -> tuple[int, bytes]:
    """Run a command at a terminal and answer its questions with Enter; its exit code and what it said."""
    process, terminal = pty.fork()
    if process == 0:
        os.execvpe("sh", ["sh", "-c", command], environment)  # noqa: S606
    seen = b""
    while True:
        try:
            data = os.read(terminal, 1 << 16)
        except OSError:  # the last program that had it open has ended
            break
        seen += data
        if data.endswith(b": "):
            os.write(terminal, b"\n")
    os.close(terminal)
    return os.waitstatus_to_exitcode(os.waitpid(process, 0)[1]), seen


def said(command: str, environment: dict[str, str], terminal: bool) -> str:
    """What a command says; a line that was drawn over counts as it stood in the end.

    Raises:
        SystemExit: it failed.
    """
    print(f"$ {command}", flush=True)
    code, output = (run_at_a_terminal if terminal else run)(command, environment)
    text = output.decode("utf-8", "replace").replace("\r\n", "\n").replace(f"{Path.cwd()}/", "")
    print(text, flush=True)
    if code:
        sys.exit(f"the page stays as it was: {command!r} ended with {code}")
    lines = [line.rsplit("\r", 1)[-1].rstrip() for line in text.split("\n")]
    return "\n".join(lines).strip("\n")


def block(found: re.Match[str], environment: dict[str, str]) -> str:
    """A block with the output that its command has now."""
    lines = said(found["command"], environment, bool(found["terminal"])).splitlines()
    if found["cut"] and len(lines) > int(found["first"]) + int(found["last"]):
        lines = [*lines[: int(found["first"])], "…", *lines[len(lines) - int(found["last"]) :]]
    shown = "".join(f"{line}\n" for line in lines)
    return f"{found['cut'] or ''}{found['terminal'] or ''}```\n$ {found['command']}\n{shown}```\n"


def main() -> None:
    """Run the page's commands and write it."""
    page = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).with_name("walk-through.md")
    with tempfile.TemporaryDirectory(prefix="walk-") as home:
        programs = str(Path(sys.executable).parent)
        environment = os.environ | {
            **{f"XDG_{kind}_HOME": f"{home}/{kind.lower()}" for kind in ("DATA", "CONFIG", "STATE")},
            "PATH": f"{programs}{os.pathsep}{os.environ['PATH']}",
            "COLUMNS": "120",
        }
        text = _BLOCK.sub(lambda found: block(found, environment), page.read_text(encoding="utf-8"))
    page.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()

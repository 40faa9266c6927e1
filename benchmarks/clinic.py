"""A clinic's computer with Debian's python3 and python3-venv alone: a kit on it from the first day to the last.

    python benchmarks/clinic.py FIRST_KIT SECOND_KIT --log docs/clinic-install.md [--trace]

As root, on Debian, with debootstrap (and strace for --trace). Makes a minimal system in a folder, mounts the kits
into it read-only and without the right to execute anything from them, and then, as a person of that system and in an
empty network namespace: installs the first kit at a terminal, asks a question, updates to the second kit, goes back,
and uninstalls. Every command and what it said go into the log. With --trace the same is done under strace, and every
socket that any process asks for is counted by its family; one of the internet's is a failure.
"""

import argparse
import collections
import contextlib
import datetime
import hashlib
import os
import pty
import re
import select
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

PERSON = "clinic"
STICK = "/media/stick"
PROGRAM = f"/home/{PERSON}/.local/share/ophtimus/program"
QUESTION = "What is glaucoma?"
PATIENCE_S = 1800


class FailedError(Exception):
    """A step did not end as it must."""


class Log:
    """The log: shown as it grows, and written as Markdown at the end."""

    def __init__(self) -> None:
        self.parts: list[str] = []

    def say(self, text: str) -> None:
        print(text, flush=True)
        self.parts.append(text + "\n")

    def block(self, command: str, output: str, seconds: float, code: int) -> None:
        shown = "\n".join(line.rstrip() for line in cleaned(output).splitlines())
        print(f"$ {command}\n{shown}\n[{code}, {seconds:.1f} s]\n", flush=True)
        ending = f"exit {code}, {seconds:.1f} s"
        self.parts.append(f"```\n$ {command}\n{shown}\n```\n{ending}\n")


def cleaned(output: str) -> str:
    """What a terminal shows in the end: without colours, and of a line that is drawn again and again the last."""
    plain = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]|\x1b[()][A-Z0-9]", "", output).replace("\r\n", "\n")
    lines = [line.split("\r")[-1] for line in plain.split("\n")]
    return "\n".join(line for at, line in enumerate(lines) if line.strip() or (at and lines[at - 1].strip()))


def mirror() -> tuple[str, str]:
    """Where this machine's own apt takes Debian from, and which release."""
    listed = subprocess.run(
        ["apt-get", "indextargets", "--format", "$(REPO_URI) $(CODENAME) $(COMPONENT)", "Created-By: Packages"],
        capture_output=True, text=True, check=True,
    ).stdout  # fmt: skip
    for line in listed.splitlines():
        address, release, component = line.split()
        if component == "main" and not re.search(r"-(updates|security|backports)", release):
            return address.rstrip("/"), release
    raise FailedError("apt of this machine has no Debian repository: run apt-get update")


@contextlib.contextmanager
def system(folder: Path, stick: Path) -> Iterator[None]:
    """A minimal Debian in a folder, with a person in it and a stick in its drive."""
    address, release = mirror()
    if not (folder / "usr/bin/python3").exists():
        packages = "--include=python3,python3-venv"
        subprocess.run(
            ["debootstrap", "--variant=minbase", packages, release, str(folder), address], check=True
        )
        subprocess.run(["chroot", str(folder), "useradd", "-m", "-s", "/bin/sh", PERSON], check=True)
    home = folder / "home" / PERSON
    for left in home.iterdir():
        shutil.rmtree(left) if left.is_dir() and not left.is_symlink() else left.unlink()
    (folder / STICK[1:]).mkdir(parents=True, exist_ok=True)
    mounts = [
        ["mount", "-t", "proc", "proc", str(folder / "proc")],
        ["mount", "--bind", "/dev", str(folder / "dev")],
        ["mount", "--bind", str(stick), str(folder / STICK[1:])],
    ]
    with contextlib.ExitStack() as stack:
        for mount in mounts:
            subprocess.run(mount, check=True)
            stack.callback(subprocess.run, ["umount", "-l", mount[-1]], check=True)
        last = mounts[-1][-1]
        subprocess.run(["mount", "-o", "remount,bind,ro,noexec,nosuid,nodev", last], check=True)
        yield


def run(
    folder: Path, command: str, typed: Sequence[tuple[float, str]], trace: Path | None
) -> tuple[int, str]:
    """Run a command as the person, at a terminal, without a network; returns its exit code and what it showed."""
    words = ["unshare", "-n", "chroot", f"--userspec={PERSON}:{PERSON}", str(folder), "/usr/bin/env", "-i"]
    words += [f"HOME=/home/{PERSON}", f"USER={PERSON}", "LANG=C.UTF-8", "TERM=xterm", "PATH=/usr/bin:/bin"]
    words += ["/bin/sh", "-c", f"cd; {command}"]
    if trace:
        words = ["strace", "-f", "--seccomp-bpf", "-qq", "-e", "trace=%network", "-o", str(trace), *words]
    process, terminal = pty.fork()
    if process == 0:
        os.execvp(words[0], words)  # noqa: S606 - the child of the terminal
    seen, begun = b"", time.monotonic()
    waiting = list(typed)
    while time.monotonic() < begun + PATIENCE_S:
        if waiting and time.monotonic() >= begun + waiting[0][0]:
            os.write(terminal, waiting.pop(0)[1].encode())
        if not select.select([terminal], [], [], 1)[0]:
            continue
        try:
            data = os.read(terminal, 1 << 16)
        except OSError:  # the last program that had it open has ended
            break
        seen += data
    os.close(terminal)
    return os.waitstatus_to_exitcode(os.waitpid(process, 0)[1]), seen.decode("utf-8", "replace")


def families(traces: list[Path]) -> collections.Counter[str]:
    """The address families of all sockets that were asked for, and of all addresses that were named."""
    found: collections.Counter[str] = collections.Counter()
    for path in traces:
        for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
            found.update(set(re.findall(r"\b(AF_[A-Z0-9_]+|PF_[A-Z0-9_]+)", line)))
    return found


class Step(NamedTuple):
    """A step.

    Attributes:
        typed: what the person types, each after so many seconds.
        code: that it must end with.
        screen: whether it draws a whole screen, which no log can show.
    """

    what: str
    command: str
    typed: Sequence[tuple[float, str]] = ()
    code: int = 0
    screen: bool = False


def steps(first: Path, second: Path) -> list[Step]:
    """The whole way."""
    ophtimus = f"{PROGRAM}/bin/ophtimus"
    ask = f"{ophtimus} ask {QUESTION!r}"
    return [
        Step("There is no network but a loopback device that is down, and no compiler, no pip, no libgomp.",
             "cat /proc/net/dev; for one in gcc pip3; do command -v $one || echo no $one; done; "
             "find /usr -name 'libgomp*' | wc -l"),
        Step("The stick is read-only, and nothing on it can be executed.",
             f"touch {STICK}/x; {STICK}/{first.name}/install.sh", code=126),
        Step("Install, at the terminal: the SHA-256 is that of the paper, yes.",
             f"sh {STICK}/{first.name}/install.sh", [(5, "y\n")]),
        Step("What is installed, and which models.", f"{ophtimus} --version; {ophtimus} models list"),
        Step("A question.", ask),
        Step("A conversation in lines.", f"{ophtimus} --plain", [(8, f"{QUESTION}\n"), (30, "\x04")]),
        Step("The app: its three first questions, the example sent with Enter, closed with Ctrl+Q.",
             ophtimus, [(at, "\r") for at in (12, 16, 20, 26)] + [(90, "\x11"), (94, "\x11")], screen=True),
        Step("What is kept of it, encrypted.", f"{ophtimus} history list"),
        Step("Which protections are on.", f"{ophtimus} doctor"),
        Step("Update: the installed program checks the second kit with the key that it knows.",
             f"sh {STICK}/{second.name}/install.sh"),
        Step("The same question.", ask),
        Step("What is kept is still there.", f"{ophtimus} history list"),
        Step("The older kit is refused now.", f"{ophtimus} kit update {STICK}/{first.name}", code=1),
        Step("Back to the version before.", f"{ophtimus} kit rollback"),
        Step("The same question.", ask),
        Step("What is kept is still there.", f"{ophtimus} history list"),
        Step("Uninstall, and keep the history.", f"{ophtimus} kit uninstall --keep-history --yes"),
        Step("What is left of it: the history, settings and logs.",
             f"ls -d {PROGRAM} || find ~ -type f -newer /etc/hostname"),
    ]  # fmt: skip


def main() -> None:
    """Run the whole way and write the log."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("first", type=Path, help="the kit that is installed")
    parser.add_argument("second", type=Path, help="a kit of the same name and key with a higher version")
    parser.add_argument(
        "--system", type=Path, help="the folder of the minimal system; made where it is missing"
    )
    parser.add_argument("--log", type=Path, help="where the log goes, as Markdown")
    parser.add_argument("--trace", action="store_true", help="under strace: count the sockets")
    options = parser.parse_args()
    if options.first.resolve().parent != options.second.resolve().parent:
        parser.error("the two kits lie in one folder: the stick")
    log = Log()
    with tempfile.TemporaryDirectory(prefix="clinic-") as made:
        folder = (options.system or Path(made) / "system").absolute()
        folder.mkdir(parents=True, exist_ok=True)
        try:
            with system(folder, options.first.resolve().parent):
                describe(log, folder, options)
                whole_way(log, folder, options, Path(made))
        finally:
            if options.log:
                options.log.write_text(re.sub(r"\n{3,}", "\n\n", "\n".join(log.parts)), encoding="utf-8")


def describe(log: Log, folder: Path, options: argparse.Namespace) -> None:
    """What all this was done with."""

    def inside(command: str) -> str:
        words = ["chroot", str(folder), "sh", "-c", command]
        return subprocess.run(words, capture_output=True, text=True, check=True).stdout.strip()

    log.say("# A kit on a clinic's computer, from the first day to the last\n")
    log.say(
        f"Made by `benchmarks/clinic.py{' --trace' if options.trace else ''}` on {datetime.date.today()}. A minimal "
        f"Debian {inside('cat /etc/debian_version')} (debootstrap, minbase) with python3 "
        f"({inside('python3 --version')}) and python3-venv, {inside('dpkg-query -f . -W | wc -c')} packages in all; "
        f"Linux {os.uname().release}. Every command runs as a person without rights, at a terminal, in a network "
        "namespace of its own with nothing in it; the stick is mounted read-only and noexec.\n"
    )
    for kit in (options.first, options.second):
        size = sum(path.stat().st_size for path in kit.rglob("*") if path.is_file())
        digest = hashlib.sha256((kit / "manifest.json").read_bytes()).hexdigest()
        log.say(f"- `{kit.name}`: {size / 2**20:.0f} MiB, SHA-256 of its manifest {digest}")


def whole_way(log: Log, folder: Path, options: argparse.Namespace, work: Path) -> None:
    """Take every step, and look at the sockets."""
    traces: list[Path] = []
    for number, step in enumerate(steps(options.first, options.second), 1):
        log.say(f"\n## {number}. {step.what}\n")
        trace = work / f"trace-{number}" if options.trace else None
        if trace:
            traces.append(trace)
        begun = time.monotonic()
        code, output = run(folder, step.command, step.typed, trace)
        shown = f"(a screen of {len(output)} characters and control codes)" if step.screen else output
        log.block(step.command, shown, time.monotonic() - begun, code)
        if code != step.code:
            raise FailedError(f"step {number} ended with {code}, not {step.code}")
    if options.trace:
        found = families([trace for trace in traces if trace.is_file()])
        told = ", ".join(f"{name}: {count}" for name, count in sorted(found.items())) or "none"
        log.say("\n## Sockets\n")
        log.say(f"Address families in all network calls of all processes of all steps: {told}.")
        if any(name.endswith(("_INET", "_INET6")) for name in found):
            raise FailedError("a socket of the internet was asked for")
        log.say("No AF_INET and no AF_INET6 socket was asked for.")


if __name__ == "__main__":
    try:
        main()
    except FailedError as error:
        sys.exit(f"clinic: {error}")

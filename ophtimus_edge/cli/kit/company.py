"""The person at the terminal while a kit is installed: told how far it is, and asked what only they can know."""

from __future__ import annotations

import sys
from types import TracebackType
from typing import TYPE_CHECKING, Self

from ophtimus_edge.errors import UsageError
from ophtimus_edge.terminal.saying import line, say
from ophtimus_edge.terminal.standard_input import is_terminal

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

    from ophtimus_edge.kit.installing.install import Step
    from ophtimus_edge.kit.installing.running import Running
    from ophtimus_edge.kit.verifying import Signed

KEPT = "\nWhat was done is kept; run the same command again to go on. What ran before still runs."
_YES = {"y", "yes", "예", "네", "ㅇ"}
_STEPS = {
    "verify": "checking the kit",
    "packages": "installing the program",
    "copy": "copying",
    "try": "trying a first question",
    "remove": "removing the program",
}


class Company:
    """What :class:`ophtimus_edge.kit.installing.install.Company` asks for, at this terminal.

    Args:
        yes: nobody is asked; a program that runs is not waited for.
    """

    def __init__(self, *, yes: bool) -> None:
        self._yes = yes
        self._step: Step | None = None
        self._bars: tuple[Progress, TaskID] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._end()

    def show(self, step: Step, done: int, total: int, what: str) -> None:
        """A bar on standard error in a terminal; elsewhere a line for each step."""
        if step != self._step:
            self._end()
            self._step = step
            if not sys.stderr.isatty():
                say(_STEPS[step])
            elif step != "remove":
                self._begin(step)
        if step == "remove" and sys.stderr.isatty():  # not with rich, which is among what is removed
            sys.stderr.write(f"\r  {_STEPS[step]} {100 * done // total} %")
            sys.stderr.flush()
        if self._bars:
            bars, task = self._bars
            bars.update(task, completed=done, total=total, what=line(what)[-50:])

    def accepts(self, kit: Signed) -> bool:
        """Whether the SHA-256 is the one of the paper."""
        from ophtimus_edge.kit.keys import fingerprint, in_groups

        self._end()
        say(
            f"{line(kit.manifest.name)} {kit.manifest.version}\n"
            "unverified: no key is pinned here yet, so nothing proves who made this kit. Compare these digits with "
            f"the paper that came with it:\n  manifest  {in_groups(kit.manifest_sha256)}\n"
            f"  key       {fingerprint(kit.signer)}"
        )
        return self._yes or self.asks(
            "Are they the same, and shall it be installed?", "where they were compared, add --yes"
        )

    def closes(self, programs: list[Running]) -> bool:
        """Ask for programs to be closed; whether a person says that they are."""
        self._end()
        if self._yes or not (is_terminal() and sys.stderr.isatty()):
            return False
        say("In use, and to be closed first:")
        for one in programs:
            whose = f", {line(one.user)}" if one.user else ""
            say(f"  {line(one.what)} (process {one.pid}{whose})")
        sys.stderr.write("Close them, then press Enter; Ctrl+C stops here. ")
        sys.stderr.flush()
        return bool(sys.stdin.readline())

    def asks(self, question: str, otherwise: str) -> bool:
        """Ask a question that is answered with yes or no.

        Raises:
            UsageError: there is no terminal to ask at; with what to do ``otherwise``.
        """
        self._end()
        if not (is_terminal() and sys.stderr.isatty()):
            raise UsageError(
                "there is no terminal to ask at.",
                f"Run it in a terminal; or, {otherwise}.",
            )
        sys.stderr.write(f"{question} [y/N] ")
        sys.stderr.flush()
        return sys.stdin.readline().strip().casefold() in _YES

    def _begin(self, step: Step) -> None:
        from rich.console import Console
        from rich.progress import (
            BarColumn,
            DownloadColumn,
            MofNCompleteColumn,
            Progress,
            SpinnerColumn,
            TextColumn,
            TimeElapsedColumn,
            TimeRemainingColumn,
        )

        of_bytes = step in {"verify", "copy"}
        columns = [SpinnerColumn(), TextColumn("{task.description}"), BarColumn()]
        columns += [DownloadColumn(binary_units=True)] if of_bytes else [MofNCompleteColumn()]
        columns += [TimeRemainingColumn(compact=True) if of_bytes else TimeElapsedColumn()]
        columns += [TextColumn("{task.fields[what]}", markup=False)]
        bars = Progress(*columns, console=Console(stderr=True), transient=True)
        bars.start()
        self._bars = bars, bars.add_task(_STEPS[step], total=None, what="")

    def _end(self) -> None:
        if self._bars:
            self._bars[0].stop()
        elif self._step == "remove" and sys.stderr.isatty():
            sys.stderr.write("\n")
        self._bars, self._step = None, None

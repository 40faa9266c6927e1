"""``ophtimus doctor``: what this machine has, which models fit on it and how fast, what is protected."""

from __future__ import annotations

import argparse
import contextlib
import sys
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.table import Table

    from ophtimus_edge.support.examination import Candidate, Examination


_ORIGINS = {
    "demonstration": "demonstration",
    "installed": "installed",
    "published": "not on this machine",
}
# The columns of a level; the last one, the verdict, takes the rest of the line.
_WIDTHS = {"  level": 9, "file": 9, "memory": 9, "context": 8, "tokens/s": 8}


def add_parser(verbs: Any) -> None:
    """Add the verb to the command line."""
    verb = verbs.add_parser("doctor", help="say what this machine can do", description=__doc__)
    verb.add_argument("--json", action="store_true", help="one JSON object on standard output")
    verb.add_argument(
        "--bundle", metavar="FILE", help="pack versions and logs for support, without what anyone asked"
    )


def run(options: argparse.Namespace) -> None:
    """Run the verb.

    Raises:
        EngineError: something is wrong here; it was printed with everything else.
        OphtimusError: the bundle cannot be written.
    """
    import asyncio
    from pathlib import Path

    from ophtimus_edge.errors import EngineError
    from ophtimus_edge.support import bundle
    from ophtimus_edge.support.examination import examine

    target = Path(options.bundle).expanduser() if options.bundle is not None else None
    if target:
        bundle.check(target)  # before the seconds that the examination takes
    with _steps() as show:
        examination = asyncio.run(examine(show))
    if options.json:
        import msgspec

        sys.stdout.buffer.write(msgspec.json.encode(examination) + b"\n")
        sys.stdout.buffer.flush()
    else:
        _print(examination)
    if target:
        parts = bundle.write(target, examination)
        sys.stderr.write(f"{target} is written. It holds:\n")
        sys.stderr.writelines(f"  {part.name}: {part.what}, {part.size_bytes:,} bytes\n" for part in parts)
        sys.stderr.write("  and nothing that anyone asked or was answered.\n")
    if examination.problems:
        first = examination.problems[0]
        raise EngineError(first.message, first.hint)


@contextlib.contextmanager
def _steps() -> Iterator[Callable[[str], None]]:
    """Say on standard error what is being done, where a person watches."""
    if not sys.stderr.isatty():
        yield lambda _step: None
        return
    from rich.console import Console

    with Console(stderr=True).status("") as status:
        yield lambda step: status.update(f"{step} …")


def _print(examination: Examination) -> None:
    from rich.console import Console

    console = Console(markup=False, highlight=False, emoji=False)
    for title, table in (
        ("This machine", _machine(examination)),
        ("Protections of the process that runs a model", _protections(examination)),
        ("Models", _headings()),
    ):
        console.print(title, style="bold")
        console.print(table)
        console.print()
    for names, candidates in _alike(examination.models):
        console.print(names, style="bold")
        console.print(_levels(candidates))
        console.print()
    slow = next((one for one in examination.models if one.verdict == "slow"), None)
    if slow:
        console.print(f"slow: {slow.reason}")
    console.print("Memory, tokens a second and the files of models that are not here are predictions.")


def _machine(examination: Examination) -> Table:
    from rich.table import Table

    from ophtimus_edge.models.fit import gib

    machine, speed = examination.machine, examination.speed
    table = Table(box=None, show_header=False, pad_edge=False)
    table.add_row("system", f"{machine.system}, {machine.architecture}")
    cores = f"{machine.physical_cores} cores, {machine.usable_cores} usable"
    table.add_row("processor", f"{machine.cpu_name or 'unknown'}: {cores}")
    flags = " ".join(machine.cpu_flags) or "none known"
    if machine.unknown_flags:
        flags += f"; the system does not tell about {' '.join(machine.unknown_flags)}"
    table.add_row("instructions", flags)
    memory = f"{gib(machine.memory_bytes)}, {gib(machine.available_bytes)} available"
    table.add_row("memory", memory if machine.memory_bytes else "unknown")
    for gpu in machine.gpus:
        use = "" if machine.gpu_build else "; this llama.cpp is built without its use"
        size = f"{gib(gpu.memory_bytes)}, {gib(gpu.free_bytes)} free"
        table.add_row("graphics card", f"{gpu.name}: {size}{use}")
    if not machine.gpus:
        table.add_row("graphics card", "none of NVIDIA's")
    table.add_row("disk", f"{gib(examination.disk_bytes)}, {gib(examination.disk_free_bytes)} free")
    table.add_row("ophtimus", examination.version)
    table.add_row("llama.cpp", examination.build or "does not start")
    for device in examination.devices:
        table.add_row("  computes on", f"{device.name}: {device.description}")
    if speed:
        measured = f"{speed.bandwidth / 1e9:.0f} GB/s of memory, {speed.arithmetic / 1e9:.0f} GFLOP/s"
        table.add_row("measured", f"{measured}, threads: {speed.threads}")
    return table


def _protections(examination: Examination) -> Table:
    from rich.table import Table

    table = Table(box=None, show_header=False, pad_edge=False)
    for name, state in examination.protections.items():
        table.add_row(name, state)
    if not examination.protections:
        table.add_row("unknown: the engine does not start")
    return table


def _columns() -> Table:
    """A table of levels without rows; all of them stand under one another with the same columns."""
    from rich.table import Table

    table = Table(box=None, show_header=False, pad_edge=False)
    for name, width in _WIDTHS.items():
        table.add_column(width=width, no_wrap=True, justify="left" if name == "  level" else "right")
    table.add_column(overflow="fold")
    return table


def _headings() -> Table:
    table = _columns()
    table.add_row(*_WIDTHS, "verdict")
    return table


def _levels(candidates: list[Candidate]) -> Table:
    from ophtimus_edge.models.fit import gib

    table = _columns()
    for candidate in candidates:
        rate, verdict = candidate.tokens_per_s, str(candidate.verdict)
        if verdict not in {"fits", "slow"}:
            verdict = f"{verdict}: {candidate.reason}"
        known = candidate.verdict != "damaged"
        table.add_row(
            f"  {candidate.level}",
            gib(candidate.file_bytes) if known else "",
            gib(candidate.memory_bytes) if known else "",
            f"{candidate.context:,}" if known else "",
            (f"{rate:.0f}" if rate >= 10 else f"{rate:.1f}") if rate else "",
            verdict,
        )
    return table


def _alike(models: list[Candidate]) -> Iterator[tuple[str, list[Candidate]]]:
    """The models with their levels; published ones that are alike in everything but the name are one."""
    levels: dict[tuple[str, str], list[Candidate]] = {}
    for candidate in models:
        levels.setdefault((candidate.origin, candidate.model), []).append(candidate)
    names: dict[tuple[str, object], list[str]] = {}
    for (origin, model), candidates in levels.items():
        sizes = tuple(candidate.file_bytes for candidate in candidates)
        names.setdefault((origin, sizes if origin == "published" else model), []).append(model)
    for (origin, _), alike in names.items():
        yield f"{', '.join(alike)} ({_ORIGINS[origin]})", levels[origin, alike[0]]

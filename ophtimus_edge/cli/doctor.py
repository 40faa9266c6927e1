"""``ophtimus doctor``: what this machine has, which models fit on it and how fast, what is protected."""

from __future__ import annotations

import argparse
import contextlib
import sys
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

    from ophtimus_edge.support.examination import Candidate, Examination


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
    console.print(_machine(examination))
    console.print(_protections(examination))
    console.print(_models(examination.models))
    _print_reasons(console, examination.models)


def _machine(examination: Examination) -> Table:
    from rich.table import Table

    from ophtimus_edge.models.fit import gib

    machine, speed = examination.machine, examination.speed
    table = Table(title="This machine", title_justify="left", box=None, show_header=False, pad_edge=False)
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
        table.add_row("measured", f"{measured}, with {speed.threads} threads")
    return table


def _protections(examination: Examination) -> Table:
    from rich.table import Table

    table = Table(title="\nProtections", title_justify="left", box=None, show_header=False, pad_edge=False)
    for name, state in examination.protections.items():
        table.add_row(name, state)
    if not examination.protections:
        table.add_row("unknown: the engine does not start")
    return table


def _models(models: list[Candidate]) -> Table:
    from rich import box
    from rich.table import Table

    from ophtimus_edge.models.fit import gib

    table = Table(title="\nModels", title_justify="left", box=box.SIMPLE, pad_edge=False)
    for heading in ("model", "level"):
        table.add_column(heading, overflow="fold")
    for heading in ("file", "memory", "context", "tokens/s"):
        table.add_column(heading, justify="right", no_wrap=True)
    table.add_column("verdict", no_wrap=True)
    last = ""
    for names, candidate in _alike(models):
        if candidate.verdict == "damaged":
            table.add_row(names, candidate.level, "", "", "", "", candidate.verdict)
            continue
        rate = candidate.tokens_per_s
        table.add_row(
            names if names != last else "",
            candidate.level,
            gib(candidate.file_bytes),
            gib(candidate.memory_bytes),
            f"{candidate.context:,}",
            f"{rate:.0f}" if rate and rate >= 10 else f"{rate:.1f}" if rate else "unknown",
            candidate.verdict,
        )
        last = names
    return table


def _print_reasons(console: Console, models: list[Candidate]) -> None:
    """Why a model is slow, or does not fit, or cannot be used."""
    for names, candidate in _alike(models):
        if candidate.verdict != "fits":
            console.print(f"{names} {candidate.level}: {candidate.reason}".replace("  ", " "))
    console.print("\nTokens/s, memory and the files of models that are not here yet are predictions.")


def _alike(models: list[Candidate]) -> list[tuple[str, Candidate]]:
    """The models with their names; published ones that are alike in everything but the name stand together."""
    names: dict[tuple[str, str, int], list[str]] = {}
    first: dict[tuple[str, str, int], Candidate] = {}
    for candidate in models:
        alone = "" if candidate.origin == "published" else candidate.model
        key = (alone, candidate.level, candidate.file_bytes)
        names.setdefault(key, []).append(candidate.model)
        first.setdefault(key, candidate)
    return [(", ".join(dict.fromkeys(names[key])), candidate) for key, candidate in first.items()]

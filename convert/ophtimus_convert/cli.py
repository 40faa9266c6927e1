"""``ophtimus-convert``: a checkpoint, and its adapter, to a model folder."""

import argparse
import os
import re
import sys
from pathlib import Path

from ophtimus_edge.cli.failures import reported
from ophtimus_edge.errors import MissingExtraError, UsageError
from ophtimus_edge.models.gguf import FILE_TYPES

_NAME = re.compile(r"[\w가-힣][\w가-힣.-]{0,63}")


def parser() -> argparse.ArgumentParser:
    """The command line of ``ophtimus-convert``."""
    top = argparse.ArgumentParser(
        prog="ophtimus-convert", description="A Llama checkpoint (+ LoRA adapter) to GGUF files of N levels."
    )
    top.add_argument("source", type=Path, metavar="SOURCE", help="the checkpoint's folder")
    top.add_argument("--adapter", type=Path, metavar="DIR", help="a LoRA adapter's folder")
    top.add_argument("-l", "--level", action="append", required=True, metavar="LEVEL",
                     help="such as Q4_K_M; repeats")  # fmt: skip
    top.add_argument("-o", "--out", type=Path, required=True, metavar="DIR", help="the new model folder")
    top.add_argument("--name", default="", metavar="N", help="the model's name (default: the source's)")
    top.add_argument("--version", default="1", metavar="V", help="the model's version (default 1)")
    return top


def main(arguments: list[str] | None = None) -> int:
    """Run ``ophtimus-convert``; returns the exit code."""
    options = parser().parse_args(arguments)
    with reported("ophtimus-convert") as ending:
        run(options)
    return ending.exit_code


def run(options: argparse.Namespace) -> None:
    """Convert, with a bar a step.

    Raises:
        OphtimusError: the words do not fit, a package is missing, or the conversion failed.
    """
    levels = list(dict.fromkeys(level.upper() for level in options.level))
    name = options.name or options.source.resolve().name
    if not _NAME.fullmatch(name):
        raise UsageError(
            f"{name!r} cannot be a model's name.", "Use letters, digits, dots, dashes: --name N."
        )
    unknown = [level for level in levels if level not in FILE_TYPES.values()]
    if unknown:
        raise UsageError(f"there is no level {unknown[0]}.", "Clinics use Q4_K_M, Q5_K_M, Q6_K or Q8_0.")
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    try:
        # Torch and transformers take seconds to load, and --help needs neither.
        from ophtimus_convert.folder import convert
        from ophtimus_convert.quantize import LEVELS
    except ImportError as error:
        raise MissingExtraError(
            f"conversion needs a package that is not installed ({error.name}).",
            "Install it with: pip install 'ophtimus-edge[convert]'.",
        ) from error
    unmade = [level for level in levels if level not in LEVELS]
    if unmade:
        raise UsageError(
            f"{unmade[0]} needs an importance matrix, which this release does not make.",
            "Leave it out; Q3_K_M and IQ4_XS are the smallest that need none.",
        )
    from rich.console import Console
    from rich.progress import Progress, TaskID

    with Progress(console=Console(stderr=True)) as bars:
        tasks: dict[str, TaskID] = {}

        def show(step: str, done: int, total: int) -> None:
            if step not in tasks:
                tasks[step] = bars.add_task(step)
            bars.update(tasks[step], completed=done, total=total)

        model = convert(options.source, options.adapter, levels, options.out, name, options.version, show)
    for level in model.levels:
        sys.stdout.write(
            f"{options.out / level.file}  {level.size_bytes / 2**20:.1f} MiB  sha256 {level.sha256}\n"
        )

"""``ophtimus-convert``: a checkpoint, and its adapter, to a model folder."""

import argparse
import gc
import json
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from ophtimus_edge.errors import ConversionError, MissingExtraError, UsageError
from ophtimus_edge.terminal.failures import reported
from ophtimus_edge.terminal.libraries import silence_libraries

if TYPE_CHECKING:
    from ophtimus_convert.conversion import Options
    from ophtimus_convert.display import Bars
    from ophtimus_convert.plan import Plan
    from ophtimus_edge.models.formats import ModelFolder

_NAME = re.compile(r"[\w가-힣][\w가-힣.-]{0,63}")
_LEVELS_HELP = """
Levels. Clinics use first, from the most exact to the smallest:
  Q8_0 Q6_K Q5_K_M Q4_K_M Q3_K_M IQ4_XS Q2_K
Unquantized:   F32 F16 BF16
Others:        Q5_K_S Q4_K_S Q4_0 Q3_K_L Q3_K_S IQ4_NL IQ3_M IQ3_S Q5_0 Q4_1
Only with --imatrix or --calibrate: Q2_K_S IQ3_XXS IQ2_M IQ2_S IQ2_XS IQ2_XXS

Gates, for --skip-gate: tokens template end rope logits answers (docs/converting.md says what each means).
"""


def parser() -> argparse.ArgumentParser:
    """The command line of ``ophtimus-convert``."""
    top = argparse.ArgumentParser(
        prog="ophtimus-convert",
        description="A Llama checkpoint (+ LoRA adapter) to verified GGUF files of N levels, in one read.",
        epilog=_LEVELS_HELP,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = top.add_argument
    add("source", metavar="SOURCE", help="the checkpoint's folder, or a hub id such as owner/name[@revision]")
    add("--adapter", type=Path, metavar="DIR", help="a LoRA adapter's folder, as peft saves it")
    add("-l", "--level", action="append", required=True, metavar="LEVEL", help="such as Q4_K_M; repeats")
    add(
        "-o",
        "--out",
        type=Path,
        required=True,
        metavar="DIR",
        help="the model folder, new or of the same model",
    )
    add("--name", default="", metavar="N", help="the model's name (default: the source's)")
    add("--version", default="1", metavar="V", help="the model's version (default 1)")
    weights = top.add_mutually_exclusive_group()
    weights.add_argument("--imatrix", type=Path, metavar="FILE", help="an importance matrix, GGUF or .dat")
    weights.add_argument("--calibrate", type=Path, metavar="TEXT", help="compute one on a text file in UTF-8")
    add("--method", choices=("fused", "staged"), default="fused",
        help="fused: one pass (default); staged: a 16-bit file first, then llama.cpp's quantizer")  # fmt: skip
    add("--prove", action="store_true", help="do it both ways and compare the SHA-256")
    add("--float-sum", action="store_true", help="quantize W + sBA in float32, not rounded to 16 bits first")
    add("--tokenizer", type=Path, metavar="DIR", help="take the tokenizer from this folder")
    add("--chat-template", type=Path, metavar="FILE", help="take the chat template from this file")
    add("--plan", action="store_true", help="say what it will take, and write nothing")
    add("--skip-gate", action="append", default=[], metavar="GATE", help="leave a gate out; repeats")
    add("--gate-long", action="store_true", help="compare logits behind 8,400 tokens too; takes minutes")
    add("--offline", action="store_true", help="use only what was fetched from the hub before")
    add("--json", action="store_true", help="print JSON on standard output")
    return top


def main(arguments: list[str] | None = None) -> int:
    """Run ``ophtimus-convert``; returns the exit code."""
    options = parser().parse_args(arguments)
    # A tokenizer and the libraries behind the gates are millions of small objects, and all of them stay: looking
    # through them for garbage, at the end too, takes seconds.
    gc.disable()
    with reported("ophtimus-convert") as ending:
        try:
            run(options)
        except KeyboardInterrupt:
            sys.stderr.write(
                "\nStopped. What is finished is kept beside the output: run the same command to go on.\n"
            )
            return 130
        finally:
            gc.freeze()
            gc.enable()
    return ending.exit_code


def run(words: argparse.Namespace) -> None:
    """Convert, with a bar a step.

    Raises:
        OphtimusError: the words do not fit, a package is missing, or the conversion failed.
    """
    silence_libraries()
    try:
        from ophtimus_convert import gates, jobs
        from ophtimus_convert.child import spares
        from ophtimus_convert.conversion import convert, estimate, prepare
        from ophtimus_convert.display import Bars
        from ophtimus_convert.folder import Hashing
    except ImportError as error:
        raise MissingExtraError(
            f"conversion needs a package that is not installed ({error.name}).",
            "Install it with: pip install 'ophtimus-edge[convert]'.",
        ) from error
    levels = checked_levels(words.level, weighed=bool(words.imatrix or words.calibrate))
    unknown = [gate for gate in words.skip_gate if gate not in gates.NAMES]
    if unknown:
        raise UsageError(f"there is no gate {unknown[0]}.", f"The gates are: {', '.join(gates.NAMES)}.")
    following = jobs.Measure if words.plan else jobs.Fuse if words.method == "fused" else jobs.Quantize
    with Bars() as bars, spares(jobs.PlanTypes, following):
        options = options_of(words, levels, bars)
        hashing = None if words.plan else Hashing(options.source)
        blueprint = prepare(options, bars)
        planned = estimate(options, blueprint) if words.plan else None
        model = None if planned else convert(options, blueprint, bars, hashing)
    if planned:
        print_plan(planned, words.json)
    elif model:
        _print_model(model, words.out, words.json)


def checked_levels(words: list[str], *, weighed: bool) -> list[str]:
    """Levels as they are written, each once.

    Args:
        weighed: whether there is, or will be, an importance matrix.

    Raises:
        UsageError: there is no such level, or it needs a matrix.
    """
    from ophtimus_convert.plan import LEVELS, NEED_IMATRIX

    levels = list(dict.fromkeys(level.upper() for level in words))
    for level in levels:
        if level not in LEVELS:
            raise UsageError(f"there is no level {level}.", "ophtimus-convert --help lists them.")
        if level in NEED_IMATRIX and not weighed:
            raise UsageError(
                f"{level} needs an importance matrix.",
                "Compute one with --calibrate TEXT, or name one with --imatrix FILE.",
            )
    return levels


def default_name(source: str) -> str:
    """What a model is named where nobody says: as the folder of its checkpoint, or as the hub has it.

    Raises:
        UsageError: that cannot be a model's name.
    """
    from ophtimus_convert.hub import is_hub_id

    hub = is_hub_id(source)
    return checked_name(source.partition("@")[0].rpartition("/")[2] if hub else Path(source).resolve().name)


def checked_name(name: str) -> str:
    """A model's name.

    Raises:
        UsageError: that cannot be one.
    """
    if not _NAME.fullmatch(name):
        raise UsageError(
            f"{name!r} cannot be a model's name.", "Use letters, digits, dots, dashes: --name N."
        )
    return name


def options_of(words: argparse.Namespace, levels: list[str], bars: "Bars") -> "Options":
    """What a conversion is asked for; a checkpoint of the hub is fetched for it.

    Raises:
        ConversionError: there is no such checkpoint.
        UsageError: the name cannot be a model's.
    """
    from ophtimus_convert.conversion import Options
    from ophtimus_convert.hub import fetch, is_hub_id, stay_offline

    source, source_id, revision = Path(words.source), "", ""
    if is_hub_id(words.source):
        fetched = fetch(
            words.source, words.offline, lambda done, total: bars.show("fetch", "bytes", done, total, "")
        )
        source, source_id, revision = fetched
    elif not source.exists():
        raise ConversionError(
            f"there is no folder {source}.", "Name a checkpoint's folder, or a hub id such as owner/name."
        )
    stay_offline()  # whatever is loaded from here on reaches for nothing
    name = checked_name(words.name or (source_id or source.resolve().name).rpartition("/")[2])
    return Options(
        source=source,
        levels=levels,
        out=words.out,
        name=name,
        version=words.version,
        source_id=source_id,
        revision=revision,
        adapter=words.adapter,
        imatrix=words.imatrix,
        calibrate=words.calibrate,
        tokenizer=words.tokenizer,
        template=words.chat_template,
        method=words.method,
        prove=words.prove,
        skip_gates=frozenset(words.skip_gate),
        gate_long=words.gate_long,
        float_sum=words.float_sum,
    )


def print_plan(planned: "Plan", as_json: bool) -> None:
    """Print what a conversion will take."""
    if as_json:
        document = {
            "levels": [{"level": level.level, "bytes": level.size_bytes} for level in planned.levels],
            "peak_memory_bytes": planned.peak_memory_bytes,
            "peak_disk_bytes": planned.peak_disk_bytes,
            "seconds": round(planned.seconds, 1),
        }
        sys.stdout.write(json.dumps(document) + "\n")
        return
    for level in planned.levels:
        sys.stdout.write(
            f"{level.level:8} {level.size_bytes:>15,} bytes  {level.size_bytes / 2**20:10.1f} MiB\n"
        )
    sys.stdout.write(
        f"memory at the peak  {planned.peak_memory_bytes / 2**20:.0f} MiB\n"
        f"disk at the peak    {planned.peak_disk_bytes / 2**20:.1f} MiB\n"
        f"time                about {planned.seconds / 60:.1f} minutes, gates not counted\n"
    )


def _print_model(model: "ModelFolder", out: Path, as_json: bool) -> None:
    for level in model.levels:
        if as_json:
            sys.stdout.write(
                json.dumps(
                    {
                        "level": level.level,
                        "file": str(out / level.file),
                        "bytes": level.size_bytes,
                        "sha256": level.sha256,
                    }
                )
                + "\n"
            )
        else:
            sys.stdout.write(
                f"{out / level.file}  {level.size_bytes / 2**20:.1f} MiB  sha256 {level.sha256}\n"
            )
    if not as_json:
        for gate, result in model.gates.items():
            sys.stdout.write(f"gate {gate}: {result}\n")

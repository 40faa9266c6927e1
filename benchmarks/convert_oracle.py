"""Are the tensors of ophtimus-convert those of llama.cpp's own tools, byte by byte?

Without an adapter: llama.cpp's convert_hf_to_gguf.py from the source distribution that is named, then
llama_model_quantize, against ours, tensor after tensor. With one: our merged 16-bit tensors against peft's
merge (safe_merge=False), weight after weight.

    .venv/bin/python benchmarks/convert_oracle.py CHECKPOINT --vendor VENDORED_LLAMA_CPP --work FOLDER
        [--adapter DIR] [--imatrix FILE] [-l LEVEL …]
"""

import argparse
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
from convert_speed import QUANTIZE, Meter, oracle_convert

from ophtimus_convert.plan import LEVELS, NEED_IMATRIX, file_type
from ophtimus_edge.models.gguf import Header, read_header

WITH_MATRIX = ("IQ2_M", "IQ3_XXS")


def convert(source: Path, out: Path, levels: list[str], *more: str) -> None:
    command = [
        str(Path(sys.executable).parent / "ophtimus-convert"),
        str(source),
        "-o",
        str(out),
        "--name",
        "own",
    ]
    for level in levels:
        command += ["-l", level]
    for gate in ("tokens", "template", "end", "rope", "logits", "answers"):
        command += ["--skip-gate", gate]
    subprocess.run([*command, *more], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def differing(own: Path, other: Path) -> tuple[int, int]:
    """Tensors compared, and those that differ in type, shape or bytes."""
    ours, theirs = read_header(own), read_header(other)
    tensors = {tensor.name: tensor for tensor in theirs.tensors}
    if set(tensors) != {tensor.name for tensor in ours.tensors}:
        sys.exit(f"{own.name}: the tensors' names differ")
    count = 0
    for tensor in ours.tensors:
        twin = tensors[tensor.name]
        same = (tensor.type, tensor.shape) == (twin.type, twin.shape) and np.array_equal(
            _bytes(own, ours, tensor.name), _bytes(other, theirs, tensor.name)
        )
        count += not same
    return len(tensors), count


def _bytes(path: Path, header: Header, name: str) -> np.ndarray:
    tensor = next(tensor for tensor in header.tensors if tensor.name == name)
    return np.memmap(path, np.uint8, "r", header.data_offset + tensor.offset, (tensor.size_bytes,))


def against_the_tools(given: argparse.Namespace) -> None:
    work, meter = given.work, Meter()
    ready = work / "ready.gguf"
    oracle_convert(meter, given.vendor, given.checkpoint, ready)
    plain = [level for level in given.level if level not in NEED_IMATRIX]
    compared = different = 0
    for level in [*plain, *(WITH_MATRIX if given.imatrix else ())]:
        more = ("--imatrix", str(given.imatrix)) if level in WITH_MATRIX else ()
        shutil.rmtree(work / "own", ignore_errors=True)
        convert(given.checkpoint, work / "own", [level], *more)
        target = work / f"oracle-{level}.gguf"
        if level in WITH_MATRIX:
            quantize_with(ready, target, level, given.imatrix)
        else:
            meter.run([sys.executable, "-c", QUANTIZE, str(ready), str(target), str(file_type(level))])
        count, unequal = differing(work / "own" / f"own-{level}.gguf", target)
        print(f"  {level}: {count} tensors, {unequal} different", flush=True)
        compared, different = compared + count, different + unequal
        target.unlink()
    print(f"against llama.cpp's tools: {compared} tensors compared, {different} different", flush=True)


def quantize_with(source: Path, target: Path, level: str, imatrix: Path) -> None:
    from ophtimus_convert.child import run
    from ophtimus_convert.jobs import Quantize

    run(Quantize(str(source), str(target), file_type(level), 2, str(imatrix)))


def against_peft(given: argparse.Namespace) -> None:
    import torch
    from peft import PeftModel
    from transformers import AutoModelForCausalLM

    from ophtimus_convert.blueprint import draw
    from ophtimus_convert.tensors import is_permuted, rotary_order

    work = given.work
    shutil.rmtree(work / "own", ignore_errors=True)
    convert(given.checkpoint, work / "own", ["BF16"], "--adapter", str(given.adapter))
    path = work / "own" / "own-BF16.gguf"
    header = read_header(path)
    base = AutoModelForCausalLM.from_pretrained(given.checkpoint, dtype=torch.bfloat16)
    merged = PeftModel.from_pretrained(base, given.adapter).merge_and_unload(safe_merge=False).state_dict()
    blueprint = draw(given.checkpoint, given.adapter, None, None, "own")
    weights = unequal = far = 0
    for target, tensor in blueprint.tensors.items():
        if len(tensor.shape) < 2:
            continue
        theirs = merged[tensor.name].view(torch.int16).numpy()
        if is_permuted(tensor.name):
            theirs = rotary_order(theirs, blueprint.shape.head_dim)
        steps = np.abs(_bytes(path, header, target).view(np.int16).astype(np.int32) - theirs.reshape(-1))
        weights, unequal, far = (
            weights + steps.size,
            unequal + int((steps > 0).sum()),
            far + int((steps > 1).sum()),
        )
    print(
        f"against peft's merge: {weights} weights, {unequal} different ({unequal / weights * 1e5:.3f} of 100,000; "
        f"at most 1), {far} by more than one bf16 step (0)",
        flush=True,
    )


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("checkpoint", type=Path)
    parser.add_argument("--vendor", type=Path, required=True)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--adapter", type=Path)
    parser.add_argument("--imatrix", type=Path)
    parser.add_argument("-l", "--level", action="append", choices=LEVELS)
    given = parser.parse_args()
    given.level = given.level or list(LEVELS)
    given.work.mkdir(parents=True, exist_ok=True)
    against_the_tools(given)
    if given.adapter:
        against_peft(given)


if __name__ == "__main__":
    main()

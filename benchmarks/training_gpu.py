"""Training of an 8B model on one GPU: speed, beside plain trl, utilisation, and peak memory beside the plan's.

    .venv/bin/python benchmarks/training_gpu.py [--steps 12] [--work FOLDER] [--smallest]

The base has Llama-3.1-8B's shape and random weights, made on the device; the data are the primer's questions, the
same for every side. A side is a process of its own, so that each begins with an empty device:

- packed: the recipe instruct-8b (QLoRA as published, windows of 2,048)
- fast: the recipe instruct-8b-fast (LoRA over bfloat16)
- plain: trl's SFTTrainer with the published settings (QLoRA, batch 8 × 8, 2,048 tokens, dropout, unpacked)

Speed is tokens that are no padding, a second, from the second line of the log on (of plain: from the second step).
Needs bitsandbytes and 40 GB of disk. --smallest runs the same code with a tiny shape, on a processor too: it shows
that the benchmark works, its figures say nothing.
"""

import argparse
import contextlib
import json
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import msgspec

PRIMER = Path(__file__).parent.parent / "training" / "primer"
SIDES = ("packed", "fast", "plain")
# The recipes' own values, made small: what a processor does in seconds.
SMALLEST = ["precision=float32", "batch=1", "accumulation=2", "length=1024", "lora_r=4"]
TINY = {
    "vocabulary": 1024,
    "hidden": 256,
    "intermediate": 256,
    "layers": 1,
    "heads": 4,
    "kv_heads": 2,
    "head_dim": 64,
}


class Side(msgspec.Struct):
    """What a side came to.

    Attributes:
        tokens_per_s: without padding.
        utilisation: of the device's peak, at 4 N FLOPs a token; None where that is not known.
        measured_bytes: at the peak of the longest batch; 0 where it was not measured.
        predicted_bytes: what the plan says of it.
    """

    tokens_per_s: float
    utilisation: float | None = None
    measured_bytes: int = 0
    predicted_bytes: int = 0


def primer_of(work: Path, smallest: bool) -> Path:
    """The primer; of the smallest size, one topic of it."""
    if not smallest:
        return PRIMER
    for kind in ("essay", "mcq"):
        (work / "primer" / kind).mkdir(parents=True, exist_ok=True)
        shutil.copy(PRIMER / kind / "glaucoma.jsonl", work / "primer" / kind)
    return work / "primer"


def make_base(work: Path, smallest: bool) -> None:
    """A checkpoint with random weights, and a tokenizer of the primer's own texts."""
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    from ophtimus_training import primer as primers
    from ophtimus_training.planning import shape_of
    from ophtimus_training.recipe import load
    from ophtimus_training.tokenizer import train_tokenizer

    shape = shape_of(load("instruct-8b"))  # type: ignore[arg-type]
    if smallest:
        shape = shape._replace(**TINY)
    exchanges = primers.exchanges(primers.read(primer_of(work, smallest)))
    texts = [text for exchange in exchanges for text in exchange]
    tokenizer = train_tokenizer(dict.fromkeys(texts), min(shape.vocabulary, 4096), 131072)
    config = LlamaConfig(
        vocab_size=shape.vocabulary, hidden_size=shape.hidden, intermediate_size=shape.intermediate,
        num_hidden_layers=shape.layers, num_attention_heads=shape.heads, num_key_value_heads=shape.kv_heads,
        head_dim=shape.head_dim, tie_word_embeddings=shape.tied, max_position_embeddings=131072,
        bos_token_id=tokenizer.bos_token_id, eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )  # fmt: skip
    torch.set_default_dtype(torch.bfloat16)
    with torch.device("cuda" if torch.cuda.is_available() else "cpu"):
        LlamaForCausalLM(config).save_pretrained(work / "base", max_shard_size="2GB")
    tokenizer.save_pretrained(work / "base")


def by_recipe(name: str, work: Path, steps: int, smallest: bool) -> Side:
    from ophtimus_training.recipe import load
    from ophtimus_training.running.forecast import predicted, shape_of
    from ophtimus_training.running.job import run
    from ophtimus_training.running.watching import LOG

    settings = [
        f"base={work / 'base'}", f"data={primer_of(work, smallest)}", f"steps={steps}",
        f"log_every={max(1, steps // 6)}", "probe=0", "save_every=0", "evaluate_every=0",
    ]  # fmt: skip
    recipe = load(name, settings + ([*SMALLEST, "method=lora"] if smallest else []))
    out = work / name
    outcome = run(recipe, out)
    lines = [json.loads(line) for line in (out / LOG).read_text().splitlines()]
    lines = [line for line in lines if "tokens_per_s" in line][1:]
    tokens, seconds = (sum(line[key] for line in lines) for key in ("tokens", "seconds"))
    utilisations = [line["flops_utilisation"] for line in lines]
    device = outcome.trainer.args.device
    return Side(
        tokens_per_s=tokens / seconds,
        utilisation=None if None in utilisations else sum(utilisations) / len(utilisations),
        measured_bytes=outcome.measured,
        predicted_bytes=predicted(recipe, shape_of(outcome.trainer.model.config), outcome.share, device),
    )


def by_trl(work: Path, steps: int, smallest: bool) -> Side:
    import torch
    from datasets import Dataset
    from peft import LoraConfig
    from transformers import BitsAndBytesConfig, TrainerCallback
    from trl import SFTConfig, SFTTrainer

    from ophtimus_training import primer as primers
    from ophtimus_training.running.adapters import PROJECTIONS
    from ophtimus_training.running.material import system_prompt

    class Clock(TrainerCallback):  # type: ignore[misc]
        """Reads the clock and the tokens behind the first step, which compiles and warms up, and the last."""

        marks: list[tuple[float, int]] = []  # noqa: RUF012

        def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
            if torch.cuda.is_available():
                torch.cuda.synchronize()
            self.marks.append((time.monotonic(), int(state.num_input_tokens_seen)))

    rows = [
        {
            "prompt": [
                {"role": "system", "content": system_prompt()},
                {"role": "user", "content": exchange.prompt},
            ],
            "completion": [{"role": "assistant", "content": exchange.reply}],
        }
        for exchange in primers.exchanges(primers.read(primer_of(work, smallest)))
    ]
    cuda = torch.cuda.is_available()
    loading: dict[str, Any] = {"dtype": torch.float32 if smallest else torch.bfloat16}
    if not smallest:
        loading["quantization_config"] = BitsAndBytesConfig(
            load_in_4bit=True,
            bnb_4bit_quant_type="nf4",
            bnb_4bit_use_double_quant=True,
            bnb_4bit_compute_dtype=torch.bfloat16,
        )
    settings = SFTConfig(
        output_dir=str(work / "plain"),
        model_init_kwargs=loading,
        max_length=1024 if smallest else 2048,
        packing=False,
        per_device_train_batch_size=1 if smallest else 8,
        gradient_accumulation_steps=2 if smallest else 8,
        learning_rate=2e-4,
        lr_scheduler_type="constant_with_warmup",
        warmup_steps=10,
        weight_decay=0.01,
        max_steps=steps,
        bf16=not smallest,
        use_cpu=not cuda,
        gradient_checkpointing=True,
        gradient_checkpointing_kwargs={"use_reentrant": False},
        include_num_input_tokens_seen="non_padding",
        save_strategy="no",
        report_to="none",
        disable_tqdm=True,
        seed=42,
    )
    adapter = LoraConfig(
        r=4 if smallest else 32,
        lora_alpha=16,
        lora_dropout=0.05,
        bias="none",
        task_type="CAUSAL_LM",
        target_modules=PROJECTIONS,
    )
    clock = Clock()
    SFTTrainer(
        model=str(work / "base"),
        args=settings,
        train_dataset=Dataset.from_list(rows),
        peft_config=adapter,
        callbacks=[clock],
    ).train()
    (began, before), (ended, after) = clock.marks[0], clock.marks[-1]
    return Side(tokens_per_s=(after - before) / (ended - began))


def measured(side: str, work: Path, steps: int, smallest: bool) -> Side:
    if side == "plain":
        return by_trl(work, steps, smallest)
    return by_recipe({"packed": "instruct-8b", "fast": "instruct-8b-fast"}[side], work, steps, smallest)


def table(sides: dict[str, Side]) -> list[str]:
    packed, fast, plain = (sides[name] for name in SIDES)
    used = "unknown device" if fast.utilisation is None else f"{fast.utilisation:.1%}"
    rows = [
        ("instruct-8b, packed 2,048, tokens/s", f"{packed.tokens_per_s:,.0f}", "≥ 8,000"),
        (
            f"instruct-8b-fast ({fast.tokens_per_s:,.0f} tokens/s) ÷ plain trl ({plain.tokens_per_s:,.0f}), unpacked",
            f"{fast.tokens_per_s / plain.tokens_per_s:.2f}",
            "≥ 2",
        ),
        ("model FLOPs utilisation of bf16 LoRA 8B, 4N", used, "≥ 30 %, 40 % wished"),
    ]
    for name, side in (("instruct-8b", packed), ("instruct-8b-fast", fast)):
        ratio = side.predicted_bytes / side.measured_bytes if side.measured_bytes else float("nan")
        gib = f"{side.predicted_bytes / 2**30:.2f} ÷ {side.measured_bytes / 2**30:.2f} GiB"
        rows.append((f"predicted ÷ measured peak memory, {name}", f"{ratio:.2f} ({gib})", "0.9 to 1.1"))
    return [
        "| figure | measured | bar on one H100 |",
        "|---|---|---|",
        *(f"| {' | '.join(row)} |" for row in rows),
    ]


def device_name() -> str:
    import torch

    return torch.cuda.get_device_name(0) if torch.cuda.is_available() else "CPU"


def main() -> None:
    options = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    options.add_argument("--steps", type=int, default=12, help="of the optimizer on each side")
    options.add_argument(
        "--work", type=Path, help="a folder for the base and results (default: a temporary one)"
    )
    options.add_argument(
        "--smallest", action="store_true", help="a tiny shape, to see that the benchmark works"
    )
    options.add_argument("--side", choices=["base", *SIDES], help=argparse.SUPPRESS)
    words = options.parse_args()
    if words.side == "base":
        make_base(words.work, words.smallest)
        return
    if words.side:
        side = measured(words.side, words.work, words.steps, words.smallest)
        (words.work / f"{words.side}.json").write_bytes(msgspec.json.encode(side))
        return
    with tempfile.TemporaryDirectory() as temporary:
        work = words.work or Path(temporary)
        work.mkdir(parents=True, exist_ok=True)
        for name in ("base", *SIDES):
            if (
                words.smallest and name != "base"
            ):  # what is measured says nothing: a process each would only take time
                with contextlib.redirect_stdout(sys.stderr):
                    side = measured(name, work, words.steps, words.smallest)
                (work / f"{name}.json").write_bytes(msgspec.json.encode(side))
                continue
            command = [
                sys.executable,
                __file__,
                "--side",
                name,
                "--work",
                str(work),
                "--steps",
                str(words.steps),
            ]
            subprocess.run(
                command + (["--smallest"] if words.smallest else []), check=True, stdout=sys.stderr
            )
        sides = {name: msgspec.json.decode((work / f"{name}.json").read_bytes(), type=Side) for name in SIDES}
    print(f"{device_name()}, {words.steps} steps a side{', tiny shape' if words.smallest else ''}")
    print("\n".join(table(sides)))


if __name__ == "__main__":
    main()

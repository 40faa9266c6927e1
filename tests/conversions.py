"""What the converter's tests share: conversions without a screen, and adapters that peft made."""

from pathlib import Path
from typing import Any

import torch
from peft import LoraConfig, get_peft_model
from transformers import AutoModelForCausalLM

from ophtimus_convert.conversion import Options, convert, prepare
from ophtimus_edge.models.formats import ModelFolder

PROJECTIONS = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]
UNGATED = frozenset({"tokens", "template", "end", "rope", "logits", "answers"})


class Silent:
    """A display that keeps what it is told."""

    def __init__(self) -> None:
        self.notes: list[str] = []
        self.steps: list[str] = []

    def note(self, text: str) -> None:
        self.notes.append(text)

    def show(self, step: str, _unit: str, _done: int, _total: int, _what: str) -> None:
        if step not in self.steps:
            self.steps.append(step)


def options(source: Path, out: Path, *levels: str, **more: Any) -> Options:
    """Options without gates, unless ``skip_gates`` says otherwise."""
    return Options(
        **{
            "source": source,
            "out": out,
            "levels": list(levels),
            "name": "tiny",
            "skip_gates": UNGATED,
            **more,
        }
    )


def converted(source: Path, out: Path, *levels: str, **more: Any) -> ModelFolder:
    """Convert, and say nothing."""
    asked, display = options(source, out, *levels, **more), Silent()
    return convert(asked, prepare(asked, display), display)


def make_adapter(checkpoint: Path, out: Path, **more: Any) -> Path:
    """An adapter that peft made, its B drawn at random as if it were trained."""
    base = AutoModelForCausalLM.from_pretrained(checkpoint, dtype=torch.float32)
    torch.manual_seed(3)
    model = get_peft_model(
        base, LoraConfig(**{"r": 8, "lora_alpha": 16, "target_modules": PROJECTIONS, **more})
    )
    for name, weight in model.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(weight, std=0.02)
    model.save_pretrained(out)
    return out

"""A whole run: from a recipe to its result folder, taken up again where an earlier one stopped."""

import json
import os
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import torch
from transformers.utils import logging as transformers_logging
from trl.trainer.utils import add_fused_lm_head

from ophtimus_edge.errors import BaseCheckpointError, UsageError
from ophtimus_edge.locations import staged, sync_folder
from ophtimus_training import examples
from ophtimus_training.examples import Examples
from ophtimus_training.packing import Collator
from ophtimus_training.pretrain import new_model, new_tokenizer
from ophtimus_training.recipe import AnyRecipe, InstructRecipe, OnBase, PretrainRecipe
from ophtimus_training.running import attention, bases
from ophtimus_training.running.adapters import adapted
from ophtimus_training.running.learning import Outcome, device_of, learn
from ophtimus_training.running.material import checked, material
from ophtimus_training.running.picture import PICTURE, draw
from ophtimus_training.running.watching import LOG

RECIPE = "recipe.json"
_SCHEMA = 1


def run(recipe: AnyRecipe, out: Path) -> Outcome:
    """Train what a recipe says, beside ``out``, and rename the result into place.

    The folder holds the adapter or checkpoint, the tokenizer, log.jsonl, loss.svg and recipe.json. Until then all
    is in ``.NAME.part``; the same command goes on with what an earlier one left there.

    Raises:
        OphtimusError: the recipe, the data, the base or the machine cannot be used.
    """
    if out.exists():
        raise UsageError(f"{out} exists already.", "Name a new folder with -o, or move the old one away.")
    first = int(os.environ.get("RANK", "0")) == 0
    transformers_logging.set_verbosity_error()
    transformers_logging.disable_progress_bar()
    device = device_of()
    train, heldout = examples.read_recipe(recipe, "train"), examples.read_recipe(recipe, "heldout")
    checked(recipe, train, heldout)
    folder = bases.folder_of(recipe.base) if isinstance(recipe, OnBase) and recipe.base != bases.TINY else None
    part = out.with_name(f".{out.name}.part")
    _begin(part, _record(recipe, train, heldout, folder))
    say = _say if first else _silent
    for sentence in train.skipped[:3]:
        say(sentence)
    if len(train.skipped) > 3:
        say(f"… and {len(train.skipped) - 3} more rows that are left out; ophtimus-train audit lists them")
    if isinstance(recipe, PretrainRecipe):
        tokenizer = new_tokenizer(train.exchanges, recipe)
        make: Callable[[], Any] = lambda: new_model(recipe, tokenizer)  # noqa: E731
    else:
        folder = folder or bases.tiny(train.exchanges, part)
        tokenizer = bases.tokenizer_of(folder)
        if isinstance(recipe, InstructRecipe) and not tokenizer.chat_template:
            raise BaseCheckpointError(
                f"the base in {folder} has no chat template: it is not an instruct model.",
                'Name an instruct checkpoint with --set base=, or train on raw text (stage = "continue").',
            )
        make = lambda: bases.load(recipe, folder, device)  # noqa: E731
    # Rows first: what is wrong with them is said before minutes of loading.
    rows = material(recipe, tokenizer, train, heldout, Collator(tokenizer.pad_token_id), say)
    model = make()
    if recipe.packing:
        kind = attention.choose(model, getattr(torch, recipe.precision), device)
        rows = rows._replace(collator=kind(tokenizer.pad_token_id))
    if device.type == "cuda" or int(os.environ.get("WORLD_SIZE", "1")) > 1:
        add_fused_lm_head(model)  # before peft wraps it
    if isinstance(recipe, OnBase) and recipe.method != "full":
        base = str(out / "base") if recipe.base == bases.TINY else recipe.base
        model = adapted(model, recipe, base)
    outcome = learn(model, rows, recipe, part)
    outcome.trainer.accelerator.wait_for_everyone()
    _save(outcome, tokenizer, part, first)
    if first:
        draw(part / LOG, part / PICTURE)
        shutil.rmtree(part / "work", ignore_errors=True)
        sync_folder(part)
        part.rename(out)
        sync_folder(out.parent)
    outcome.trainer.accelerator.wait_for_everyone()
    return outcome


def _record(recipe: AnyRecipe, train: Examples, heldout: Examples, base: Path | None) -> dict[str, Any]:
    """What makes two runs the same: the recipe as it was resolved, the data's hashes, the base's files."""
    weights = sorted(base.glob("*.safetensors")) if base else []
    record: dict[str, Any] = msgspec.to_builtins(
        {
            "schema_version": _SCHEMA,
            "recipe": recipe,
            "data": [file._asdict() for file in train.files],
            "evaluation": [file._asdict() for file in heldout.files],
            "base": [{"name": path.name, "size_bytes": path.stat().st_size} for path in weights],
        }
    )
    return record


def _begin(part: Path, record: dict[str, Any]) -> None:
    """Have a folder to work in: the one that the same run left, or a new one.

    Raises:
        UsageError: another run left one there.
    """
    path = part / RECIPE
    if path.is_file():
        try:
            left = json.loads(path.read_text("utf-8"))
        except ValueError:
            left = None
        if left != record:
            raise UsageError(
                f"{part} holds a run that was begun with another recipe or other data.",
                "Go on with those, name another folder with -o, or remove that one.",
            )
        return
    try:
        part.mkdir(parents=True, exist_ok=True)
        with staged(path) as beside:
            beside.write_text(json.dumps(record, indent=1, ensure_ascii=False) + "\n", "utf-8")
    except OSError as error:
        raise UsageError(
            f"{part} cannot be written: {error.strerror}.", "Name a folder on another disk with -o."
        ) from error


def _save(outcome: Outcome, tokenizer: Any, part: Path, first: bool) -> None:
    """Write the adapter, or the whole model in 16 bits, and the tokenizer."""
    trainer = outcome.trainer
    adapter = hasattr(trainer.model, "peft_config")
    if trainer.args.world_size == 1:
        model = trainer.model if adapter else trainer.model.to(torch.bfloat16)
        model.save_pretrained(part)
    else:
        weights = trainer.accelerator.get_state_dict(trainer.model_wrapped)  # every process takes part
        if first:
            plain = trainer.accelerator.unwrap_model(trainer.model)
            kept = weights if adapter else {name: one.to(torch.bfloat16) for name, one in weights.items()}
            plain.save_pretrained(part, state_dict=kept)
    if first:
        tokenizer.save_pretrained(part)


def _say(line: str) -> None:
    sys.stderr.write(f"{line}\n")


def _silent(line: str) -> None:
    del line

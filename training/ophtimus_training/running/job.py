"""A whole run: from a recipe to its result folder, taken up again where an earlier one stopped."""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import torch
from transformers.utils import logging as transformers_logging

from ophtimus_edge.locations import sync_folder
from ophtimus_training import examples
from ophtimus_training.card import CardFacts, write_card
from ophtimus_training.checkpoints.results import ResultFolder, result_folder
from ophtimus_training.examples import Examples
from ophtimus_training.launching.ranks import first
from ophtimus_training.packing import Collator
from ophtimus_training.pretrain import new_model, new_tokenizer
from ophtimus_training.recipe import TINY, AnyRecipe, OnBase, PretrainRecipe
from ophtimus_training.running import attention, bases
from ophtimus_training.running.adapters import adapted
from ophtimus_training.running.forecast import predicted, refuse_without_gpu, shape_of
from ophtimus_training.running.learning import Outcome, arguments_of, device_of, learn
from ophtimus_training.running.material import checked, material
from ophtimus_training.running.picture import PICTURE, draw
from ophtimus_training.running.watching import LOG

_SCHEMA = 1
_SKIPPED_SHOWN = 3


def run(recipe: AnyRecipe, out: Path) -> Outcome:
    """Train what a recipe says, beside ``out``, and rename the result into place.

    The folder holds the adapter or checkpoint, the tokenizer, log.jsonl, loss.svg and recipe.json. Until then all
    is in ``.NAME.part``; the same command goes on with what an earlier one left there.

    Raises:
        OphtimusError: the recipe, the data, the base or the machine cannot be used.
    """
    with result_folder(out) as result:
        outcome = _trained(recipe, out, result)
        outcome.trainer.accelerator.wait_for_everyone()  # before the folder gets its name
    return outcome


def _trained(recipe: AnyRecipe, out: Path, result: ResultFolder) -> Outcome:
    _quiet()
    say = _say if first() else _silent
    device = device_of()
    if isinstance(recipe, OnBase):
        refuse_without_gpu(recipe, device)
    train, heldout = examples.read_recipe(recipe, "train"), examples.read_recipe(recipe, "heldout")
    checked(recipe, train, heldout)
    _say_skipped(train.skipped, say)
    part = result.folder
    arguments = arguments_of(recipe, result.work)
    with arguments.main_process_first(local=False):  # the others find what the first one fetched and made
        subject = _subject(recipe, train, heldout, result, device)
    # Rows first: what is wrong with them is said before minutes of loading.
    rows = material(recipe, subject.tokenizer, train, heldout, Collator(subject.tokenizer.pad_token_id), say)
    model = subject.make()
    if recipe.packing:
        kind = attention.choose(model, getattr(torch, recipe.precision), device)
        rows = rows._replace(collator=kind(rows.padding))
    if isinstance(recipe, OnBase) and recipe.method != "full":
        model = adapted(model, recipe, str(out / "base") if recipe.base == TINY else recipe.base)
    shape = shape_of(model.config)
    outcome = learn(
        model, rows, recipe, arguments, part, lambda dealt: predicted(recipe, shape, dealt, device)
    )
    _save(outcome, subject.tokenizer, part)
    if first():
        draw(part / LOG, part / PICTURE)
        for sentence in _carded(part, out.name, recipe, subject.folder, train, heldout, outcome):
            say(sentence)
        sync_folder(part)
    return outcome


class _Subject(NamedTuple):
    """What is trained: its tokenizer, what makes or loads the model, and the base's folder where there is one."""

    tokenizer: Any
    make: Callable[[], Any]
    folder: Path | None


def _subject(
    recipe: AnyRecipe, train: Examples, heldout: Examples, result: ResultFolder, device: torch.device
) -> _Subject:
    """Begin the result's folder, and have the base in it or in the hub's cache."""
    if isinstance(recipe, PretrainRecipe):
        result.settle(_record(recipe, train, heldout, None))
        tokenizer = new_tokenizer(train.exchanges, recipe)
        return _Subject(tokenizer, lambda: new_model(recipe, tokenizer), None)
    if recipe.base == TINY:
        result.settle(_record(recipe, train, heldout, None))
        folder = bases.tiny(train.exchanges, result.folder)
    else:
        folder = bases.folder_of(recipe.base)
        result.settle(_record(recipe, train, heldout, folder))
    return _Subject(bases.tokenizer_of(folder), lambda: bases.load(recipe, folder, device), folder)


def _quiet() -> None:
    """Keep what libraries say to programmers, and their bars, off a person's terminal."""
    transformers_logging.set_verbosity_error()
    transformers_logging.disable_progress_bar()


def _say_skipped(skipped: list[str], say: Callable[[str], None]) -> None:
    for sentence in skipped[:_SKIPPED_SHOWN]:
        say(sentence)
    if len(skipped) > _SKIPPED_SHOWN:
        say(f"… and {len(skipped) - _SKIPPED_SHOWN} more rows are left out; ophtimus-train audit lists them")


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


def _save(outcome: Outcome, tokenizer: Any, part: Path) -> None:
    """Write the adapter, or the whole model in 16 bits, and the tokenizer."""
    trainer = outcome.trainer
    model = trainer.accelerator.unwrap_model(trainer.model)
    adapter = hasattr(model, "peft_config")
    settings: dict[str, Any] = {"save_embedding_layers": False} if adapter else {}
    if trainer.args.world_size > 1:
        weights = trainer.accelerator.get_state_dict(trainer.model_wrapped)  # every process takes part
        settings["state_dict"] = (
            weights if adapter else {name: one.to(torch.bfloat16) for name, one in weights.items()}
        )
    elif not adapter:
        model = model.to(torch.bfloat16)
    if first():
        model.save_pretrained(part, **settings)
        tokenizer.save_pretrained(part)


def _carded(
    part: Path,
    name: str,
    recipe: AnyRecipe,
    base: Path | None,
    train: Examples,
    heldout: Examples,
    outcome: Outcome,
) -> list[str]:
    """Write the card, the licences and the provenance; returns what a person should know of them."""
    named = recipe.base if isinstance(recipe, OnBase) else ""
    results = {
        "steps": outcome.steps,
        "loss": outcome.loss,
        "seconds": round(outcome.seconds, 1),
        **outcome.evaluation,
    }
    facts = CardFacts(
        name=name,
        kind="adapter" if isinstance(recipe, OnBase) and recipe.method != "full" else "checkpoint",
        base=named,
        base_folder=base,
        recipe=msgspec.to_builtins(recipe),
        data=train.files,
        evaluation_data=heldout.files,
        results=results,
        notes=[f"{len(train.skipped)} rows of the data were left out while they were read."]
        if train.skipped
        else [],
    )
    return write_card(part, facts)


def _say(line: str) -> None:
    sys.stderr.write(f"{line}\n")


def _silent(line: str) -> None:
    del line

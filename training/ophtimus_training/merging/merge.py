"""A merge from end to end: check, write beside the place, prove, describe, rename."""

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from ophtimus_edge.errors import AdapterError, BaseCheckpointError, MergeGateError, UsageError
from ophtimus_edge.locations import staged, sync_folder
from ophtimus_training.card import CardFacts, write_card
from ophtimus_training.examples.hub import is_hub_id
from ophtimus_training.merging.adapter import WEIGHTS, Adapter
from ophtimus_training.merging.base import EMBEDDING, Checkpoint
from ophtimus_training.merging.gate import Finding, compare, held_out_prompts
from ophtimus_training.merging.writing import Merged, write_merged
from ophtimus_training.running.bases import folder_of

_TOKENIZER = ("tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "added_tokens.json",
              "chat_template.jinja")  # fmt: skip
_FOUR_BITS = re.compile(r"bnb|nf4|4[-_]?bit", re.IGNORECASE)
_RECORD = ".merge.json"

Show = Callable[[str, str, int, int], None]  # step, unit, done, total


def merge(folder: Path, out: Path, base: str, say: Callable[[str], None], show: Show) -> Finding:
    """Merge an adapter into its base; the folder appears when the gate let it through.

    Args:
        folder: the adapter's.
        out: a new folder. A merge that was stopped goes on with the shards that it finished.
        base: folder or hub id of the base; "" for what the adapter names.
        say: told what a person should know, in sentences.
        show: told how far each step is.

    Raises:
        AdapterError: the adapter is missing, damaged, does not fit the base, or is of a kind not merged here.
        BaseCheckpointError: the base is missing, not whole, or quantized.
        MergeGateError: the merged model does not compute what the adapter on its base does; nothing is left.
        UsageError: the folder exists, or its disk is too small.
    """
    if out.exists():
        raise UsageError(f"{out} exists already.", "Name a new folder with -o, or move the old one away.")
    adapter = Adapter(folder)
    named = base or adapter.base
    place = base_folder(named)
    checkpoint = Checkpoint(place)
    over_four_bits = _trained_over_four_bits(adapter)
    notes = _notes(adapter, named, place, over_four_bits)
    for note in notes:
        say(note)
    model = adapter.on(checkpoint)
    tokenizer, tokenizer_folder = _tokenizer([folder, place])
    part = out.with_name(f".{out.name}.part")
    try:
        _begin(part, _key(adapter, checkpoint))
        _check_disk(part, checkpoint)
        merged = write_merged(
            model, checkpoint, part, lambda _, done, total: show("merge", "bytes", done, total)
        )
        _write_rest(part, checkpoint, merged, tokenizer_folder)
        if merged.untied:
            say(
                "The base's output layer is its embedding, and the adapter changes one of them: now it has both."
            )
        found = compare(
            model, checkpoint, part, merged.changed, held_out_prompts(tokenizer), over_four_bits,
            lambda done, total: show("gate", "passes", done, total),
        )  # fmt: skip
        results = {key: value for key, value in found._asdict().items() if value is not None}
        facts = CardFacts(
            name=out.name, kind="merged", base=named, base_folder=place, recipe=_recipe(folder),
            results={"gate": found.words, **results}, notes=notes, adapter=folder,
        )  # fmt: skip
        for sentence in write_card(part, facts):
            say(sentence)
        (part / _RECORD).unlink()
        sync_folder(part)
        out.parent.mkdir(parents=True, exist_ok=True)
        part.rename(out)
        sync_folder(out.parent)
    except (AdapterError, BaseCheckpointError, MergeGateError):
        shutil.rmtree(part, ignore_errors=True)
        raise
    except OSError as error:
        shutil.rmtree(part, ignore_errors=True)
        raise UsageError(
            f"{error.filename or part} cannot be written: {error.strerror or error}.",
            "Free some space, or name a folder on another disk with -o.",
        ) from error
    return found


def base_folder(name: str) -> Path:
    """The folder of a base: itself, or its copy in the hub's cache, fetched where it is not there.

    Raises:
        BaseCheckpointError: there is none, or it cannot be fetched.
    """
    if not name:
        raise BaseCheckpointError(
            "the adapter does not say what it was trained on.", "Name it with --base FOLDER."
        )
    if not Path(name).is_dir() and not is_hub_id(name):
        raise BaseCheckpointError(
            f"there is no base checkpoint in {name}.",
            "Name the folder of the 16-bit base with --base FOLDER.",
        )
    return folder_of(name)


def _trained_over_four_bits(adapter: Adapter) -> bool:
    method = _recipe(adapter.folder).get("method")
    return method == "qlora" if method else bool(_FOUR_BITS.search(adapter.base))


def _recipe(folder: Path) -> dict[str, Any]:
    """The recipe that a run left beside its adapter; empty where there is none."""
    try:
        told = json.loads((folder / "recipe.json").read_text(encoding="utf-8"))["recipe"]
    except (OSError, ValueError, KeyError, TypeError):
        return {}
    return dict(told) if isinstance(told, dict) else {}


def _notes(adapter: Adapter, named: str, place: Path, over_four_bits: bool) -> list[str]:
    notes = []
    own = adapter.base.rstrip("/").rpartition("/")[2].casefold()
    if own and own not in {named.rstrip("/").rpartition("/")[2].casefold(), place.resolve().name.casefold()}:
        notes.append(f"The adapter says that it was trained on {adapter.base}, and is merged into {named}.")
    if over_four_bits:
        notes.append(
            "The adapter was trained over its base in 4 bits. It is merged into the 16-bit base, whose answers can "
            "differ a little from those seen while training."
        )
    return notes


def _tokenizer(folders: list[Path]) -> tuple[Any, Path]:
    from transformers import AutoTokenizer

    for folder in folders:
        if (folder / "tokenizer.json").is_file():
            try:
                return AutoTokenizer.from_pretrained(
                    folder, local_files_only=True, trust_remote_code=False
                ), folder
            except (OSError, ValueError, KeyError) as error:
                raise BaseCheckpointError(
                    f"the tokenizer in {folder} cannot be read.",
                    "Copy tokenizer.json and its configuration again.",
                ) from error
    raise BaseCheckpointError(
        f"there is no tokenizer.json in {folders[0]} nor in {folders[1]}.",
        "Copy the checkpoint again, all of it.",
    )


def _write_rest(part: Path, base: Checkpoint, merged: Merged, tokenizer: Path) -> None:
    config = {**base.config, "tie_word_embeddings": base.tied and not merged.untied}
    config.pop("torch_dtype", None)  # as it was called before transformers 5
    config["dtype"] = "float16" if base.types[EMBEDDING] == torch.float16 else "bfloat16"
    with staged(part / "config.json") as beside:
        beside.write_text(json.dumps(config, indent=2) + "\n", encoding="utf-8")
    for folder, names in ((base.folder, ("generation_config.json",)), (tokenizer, _TOKENIZER)):
        for name in names:
            if (folder / name).is_file():
                shutil.copyfile(folder / name, part / name)


def _key(adapter: Adapter, base: Checkpoint) -> list[Any]:
    """What shards of an earlier run must rest on to be kept."""
    files = [adapter.folder / "adapter_config.json", adapter.folder / WEIGHTS, *base.files]
    return [[str(path.resolve()), path.stat().st_size, path.stat().st_mtime_ns] for path in files]


def _begin(part: Path, key: list[Any]) -> None:
    """A folder to work in: the one that the same merge left, or a new one."""
    try:
        left = json.loads((part / _RECORD).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        left = None
    if left != key:
        shutil.rmtree(part, ignore_errors=True)
        part.mkdir(parents=True)
        with staged(part / _RECORD) as beside:
            beside.write_text(json.dumps(key), encoding="utf-8")


def _check_disk(part: Path, base: Checkpoint) -> None:
    """Refuse before anything is written what the disk cannot hold."""
    there = sum(path.stat().st_size for path in part.glob("*.safetensors"))
    needed = sum(path.stat().st_size for path in base.files) - there
    free = shutil.disk_usage(part).free
    if free < needed:
        part_is_empty = not there
        if part_is_empty:
            shutil.rmtree(part, ignore_errors=True)
        raise UsageError(
            f"the merged model takes {needed / 2**30:.1f} GiB, and the disk of {part.parent} has "
            f"{free / 2**30:.1f} GiB free.",
            "Free some space, or name a folder on another disk with -o.",
        )

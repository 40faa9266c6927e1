"""A merged checkpoint, written shard by shard: a shard is in memory at once, and one tensor of it in float32."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import torch
from peft import PeftModel
from peft.tuners.tuners_utils import BaseTunerLayer
from peft.utils import ModulesToSaveWrapper
from safetensors.torch import save_file
from torch import Tensor, nn

from ophtimus_edge.errors import AdapterError
from ophtimus_edge.locations import staged
from ophtimus_training.merging.adapter import DIRECTLY, hollow_weight
from ophtimus_training.merging.base import EMBEDDING, HEAD, Checkpoint

_SHARD_BYTES = 2 << 30

Told = Callable[[str, int, int], None]


class Merged(NamedTuple):
    """What was written.

    Attributes:
        changed: the names of the tensors that differ from the base's.
        untied: whether the output layer, which was the embedding, now is a tensor of its own.
    """

    changed: list[str]
    untied: bool


def modules_of(model: PeftModel) -> dict[str, nn.Module]:
    """The modules that the adapter changes, by the name of the base's tensor, such as ``lm_head.weight``."""
    inner = model.get_base_model()
    found = {}
    for path, module in inner.named_modules():
        if isinstance(module, BaseTunerLayer | ModulesToSaveWrapper):
            found[f"{path}.weight"] = module
    return found


def write_merged(model: PeftModel, base: Checkpoint, out: Path, on_progress: Told) -> Merged:
    """Write base and adapter as one checkpoint; a shard that an earlier run finished is kept.

    peft merges each module, in float32 (``merge(safe_merge=False)``); the sum is rounded once, to the base's own
    16-bit type, to bfloat16 where the base has 32 bits. What the adapter does not change is copied bit by bit,
    rounded where the base has 32 bits.

    Args:
        model: as :meth:`ophtimus_training.merging.adapter.Adapter.on` gives it.
        out: a folder.
        on_progress: told the name of a tensor, and how many bytes of all are written.

    Raises:
        AdapterError: the adapter changes what the base does not have.
        OSError: a file cannot be written.
    """
    changing = modules_of(model)
    names = list(base.shapes)
    untied = base.tied and bool({EMBEDDING, HEAD} & changing.keys())
    if untied:
        names.append(HEAD)
    for name, module in changing.items():
        if name not in names:
            raise AdapterError(f"the adapter changes {name}, which the base does not have.", DIRECTLY)
        if isinstance(module, ModulesToSaveWrapper) and _saved(module).shape != base.shapes.get(
            name, base.shapes[EMBEDDING]
        ):
            raise AdapterError(
                f"the adapter's {name} has another shape than the base's: its vocabulary was resized.",
                DIRECTLY,
            )
    shards = list(_shards(names, base))
    total = sum(_bytes(name, base) for name in names)
    done, places = 0, dict[str, str]()
    for number, shard in enumerate(shards, start=1):
        file = (
            "model.safetensors" if len(shards) == 1 else f"model-{number:05}-of-{len(shards):05}.safetensors"
        )
        places |= dict.fromkeys(shard, file)
        if (out / file).is_file():  # finished before: it was renamed when it was whole
            done += sum(_bytes(name, base) for name in shard)
            on_progress(file, done, total)
            continue
        tensors = {}
        for name in shard:
            tensors[name] = _merged(changing.get(name), base.tensor(name), name)
            done += _bytes(name, base)
            on_progress(name, done, total)
        with staged(out / file) as part:
            save_file(tensors, part, metadata={"format": "pt"})
    if len(shards) > 1:
        index = {"metadata": {"total_size": total}, "weight_map": places}
        with staged(out / "model.safetensors.index.json") as part:
            part.write_text(json.dumps(index, indent=1) + "\n", encoding="utf-8")
    return Merged(sorted(changing), untied)


def merged_weight(module: nn.Module, weight: Tensor) -> Tensor:
    """A module's merged weight in float32, by peft; the module is as it was afterwards.

    Args:
        weight: the base's, shape (out, in).
    """
    if isinstance(module, ModulesToSaveWrapper):
        return _saved(module).float()
    tuned: Any = module
    layer = tuned.get_base_layer()
    layer.weight = nn.Parameter(weight.float(), requires_grad=False)
    tuned.merge(safe_merge=False)
    merged: Tensor = layer.weight.data
    tuned.merged_adapters.clear()
    layer.weight = hollow_weight(weight.shape)
    return merged


def _saved(module: ModulesToSaveWrapper) -> Tensor:
    weight: Tensor = module.modules_to_save["default"].weight.data
    return weight


def _merged(module: nn.Module | None, weight: Tensor, name: str) -> Tensor:
    kept = torch.bfloat16 if weight.dtype == torch.float32 else weight.dtype
    if module is None:
        return weight.to(kept).contiguous()
    merged = merged_weight(module, weight)
    if not torch.isfinite(merged).all():
        raise AdapterError(
            f"the merged {name} holds NaN or infinity.", "Use an earlier checkpoint of the training."
        )
    return merged.to(kept).contiguous()


def _bytes(name: str, base: Checkpoint) -> int:
    shape = base.shapes[name] if name in base.shapes else base.shapes[EMBEDDING]
    return 2 * int(torch.Size(shape).numel())


def _shards(names: list[str], base: Checkpoint) -> Iterator[list[str]]:
    shard, size = list[str](), 0
    for name in names:
        more = _bytes(name, base)
        if shard and size + more > _SHARD_BYTES:
            yield shard
            shard, size = [], 0
        shard.append(name)
        size += more
    yield shard

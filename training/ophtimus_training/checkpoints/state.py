"""What a checkpoint holds beside weights: nested states as tensors and JSON, and the random generators.

torch.save would pickle them, and reading a pickle runs what it says. Here tensors go into safetensors files and
everything else into JSON, whose numbers Python reads back bit for bit.
"""

import json
import random
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor
from torch.distributed.tensor import DTensor, distribute_tensor

_EIGHT_BITS, _INNER = (
    "OptimState8bit",
    ("codes", "scale", "qmap"),
)  # torchao's moments, in a tensor of tensors


def whole(tensor: Tensor) -> Tensor:
    """A tensor on the CPU, gathered where it is shared out over processes: all of them must ask."""
    if isinstance(tensor, DTensor):
        tensor = tensor.full_tensor()
    return tensor.detach().cpu().contiguous()


def shared_out(tensor: Tensor, like: Tensor) -> Tensor:
    """A whole tensor as ``like`` is: its share of it, where ``like`` is shared out over processes."""
    if isinstance(like, DTensor) and tensor.shape == like.shape:
        # Each process has read the whole tensor: nothing is to be sent.
        return distribute_tensor(
            tensor.to(like.device), like.device_mesh, like.placements, src_data_rank=None
        )
    return tensor


def flattened(value: Any, path: str, tensors: dict[str, Tensor]) -> Any:
    """A nested state as JSON, its tensors put into ``tensors`` under their paths.

    Raises:
        TypeError: the state holds something that is neither a tensor nor of JSON.
    """
    if type(value).__name__ == _EIGHT_BITS:
        inner = {name: flattened(getattr(value, name), f"{path}.{name}", tensors) for name in _INNER}
        return {"eight_bits": {"inner": inner, "signed": value.signed, "dtype": str(value.dtype)[6:]}}
    if isinstance(value, Tensor):
        tensors[path] = whole(value)
        return {"tensor": path}
    if isinstance(value, dict):
        return {"dict": [[key, flattened(one, f"{path}.{key}", tensors)] for key, one in value.items()]}
    if isinstance(value, list | tuple):
        items = [flattened(one, f"{path}.{at}", tensors) for at, one in enumerate(value)]
        return {"tuple" if isinstance(value, tuple) else "list": items}
    if value is None or isinstance(value, bool | int | float | str):
        return value
    raise TypeError(f"a checkpoint cannot hold {path}: it is a {type(value).__name__}")


def unflattened(value: Any, tensors: dict[str, Tensor]) -> Any:
    """The nested state that :func:`flattened` took apart."""
    if not isinstance(value, dict):
        return value
    ((kind, content),) = value.items()
    if kind == "tensor":
        return tensors[content]
    if kind == "eight_bits":
        from torchao.optim.subclass_8bit import OptimState8bit

        inner = [unflattened(content["inner"][name], tensors) for name in _INNER]
        return OptimState8bit(*inner, content["signed"], dtype=getattr(torch, content["dtype"]))
    if kind == "dict":
        return {key: unflattened(one, tensors) for key, one in content}
    items = [unflattened(one, tensors) for one in content]
    return tuple(items) if kind == "tuple" else items


def write_state(folder: Path, name: str, value: Any, write: bool = True) -> None:
    """Write a nested state as ``<name>.json`` and ``<name>.safetensors``.

    Args:
        write: whether this process writes; the others only give their shares.
    """
    tensors: dict[str, Tensor] = {}
    described = flattened(value, name, tensors)
    if write:
        places: set[int] = (
            set()
        )  # a file holds no tensor twice; a scheduler's rates may be the optimizer's own
        for path, tensor in tensors.items():
            place = tensor.untyped_storage().data_ptr()
            tensors[path] = tensor.clone() if place in places else tensor
            places.add(place)
        save_file(tensors, folder / f"{name}.safetensors")
        (folder / f"{name}.json").write_text(json.dumps(described), "utf-8")


def read_state(folder: Path, name: str) -> Any:
    """The nested state that :func:`write_state` wrote, its tensors whole and on the CPU."""
    tensors = load_file(folder / f"{name}.safetensors")
    return unflattened(json.loads((folder / f"{name}.json").read_text("utf-8")), tensors)


def random_state() -> str:
    """The random generators of Python, NumPy, torch and the CUDA devices of this process, as JSON."""
    kind, numbers, *rest = np.random.get_state(legacy=True)
    cuda = torch.cuda.get_rng_state_all() if torch.cuda.is_available() else []
    return json.dumps(
        {
            "python": random.getstate(),
            "numpy": [kind, np.asarray(numbers).tolist(), *rest],
            "torch": _hex(torch.get_rng_state()),
            "cuda": [_hex(state) for state in cuda],
        }
    )


def set_random_state(text: str) -> None:
    """Put the generators where :func:`random_state` found them."""
    state = json.loads(text)
    version, numbers, gauss = state["python"]
    random.setstate((version, tuple(numbers), gauss))
    kind, keys, *rest = state["numpy"]
    np.random.set_state((kind, np.array(keys, dtype=np.uint32), *rest))
    torch.set_rng_state(_bytes(state["torch"]))
    if torch.cuda.is_available() and len(state["cuda"]) == torch.cuda.device_count():
        torch.cuda.set_rng_state_all([_bytes(one) for one in state["cuda"]])


def _hex(state: Tensor) -> str:
    return bytes(state.tolist()).hex()


def _bytes(text: str) -> Tensor:
    return torch.frombuffer(bytearray.fromhex(text), dtype=torch.uint8)

"""Bytes that torch's tensors take at once, counted as they come and go; also of tensors without data.

With fake tensors a training step of an 8B model runs in seconds on any machine: every operation of transformers,
peft and autograd is dispatched, and nothing is computed.
"""

import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves


class Allocations(TorchDispatchMode):
    """Counts the storages that are alive.

    Attributes:
        now, peak: bytes.
    """

    def __init__(self) -> None:
        super().__init__()
        self.now = self.peak = 0
        self._alive: dict[int, Any] = {}

    def add(self, tensor: torch.Tensor) -> None:
        """Count a tensor's storage until it is gone; once, however many tensors share it."""
        storage = tensor.untyped_storage()
        key, size = id(storage), storage.nbytes()
        if key in self._alive:
            return

        def gone(_: object) -> None:
            self.now -= size
            del self._alive[key]

        self._alive[key] = weakref.ref(storage, gone)
        self.now += size
        self.peak = max(self.peak, self.now)

    def __torch_dispatch__(self, operation: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = operation(*args, **(kwargs or {}))
        for leaf in tree_leaves(result):
            if isinstance(leaf, torch.Tensor):
                self.add(leaf)
        return result


@contextmanager
def without_data(model: torch.nn.Module) -> Iterator[None]:
    """Have a model on the meta device behave as one on a processor, its tensors without data."""
    made: dict[torch.nn.Parameter, torch.nn.Parameter] = {}  # one may belong to two modules: tied embeddings
    with FakeTensorMode(allow_non_fake_inputs=True):
        for module in model.modules():
            for name, weight in module._parameters.items():
                if weight is not None:
                    empty = torch.empty(weight.shape, dtype=weight.dtype)
                    fresh = torch.nn.Parameter(empty, requires_grad=weight.requires_grad)
                    module._parameters[name] = made.setdefault(weight, fresh)
            for name, buffer in module._buffers.items():
                if buffer is not None:
                    module._buffers[name] = torch.empty(buffer.shape, dtype=buffer.dtype)
        yield


class _Held:
    """A tensor that autograd holds, counted while it does."""

    def __init__(self, tensor: torch.Tensor, held: dict[int, list[int]]) -> None:
        storage = tensor.untyped_storage()
        self.tensor, self._key, self._held = tensor, storage.data_ptr(), held
        held.setdefault(self._key, [0, storage.nbytes()])[0] += 1

    def __del__(self) -> None:
        self._held[self._key][0] -= 1
        if not self._held[self._key][0]:
            del self._held[self._key]


@contextmanager
def saved_for_backward(model: torch.nn.Module) -> Iterator[dict[int, list[int]]]:
    """What autograd saves in the block beside the model's own weights: [holders, bytes] by storage."""
    own = {weight.untyped_storage().data_ptr() for weight in model.parameters()}
    held: dict[int, list[int]] = {}

    def pack(tensor: torch.Tensor) -> Any:
        return tensor if tensor.untyped_storage().data_ptr() in own else _Held(tensor, held)

    def unpack(kept: Any) -> torch.Tensor:
        return kept.tensor if isinstance(kept, _Held) else kept

    with torch.autograd.graph.saved_tensors_hooks(pack, unpack):
        yield held

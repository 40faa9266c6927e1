"""What a run measures of itself between two lines of its log."""

import time
from typing import Any, NamedTuple

import torch
from torch import Tensor

from ophtimus_training.rows import IGNORED


class Speed(NamedTuple):
    """What the work of a token is, and what the devices could do.

    Attributes:
        weights: N, all of the model's, the adapter's included.
        factor: floating-point operations a token and weight: 6, or 4 where nearly all weights are frozen (their
            own gradient is 2 of the 6). Attention is not counted, nor what checkpointing computes again.
        peak: operations a second of all devices together; 0 where they are not known.
        device: the device's name.
    """

    weights: int
    factor: int
    peak: float
    device: str

    @property
    def words(self) -> str:
        """The convention, to stand beside a figure."""
        if not self.peak:
            return f"utilisation unknown: unknown device {self.device}"
        return f"of {self.peak / 1e12:,.0f} TFLOP/s ({self.device}; {self.factor}N a token, N = {self.weights:,})"

    def utilisation(self, tokens_per_s: float) -> float | None:
        """Model FLOPs utilisation (Chowdhery et al., arXiv 2204.02311, appendix B), or None without a peak."""
        return self.factor * self.weights * tokens_per_s / self.peak if self.peak else None


def speed(model: Any, device: torch.device, devices: int) -> Speed:
    """What is known of a model and the devices that it trains on."""
    from ophtimus_training.planning.published import device_named

    sizes = {name: _size(one) for name, one in model.named_parameters()}
    trained = sum(_size(one) for one in model.parameters() if one.requires_grad)
    weights = sum(sizes.values())
    factor = 6 if 2 * trained > weights else 4
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else device.type.upper()
    known = device_named(name) if device.type == "cuda" else None
    return Speed(weights, factor, known.tflops * 1e12 * devices if known else 0.0, name)


def _size(parameter: Any) -> int:
    """Weights of a parameter; bitsandbytes holds two of 4 bits in a byte."""
    state = getattr(parameter, "quant_state", None)
    return int(state.shape.numel() if state is not None else parameter.numel())


class Tally:
    """Tokens that were worked on since the last look, and the time that it took.

    Counted where the batches are, and fetched from there only when a line is written: a look at each batch would
    have the device wait for the processor.
    """

    def __init__(self, padding: int) -> None:
        """Count, with ``padding`` as the token that is none."""
        self._padding = padding
        self.clear()

    def clear(self) -> None:
        """Begin anew."""
        self._places = 0
        self._padded: Tensor | int = 0
        self._supervised: Tensor | int = 0
        self._began, self._paused = time.monotonic(), 0.0

    def add(self, batch: dict[str, Any]) -> None:
        """Count a batch of ``input_ids`` and ``labels``."""
        self._places += batch["input_ids"].numel()
        self._padded = self._padded + (batch["input_ids"] == self._padding).sum()
        self._supervised = self._supervised + (batch["labels"][:, 1:] != IGNORED).sum()

    def pause(self, seconds: float) -> None:
        """Leave out time in which nothing was trained: an evaluation, a checkpoint."""
        self._paused += seconds

    def read(self, gather: Any) -> dict[str, float]:
        """The figures since the last look, over all devices, and begin anew.

        Args:
            gather: sums a tensor over the devices.
        """
        counts = torch.tensor([float(self._places), float(self._padded), float(self._supervised)])
        places, padded, supervised = gather(counts).tolist()
        seconds = max(time.monotonic() - self._began - self._paused, 1e-9)
        self.clear()
        tokens = max(places - padded, 1.0)
        return {
            "tokens": tokens,
            "seconds": seconds,
            "tokens_per_s": tokens / seconds,
            "supervised_share": supervised / tokens,
            "padding_share": padded / max(places, 1.0),
        }

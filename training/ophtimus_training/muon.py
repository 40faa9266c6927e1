"""Muon, the optimizer of the small models that are trained from random weights.

Jordan et al., "Muon: An optimizer for hidden layers in neural networks" (2024): the momentum of a weight
matrix is replaced with about the nearest orthogonal matrix, so that directions that few examples ask for
move as far as those that all of them share. A model that must learn each of some hundred answers by heart
learns in rare directions: here it needs a third of AdamW's passes (docs/decisions/0004).

torch.optim.Muon computes in bfloat16, which a CPU without instructions for it does a hundred times slower
than float32; this one computes in the weights' own type, and each shape's matrices at once.
"""

from collections import defaultdict
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.optim import AdamW, Optimizer
from transformers import PreTrainedModel

_MOMENTUM = 0.95
_ITERATIONS = 5
# The odd polynomial a x + b x^3 + c x^5, applied five times, takes singular values from about 0.002 to 1
# into 0.7 to 1.2 (Jordan et al.).
_A, _B, _C = 3.4445, -4.7750, 2.0315
# An orthogonal matrix of m rows and n columns has a root mean square of 1/sqrt(max(m, n)); AdamW's steps
# have about 0.2. Scaled to that, one learning rate serves both (Liu et al., arXiv 2502.16982, section 2.2).
_ADAMW_RMS = 0.2


class MuonWithAdamW(Optimizer):
    """Muon for the matrices of a model's layers, AdamW for its embeddings, output layer and norms."""

    def __init__(self, model: PreTrainedModel, lr: float, weight_decay: float) -> None:
        """Take all trainable parameters of a model.

        Args:
            lr: peak learning rate, of both.
            weight_decay: decoupled, of both.
        """
        tables = {
            id(module.weight) for module in (model.get_input_embeddings(), model.get_output_embeddings())
        }
        trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
        matrices = [one for one in trained if one.ndim == 2 and id(one) not in tables]
        others = [one for one in trained if one.ndim != 2 or id(one) in tables]
        self._adamw = AdamW(others, lr=lr, weight_decay=weight_decay, fused=True)
        super().__init__([{"params": matrices}], {"lr": lr, "weight_decay": weight_decay})
        self.param_groups += self._adamw.param_groups
        self._adamw.state = self.state

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> Any:
        """Take one step with the gradients that the parameters hold."""
        loss = None if closure is None else torch.enable_grad()(closure)()
        group = self.param_groups[0]
        by_shape: dict[torch.Size, list[tuple[Tensor, Tensor]]] = defaultdict(list)
        for matrix in group["params"]:
            if matrix.grad is not None:
                by_shape[matrix.shape].append((matrix, self._momentum(matrix, matrix.grad)))
        for shape, moved in by_shape.items():
            directions = orthogonal(torch.stack([momentum for _, momentum in moved]))
            length = group["lr"] * _ADAMW_RMS * max(shape) ** 0.5
            for (matrix, _), direction in zip(moved, directions, strict=True):
                matrix.mul_(1 - group["lr"] * group["weight_decay"]).sub_(direction, alpha=length)
        self._adamw.step()
        return loss

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take up a state that ``state_dict`` gave."""
        super().load_state_dict(state_dict)
        self._adamw.state = self.state
        self._adamw.param_groups = self.param_groups[1:]

    def _momentum(self, matrix: Tensor, gradient: Tensor) -> Tensor:
        """Nesterov's look-ahead of the gradients' running mean, which is brought up to date."""
        state = self.state[matrix]
        if "momentum" not in state:
            state["momentum"] = torch.zeros_like(matrix)
        mean = state["momentum"].lerp_(gradient, 1 - _MOMENTUM)
        return torch.lerp(gradient, mean, _MOMENTUM)


def orthogonal(matrices: Tensor) -> Tensor:
    """About the orthogonal factor of the polar decomposition of each matrix, by Newton and Schulz.

    The polynomial acts on the smaller Gram matrix, whose powers commute with it, and the result multiplies
    the matrix once: two thirds of the work for matrices of 256 by 768.

    Args:
        matrices: shape (count, rows, columns), of a floating-point type, in which everything is computed.

    Returns:
        The same shape, singular values between about 0.7 and 1.2.
    """
    tall = matrices.size(-2) > matrices.size(-1)
    wide = matrices.mT.contiguous() if tall else matrices
    wide = wide / wide.norm(dim=(-2, -1), keepdim=True).clamp(min=1e-7)
    gram = wide @ wide.mT
    factor = polynomial = _polynomial(gram)
    for _ in range(_ITERATIONS - 1):
        gram = polynomial @ gram @ polynomial
        polynomial = _polynomial(gram)
        factor = polynomial @ factor
    result: Tensor = factor @ wide
    return result.mT if tall else result


def _polynomial(gram: Tensor) -> Tensor:
    """Of the Gram matrix X X^T, what multiplies X from the left: a + b X X^T + c (X X^T)^2."""
    value = torch.baddbmm(gram, gram, gram, beta=_B, alpha=_C)
    value.diagonal(dim1=-2, dim2=-1).add_(_A)
    return value

"""The memory of one device at the worst moment of a step, by what it holds.

That moment is either the loss, when everything that the layers keep is there and the tiles of logits beside it,
or the backward pass of the last layer; with checkpointing the latter, since that layer was just computed again.
Gradients count as whole: with more than one round a step, they stand there from the first one on.
"""

import math

import msgspec

from ophtimus_training.planning import activations as kept
from ophtimus_training.planning.shapes import ModelShape, trainable_parameters
from ophtimus_training.planning.work import Workload
from ophtimus_training.recipe import AnyRecipe, OnBase, PretrainRecipe

# Of trl's loss: logits are computed in tiles of so many tokens and so much of the vocabulary (trl/kernels).
_TILE_TOKENS, _TILE_VOCABULARY = 4096, 32768
# NF4: blocks of 64 numbers share a scale, held in a byte; 256 such scales share another, in float32
# (Dettmers et al. 2023, double quantization).
_BLOCK, _SUPERBLOCK = 64, 256
# torchao's 8-bit moments: a byte each, and a float32 scale for 256 of them.
_MOMENT_BLOCK = 256
# Taken, not measured: what CUDA itself and its libraries hold on a card, cuBLAS's workspace on Hopper, and the
# share of what comes and goes that lies between pieces in use.
_CONTEXT, _CUBLAS, _FRAGMENTED = 600 << 20, 64 << 20, 0.05
# Numbers that ZeRO-2 gathers at once behind a step: ``allgather_bucket_size`` of launching.strategies.
_GATHERED = 500_000_000


class Memory(msgspec.Struct, frozen=True, kw_only=True):
    """Bytes of one device at the peak.

    Attributes:
        weights: of the model, as far as this device holds them whole and unquantized.
        quantized_base: matrices in NF4, with their constants.
        adapter: the weights of the LoRA.
        gradients: of what is trained, and what they are gathered in.
        moments: of the optimizer, and its own float32 weights where the model's have 16 bits.
        activations: what is kept for the backward pass, and a layer that is computed again.
        logits: tiles of the loss, and the gradient of its input.
        gathered: layers of other devices that are here for the moment, and buckets of gradients.
        workspace: a dequantized matrix, cuBLAS.
        fragmentation: memory that lies between pieces in use.
        context: what CUDA holds before anything is allocated.
    """

    weights: int
    quantized_base: int
    adapter: int
    gradients: int
    moments: int
    activations: int
    logits: int
    gathered: int
    workspace: int
    fragmentation: int
    context: int

    @property
    def allocated(self) -> int:
        """Of torch's own tensors: what ``torch.cuda.max_memory_allocated`` measures."""
        return self.total - self.fragmentation - self.context

    @property
    def total(self) -> int:
        """That the device must have."""
        return sum(int(getattr(self, name)) for name in self.__struct_fields__)


def memory_of(recipe: AnyRecipe, shape: ModelShape, load: Workload, count: int, gpu: bool) -> Memory:
    """The peak of each of ``count`` devices that train together."""
    kind = kept.kind_of(recipe, gpu)
    strategy = recipe.strategy if count > 1 else "ddp"
    held, quantized, adapter = _held(recipe, shape, strategy, count)
    trained = trainable_parameters(recipe, shape)
    weight_bytes = _trained_bytes(recipe, strategy)
    tokens = load.rows * load.length
    layer = kept.kept_by_layer(shape, kind) * tokens
    last = kept.kept_by_last_norm(shape, kind) * tokens
    logits = _logits(shape, kind, min(load.supervised, tokens), gpu)
    passing = kept.passing_gradients(shape, kind) * tokens
    copies = _copies(recipe, shape, strategy)
    if recipe.checkpointing:
        between = kept.kept_between_layers(shape, kind) * shape.layers * tokens
        at_loss = between + last + copies * shape.layers + logits
        in_layer = between + layer + copies + passing
    else:
        first = kept.not_kept_by_first_layer(shape, kind) * tokens
        between = layer * shape.layers - first + last + copies * shape.layers
        at_loss, in_layer = between + logits, between + passing
    loss_is_worst = at_loss >= in_layer
    shown_logits = logits if loss_is_worst else 0
    coming = max(at_loss, in_layer)
    workspace = _workspace(recipe, shape, gpu)
    return Memory(
        weights=held,
        quantized_base=quantized,
        adapter=adapter,
        gradients=_gradients(trained * weight_bytes, strategy, count),
        moments=_moments(recipe, shape, trained, strategy) // (1 if strategy == "ddp" else count),
        activations=coming - shown_logits,
        logits=shown_logits,
        gathered=_gathered(recipe, shape, strategy),
        workspace=workspace,
        fragmentation=int(_FRAGMENTED * (coming + workspace)) if gpu else 0,
        context=_CONTEXT if gpu else 0,
    )


def quantized_bytes(shape: ModelShape) -> int:
    """NF4 of every layer's seven matrices: half a byte a weight, and the scales of blocks, themselves in bytes."""
    total = 0
    for inputs, outputs in shape.projections.values():
        weights = inputs * outputs
        blocks = -(-weights // _BLOCK)
        total += -(-weights // 2) + blocks + 4 * -(-blocks // _SUPERBLOCK)
    return total * shape.layers


def _adapted(recipe: AnyRecipe) -> OnBase | None:
    """A recipe that trains an adapter; None for one that trains every weight."""
    return recipe if isinstance(recipe, OnBase) and recipe.method != "full" else None


def _adapter_bytes(recipe: AnyRecipe) -> int:
    return 4 if isinstance(recipe, OnBase) and recipe.adapter_precision == "float32" else 2


def _trained_bytes(recipe: AnyRecipe, strategy: str) -> int:
    """Bytes of a trained weight and of its gradient."""
    if _adapted(recipe):
        return _adapter_bytes(recipe)
    # DeepSpeed trains a 16-bit copy and holds the float32 weights in the optimizer.
    return 2 if recipe.precision == "bfloat16" and strategy in {"zero2", "zero3"} else 4


def _held(recipe: AnyRecipe, shape: ModelShape, strategy: str, count: int) -> tuple[int, int, int]:
    """Bytes of the base's weights, of what of it is quantized, and of the adapter."""
    shares = count if strategy in {"fsdp2", "zero3"} else 1
    adapted = _adapted(recipe)
    if adapted is None:
        return shape.parameters * _trained_bytes(recipe, strategy) // shares, 0, 0
    adapter = trainable_parameters(recipe, shape) * _adapter_bytes(recipe) // shares
    frozen = 2 if recipe.precision == "bfloat16" else 4
    if adapted.method != "qlora":
        return shape.parameters * frozen // shares, 0, adapter
    rest = shape.parameters - shape.layers * shape.layer_matrices
    return rest * frozen // shares, quantized_bytes(shape) // shares, adapter


def _gradients(whole: int, strategy: str, count: int) -> int:
    """DDP sums gradients in buckets, a second copy of them; the others keep their share."""
    if strategy == "ddp":
        return whole * (2 if count > 1 else 1)
    return whole // count


def _moments(recipe: AnyRecipe, shape: ModelShape, trained: int, strategy: str) -> int:
    width = _trained_bytes(recipe, strategy)
    if recipe.optimizer == "adamw_8bit":
        return int(trained * 2 * (1 + 4 / _MOMENT_BLOCK))
    if recipe.optimizer == "muon" and isinstance(recipe, PretrainRecipe):  # one of a matrix, two of the rest
        return trained * 2 * width - shape.layers * shape.layer_matrices * width
    own = 4 * trained if strategy in {"zero2", "zero3"} and width == 2 else 0
    moments = 4 if own else width
    return trained * 2 * moments + own


def _copies(recipe: AnyRecipe, shape: ModelShape, strategy: str) -> int:
    """What autocast makes of a layer's float32 matrices: copies in 16 bits that live as long as the layer's graph."""
    if recipe.precision != "bfloat16":
        return 0
    if _adapted(recipe):
        return 2 * trainable_parameters(recipe, shape) // shape.layers if _adapter_bytes(recipe) == 4 else 0
    return 2 * shape.layer_matrices if _trained_bytes(recipe, strategy) == 4 and strategy == "ddp" else 0


def _logits(shape: ModelShape, kind: kept.Kind, supervised: int, gpu: bool) -> int:
    """Logits of the supervised tokens, the output layer's input and its gradient, and that of the layer's weights.

    On a graphics card trl's loss computes them in tiles. On a processor they stand there whole: as they were
    computed, in float32, their logarithms, and the gradient.
    """
    if not supervised:
        return 0
    of_input = supervised * shape.hidden * (kind.matrix + 4)
    if gpu:
        logits = min(supervised, _TILE_TOKENS) * min(shape.vocabulary, _TILE_VOCABULARY) * kind.matrix
        return logits + of_input + (4 * shape.table if kind.trains_all else 0)
    copies = 3 * 4 + (kind.matrix if kind.matrix == 2 else 0)
    return supervised * shape.vocabulary * copies + of_input


def _gathered(recipe: AnyRecipe, shape: ModelShape, strategy: str) -> int:
    """What is here of other devices' weights, and buckets of gradients: two of hidden², as transformers sets them."""
    if strategy == "ddp":
        return 0
    width = 2 if recipe.precision == "bfloat16" else 4
    buckets = 2 * shape.hidden**2
    if strategy == "zero2":
        return width * (buckets + min(_GATHERED, trainable_parameters(recipe, shape)))
    # This layer and the next, and what belongs to no layer.
    tables = shape.table * (1 if shape.tied else 2)
    return width * (buckets + 2 * (shape.layer_matrices + 2 * shape.hidden) + tables)


def _workspace(recipe: AnyRecipe, shape: ModelShape, gpu: bool) -> int:
    """A matrix of the base as it is computed with; for DoRA, what peft makes of B · A to know its rows' lengths.

    That is an identity as wide as the matrix (B and A are applied to it), the product, and in float32 the product,
    the matrix, and both added.
    """
    largest = max(math.prod(pair) for pair in shape.projections.values())
    needed = _CUBLAS if gpu else 0
    if isinstance(recipe, OnBase) and recipe.method == "qlora":
        needed += 2 * largest
    if isinstance(recipe, OnBase) and recipe.method == "dora":
        width = 2 if recipe.precision == "bfloat16" else 4
        needed += width * (max(shape.hidden, shape.intermediate) ** 2 + largest) + 4 * 4 * largest
    return needed

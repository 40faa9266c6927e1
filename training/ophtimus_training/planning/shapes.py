"""The shape of a recipe's model, before any weight of it is here, and how many weights that is.

Known hub ids are data (``published.toml``, the specialty's catalog); of a folder, and of what the hub's cache
holds already, ``config.json`` is read.
"""

import json
import os
from pathlib import Path
from typing import Any, NamedTuple

from ophtimus_edge import specialties
from ophtimus_edge.errors import PlanError
from ophtimus_edge.models.shapes import PUBLISHED, VOCABULARY
from ophtimus_training.planning.published import published
from ophtimus_training.recipe import TINY, TINY_BASE, AnyRecipe, OnBase, PretrainRecipe


class ModelShape(NamedTuple):
    """The numbers of a Llama.

    Attributes:
        hidden: width of the residual stream.
        intermediate: width of the feed-forward layers.
        head_dim: width of a head; ``heads × head_dim`` need not be ``hidden``.
        tied: whether the output layer is the embedding.
    """

    vocabulary: int
    hidden: int
    intermediate: int
    layers: int
    heads: int
    kv_heads: int
    head_dim: int
    tied: bool

    @property
    def projections(self) -> dict[str, tuple[int, int]]:
        """A layer's matrices: what each takes and what it gives, in numbers a token."""
        queries, keys = self.heads * self.head_dim, self.kv_heads * self.head_dim
        return {
            "q_proj": (self.hidden, queries),
            "k_proj": (self.hidden, keys),
            "v_proj": (self.hidden, keys),
            "o_proj": (queries, self.hidden),
            "gate_proj": (self.hidden, self.intermediate),
            "up_proj": (self.hidden, self.intermediate),
            "down_proj": (self.intermediate, self.hidden),
        }

    @property
    def layer_matrices(self) -> int:
        """Weights of one layer's seven matrices."""
        return sum(inputs * outputs for inputs, outputs in self.projections.values())

    @property
    def table(self) -> int:
        """Weights of the embedding; the output layer has as many."""
        return self.vocabulary * self.hidden

    @property
    def parameters(self) -> int:
        """All weights: embedding, output layer where it is another, matrices, and two norms a layer and one."""
        tables = self.table * (1 if self.tied else 2)
        return tables + self.layers * (self.layer_matrices + 2 * self.hidden) + self.hidden

    def adapter_parameters(self, rank: int, dora: bool = False) -> int:
        """Weights of a LoRA on the seven projections of every layer: r × (in + out) each, DoRA's lengths of rows.

        Args:
            rank: r, of Hu et al. 2021.
            dora: with a length for each row (Liu et al. 2024).
        """
        pairs = self.projections.values()
        return self.layers * sum(rank * (into + out) + (out if dora else 0) for into, out in pairs)


def trainable_parameters(recipe: AnyRecipe, shape: ModelShape) -> int:
    """The weights that a recipe trains."""
    if isinstance(recipe, OnBase) and recipe.method != "full":
        return shape.adapter_parameters(recipe.lora_r, recipe.method == "dora")
    return shape.parameters


def shape_of(recipe: AnyRecipe) -> ModelShape:
    """The shape of the model that a recipe trains; nothing is fetched.

    Raises:
        PlanError: the base is no Llama in 16 or 32 bits, its config.json is missing or damaged, or nothing
            here knows the hub id.
    """
    if isinstance(recipe, PretrainRecipe):
        return ModelShape(
            recipe.vocabulary, recipe.hidden, recipe.intermediate, recipe.layers, recipe.heads,
            recipe.kv_heads, recipe.hidden // recipe.heads, tied=True,
        )  # fmt: skip
    if recipe.base == TINY:
        return shape_of(TINY_BASE)
    folder = Path(recipe.base)
    if folder.is_dir():
        return _from_config(folder / "config.json")
    if known := _known(recipe.base):
        return known
    if cached := _cached(recipe.base):
        return _from_config(cached)
    raise PlanError(
        f"the shape of {recipe.base} is not known: there is no such folder, and it is no base of the catalog.",
        "Name the checkpoint's folder with --set base=FOLDER (its config.json is enough for a plan), or one "
        f"of: {', '.join(sorted(_sizes()))}.",
    )


def _sizes() -> dict[str, str]:
    """The size of each hub id that is known."""
    ours = {model.hub_id: model.parameters for model in specialties.catalog() if model.hub_id}
    return published().bases | ours


def _known(hub_id: str) -> ModelShape | None:
    size = _sizes().get(hub_id.partition("@")[0])
    if size is None:
        return None
    shape = PUBLISHED[float(size.removesuffix("B"))]
    return ModelShape(
        VOCABULARY,
        shape.width,
        shape.inner,
        shape.layers,
        shape.heads,
        shape.kv_heads,
        shape.head,
        shape.tied,
    )


def _cached(hub_id: str) -> Path | None:
    """The config.json of a hub id in the hub's cache, if it is there; no network is reached for."""
    if hub_id.count("/") != 1:
        return None
    os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
    from huggingface_hub import try_to_load_from_cache
    from huggingface_hub.errors import HFValidationError

    name, _, revision = hub_id.partition("@")
    try:
        found = try_to_load_from_cache(name, "config.json", revision=revision or None)
    except HFValidationError:
        return None
    return Path(found) if isinstance(found, str) else None


def _from_config(path: Path) -> ModelShape:
    try:
        config: Any = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise PlanError(
            f"{path} cannot be read: {error}.", "Name a checkpoint's folder: --set base=FOLDER."
        ) from error
    kinds = config.get("architectures") if isinstance(config, dict) else None
    if kinds != ["LlamaForCausalLM"]:
        raise PlanError(f"{path} describes {kinds}, which is not trained here.", "Name a LlamaForCausalLM.")
    if config.get("quantization_config"):
        raise PlanError(
            f"{path} says that the checkpoint is quantized.",
            "Name the 16-bit checkpoint that it was made from; qlora quantizes it while loading.",
        )
    try:
        heads, hidden = int(config["num_attention_heads"]), int(config["hidden_size"])
        shape = ModelShape(
            vocabulary=int(config["vocab_size"]),
            hidden=hidden,
            intermediate=int(config["intermediate_size"]),
            layers=int(config["num_hidden_layers"]),
            heads=heads,
            kv_heads=int(config.get("num_key_value_heads") or heads),
            head_dim=int(config.get("head_dim") or hidden // heads),
            tied=bool(config.get("tie_word_embeddings", False)),
        )
    except (KeyError, TypeError, ValueError, ZeroDivisionError) as error:
        raise PlanError(
            f"{path} lacks a number of a Llama: {error!r}.", "Copy the checkpoint again."
        ) from error
    if min(shape[:-1]) < 1:
        raise PlanError(f"{path} holds a number below 1: {shape}.", "Copy the checkpoint again.")
    return shape

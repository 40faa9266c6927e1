"""The checkpoint that a run starts from: found, checked, and loaded in the type that was asked for."""

import json
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from transformers import AutoModelForCausalLM, AutoTokenizer, PreTrainedModel

from ophtimus_edge.errors import BaseCheckpointError, DataHubError, TrainingError
from ophtimus_training.examples import hub
from ophtimus_training.pretrain import new_model, new_tokenizer
from ophtimus_training.primer import Exchange
from ophtimus_training.recipe import TINY_BASE, OnBase

PADDING = "<|finetune_right_pad_id|>"
_FILES = ("*.safetensors", "*.json", "*.jinja", "LICENSE*", "NOTICE*", "USE_POLICY*", "README.md")


def folder_of(base: str) -> Path:
    """The folder of a base: as it was named, or in the hub's cache, fetched where it is not.

    Raises:
        BaseCheckpointError: there is no checkpoint of that name, it cannot be fetched, is quantized, or holds no
            weights.
    """
    folder = Path(base)
    if hub.is_hub_id(base):
        try:
            folder = hub.fetch(base, _FILES, "model")
        except DataHubError as error:
            raise BaseCheckpointError(error.message, error.hint) from error
    if not (folder / "config.json").is_file():
        raise BaseCheckpointError(
            f"there is no base checkpoint in {base}.",
            "Train one first (ophtimus-train run demo-pretrain), or name its folder with --set base=FOLDER.",
        )
    try:
        config = json.loads((folder / "config.json").read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise BaseCheckpointError(
            f"{folder / 'config.json'} cannot be read: {error}.", "Download the checkpoint again."
        ) from error
    if config.get("quantization_config"):
        method = config["quantization_config"].get("quant_method", "some method")
        raise BaseCheckpointError(
            f"the base in {base} is quantized ({method}): what is trained on it would fit no other copy.",
            "Name the checkpoint in 16 bits; QLoRA quantizes it by itself while it trains.",
        )
    if not any(folder.glob("*.safetensors")):
        raise BaseCheckpointError(
            f"there are no weights in {base}: no safetensors file.", "Download the checkpoint again."
        )
    return folder


def tokenizer_of(folder: Path) -> Any:
    """A base's tokenizer, which pads with a token of its own.

    Raises:
        BaseCheckpointError: there is none, or no token to pad with but those that end an answer.
    """
    try:
        tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
    except Exception as error:  # whatever a damaged or missing file makes it raise
        raise BaseCheckpointError(
            f"the base in {folder} has no tokenizer that can be read.", "Download the checkpoint again."
        ) from error
    return with_padding(tokenizer)


def with_padding(tokenizer: Any) -> Any:
    """Have a tokenizer pad with Llama-3's token for it, never with one that ends an answer or a text.

    A model that is trained on padding, or never on its end token because that is padding, does not stop.

    Raises:
        BaseCheckpointError: it has no token that is free for it.
    """
    if PADDING in tokenizer.get_vocab():
        tokenizer.pad_token = PADDING
    ends = {tokenizer.eos_token_id, *tokenizer.convert_tokens_to_ids(["<|eot_id|>", "<|end_of_text|>"])}
    if tokenizer.pad_token_id is None or tokenizer.pad_token_id in ends:
        raise BaseCheckpointError(
            "the base's tokenizer has no token to pad with but one that ends a text.",
            f"Use a Llama-3 tokenizer, which has {PADDING}.",
        )
    return tokenizer


def tiny(exchanges: list[Exchange], out: Path) -> Path:
    """Make a base for a run that shows that everything works: random weights, a tokenizer of the data's texts."""
    folder = out / "base"
    if not (folder / "tokenizer.json").is_file():  # the last file that is written
        tokenizer = new_tokenizer(exchanges, TINY_BASE)
        new_model(TINY_BASE, tokenizer).to(torch.bfloat16).save_pretrained(folder)
        tokenizer.save_pretrained(folder)
    return folder


def load(recipe: OnBase, folder: Path, device: torch.device) -> PreTrainedModel:
    """Load a base for training, in the type that the recipe's precision means.

    What is frozen is held in the precision itself; what is trained whole is held in float32, in which a small step
    does not vanish, and computed under autocast. Without a type transformers loads whatever the file has, and
    float32 where a name is given to trl: four times QLoRA's memory, in silence.

    Raises:
        BaseCheckpointError: its weights cannot be read.
        TrainingError: bitsandbytes is missing.
    """
    frozen = recipe.method != "full"
    precision = getattr(torch, recipe.precision)
    settings: dict[str, Any] = {"dtype": precision if frozen else torch.float32}
    if recipe.method == "qlora":
        settings["quantization_config"] = _four_bits(precision)
        settings["device_map"] = {"": device}
    try:
        model, found = AutoModelForCausalLM.from_pretrained(
            folder, local_files_only=True, trust_remote_code=False, use_safetensors=True,
            attn_implementation="sdpa", output_loading_info=True, **settings,
        )  # fmt: skip
    except (OSError, ValueError, RuntimeError, SafetensorError) as error:
        if isinstance(error, torch.OutOfMemoryError):
            raise
        reason = str(error).splitlines()[0]
        raise BaseCheckpointError(
            f"the base in {folder} cannot be loaded: {reason}.", "Download it again."
        ) from error
    if found["missing_keys"]:
        # transformers would draw them at random, and say so in a log.
        raise BaseCheckpointError(
            f"the base in {folder} cannot be loaded: it lacks {len(found['missing_keys'])} weights, "
            f"{min(found['missing_keys'])} among them.",
            "Download it again.",
        )
    whole: PreTrainedModel = model
    return whole


def _four_bits(precision: torch.dtype) -> Any:
    """NF4 with double quantization (Dettmers et al., arXiv 2305.14314), computed in the run's precision."""
    from importlib.util import find_spec

    from transformers import BitsAndBytesConfig

    if find_spec("bitsandbytes") is None:
        raise TrainingError(
            "QLoRA needs bitsandbytes, which is not installed.",
            "Install it with: pip install 'ophtimus-edge[training]'; or train with --set method=lora.",
        )
    return BitsAndBytesConfig(
        load_in_4bit=True,
        bnb_4bit_quant_type="nf4",
        bnb_4bit_use_double_quant=True,
        bnb_4bit_compute_dtype=precision,
    )

"""An adapter as peft wrote it, checked, on a base that takes no memory: what peft itself merges, module by module.

The keys of ``adapter_config.json`` are read against an allow-list: each new kind of adapter hides behind one, and
a merge that leaves it out would be wrong without a sign.
"""

import json
import math
from pathlib import Path
from typing import Any

import torch
from peft import LoraConfig, PeftModel, get_peft_model, set_peft_model_state_dict
from peft.utils import ModulesToSaveWrapper
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import nn
from transformers import LlamaConfig, LlamaForCausalLM

from ophtimus_edge.errors import AdapterError
from ophtimus_training.merging.base import Checkpoint

CONFIG, WEIGHTS = "adapter_config.json", "adapter_model.safetensors"
DIRECTLY = "ophtimus-convert --adapter merges more kinds, straight into GGUF files."
_OTHER_BASE = "The adapter was trained on another base: name that one with --base."
# What may differ from peft's defaults: what peft's own merge takes into account, and what says nothing about it.
_MERGED = {
    "alpha_pattern", "exclude_modules", "layers_pattern", "layers_to_transform", "lora_alpha", "modules_to_save",
    "peft_type", "r", "rank_pattern", "target_modules", "use_dora", "use_rslora",
}  # fmt: skip
_WITHOUT_EFFECT = {
    "auto_mapping", "base_model_name_or_path", "ensure_weight_tying", "eva_config", "inference_mode",
    "lora_dropout", "megatron_core", "peft_version", "qalora_group_size", "revision", "runtime_config", "task_type",
}  # fmt: skip
# Starts that leave the base as it is; others (pissa, olora, corda, loftq) take their share out of it.
_SOUND_STARTS = (True, False, "gaussian", "eva", "orthogonal")


class Adapter:
    """An adapter's configuration and tensors, in float32.

    Attributes:
        said: what ``adapter_config.json`` says.
        base: the name of what it was trained on, or "".
    """

    def __init__(self, folder: Path) -> None:
        """Read and check an adapter.

        Raises:
            AdapterError: it is missing, damaged, does nothing, or asks for what is not merged here.
        """
        self.folder = folder
        self.said = _said(folder)
        self.base = str(self.said.get("base_model_name_or_path") or "")
        try:
            stored = load_file(folder / WEIGHTS)
        except FileNotFoundError:
            pickled = next((path.name for path in sorted(folder.glob("*.bin"))), "")
            what = f"{pickled} is a pickle, which can run code" if pickled else f"there is no {WEIGHTS}"
            raise AdapterError(
                f"the adapter in {folder} cannot be read: {what}.", "Save it again as safetensors."
            ) from None
        except (OSError, SafetensorError) as error:
            raise AdapterError(
                f"{folder / WEIGHTS} is damaged: {error}.", "Copy the adapter again."
            ) from error
        # peft rounds B · A to the adapter's own type where that has 16 bits: in float32 it does not.
        self.tensors = {name: tensor.float() for name, tensor in stored.items()}
        self._check_numbers()

    def on(self, base: Checkpoint) -> PeftModel:
        """Peft's model of a base and this adapter, the base's weights one zero each, whatever their shape.

        Raises:
            AdapterError: the adapter does not fit the base.
        """
        model = hollow(base)
        config = LoraConfig.from_pretrained(self.folder)
        config.inference_mode = True
        try:
            wrapped = get_peft_model(model, config, low_cpu_mem_usage=True)
            told = set_peft_model_state_dict(wrapped, self.tensors, low_cpu_mem_usage=True)
        except (RuntimeError, ValueError, KeyError) as error:
            reason = " ".join(str(error).split())
            raise AdapterError(f"the adapter does not fit the base: {reason[:300]}.", _OTHER_BASE) from error
        lacking = [name for name, weight in wrapped.named_parameters() if weight.device.type == "meta"]
        if told.unexpected_keys or lacking:
            name = (told.unexpected_keys or lacking)[0]
            what = "has no place in the base" if told.unexpected_keys else "is missing in the adapter"
            raise AdapterError(f"the adapter does not fit the base: {name} {what}.", _OTHER_BASE)
        self._check_copies(wrapped, base)
        return wrapped.eval()

    def _check_copies(self, wrapped: PeftModel, base: Checkpoint) -> None:
        """Peft may save a base's embeddings with an adapter: they must be this base's."""
        inner = wrapped.get_base_model()
        saved = {path for path, module in inner.named_modules() if isinstance(module, ModulesToSaveWrapper)}
        for key, tensor in self.tensors.items():
            name = key.removeprefix("base_model.model.").replace(".base_layer.", ".")
            if "lora_" in name or name.removesuffix(".weight") in saved:
                continue
            if not torch.equal(tensor, base.tensor(name).float()):
                raise AdapterError(f"the adapter holds another {name} than the base.", _OTHER_BASE)

    def _check_numbers(self) -> None:
        for name, tensor in self.tensors.items():
            if not torch.isfinite(tensor).all():
                raise AdapterError(
                    f"the adapter's {name} holds NaN or infinity.",
                    "Use an earlier checkpoint of the training.",
                )
        halves = [
            tensor
            for name, tensor in self.tensors.items()
            if ".lora_B." in name or "lora_embedding_B" in name
        ]
        others = [name for name in self.tensors if "lora_" not in name or "magnitude" in name]
        if not others and not any(bool(tensor.any()) for tensor in halves):
            raise AdapterError("every B of the adapter is zero: it does nothing.", "Name a trained adapter.")


def hollow(base: Checkpoint) -> LlamaForCausalLM:
    """A Llama of a checkpoint's shape whose weights are one zero each, seen as often as the shape has places."""
    config = LlamaConfig.from_dict(dict(base.config))
    config._attn_implementation = "sdpa"
    config.tie_word_embeddings = False  # each is filled by itself; what is written decides whether they part
    with torch.device("meta"):
        model = LlamaForCausalLM(config)
    for module in model.modules():
        for name, weight in module._parameters.items():
            if weight is not None:
                module._parameters[name] = hollow_weight(weight.shape)
    # Made again, with numbers: what the meta device made has none.
    model.model.rotary_emb = type(model.model.rotary_emb)(config=config)
    return model.eval()


def hollow_weight(shape: Any) -> nn.Parameter:
    """A weight of zeros that takes the memory of one."""
    return nn.Parameter(torch.zeros(()).expand(shape), requires_grad=False)


def _said(folder: Path) -> dict[str, Any]:
    path = folder / CONFIG
    try:
        said = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise AdapterError(
            f"there is no adapter in {folder}: {CONFIG} is missing.",
            "Name the folder that ophtimus-train run or peft's save_pretrained wrote.",
        ) from None
    except (OSError, ValueError) as error:
        raise AdapterError(f"{path} cannot be read: {error}.", "Copy the adapter again.") from error
    if not isinstance(said, dict) or said.get("peft_type") != "LORA":
        kind = said.get("peft_type") if isinstance(said, dict) else None
        raise AdapterError(f"{path} describes an adapter of the kind {kind!r}.", "Only LORA is merged.")
    defaults = LoraConfig().to_dict()
    for key, value in said.items():
        if key in _MERGED or key in _WITHOUT_EFFECT or value in (None, False, [], {}):
            continue
        if key == "init_lora_weights" and value in _SOUND_STARTS:
            continue
        if key == "fan_in_fan_out" or (key in defaults and value == defaults[key]):
            continue
        raise AdapterError(
            f"the adapter sets {key}={json.dumps(value)[:80]}, which is not merged here.", DIRECTLY
        )
    alpha = said.get("lora_alpha")
    if not isinstance(alpha, int | float) or not math.isfinite(alpha) or alpha == 0:
        raise AdapterError(f"the adapter's lora_alpha is {alpha!r}.", "Train it with another alpha.")
    return said

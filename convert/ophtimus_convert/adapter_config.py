"""What an adapter's configuration says, read against an allow-list of keys.

Every release of peft adds kinds of adapters, each behind a key of ``adapter_config.json``. A key that is
not decided here and says something is refused by its name: a merge that leaves it out would be wrong
without a sign.
"""

import json
import math
import re
from pathlib import Path
from typing import Annotated, TypeVar

import msgspec

from ophtimus_edge.errors import AdapterError

_FILE = "adapter_config.json"

_LET_PEFT_MERGE = "Let peft merge it (merge_and_unload) and convert the merged checkpoint."
_TRAIN_PLAINLY = "It cannot become a part of the weights: train a plain LoRA or DoRA adapter."
_NO_BIASES = "A Llama has no biases to add it to: train with bias='none' and lora_bias=False."
_MAKE_IT_PLAIN = "Save it with path_initial_model_for_weight_conversion, which makes it a plain LoRA."

# Keys that say nothing about the merged weights, whatever their value: how it was trained, where it came
# from, what holds only while peft runs. What eva_config describes starts A and leaves the base alone;
# megatron_core and qalora_group_size work only with a megatron_config and a use_qalora, refused below.
_WITHOUT_EFFECT = frozenset({
    "auto_mapping", "ensure_weight_tying", "eva_config", "inference_mode", "lora_dropout", "megatron_core",
    "peft_version", "qalora_group_size", "revision", "runtime_config", "task_type",
})  # fmt: skip
# Keys that must not be used, and what to do about each that is.
_REFUSED = {
    "alora_invocation_tokens": _TRAIN_PLAINLY,
    "arrow_config": _TRAIN_PLAINLY,
    "bias": _NO_BIASES,
    "corda_config": _MAKE_IT_PLAIN,
    "kasa_config": _LET_PEFT_MERGE,
    "layer_replication": _LET_PEFT_MERGE,
    "loftq_config": _LET_PEFT_MERGE,
    "lora_bias": _NO_BIASES,
    "lora_ga_config": _MAKE_IT_PLAIN,
    "megatron_config": _LET_PEFT_MERGE,
    "monteclora_config": _LET_PEFT_MERGE,
    "target_parameters": _LET_PEFT_MERGE,
    "use_bdlora": _LET_PEFT_MERGE,
    "use_qalora": _TRAIN_PLAINLY,
    "velora_config": _LET_PEFT_MERGE,
}
# Initializations that leave the base as it is, and so say nothing about the merged weights.
_SOUND_STARTS = frozenset({"gaussian", "eva", "orthogonal"})
# Those that take their share out of the base: added to the original base, they would count twice.
_STARTS_FROM_THE_BASE = ("pissa", "olora", "corda", "lora_ga")
_QUANTIZED_NAME = re.compile(r"bnb|gptq|awq|nf4|[48][-_]?bits?\b|\bint[48]\b", re.IGNORECASE)

_Value = TypeVar("_Value")
_Count = Annotated[int, msgspec.Meta(ge=1)]
_Index = Annotated[int, msgspec.Meta(ge=0)]


class AdapterConfig(msgspec.Struct, frozen=True, kw_only=True):
    """The part of a LoRA's configuration that decides how it is merged.

    A module is named by its path, such as ``model.layers.0.self_attn.q_proj``.

    Attributes:
        r: the rank, where ``rank_pattern`` names no other.
        lora_alpha: the scale's numerator, where ``alpha_pattern`` names no other.
        modules_to_save: ends of the paths of modules that were trained whole.
        trainable_token_indices: rows of the embedding that were trained; by the end of the module's path
            where it is not the input embedding.
        target_modules: ends of the paths of the adapted modules, or a regular expression of whole paths.
        base_model_name_or_path: what the adapter was trained on.
        init_lora_weights: how A and B were started; only what leaves the base as it is gets here.
    """

    peft_type: str
    r: _Count
    lora_alpha: float
    alpha_pattern: dict[str, float] = {}
    base_model_name_or_path: str = ""
    exclude_modules: list[str] | str = []
    fan_in_fan_out: bool = False
    init_lora_weights: bool | str = True
    layers_pattern: list[str] | str = []
    layers_to_transform: list[int] | int = []
    modules_to_save: list[str] = []
    rank_pattern: dict[str, _Count] = {}
    target_modules: list[str] | str = []
    trainable_token_indices: list[_Index] | dict[str, list[_Index]] = []
    use_dora: bool = False
    use_rslora: bool = False

    def rank(self, module: str) -> int:
        """The rank of a module's pair of matrices."""
        return _of_pattern(self.rank_pattern, module, self.r)

    def scale(self, module: str) -> float:
        """What a module's product B·A is multiplied by.

        alpha / r (Hu et al. 2021), or alpha / sqrt(r) with rsLoRA (Kalajdzievski 2023).
        """
        rank = self.rank(module)
        alpha = _of_pattern(self.alpha_pattern, module, self.lora_alpha)
        return alpha / (math.sqrt(rank) if self.use_rslora else rank)

    def alphas(self, module: str) -> int:
        """How many different values ``alpha_pattern`` gives a module."""
        return len({alpha for pattern, alpha in self.alpha_pattern.items() if _ends(module, pattern)})

    def saves(self, module: str) -> bool:
        """Whether a module, or one that it is part of, was trained whole."""
        parts = module.split(".")
        paths = [".".join(parts[:end]) for end in range(1, len(parts) + 1)]
        return any(path.endswith(name) for path in paths for name in self.modules_to_save)

    def targets(self, module: str) -> bool:
        """Whether a linear module or an embedding is one that was adapted."""
        if _is_named(self.exclude_modules, module) or any(
            re.match(rf"(^|.*\.){name}($|\..*)", module) for name in self.modules_to_save
        ):
            return False
        if not _is_named(self.target_modules, module):
            return False
        layers = self.layers_to_transform
        layers = [layers] if isinstance(layers, int) else layers
        if not layers or isinstance(self.target_modules, str):
            return True
        names = [self.layers_pattern] if isinstance(self.layers_pattern, str) else self.layers_pattern
        matches = (re.match(rf"(?:^|.*?\.){name}\.(\d+)\.", module) for name in names or [r"[^.]*"])
        return any(match and int(match[1]) in layers for match in matches)

    def tokens(self, module: str, embedding: str) -> list[int] | None:
        """The rows of a module that were trained one by one, or None.

        Args:
            embedding: the input embedding's path, which a plain list means.
        """
        if isinstance(self.trainable_token_indices, dict):
            rows = (rows for name, rows in self.trainable_token_indices.items() if module.endswith(name))
            return next(rows, None)
        return self.trainable_token_indices or None if module == embedding else None

    def differs_from(self, *names: str) -> bool:
        """Whether the base that the adapter was trained on has another name than the one supplied.

        Args:
            names: what the supplied base is called: a folder, a hub id. Only the last part is compared,
                since a hub id's owner is lost in a folder.
        """
        trained = _last_part(self.base_model_name_or_path)
        return bool(trained) and trained not in {_last_part(name) for name in names}

    @property
    def notes(self) -> list[str]:
        """What a person should know of the merge, in sentences."""
        notes = []
        if _QUANTIZED_NAME.search(self.base_model_name_or_path):
            notes.append(
                f"The adapter was trained on a quantized base ({self.base_model_name_or_path}); it is merged "
                "into the 16-bit base, whose answers can differ a little from those seen while training."
            )
        if self.fan_in_fan_out:
            notes.append("The adapter sets fan_in_fan_out, which means nothing in a Llama: taken for false.")
        return notes


DECIDED_KEYS = frozenset(AdapterConfig.__struct_fields__) | _WITHOUT_EFFECT | frozenset(_REFUSED)


def read_adapter_config(folder: Path) -> AdapterConfig:
    """Read a folder's ``adapter_config.json``.

    Raises:
        AdapterError: it is missing or damaged, or it sets a key that is not merged here; the message
            names the key.
    """
    path = folder / _FILE
    try:
        said = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise AdapterError(
            f"{path} cannot be read: {error}.", "Name the folder that peft's save_pretrained wrote."
        ) from error
    kind = said.get("peft_type") if isinstance(said, dict) else None
    if kind != "LORA":
        raise AdapterError(f"{path} describes an adapter of the kind {kind!r}.", "Only LORA is merged.")
    for key, value in said.items():
        if key in AdapterConfig.__struct_fields__ or key in _WITHOUT_EFFECT or _says_nothing(key, value):
            continue
        raise AdapterError(
            f"the adapter sets {key}={json.dumps(value)[:80]}, which is not merged here.",
            _REFUSED.get(key, _LET_PEFT_MERGE),
        )
    given = {key: value for key, value in said.items() if value is not None}
    try:
        config = msgspec.convert(given, AdapterConfig)
    except msgspec.ValidationError as error:
        raise AdapterError(
            f"{path} is no sound configuration: {error}.", "Copy the adapter again."
        ) from error
    _check_start(config.init_lora_weights)
    _check_patterns(config)
    for key, alphas in {
        "lora_alpha": [config.lora_alpha],
        "alpha_pattern": config.alpha_pattern.values(),
    }.items():
        if any(alpha == 0 or not math.isfinite(alpha) for alpha in alphas):
            raise AdapterError(f"the adapter's {key} is 0 or infinite.", "Train it with another alpha.")
    return config


def _says_nothing(key: str, value: object) -> bool:
    # By identity: 0 and 1 equal False and True, and are not what peft writes for them.
    return value is None or value is False or value in ([], {}) or (key == "bias" and value == "none")


def _check_start(start: bool | str) -> None:
    if isinstance(start, bool) or start.lower() in _SOUND_STARTS:
        return
    changes = start.lower().startswith(_STARTS_FROM_THE_BASE)
    raise AdapterError(
        f"the adapter was started with init_lora_weights={start!r}, which "
        + ("takes its share out of the base." if changes else "is not merged here."),
        _MAKE_IT_PLAIN if changes else _LET_PEFT_MERGE,
    )


def _check_patterns(config: AdapterConfig) -> None:
    """Refuse what is no regular expression, before a module is compared with it."""
    groups: dict[str, list[str]] = {"modules_to_save": config.modules_to_save}
    for key in ("rank_pattern", "alpha_pattern"):
        groups[key] = list(getattr(config, key))
    for key in ("target_modules", "exclude_modules"):  # a list of them holds names, not patterns
        value = getattr(config, key)
        groups[key] = [value] if isinstance(value, str) else []
    names = config.layers_pattern
    groups["layers_pattern"] = [names] if isinstance(names, str) else names
    for key, patterns in groups.items():
        for pattern in patterns:
            try:
                re.compile(f"({pattern})")
            except re.error as error:
                raise AdapterError(
                    f"the adapter's {key} holds {pattern!r}, which is no pattern: {error}.",
                    "Copy the adapter again.",
                ) from error


def _of_pattern(patterns: dict[str, _Value], module: str, otherwise: _Value) -> _Value:
    """The value of the first pattern that a module's path ends with, in the file's order, as peft has it."""
    for pattern, value in patterns.items():
        if _ends(module, pattern):
            return value
    return otherwise


def _ends(module: str, pattern: str) -> bool:
    return bool(re.match(rf"(.*\.)?({pattern})$", module))


def _is_named(names: list[str] | str, module: str) -> bool:
    if isinstance(names, str):
        return bool(re.fullmatch(names, module))
    return any(module == name or module.endswith(f".{name}") for name in names)


def _last_part(name: str) -> str:
    return re.split(r"[/\\]", name.rstrip("/\\"))[-1].casefold()

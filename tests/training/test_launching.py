"""Several processes learn what one would, and each strategy's settings are what its library takes."""

import json
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest
import shared_training
from torchrun import torchrun
from transformers import TrainingArguments

from ophtimus_edge.errors import MissingExtraError, OphtimusError, RecipeError
from ophtimus_training import recipe as recipes
from ophtimus_training.launching.ranks import first, first_speaks
from ophtimus_training.launching.strategies import deepspeed_config, strategy_settings

KINDS = ("tied", "lora")


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> dict[str, shared_training.Result]:
    """What one process learns."""
    folder = tmp_path_factory.mktemp("alone")
    return {kind: shared_training.run(folder / kind, kind, "ddp") for kind in KINDS}


def test_two_processes_learn_what_one_does(alone: dict[str, shared_training.Result], tmp_path: Path) -> None:
    """And stopped by a signal that one of them gets, they keep one checkpoint and go on from it bit for bit."""
    asked = ("ddp:lora", "fsdp2:tied", "fsdp2:lora")
    ended = torchrun("-m", "shared_training", str(tmp_path), *asked, folder=tmp_path)
    assert ended.returncode == 0, ended.stderr[-3000:]
    result = json.loads((tmp_path / "result.json").read_text())
    assert tuple(result) == asked
    for name, found in result.items():
        strategy, kind = name.split(":")
        assert found["shared_out"] == (strategy == "fsdp2")
        shared_training.expect_alike(found, alone[kind])
        assert "optimizer.safetensors" in found["kept"]
        assert not any(file.endswith((".pt", ".pth", ".bin")) for file in found["kept"])


def test_one_process_ignores_the_strategy() -> None:
    for strategy in ("ddp", "fsdp2", "zero2", "zero3"):
        recipe = recipes.load("pretrain-8b", [f"strategy={strategy}"])
        assert strategy_settings(recipe, 1, gpu=True) == {
            "gradient_checkpointing": True,
            "gradient_checkpointing_kwargs": {"use_reentrant": False},
        }


def test_fsdp2_is_what_transformers_and_accelerate_take(tmp_path: Path) -> None:
    recipe = recipes.load("pretrain-8b", ["strategy=fsdp2"])
    settings = strategy_settings(recipe, 4, gpu=True)
    arguments = TrainingArguments(output_dir=str(tmp_path), use_cpu=True, **settings)
    from accelerate.utils import FullyShardedDataParallelPlugin

    plugin = FullyShardedDataParallelPlugin(**arguments.fsdp_plugin_args)
    assert plugin.fsdp_version == 2
    assert plugin.transformer_cls_names_to_wrap == ["LlamaDecoderLayer"]
    assert plugin.reshard_after_forward is True
    assert plugin.activation_checkpointing is True
    assert not arguments.gradient_checkpointing  # both at once are refused by transformers


@pytest.mark.parametrize(
    ("asked", "processes", "gpu", "says"),
    [
        (["strategy=fsdp2"], 2, True, ""),
        (["strategy=fsdp2"], 2, False, "there is none here"),
        (["strategy=ddp"], 2, False, ""),
        (["strategy=ddp"], 17, True, "a step of 16 sequences cannot be shared out among 17"),
        (["strategy=ddp"], 16, True, ""),
        (["strategy=fsdp2", "optimizer=muon"], 2, True, "muon"),
        (["strategy=ddp", "optimizer=muon"], 2, True, ""),
        (["strategy=fsdp2", "optimizer=adamw_8bit"], 2, True, "never tried together"),
        (["strategy=fsdp2", "method=qlora"], 2, True, "a base in 4 bits cannot be shared out"),
        (["strategy=zero3", "method=qlora"], 2, True, "a base in 4 bits cannot be shared out"),
        (["strategy=fsdp2", "method=qlora"], 1, True, ""),
        (["strategy=ddp", "method=qlora"], 2, True, ""),
    ],
)
def test_what_a_strategy_cannot_share_out_is_refused(
    asked: list[str], processes: int, gpu: bool, says: str
) -> None:
    recipe = recipes.load("pretrain-8b", asked)  # a step of 4 × 4
    if not says:
        assert strategy_settings(recipe, processes, gpu)
        return
    with pytest.raises(RecipeError, match=says) as refused:
        strategy_settings(recipe, processes, gpu)
    assert "--set" in refused.value.hint


def test_an_adapter_under_zero_3_computes_again_in_the_reentrant_way(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ophtimus_training.launching.strategies.find_spec", lambda _: object())
    for asked, reentrant in (
        (["strategy=zero3", "method=lora"], True),
        (["strategy=zero3", "method=full"], False),
        (["strategy=zero2", "method=lora"], False),
    ):
        settings = strategy_settings(recipes.load("pretrain-8b", asked), 4, gpu=True)
        assert settings["gradient_checkpointing_kwargs"] == {"use_reentrant": reentrant}
        assert "device_map" not in json.dumps(settings)


def test_deepspeed_is_asked_for_before_anything_is_loaded() -> None:
    recipe = recipes.load("pretrain-8b")
    assert recipe.strategy == "zero2"
    try:
        version("deepspeed")
    except ModuleNotFoundError:
        with pytest.raises(MissingExtraError, match="DeepSpeed"):
            strategy_settings(recipe, 4, gpu=True)
    else:
        assert strategy_settings(recipe, 4, gpu=True)["deepspeed"]


# The keys of deepspeed 0.19.8 (its documentation and its configuration's classes) that a run here could need, each
# with what it takes. DeepSpeed ignores a mistyped one at the top without a word.
_NUMBER: Callable[[Any], bool] = lambda value: isinstance(value, int | float) and not isinstance(value, bool)  # noqa: E731
_SWITCH: Callable[[Any], bool] = lambda value: isinstance(value, bool)  # noqa: E731
_TOP = {
    "train_batch_size": _NUMBER,
    "train_micro_batch_size_per_gpu": _NUMBER,
    "gradient_accumulation_steps": _NUMBER,
    "gradient_clipping": _NUMBER,
    "zero_allow_untested_optimizer": _SWITCH,
    "steps_per_print": _NUMBER,
    "wall_clock_breakdown": _SWITCH,
    "bf16": lambda value: set(value) <= {"enabled", "check_overflow"} and _SWITCH(value["enabled"]),
    "zero_optimization": lambda value: isinstance(value, dict),
}
_ZERO = {
    "stage": lambda value: value in (2, 3),
    "overlap_comm": _SWITCH,
    "contiguous_gradients": _SWITCH,
    "reduce_scatter": _SWITCH,
    "reduce_bucket_size": _NUMBER,
    "allgather_partitions": _SWITCH,
    "allgather_bucket_size": _NUMBER,
    "stage3_prefetch_bucket_size": _NUMBER,
    "stage3_param_persistence_threshold": _NUMBER,
    "stage3_gather_16bit_weights_on_model_save": _SWITCH,
}
# What transformers fills in, by its integration's own list.
_FILLED_IN = {
    "train_batch_size",
    "train_micro_batch_size_per_gpu",
    "gradient_accumulation_steps",
    "gradient_clipping",
    "reduce_bucket_size",
    "stage3_prefetch_bucket_size",
    "stage3_param_persistence_threshold",
}


@pytest.mark.parametrize("strategy", ["zero2", "zero3"])
@pytest.mark.parametrize("precision", ["bfloat16", "float32"])
def test_deepspeeds_settings_have_its_documented_keys_and_values(strategy: str, precision: str) -> None:
    made = deepspeed_config(recipes.load("pretrain-8b", [f"strategy={strategy}", f"precision={precision}"]))
    config = json.loads(json.dumps(made))
    for keys, table in ((_TOP, config), (_ZERO, config["zero_optimization"])):
        for key, value in table.items():
            assert key in keys
            assert keys[key](value) or (value == "auto" and key in _FILLED_IN), key
    assert config["zero_optimization"]["stage"] == int(strategy[-1])
    assert config["bf16"]["enabled"] == (precision == "bfloat16")
    threes = {key for key in config["zero_optimization"] if key.startswith("stage3_")}
    assert bool(threes) == (strategy == "zero3")


def test_the_first_process_speaks_for_all(monkeypatch: pytest.MonkeyPatch) -> None:
    for rank, raised in (("0", RecipeError), ("1", SystemExit)):
        monkeypatch.setenv("RANK", rank)
        assert first() == (rank == "0")
        with pytest.raises(raised), first_speaks():
            raise RecipeError("a sentence.", "A hint.")
        with pytest.raises(ZeroDivisionError), first_speaks():
            _ = 1 / 0
    assert issubclass(RecipeError, OphtimusError)

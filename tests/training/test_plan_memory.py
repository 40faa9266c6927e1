"""The memory that a plan predicts, beside what transformers, peft and autograd really hold."""

from typing import Any

import pytest
import torch
from allocations import Allocations, saved_for_backward, without_data
from peft import LoraConfig, get_peft_model
from transformers import AttentionInterface, LlamaConfig, LlamaForCausalLM
from transformers.integrations.sdpa_attention import sdpa_attention_forward

from ophtimus_training.planning import ModelShape, Workload
from ophtimus_training.planning import activations as kept
from ophtimus_training.planning.memory import memory_of
from ophtimus_training.planning.shapes import shape_of
from ophtimus_training.recipe import OnBase, load

PROJECTIONS = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]


def _unmasked(module: Any, query: Any, key: Any, value: Any, mask: Any, **settings: Any) -> Any:
    return sdpa_attention_forward(module, query, key, value, None, **settings)


# As over packed windows: attention that needs no mask. A tensor without data cannot tell that it needs none.
AttentionInterface.register("test_unmasked", _unmasked)


def _recipe(*settings: str) -> OnBase:
    recipe = load("instruct-8b", ["lora_r=8", "lora_dropout=0.0", "checkpointing=false", *settings])
    assert isinstance(recipe, OnBase)
    return recipe


def _model(recipe: OnBase, shape: ModelShape) -> Any:
    """A model of a shape as a run makes it, on the device that is the default."""
    config = LlamaConfig(
        vocab_size=shape.vocabulary, hidden_size=shape.hidden, intermediate_size=shape.intermediate,
        num_hidden_layers=shape.layers, num_attention_heads=shape.heads, num_key_value_heads=shape.kv_heads,
        head_dim=shape.head_dim, tie_word_embeddings=shape.tied,
    )  # fmt: skip
    model: Any = LlamaForCausalLM(config)
    model.set_attn_implementation("test_unmasked")
    if recipe.method != "full":
        model.to(getattr(torch, recipe.precision))
        model = get_peft_model(
            model,
            LoraConfig(
                r=recipe.lora_r,
                lora_dropout=recipe.lora_dropout,
                use_dora=recipe.method == "dora",
                target_modules=PROJECTIONS,
            ),
            autocast_adapter_dtype=recipe.adapter_precision == "float32",
        )
    if recipe.checkpointing:
        model.gradient_checkpointing_enable(gradient_checkpointing_kwargs={"use_reentrant": False})
        if recipe.method != "full":
            model.enable_input_require_grads()
    return model.train()


def _hidden(model: Any, recipe: OnBase, ids: torch.Tensor) -> torch.Tensor:
    base = model if recipe.method == "full" else model.get_base_model()
    with torch.autocast("cpu", torch.bfloat16, enabled=recipe.precision == "bfloat16"):
        return base.model(input_ids=ids, use_cache=False).last_hidden_state


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(
    "settings",
    [
        ("method=lora", "precision=float32"), ("method=lora",), ("method=lora", "lora_dropout=0.05"),
        ("method=lora", "adapter_precision=bfloat16"), ("method=full", "precision=float32"), ("method=full",),
        ("method=dora",), ("method=lora", "checkpointing=true"), ("method=full", "checkpointing=true"),
    ],
)  # fmt: skip
def test_activations_are_what_autograd_saves(settings: tuple[str, ...]) -> None:
    recipe, shape, rows, length = _recipe(*settings), ModelShape(512, 128, 320, 3, 4, 2, 32, False), 2, 192
    torch.manual_seed(0)
    model = _model(recipe, shape)
    with saved_for_backward(model) as held:
        hidden = _hidden(model, recipe, torch.randint(0, 512, (rows, length)))
    measured = sum(size for _, size in held.values())
    assert hidden.requires_grad
    kind, tokens = kept.kind_of(recipe, gpu=False), rows * length
    if recipe.checkpointing:
        expected = tokens * shape.layers * kept.kept_between_layers(shape, kind)
    else:
        expected = tokens * (
            shape.layers * kept.kept_by_layer(shape, kind) - kept.not_kept_by_first_layer(shape, kind)
        )
        if recipe.precision == "bfloat16":  # copies that autocast makes of float32 weights
            of_adapter = shape.adapter_parameters(8) if recipe.adapter_precision == "float32" else 0
            expected += 2 * (shape.layers * shape.layer_matrices if kind.trains_all else of_adapter)
    expected += tokens * kept.kept_by_last_norm(shape, kind)
    assert expected == pytest.approx(measured, rel=0.10)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(
    "settings",
    [
        ("method=lora", "checkpointing=true"),
        ("method=lora", "lora_dropout=0.05"),
        ("method=dora", "checkpointing=true"),
        ("method=full", "checkpointing=true"),
    ],
)
def test_the_peak_of_a_step_of_an_8b_model_is_predicted(settings: tuple[str, ...]) -> None:
    """Three layers of Llama-3.1-8B's widths, two windows of 2,048 tokens: the second step, moments and all.

    The loss is left out: on a graphics card it is computed by kernels that only run there.
    """
    recipe = _recipe(*settings, "lora_r=32", "batch=1")
    shape = shape_of(recipe)._replace(layers=3, tied=True)
    with torch.device("meta"):
        model = _model(recipe, shape)
    with without_data(model):
        trained = [weight for weight in model.parameters() if weight.requires_grad]
        optimizer = torch.optim.AdamW(trained, lr=1e-3, fused=True)
        counted = Allocations()
        for weight in model.parameters():
            counted.add(weight)
        ids = torch.zeros((1, 2048), dtype=torch.long)
        with counted:
            for _ in range(2):
                optimizer.zero_grad()
                for _ in range(2):
                    _hidden(model, recipe, ids).sum().backward()
                optimizer.step()
    window = Workload(tokens=2048, steps=1, rows=1, length=2048, supervised=0, source="")
    memory = memory_of(recipe, shape, window, count=1, gpu=False)
    assert memory.logits == 0
    assert memory.allocated == pytest.approx(counted.peak, rel=0.10)


def test_the_test_of_the_peak_can_fail() -> None:
    """What is counted moves with what a step holds: without checkpointing, four layers keep much more."""
    window = Workload(tokens=2048, steps=1, rows=1, length=2048, supervised=0, source="")
    peaks = []
    for setting in ("checkpointing=true", "checkpointing=false"):
        recipe = _recipe("method=lora", setting, "lora_r=32")
        shape = shape_of(recipe)._replace(layers=4)
        peaks.append(memory_of(recipe, shape, window, count=1, gpu=False).allocated)
    assert peaks[1] > 1.2 * peaks[0]

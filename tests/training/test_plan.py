"""What a plan says before anything is fetched: exact counts, memory by part, time where it is known, refusals."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from conftest import ROOT
from peft import LoraConfig, get_peft_model
from transformers import LlamaConfig, LlamaForCausalLM

from ophtimus_edge.errors import DeviceError, PlanError, TrainingDataError
from ophtimus_training import recipe as recipes
from ophtimus_training.cli import main
from ophtimus_training.planning import Devices, ModelShape, Plan, Workload, check, named, predict, shape_of
from ophtimus_training.planning.devices import needs_gpu
from ophtimus_training.planning.memory import memory_of, quantized_bytes
from ophtimus_training.planning.published import device_named, published
from ophtimus_training.planning.workload import workload_of

PROJECTIONS = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]
META = [f"meta-llama/Llama-3.{minor}-{size}" for minor, size in ((2, "1B"), (2, "3B"), (1, "8B"))]
OPHTIMUS = [
    "BaekSeungJu/Ophtimus-1B-Instruct",
    "BaekSeungJu/Ophtimus-3B-Instruct",
    "BaekSeungJu/Ophtimus-8B-Base",
]
PARAMETERS = {"1B": 1_235_814_400, "3B": 3_212_749_824, "8B": 8_030_261_248}  # as Meta's cards round them
WINDOW = Workload(tokens=1_000_000, steps=100, rows=1, length=2048, supervised=2048, source="")


def _recipe(name: str = "instruct-8b", *settings: str) -> recipes.OnBase:
    recipe = recipes.load(name, list(settings))
    assert isinstance(recipe, recipes.OnBase)
    return recipe


def _config(shape: ModelShape) -> LlamaConfig:
    return LlamaConfig(
        vocab_size=shape.vocabulary, hidden_size=shape.hidden, intermediate_size=shape.intermediate,
        num_hidden_layers=shape.layers, num_attention_heads=shape.heads, num_key_value_heads=shape.kv_heads,
        head_dim=shape.head_dim, tie_word_embeddings=shape.tied,
    )  # fmt: skip


@pytest.mark.parametrize("base", [*META, *OPHTIMUS])
def test_parameters_are_those_of_transformers_and_peft(base: str) -> None:
    shape = shape_of(_recipe("instruct-8b", f"base={base}"))
    assert (
        shape.parameters
        == PARAMETERS[base.removesuffix("-Instruct").removesuffix("-Base").rpartition("-")[2]]
    )
    with torch.device("meta"):
        model = LlamaForCausalLM(_config(shape))
    assert sum(weight.numel() for weight in model.parameters()) == shape.parameters
    for dora in (False, True):
        with torch.device("meta"):
            adapted = get_peft_model(
                LlamaForCausalLM(_config(shape._replace(layers=2))),
                LoraConfig(r=32, target_modules=PROJECTIONS, use_dora=dora),
            )
        trained = sum(weight.numel() for weight in adapted.parameters() if weight.requires_grad)
        assert trained == shape._replace(layers=2).adapter_parameters(32, dora)


def test_a_local_base_is_read_and_what_is_not_known_is_refused(tiny_checkpoint: Path, tmp_path: Path) -> None:
    shape = shape_of(_recipe("demo-instruct", f"base={tiny_checkpoint}"))
    assert (shape.layers, shape.vocabulary, shape.tied) == (2, 1024, True)
    config = json.loads((tiny_checkpoint / "config.json").read_text())

    def refused(changed: dict[str, Any] | None) -> str:
        if changed is not None:
            (tmp_path / "config.json").write_text(json.dumps(changed))
        with pytest.raises(PlanError) as caught:
            shape_of(_recipe("demo-instruct", f"base={tmp_path}"))
        assert caught.value.hint
        return caught.value.message

    assert "cannot be read" in refused(None)
    assert "quantized" in refused(config | {"quantization_config": {"quant_method": "gptq"}})
    assert "GPT2" in refused(config | {"architectures": ["GPT2LMHeadModel"]})
    assert "hidden_size" in refused({key: value for key, value in config.items() if key != "hidden_size"})
    assert "below 1" in refused(config | {"num_hidden_layers": 0})
    (tmp_path / "config.json").write_text(json.dumps(config))
    assert shape_of(_recipe("demo-instruct", f"base={tmp_path}")) == shape
    with pytest.raises(PlanError, match="not known"):
        shape_of(_recipe("demo-instruct", "base=somebody/some-llama"))


def test_nf4_takes_what_bitsandbytes_takes() -> None:
    """Of one matrix of 4,096 × 4,096: 8 MiB of codes, 256 KiB of scales in bytes, 4 KiB of theirs in float32."""
    shape = ModelShape(512, 4096, 4096, 1, 32, 32, 128, True)
    assert quantized_bytes(shape) == 7 * ((8 << 20) + (256 << 10) + (4 << 10))


def test_the_parts_move_with_what_they_are_made_of() -> None:
    """QLoRA holds a quarter of LoRA's base; twice the rows double what comes and goes; sharing divides."""
    shape = shape_of(_recipe())

    def parts(*settings: str, rows: int = 1, count: int = 1) -> Any:
        load = WINDOW._replace(rows=rows, supervised=rows * 2048)
        return memory_of(_recipe("instruct-8b", *settings), shape, load, count, gpu=True)

    qlora, lora = parts("method=qlora"), parts("method=lora")
    assert lora.quantized_base == 0
    assert lora.weights == 2 * shape.parameters
    # 4.127 bits a weight of the layers, 16 of the tables and norms; the published 4-bit files have 5.3 to 5.7 GB.
    assert 5.3e9 < qlora.weights + qlora.quantized_base < 5.8e9
    assert qlora.adapter == qlora.gradients == 4 * 83_886_080
    assert qlora.moments == 2 * qlora.adapter
    assert parts(rows=2).activations == pytest.approx(2 * qlora.activations, rel=0.02)
    assert parts("adapter_precision=bfloat16").moments == qlora.moments // 2
    assert parts("optimizer=adamw_8bit").moments < 0.26 * qlora.moments
    full = parts("method=full")
    assert full.weights == full.gradients == 4 * shape.parameters
    assert full.moments == 8 * shape.parameters
    for strategy in ("fsdp2", "zero2", "zero3"):
        shared = parts("method=full", f"strategy={strategy}", count=8)
        assert shared.total < 0.4 * full.total
    # Published: 16 bytes a weight, 128 GB for 8B, with ZeRO-2 in 16 bits on one device and its float32 weights.
    zero = parts("method=full", "strategy=zero2", count=2)
    assert zero.weights + 2 * (zero.gradients + zero.moments) == 16 * shape.parameters


def test_the_longest_published_anchor_is_near() -> None:
    """torchtune measured 7.4 GiB for Llama-3.1-8B QLoRA on an RTX 4090 (rank 8, bfloat16 adapter, packed 2,048)."""
    recipe = _recipe("instruct-8b", "lora_r=8", "lora_dropout=0.0", "adapter_precision=bfloat16")
    memory = memory_of(recipe, shape_of(recipe), WINDOW, 1, gpu=True)
    assert memory.total / 2**30 == pytest.approx(7.4, rel=0.15)


def test_time_and_work_are_by_the_stated_conventions() -> None:
    recipe, load = _recipe("instruct-8b", "method=lora", "epochs=1"), WINDOW
    shape = shape_of(recipe)
    plan = predict(recipe, shape, named("H100", 1), load)
    trained = shape.adapter_parameters(32)
    assert plan.flops_per_token == 4 * shape.parameters + 6 * trained
    assert plan.flops == plan.flops_per_token * load.tokens
    assert plan.tokens_per_s == pytest.approx(989e12 * 0.40 / plan.flops_per_token)
    assert plan.seconds == pytest.approx(load.tokens / plan.tokens_per_s)
    # NeMo's anchor: 12,473 tokens/s at 40.6 %.
    assert plan.tokens_per_s == pytest.approx(12_473, rel=0.05)
    two = predict(recipe, shape, named("H100", 2), load)
    assert two.seconds == pytest.approx(plan.seconds / 2)
    assert predict(_recipe("instruct-8b", "method=full"), shape, named("H100", 1), load).flops_per_token == (
        6 * shape.parameters
    )
    unknown = predict(recipe, shape, Devices("Some Card 1", 1, 80 << 30, True), load)
    assert unknown.seconds is None
    assert unknown.tokens_per_s is None
    assert 0 < plan.attention_share < 0.1


def test_known_devices_are_told_apart() -> None:
    for said, name in (
        ("NVIDIA H100 80GB HBM3", "H100"), ("NVIDIA H100 PCIe", "H100-PCIe"), ("NVIDIA H200", "H200"),
        ("NVIDIA A100-SXM4-80GB", "A100-80GB"), ("NVIDIA A100-SXM4-40GB", "A100-40GB"), ("NVIDIA L40S", "L40S"),
        ("NVIDIA L4", "L4"), ("NVIDIA GeForce RTX 4090", "RTX-4090"), ("NVIDIA RTX A6000", "RTX-A6000"),
        ("NVIDIA RTX 6000 Ada Generation", "RTX-6000-Ada"),
    ):  # fmt: skip
        device = device_named(said)
        assert device is not None, said
        assert device.name == name
        assert device.source
    assert device_named("NVIDIA GeForce GT 1030") is None
    assert device_named("CPU") is None
    for device in published().devices:
        assert device_named(device.name) == device
    with pytest.raises(PlanError, match="H100"):
        named("abacus", 1)


def test_published_sets_are_counted_before_they_are_fetched() -> None:
    load = workload_of(_recipe("instruct-8b"), 1)
    assert 10e6 < load.tokens < 101_000 * 2048
    assert "its card" in load.source
    # 64 sequences of a fifth of a hundred windows: some 6 windows a step, one at once.
    assert load.steps == pytest.approx(5 * 101_000 / 64, rel=0.05)
    assert load.rows == 1
    pretrain = workload_of(_recipe("pretrain-8b"), 1)
    assert pretrain.tokens == 22_400_000
    unknown = workload_of(_recipe("instruct-8b", "data=somebody/else"), 1)
    assert (unknown.tokens, unknown.steps) == (0, 0)
    assert "somebody/else" in unknown.source
    spread = workload_of(_recipe("instruct-8b", "packing=false"), 16)
    assert (spread.rows, spread.length) == (4, 2048)  # 64 sequences a step, 16 devices: four each


def test_data_that_are_here_are_counted(tiny_checkpoint: Path, tmp_path: Path) -> None:
    recipe = _recipe("demo-instruct", f"base={tiny_checkpoint}", f"data={ROOT / 'training' / 'primer'}")
    load = workload_of(recipe, 1)
    assert "counted" in load.source
    assert load.tokens > 300_000
    assert load.rows == recipe.batch
    (tmp_path / "rows.jsonl").write_text('{"text": "no question"}\n'.replace("text", "nothing"))
    with pytest.raises(TrainingDataError):
        workload_of(_recipe("demo-instruct", f"data={tmp_path / 'rows.jsonl'}"), 1)


def _plan(recipe: recipes.OnBase, gib: float, gpu: bool = True) -> Plan:
    devices = Devices("NVIDIA H100 80GB HBM3" if gpu else "CPU", 1, int(gib * 2**30), gpu)
    return predict(recipe, shape_of(recipe), devices, WINDOW)


@pytest.mark.parametrize(
    ("settings", "enough", "way"),
    [
        (["method=qlora"], 12, "length=1024"),
        (["method=lora", "batch=1"], 24, "method=qlora"),
        (["method=full", "batch=1"], 160, "more GPUs"),
        (["method=lora", "checkpointing=false"], 48, "checkpointing=true"),
    ],
)
def test_too_little_memory_is_refused_with_a_way_out(settings: list[str], enough: float, way: str) -> None:
    recipe = _recipe("instruct-8b", *settings)
    check(_plan(recipe, enough), recipe, gpu=True)
    with pytest.raises(DeviceError, match="GiB are needed") as caught:
        check(_plan(recipe, 4), recipe, gpu=True)
    assert way in caught.value.hint


def test_a_smaller_batch_is_named_where_rows_are_many() -> None:
    recipe = _recipe("instruct-8b", "packing=false")
    devices = Devices("NVIDIA RTX 4090", 1, 10 << 30, True)
    plan = predict(recipe, shape_of(recipe), devices)
    assert plan.rows == 8
    with pytest.raises(DeviceError) as caught:
        check(plan, recipe, gpu=True)
    assert "--set batch=4 --set accumulation=16" in caught.value.hint


def test_no_gpu_is_refused_only_where_one_is_needed(tiny_checkpoint: Path) -> None:
    for settings in (["method=qlora"], ["method=lora"]):
        recipe = _recipe("instruct-8b", *settings)
        with pytest.raises(DeviceError, match="no NVIDIA GPU"):
            check(_plan(recipe, 1000, gpu=False), recipe, gpu=False)
        check(_plan(recipe, 1000), recipe, gpu=True)
    small = _recipe("demo-instruct", f"base={tiny_checkpoint}")
    check(_plan(small, 4, gpu=False), small, gpu=False)
    assert needs_gpu(small, 4_000_000) == ""


def test_the_command_prints_a_table_or_json_and_two_lines_where_it_does_not_fit(
    capsys: pytest.CaptureFixture[str],
) -> None:
    words = ["plan", "instruct-8b", "--device", "H100", "--gpus", "3"]
    assert main(words) == 0
    told = capsys.readouterr().out
    for word in ("8,030,261,248", "83,886,080", "NF4", "fits", "3 × ddp", "GFLOP a token", "0.78"):
        assert word in told, word
    assert main([*words, "--json"]) == 0
    plans = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [plan["devices"] for plan in plans] == [1, 2, 3]
    assert all(plan["fits"] and plan["peak_bytes"] == sum(plan["memory"].values()) for plan in plans)
    assert main(["plan", "pretrain-8b", "--device", "RTX-4090"]) == 1
    error = capsys.readouterr().err.splitlines()
    assert len(error) == 2
    assert "GiB are needed" in error[0]
    assert "--gpus" in error[1]
    assert main(["plan", "instruct-8b", "--gpus", "0"]) == 2
    assert main(["plan", "instruct-8b", "--device", "abacus"]) == 1


def test_nothing_heavy_is_loaded_to_plan() -> None:
    """A plan of a published recipe answers at once: torch is not imported for it."""
    code = (
        "import sys; from ophtimus_training.cli import main; "
        "code = main(['plan', 'instruct-8b', '--device', 'H100', '--json']); "
        "sys.exit(code or ('torch' in sys.modules) * 3)"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, check=False)
    assert result.returncode == 0, result.stderr

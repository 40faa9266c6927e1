"""A converted model against transformers and peft themselves."""

import json
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import BIN
from peft import LoraConfig, PeftModel, get_peft_model
from safetensors.torch import load_file, save_file
from transformers import AutoModelForCausalLM, AutoTokenizer, LlamaConfig
from transformers.modeling_rope_utils import ROPE_INIT_FUNCTIONS

from ophtimus_convert.adapter import Adapter
from ophtimus_convert.checkpoint import Checkpoint
from ophtimus_convert.folder import convert
from ophtimus_convert.tensors import rope_factors
from ophtimus_convert.vocabulary import read_vocabulary
from ophtimus_edge.errors import AdapterError, ConversionError
from ophtimus_edge.models.formats import read_model_folder

PROJECTIONS = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]


def make_adapter(checkpoint: Path, out: Path, **more: object) -> Path:
    """An adapter that peft made, its B drawn at random as if it were trained."""
    base = AutoModelForCausalLM.from_pretrained(checkpoint, dtype=torch.float32)
    torch.manual_seed(3)
    model = get_peft_model(
        base, LoraConfig(**{"r": 8, "lora_alpha": 16, "target_modules": PROJECTIONS, **more})
    )
    for name, weight in model.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(weight, std=0.02)
    model.save_pretrained(out)
    return out


@pytest.fixture(scope="session")
def adapter(tiny_checkpoint: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_adapter(tiny_checkpoint, tmp_path_factory.mktemp("adapter"))


@pytest.mark.parametrize("more", [{}, {"use_rslora": True}], ids=["lora", "rslora"])
def test_a_merge_equals_pefts(tiny_checkpoint: Path, tmp_path: Path, more: dict[str, object]) -> None:
    folder = make_adapter(tiny_checkpoint, tmp_path / "adapter", **more)
    base = AutoModelForCausalLM.from_pretrained(tiny_checkpoint, dtype=torch.bfloat16)
    merged = PeftModel.from_pretrained(base, folder).merge_and_unload(safe_merge=False).state_dict()
    checkpoint, own = Checkpoint(tiny_checkpoint), Adapter(folder)
    assert len(own.names) == 14
    changed = differing = total = 0
    for name in own.names:
        weight = checkpoint.tensor(name)
        ours = own.merge(name, weight)
        assert ours.dtype == torch.bfloat16
        changed += int((ours != weight).sum())
        differing += int((ours != merged[name]).sum())
        total += weight.numel()
    assert changed > total / 2
    # peft adds in bfloat16 unless told otherwise; ours is the float32 sum rounded once.
    reference = {name: checkpoint.tensor(name).float() for name in own.names}
    tensors = load_file(folder / "adapter_model.safetensors")
    for name, weight in reference.items():
        stem = f"base_model.model.{name.removesuffix('.weight')}"
        a, b = tensors[f"{stem}.lora_A.weight"], tensors[f"{stem}.lora_B.weight"]
        scale = 16 / 8**0.5 if more else 2.0
        assert torch.equal(own.merge(name, checkpoint.tensor(name)), (weight + scale * (b @ a)).bfloat16())
    assert differing < total / 10


def test_the_converted_model_thinks_as_transformers_does(
    tiny_checkpoint: Path, adapter: Path, tmp_path: Path
) -> None:
    """Logits of the BF16 file under llama.cpp against those of peft's merged model, in a child process."""
    out = tmp_path / "model"
    convert(tiny_checkpoint, adapter, ["BF16", "F32"], out, "tiny", "1", lambda *_: None)
    tokenizer = AutoTokenizer.from_pretrained(tiny_checkpoint)
    ids = tokenizer("What is glaucoma? 녹내장이란 무엇인가요?")["input_ids"]
    script = (
        "import json, sys, llama_cpp, numpy\n"
        "model = llama_cpp.Llama(sys.argv[1], n_ctx=128, logits_all=True, verbose=False)\n"
        "ids = json.loads(sys.argv[2])\n"
        "assert model.tokenize(sys.argv[3].encode(), add_bos=True) == ids\n"
        "model.eval(ids)\n"
        "numpy.save(sys.argv[4], model.scores[: len(ids)])\n"
    )
    logits = tmp_path / "logits.npy"
    text = "What is glaucoma? 녹내장이란 무엇인가요?"
    command = [
        str(BIN / "python"),
        "-c",
        script,
        str(out / "tiny-F32.gguf"),
        json.dumps(ids),
        text,
        str(logits),
    ]
    subprocess.run(command, check=True)
    base = AutoModelForCausalLM.from_pretrained(tiny_checkpoint, dtype=torch.float32)
    own = Adapter(adapter)
    weights = {name: own.merge(name, weight.bfloat16()).float() for name, weight in base.state_dict().items()}
    base.load_state_dict(weights)
    with torch.no_grad():
        expected = base(torch.tensor([ids])).logits[0].numpy()
    ours = np.load(logits)
    assert np.abs(ours - expected).max() < 0.02 * expected.std()
    assert (ours.argmax(1) == expected.argmax(1)).all()


def test_the_model_folder_says_what_it_holds(tiny_checkpoint: Path, adapter: Path, tmp_path: Path) -> None:
    out = tmp_path / "model"
    steps: set[str] = set()
    convert(tiny_checkpoint, adapter, ["BF16", "Q8_0"], out, "안과", "2", lambda step, *_: steps.add(step))
    model = read_model_folder(out)
    assert steps == {"merge", "BF16", "Q8_0"}
    assert (model.name, model.version, model.kind) == ("안과", "2", "instruct")
    assert model.adapter is not None
    assert {file.name for file in model.adapter.files} == {"adapter_config.json", "adapter_model.safetensors"}
    assert sorted(path.name for path in out.iterdir()) == ["model.json", "안과-BF16.gguf", "안과-Q8_0.gguf"]
    assert not [path for path in tmp_path.iterdir() if path.name.startswith(".")]
    with pytest.raises(ConversionError, match="exists already"):
        convert(tiny_checkpoint, adapter, ["BF16"], out, "안과", "2", lambda *_: None)


def test_the_vocabulary_keeps_ids_types_and_template(tiny_checkpoint: Path) -> None:
    vocabulary = read_vocabulary(tiny_checkpoint, 1030)
    tokenizer = AutoTokenizer.from_pretrained(tiny_checkpoint)
    assert vocabulary.tokens[tokenizer.eos_token_id] == "<|eot_id|>"
    assert vocabulary.types[tokenizer.eos_token_id] == 3
    assert vocabulary.tokens[1029] == "[PAD1029]"
    assert vocabulary.types[1029] == 5
    assert vocabulary.template == tokenizer.chat_template
    with pytest.raises(ConversionError, match="embedding"):
        read_vocabulary(tiny_checkpoint, 1000)


def test_a_tokenizer_that_splits_otherwise_is_refused(tiny_checkpoint: Path, tmp_path: Path) -> None:
    folder = tmp_path / "other"
    shutil.copytree(tiny_checkpoint, folder)
    document = json.loads((folder / "tokenizer.json").read_text())
    document["pre_tokenizer"] = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True,
                                 "use_regex": True}  # fmt: skip
    (folder / "tokenizer.json").write_text(json.dumps(document))
    with pytest.raises(ConversionError, match="split"):
        read_vocabulary(folder, 1024)


def test_rope_factors_are_transformers_own() -> None:
    scaling = {"rope_type": "llama3", "rope_theta": 500000.0, "factor": 32.0, "low_freq_factor": 1.0,
               "high_freq_factor": 4.0, "original_max_position_embeddings": 8192}  # fmt: skip
    config = LlamaConfig(
        hidden_size=2048, num_attention_heads=32, head_dim=64, max_position_embeddings=131072,
        rope_parameters=scaling,
    )  # fmt: skip
    scaled, _ = ROPE_INIT_FUNCTIONS["llama3"](config, torch.device("cpu"))
    plain = 1.0 / (500000.0 ** (torch.arange(0, 64, 2, dtype=torch.int64).float() / 64))
    factors = rope_factors(scaling, 64)
    assert factors is not None
    torch.testing.assert_close(plain / factors, scaled, rtol=2e-6, atol=0)
    assert rope_factors({"rope_type": "default", "rope_theta": 1e4}, 64) is None
    with pytest.raises(ConversionError, match="yarn"):
        rope_factors({"rope_type": "yarn"}, 64)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("peft_type", "LOHA"), ("use_dora", True), ("fan_in_fan_out", True), ("bias", "all"),
        ("rank_pattern", {"q_proj": 4}), ("alpha_pattern", {"q_proj": 4}), ("modules_to_save", ["lm_head"]),
        ("init_lora_weights", "pissa"), ("layer_replication", [[0, 1]]), ("a_key_of_the_future", 1),
        ("trainable_token_indices", [1]), ("lora_bias", True), ("r", 0), ("lora_alpha", None),
    ],
)  # fmt: skip
def test_what_is_not_merged_is_refused_by_name(
    adapter: Path, tmp_path: Path, key: str, value: object
) -> None:
    folder = tmp_path / "odd"
    shutil.copytree(adapter, folder)
    assert Adapter(folder).names
    config = json.loads((folder / "adapter_config.json").read_text())
    (folder / "adapter_config.json").write_text(json.dumps({**config, key: value}))
    with pytest.raises(AdapterError, match=key if key not in {"peft_type"} else "LOHA"):
        Adapter(folder)


def test_damaged_adapters_are_refused(adapter: Path, tmp_path: Path, tiny_checkpoint: Path) -> None:
    tensors = load_file(adapter / "adapter_model.safetensors")
    name = next(key for key in tensors if key.endswith("q_proj.lora_B.weight"))

    def with_tensors(case: str, changed: dict[str, torch.Tensor]) -> Path:
        folder = tmp_path / case
        shutil.copytree(adapter, folder)
        save_file(changed, folder / "adapter_model.safetensors")
        return folder

    with pytest.raises(AdapterError, match="NaN"):
        Adapter(with_tensors("nan", {**tensors, name: torch.full_like(tensors[name], float("nan"))}))
    zero = {key: torch.zeros_like(value) if "lora_B" in key else value for key, value in tensors.items()}
    with pytest.raises(AdapterError, match="zero"):
        Adapter(with_tensors("zero", zero))
    with pytest.raises(AdapterError, match="halves"):
        Adapter(with_tensors("half", {key: value for key, value in tensors.items() if key != name}))
    with pytest.raises(AdapterError, match="surplus"):
        Adapter(with_tensors("surplus", {**tensors, "base_model.model.surplus": torch.ones(1)}))
    renamed = {key.replace("layers.1.", "layers.7."): value for key, value in tensors.items()}
    with pytest.raises(AdapterError, match=r"layers\.7\."):
        convert(
            tiny_checkpoint,
            with_tensors("layer", renamed),
            ["BF16"],
            tmp_path / "out",
            "x",
            "1",
            lambda *_: None,
        )
    assert not (tmp_path / "out").exists()


def test_unsound_checkpoints_are_refused(tiny_checkpoint: Path, tmp_path: Path) -> None:
    with pytest.raises(ConversionError, match=r"config\.json"):
        Checkpoint(tmp_path)
    folder = tmp_path / "copy"
    shutil.copytree(tiny_checkpoint, folder)
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, "architectures": ["GemmaForCausalLM"]}))
    with pytest.raises(ConversionError, match="GemmaForCausalLM"):
        Checkpoint(folder)
    (folder / "config.json").write_text(json.dumps(config))
    assert Checkpoint(folder).type == "BF16"
    data = (folder / "model.safetensors").read_bytes()
    (folder / "model.safetensors").write_bytes(data[:-100])
    with pytest.raises(ConversionError, match="damaged"):
        Checkpoint(folder)
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")
    with pytest.raises(ConversionError, match="pickle"):
        Checkpoint(folder)


def test_the_command_fails_in_two_lines(tmp_path: Path) -> None:
    command = [str(BIN / "ophtimus-convert"), str(tmp_path), "-l", "Q4_K_M", "-o", str(tmp_path / "out")]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert result.returncode == 1
    assert "no checkpoint" in result.stderr
    assert "Traceback" not in result.stderr
    unknown = subprocess.run([*command, "-l", "Q9"], capture_output=True, text=True, check=False)
    assert unknown.returncode == 2
    assert "Q9" in unknown.stderr


def test_the_command_shows_one_bar_a_step(tiny_checkpoint: Path, tmp_path: Path) -> None:
    command = [str(BIN / "ophtimus-convert"), str(tiny_checkpoint), "-l", "Q8_0", "-o", str(tmp_path / "out")]
    result = subprocess.run([*command, "--name", "tiny"], capture_output=True, text=True, check=True)
    bars = [line.split()[0] for line in result.stderr.splitlines() if "%" in line]
    assert bars == ["merge", "Q8_0"]
    assert "tiny-Q8_0.gguf" in result.stdout

"""Adapters of every kind against peft: the merged weights are its own, or the unmerged model's answers."""

import shutil
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from adapters import EMBEDDING, HEAD, QUESTION, VOCABULARY, edit, fitted, load, train, weights_of
from conftest import BIN
from peft import EvaConfig, PeftModel
from transformers import LlamaConfig, LlamaForCausalLM

from ophtimus_convert.adapter import Fit

type_of = {"bf16": torch.bfloat16, "f32": torch.float32}


def merged(folder: Path, base: Path, tied: bool = False) -> tuple[dict[str, np.ndarray], Fit]:
    """Every tensor of the merged model, as the converter would make it."""
    adapter, fit = fitted(folder, base, tied)
    weights, out = weights_of(base), {}
    for name, (source, shape) in fit.tensors.items():
        rows = shape[0] if len(shape) == 2 else 1
        before = weights[source].reshape(-1, shape[-1])
        result = adapter.merge_rows(name, None if adapter.brings(name) else before, 0, rows)
        assert result.dtype == np.float32
        assert (name == HEAD and fit.untied) or adapter.changes(name) or np.array_equal(result, before)
        out[name] = result.reshape(shape)
    return out, fit


def by_peft(folder: Path, base: Path, dtype: torch.dtype, rows: int = 0) -> dict[str, torch.Tensor]:
    model = PeftModel.from_pretrained(load(base, dtype, rows), folder)
    weights: dict[str, torch.Tensor] = model.merge_and_unload(safe_merge=False).state_dict()
    return weights


def logits_of(weights: dict[str, np.ndarray], base: Path, fit: Fit) -> torch.Tensor:
    """What a model of these weights answers, its shape taken from what the adapter said of it."""
    config = LlamaConfig.from_pretrained(base)
    config.vocab_size = fit.vocabulary
    config.tie_word_embeddings = HEAD not in weights
    model = LlamaForCausalLM(config).float()
    state = {name: torch.from_numpy(weight) for name, weight in weights.items()}
    if HEAD not in weights:
        state[HEAD] = state[EMBEDDING]
    model.load_state_dict(state)
    with torch.no_grad():
        return model.eval()(QUESTION).logits[0]


CASES: dict[str, dict[str, Any]] = {
    "lora": {},
    "rslora": {"use_rslora": True},
    "patterns": {
        "rank_pattern": {"q_proj": 4, r"layers\.1\.mlp\..*": 2, "_proj": 3, "up_proj": 5},
        "alpha_pattern": {"^model.layers.0.self_attn.k_proj": 3, "mlp.(up|down)_proj": 40, "proj": 1},
    },
    "patterns and rslora": {
        "use_rslora": True,
        "rank_pattern": {"o_proj": 5},
        "alpha_pattern": {"v_proj": 7},
    },
    "some layers": {"layers_to_transform": [1], "layers_pattern": "layers"},
    "all but some": {"exclude_modules": ["layers.0.mlp.up_proj"]},
    "a regular expression": {"target_modules": r".*\.0\..*_proj"},
    "all linear": {"target_modules": "all-linear"},
    "gaussian": {"init_lora_weights": "gaussian"},
    "orthogonal": {"init_lora_weights": "orthogonal"},
    "eva": {"init_lora_weights": "eva", "eva_config": EvaConfig()},
    "dora": {"use_dora": True},
    "dora, rslora and patterns": {"use_dora": True, "use_rslora": True, "rank_pattern": {"q_proj": 4}},
    "dora of the output layer": {"use_dora": True, "target_modules": ["lm_head", "q_proj"]},
    "output layer": {"target_modules": ["lm_head", "q_proj"]},
    "norms whole": {"modules_to_save": ["norm"]},
    "a block whole": {"target_modules": ["q_proj"], "modules_to_save": ["mlp", "lm_head"]},
    "embedding and output layer whole": {"modules_to_save": ["embed_tokens", "lm_head"]},
    "rows": {"trainable_token_indices": [299, 7, 3]},
    "rows of both": {"trainable_token_indices": {"embed_tokens": [299, 7], "lm_head": [3]}},
    "fan_in_fan_out": {"fan_in_fan_out": True},
}


@pytest.mark.parametrize("words", CASES.values(), ids=CASES)
@pytest.mark.parametrize("kind", ["bf16", "f32"])
def test_a_merge_is_pefts(bases: dict[bool, Path], tmp_path: Path, kind: str, words: dict[str, Any]) -> None:
    folder, logits = train(bases[False], tmp_path / "adapter", type_of[kind], **words)
    ours, fit = merged(folder, bases[False])
    theirs = by_peft(folder, bases[False], type_of[kind])
    assert ours.keys() == theirs.keys()
    assert not fit.untied
    before = weights_of(bases[False])
    assert any(not np.array_equal(ours[name], before[name]) for name in ours)
    if kind == "f32":
        for name, weight in ours.items():
            torch.testing.assert_close(torch.from_numpy(weight), theirs[name], rtol=0, atol=1e-6)
        torch.testing.assert_close(logits_of(ours, bases[False], fit), logits, rtol=0, atol=1e-4)
        return
    assert_the_same_in_bfloat16(ours, theirs)


def assert_the_same_in_bfloat16(ours: dict[str, np.ndarray], theirs: dict[str, torch.Tensor]) -> None:
    """At most one weight of 100,000 is another after rounding, by one step: two float32 products differ."""
    differing = total = 0
    for name, weight in ours.items():
        rounded = torch.from_numpy(weight).bfloat16()
        steps = rounded.view(torch.int16).int() - theirs[name].bfloat16().view(torch.int16).int()
        assert steps.abs().max() <= 1
        differing += int(steps.abs().sum())
        total += weight.size
    assert total > 400_000
    assert differing <= total / 100_000


@pytest.mark.parametrize("words", [{}, {"use_rslora": True, "rank_pattern": {"embed_tokens": 3}}])
def test_an_embeddings_merge_is_pefts_rounded_once(
    bases: dict[bool, Path], tmp_path: Path, words: dict[str, Any]
) -> None:
    """In bfloat16 peft rounds an embedding's product before it adds; in float32 it is the sum that we round."""
    folder, logits = train(
        bases[False], tmp_path / "adapter", target_modules=["embed_tokens", "q_proj"], **words
    )
    ours, fit = merged(folder, bases[False])
    theirs = by_peft(folder, bases[False], torch.float32)
    for name, weight in ours.items():
        torch.testing.assert_close(torch.from_numpy(weight), theirs[name], rtol=0, atol=1e-6)
    assert_the_same_in_bfloat16(ours, theirs)
    torch.testing.assert_close(logits_of(ours, bases[False], fit), logits, rtol=0, atol=1e-4)


BOTH = ["embed_tokens", "lm_head"]
TIED_CASES: dict[str, tuple[bool, dict[str, Any]]] = {
    "projections": (False, {}),
    "norms whole": (False, {"modules_to_save": ["norm"]}),
    "embedding": (True, {"target_modules": ["embed_tokens", "q_proj"]}),
    "output layer": (True, {"target_modules": ["lm_head", "q_proj"]}),
    "dora of the output layer": (True, {"use_dora": True, "target_modules": ["lm_head"]}),
    "embedding and output layer": (True, {"target_modules": BOTH}),
    "both as one": (True, {"target_modules": ["embed_tokens"], "ensure_weight_tying": True}),
    "embedding whole": (True, {"modules_to_save": ["embed_tokens"]}),
    "output layer whole": (True, {"modules_to_save": ["lm_head"]}),
    "both whole": (True, {"modules_to_save": BOTH}),
    "both whole as one": (False, {"modules_to_save": BOTH, "ensure_weight_tying": True}),
    "embedding, and output layer whole": (
        True, {"target_modules": ["embed_tokens"], "modules_to_save": ["lm_head"]},
    ),
    "rows": (False, {"trainable_token_indices": [7, 3]}),
    "rows by name": (False, {"trainable_token_indices": {"embed_tokens": [7, 3]}}),
    "the same rows of both": (False, {"trainable_token_indices": {"embed_tokens": [7], "lm_head": [7]}}),
    "other rows of both": (True, {"trainable_token_indices": {"embed_tokens": [7, 3], "lm_head": [50]}}),
    "rows of the output layer": (True, {"trainable_token_indices": {"lm_head": [7, 3]}}),
}  # fmt: skip


@pytest.mark.parametrize(("unties", "words"), TIED_CASES.values(), ids=TIED_CASES)
def test_a_tied_model_answers_as_it_did_in_training(
    bases: dict[bool, Path], tmp_path: Path, unties: bool, words: dict[str, Any]
) -> None:
    """Against the unmerged model: peft's own merge adds an embedding's share to the output layer as well."""
    folder, logits = train(bases[True], tmp_path / "adapter", **words)
    weights, fit = merged(folder, bases[True], tied=True)
    assert (HEAD in weights) is fit.untied is unties
    assert bool(fit.notes) is unties
    torch.testing.assert_close(logits_of(weights, bases[True], fit), logits, rtol=0, atol=1e-4)


@pytest.mark.parametrize("tied", [True, False], ids=["tied", "untied"])
@pytest.mark.parametrize("rows", [VOCABULARY + 2, VOCABULARY + 64, VOCABULARY - 10])
@pytest.mark.parametrize(
    "words",
    [
        {},
        {"modules_to_save": BOTH},
        {"modules_to_save": ["embed_tokens"]},
        {"trainable_token_indices": [VOCABULARY - 11, 3]},
        {"target_modules": [*BOTH, "q_proj"]},
    ],
    ids=["projections", "both whole", "embedding whole", "rows", "both"],
)
def test_a_resized_vocabulary_comes_from_the_adapter(
    bases: dict[bool, Path], tmp_path: Path, tied: bool, rows: int, words: dict[str, Any]
) -> None:
    folder, logits = train(bases[tied], tmp_path / "adapter", rows=rows, **words)
    weights, fit = merged(folder, bases[tied], tied)
    assert fit.vocabulary == rows == len(weights[EMBEDDING])
    assert any(str(rows) in note for note in fit.notes)
    assert fit.untied is (tied and "modules_to_save" in words) or "target_modules" in words
    torch.testing.assert_close(logits_of(weights, bases[tied], fit), logits, rtol=0, atol=1e-4)


@pytest.mark.parametrize(
    "words",
    [{"use_dora": True}, {"target_modules": [*BOTH, "q_proj"]}, {"trainable_token_indices": [299, 6, 7, 0]}],
    ids=["dora", "embedding", "rows"],
)
def test_pieces_by_several_threads_make_the_whole(
    bases: dict[bool, Path], tmp_path: Path, words: dict[str, Any]
) -> None:
    folder, _ = train(bases[False], tmp_path / "adapter", **words)
    adapter, fit = fitted(folder, bases[False], tied=False)
    weights = weights_of(bases[False])
    for name, (source, shape) in fit.tensors.items():
        if len(shape) == 1:
            continue
        base = weights[source]
        whole = adapter.merge_rows(name, base, 0, shape[0])

        def piece(start: int, name: str = name, base: np.ndarray = base) -> np.ndarray:
            stop = min(start + 7, len(base))
            return adapter.merge_rows(name, base[start:stop], start, stop)

        with ThreadPoolExecutor(4) as pool:
            pieces = list(pool.map(piece, range(0, shape[0], 7)))
        np.testing.assert_allclose(np.concatenate(pieces), whole, rtol=0, atol=1e-6)
        assert np.array_equal(base, weights_of(bases[False])[source])


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_an_adapter_in_16_bits_is_read_as_peft_reads_it(
    bases: dict[bool, Path], tmp_path: Path, dtype: torch.dtype
) -> None:
    folder, _ = train(bases[False], tmp_path / "adapter", modules_to_save=["norm"], use_dora=True)
    edit(folder, lambda tensors: {key: value.to(dtype) for key, value in tensors.items()})
    ours, _ = merged(folder, bases[False])
    theirs = by_peft(folder, bases[False], torch.float32)
    for name, weight in ours.items():
        torch.testing.assert_close(torch.from_numpy(weight), theirs[name], rtol=0, atol=1e-6)


def test_keys_with_the_adapters_name_or_without_a_prefix_are_the_same(
    bases: dict[bool, Path], tmp_path: Path
) -> None:
    words: dict[str, Any] = {"use_dora": True, "trainable_token_indices": [3]}
    folder, _ = train(bases[False], tmp_path / "adapter", **words)
    expected, _ = merged(folder, bases[False])
    for case, rename in (
        ("name", lambda key: key.replace("lora_A.weight", "lora_A.default.weight")
                                .replace("magnitude_vector", "magnitude_vector.default.weight")
                                .replace("tokens_delta", "tokens_delta.default")),
        ("prefix", lambda key: key.removeprefix("base_model.model.")),
    ):  # fmt: skip
        renamed = tmp_path / case
        shutil.copytree(folder, renamed)
        edit(renamed, lambda tensors, rename=rename: {rename(key): value for key, value in tensors.items()})
        again, _ = merged(renamed, bases[False])
        assert all(np.array_equal(again[name], weight) for name, weight in expected.items())


def test_merging_needs_no_torch() -> None:
    """The converter's child process has no memory to spare for it."""
    script = "import sys, ophtimus_convert.adapter; sys.exit('torch' in sys.modules)"
    subprocess.run([str(BIN / "python"), "-c", script], check=True)

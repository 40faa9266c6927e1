"""Children that are started before there is work for them."""

import os
import signal
from pathlib import Path

import numpy as np
import psutil
import pytest

from ophtimus_convert import child
from ophtimus_convert.child import run, spares
from ophtimus_convert.gates.rope import inverse_frequencies
from ophtimus_convert.jobs import Measure, PlanTypes, Rates, Verify
from ophtimus_edge.errors import ConversionError, ConversionInterruptedError


def children() -> set[int]:
    return {process.pid for process in psutil.Process().children()}


def test_a_spare_does_the_job_and_none_is_left() -> None:
    before = children()
    with spares(Measure, PlanTypes):
        begun = children() - before
        assert len(begun) == 2
        assert isinstance(run(Measure(["Q8_0"], False)), Rates)
        assert len(children() & begun) == 1  # the one that did it has ended; the other still waits
    assert children() == before


def test_a_spare_that_died_is_replaced() -> None:
    before = children()
    with spares(Measure):
        (pid,) = children() - before
        os.kill(pid, signal.SIGKILL)
        os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
        assert isinstance(run(Measure(["Q8_0"], False)), Rates)
    assert children() == before


def test_a_child_that_dies_over_its_job_is_said_and_a_refusal_keeps_its_words(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    damaged = tmp_path / "damaged.gguf"
    damaged.write_bytes(b"GGUF" + bytes(8))
    with pytest.raises(ConversionError, match=r"damaged\.gguf"):
        run(Verify(str(damaged), 1 << 20))
    monkeypatch.setattr(child.sys, "executable", "/bin/false")
    with pytest.raises(ConversionInterruptedError, match="code 1"):
        run(Measure(["Q8_0"], False))


LLAMA3 = {
    "factor": 32.0,
    "low_freq_factor": 1.0,
    "high_freq_factor": 4.0,
    "original_max_position_embeddings": 8192,
}
HEADS = {
    "hidden_size": 2048,
    "num_attention_heads": 32,
    "max_position_embeddings": 131072,
    "model_type": "llama",
}


@pytest.mark.parametrize(
    "rotary",
    [
        {"rope_parameters": {**LLAMA3, "rope_type": "llama3", "rope_theta": 500000.0}},
        {"rope_scaling": {**LLAMA3, "rope_type": "llama3"}, "rope_theta": 500000.0},
        {"rope_scaling": {"factor": 2.0, "type": "linear"}, "rope_theta": 10000.0},
        {"rope_theta": 500000.0, "head_dim": 128},
        {"rope_parameters": {"rope_type": "default", "rope_theta": 500000.0}},
    ],
)
def test_the_inverse_frequencies_are_those_of_the_model_itself(rotary: dict[str, object]) -> None:
    from transformers import LlamaConfig
    from transformers.models.llama.modeling_llama import LlamaRotaryEmbedding

    config = {**HEADS, **rotary}
    itself = LlamaRotaryEmbedding(LlamaConfig.from_dict(dict(config))).inv_freq.double().numpy()
    ours = inverse_frequencies(config)
    assert ours.shape == itself.shape
    assert np.array_equal(ours, itself)

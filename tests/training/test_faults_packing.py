"""Packing contamination (trl #3910): no sequence of a window sees, or predicts, another one."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from short_runs import END, PADDING, drawn_rows, small_model
from torch.nn.attention import varlen
from transformers import AttentionInterface
from transformers.integrations.sdpa_attention import sdpa_attention_forward

from ophtimus_edge.errors import TrainingError
from ophtimus_training.packing import LENGTHS, Collator, FlatCollator, packed
from ophtimus_training.rows import IGNORED
from ophtimus_training.running import attention

CPU = torch.device("cpu")


def window_of(*sequences: list[int]) -> dict[str, Any]:
    together = [token for sequence in sequences for token in sequence]
    return {"input_ids": together, "labels": together, LENGTHS: [len(one) for one in sequences]}


def test_packed_sequences_have_the_logits_that_they_have_alone() -> None:
    model = small_model().eval()
    first, second, third = [5, 9, 17, 30, END], [8, 8, 40, END], [33, 7, END]
    batch = Collator(PADDING)([window_of(first, second), window_of(third)])
    with torch.no_grad():
        packed_logits = model(
            input_ids=batch["input_ids"], position_ids=batch["position_ids"], use_cache=False
        ).logits
        alone = [model(input_ids=torch.tensor([one])).logits[0] for one in (first, second, third)]
        mixed = model(input_ids=batch["input_ids"]).logits  # what there is without positions: contamination
    torch.testing.assert_close(packed_logits[0], torch.cat(alone[:2]), rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(packed_logits[1, :3], alone[2], rtol=1e-5, atol=1e-5)
    assert (mixed[0, 5:] - alone[1]).abs().max() > 1e-3


def test_no_sequence_predicts_the_first_token_of_the_next() -> None:
    for collator in (Collator(PADDING), FlatCollator(PADDING)):
        batch = collator([window_of([5, 6, 7], [8, 9]), window_of([10, 11, 12, 13])])
        learned = [token for token in batch["labels"].flatten().tolist() if token != IGNORED]
        assert learned == [6, 7, 9, 11, 12, 13]


def test_the_flat_form_says_where_sequences_begin() -> None:
    batch = FlatCollator(PADDING)([window_of([5, 6, 7], [8, 9]), window_of([10, 11])])
    assert batch["input_ids"].tolist() == [[5, 6, 7, 8, 9, 10, 11]]
    assert batch["cu_seq_lens_q"].tolist() == [0, 3, 5, 7]
    assert batch["max_length_q"] == 3


def test_the_loss_of_packed_rows_is_that_of_the_same_rows_apart() -> None:
    model, rows = small_model(), drawn_rows(12)
    windows = packed(rows, 64, seed=1)
    collate = Collator(PADDING)

    def loss(batch: dict[str, Any]) -> tuple[float, int]:
        with torch.no_grad():
            logits = model(
                input_ids=batch["input_ids"], position_ids=batch.get("position_ids"), use_cache=False
            ).logits[:, :-1]
        targets = batch["labels"][:, 1:]
        total = torch.nn.functional.cross_entropy(
            logits[targets != IGNORED], targets[targets != IGNORED], reduction="sum"
        )
        return float(total), int((targets != IGNORED).sum())

    together = [loss(collate([window])) for window in windows.rows]
    apart = [loss(collate([row])) for row in rows]
    assert sum(count for _, count in together) == sum(count for _, count in apart) == windows.supervised
    assert sum(one for one, _ in together) == pytest.approx(sum(one for one, _ in apart), rel=1e-5)


def mixing_attention(module: Any, query: Any, key: Any, value: Any, mask: Any, **settings: Any) -> Any:
    """Sees everything that came before, in whichever sequence."""
    return sdpa_attention_forward(module, query, key, value, None, is_causal=True, **settings)


def test_a_device_on_which_packed_sequences_mix_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    model = small_model()
    for precision in (torch.float32, torch.bfloat16):
        assert attention.mixing(model, "sdpa", Collator, precision, CPU) < attention._TOLERANCE[precision] / 3
        assert attention.choose(model, precision, CPU) is Collator
    AttentionInterface.register("mixing", mixing_attention)
    monkeypatch.setattr(attention, "MASKED", "mixing")
    for precision in (torch.float32, torch.bfloat16):
        with pytest.raises(TrainingError) as caught:
            attention.choose(small_model(attn_implementation="mixing"), precision, CPU)
        assert "packing=false" in caught.value.hint


def test_an_attention_that_cannot_run_here_is_not_used() -> None:
    """The kernel for sequences of many lengths is CUDA's: here it says so, and is passed over."""
    assert attention.mixing(small_model(), attention.VARLEN, FlatCollator, torch.bfloat16, CPU) == float(
        "inf"
    )


def reference(query: Any, key: Any, value: Any, starts: Any, _: Any, longest: int, __: int, *, scale: float,
              window_size: tuple[int, int], enable_gqa: bool) -> Any:  # fmt: skip
    """What torch documents of varlen_attn, sequence by sequence."""
    assert window_size == (-1, 0)
    assert longest == int(starts.diff().max())
    parts = []
    for start, stop in zip(starts.tolist(), starts.tolist()[1:], strict=False):
        rows = [one[start:stop].transpose(0, 1)[None] for one in (query, key, value)]
        done = torch.nn.functional.scaled_dot_product_attention(
            *rows, is_causal=True, scale=scale, enable_gqa=enable_gqa
        )
        parts.append(done[0].transpose(0, 1))
    return torch.cat(parts)


def test_the_kernel_is_given_what_it_documents(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(varlen, "varlen_attn", reference)
    kind: Callable[[int], Any] = FlatCollator
    assert attention.mixing(small_model(), attention.VARLEN, kind, torch.float32, CPU) < 1e-4

"""The optimizer of the models that are trained from random weights."""

import copy

import pytest
import torch
from torch.optim import AdamW
from transformers import LlamaConfig, LlamaForCausalLM

from ophtimus_training.muon import MuonWithAdamW, orthogonal


def new_model() -> LlamaForCausalLM:
    torch.manual_seed(1)
    return LlamaForCausalLM(
        LlamaConfig(
            vocab_size=64,
            hidden_size=32,
            intermediate_size=96,
            num_hidden_layers=2,
            num_attention_heads=2,
            num_key_value_heads=1,
            tie_word_embeddings=True,
        )
    )


def losses(model: LlamaForCausalLM, optimizer: torch.optim.Optimizer, steps: int) -> list[float]:
    ids = torch.randint(64, (8, 24), generator=torch.Generator().manual_seed(2))
    found = []
    for _ in range(steps):
        loss = model(input_ids=ids, labels=ids).loss
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        found.append(loss.item())
    return found


@pytest.mark.parametrize("shape", [(3, 32, 96), (2, 96, 32), (1, 48, 48)])
def test_every_direction_of_a_matrix_becomes_about_equally_long(shape: tuple[int, int, int]) -> None:
    torch.manual_seed(1)
    matrices = torch.randn(shape) * torch.tensor([1e-4, 1.0, 1e4])[: shape[0], None, None]
    found = orthogonal(matrices)
    assert found.shape == matrices.shape
    for before, after in zip(matrices, found, strict=True):
        left, sizes, right = torch.linalg.svd(before, full_matrices=False)
        assert sizes.max() / sizes.min() > 1.5  # else there was nothing to do
        seen = left.T @ after @ right.T  # diagonal: the directions stay, only their lengths change
        torch.testing.assert_close(seen, torch.diag(seen.diagonal()), atol=2e-3, rtol=0)
        kept = seen.diagonal()[sizes > 0.01 * sizes.norm()]
        assert kept.min() > 0.6
        assert kept.max() < 1.3


def test_the_gram_matrix_gives_what_the_plain_iteration_gives() -> None:
    torch.manual_seed(1)
    matrix = torch.randn(1, 32, 96)
    plain = matrix / matrix.norm()
    for _ in range(5):
        gram = plain @ plain.mT
        plain = 3.4445 * plain + (-4.7750 * gram + 2.0315 * gram @ gram) @ plain
    torch.testing.assert_close(orthogonal(matrix), plain, atol=1e-4, rtol=1e-4)


def test_every_weight_is_trained_once_and_tables_and_norms_by_adamw() -> None:
    model = new_model()
    optimizer = MuonWithAdamW(model, lr=3e-3, weight_decay=0.01)
    held = [id(one) for group in optimizer.param_groups for one in group["params"]]
    assert sorted(held) == sorted(id(one) for one in model.parameters())
    muon = {id(one) for one in optimizer.param_groups[0]["params"]}
    names = {name for name, one in model.named_parameters() if id(one) in muon}
    assert len(names) == 2 * 7
    assert all("proj" in name for name in names)

    # One step from the same weights: AdamW's share is AdamW's own, and frozen weights stay as they are.
    other = copy.deepcopy(model)
    losses(model, optimizer, 1)
    losses(other, AdamW(other.parameters(), lr=3e-3, weight_decay=0.01), 1)
    ours, theirs = dict(model.named_parameters()), dict(other.named_parameters())
    for name in ours.keys() - names:
        torch.testing.assert_close(ours[name], theirs[name])
    assert all(not torch.equal(ours[name], theirs[name]) for name in names)


def test_it_learns_rows_by_heart() -> None:
    model = new_model()
    found = losses(model, MuonWithAdamW(model, lr=1e-2, weight_decay=0.0), 60)
    assert found[0] > 4  # a guess among 64 tokens
    assert found[-1] < 0.5


def test_a_run_that_is_taken_up_again_goes_on_as_if_it_had_not_stopped() -> None:
    model = new_model()
    optimizer = MuonWithAdamW(model, lr=3e-3, weight_decay=0.01)
    losses(model, optimizer, 3)
    again = copy.deepcopy(model)
    second = MuonWithAdamW(again, lr=3e-3, weight_decay=0.01)
    second.load_state_dict(copy.deepcopy(optimizer.state_dict()))
    second.param_groups[1]["lr"] = optimizer.param_groups[1]["lr"] = 1e-3  # as a schedule sets it
    assert losses(again, second, 3) == losses(model, optimizer, 3)

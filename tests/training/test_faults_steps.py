"""What makes a step: the recipe alone, whatever is worked on at once, on how many devices, or fits into memory."""

from pathlib import Path
from typing import Any

import pytest
import torch
from short_runs import drawn_rows, logged, small_model, small_recipe, trained, weights_of

from ophtimus_edge.errors import TrainingError
from ophtimus_training.order import PooledOrder, RandomOrder, Share, Steps, share
from ophtimus_training.packing import packed, unpacked
from ophtimus_training.running.learning import shared
from ophtimus_training.running.memory import smaller

ROWS = 22


@pytest.mark.parametrize("devices", [1, 2, 3, 5])
@pytest.mark.parametrize("at_once", [1, 2, 3, 8])
def test_the_rows_of_a_step_do_not_depend_on_who_works_on_them(devices: int, at_once: int) -> None:
    order = RandomOrder(ROWS, seed=1)
    dealt = share(8, at_once, devices)
    steps = Steps(order, ROWS, dealt, filler=ROWS)
    for epoch in (0, 1):
        steps.set_epoch(epoch)
        places = list(steps)
        assert len(places) == len(steps)
        found = [places[at : at + dealt.places] for at in range(0, len(places), dealt.places)]
        rows = order.rows(epoch)
        assert [[row for row in step if row != ROWS] for step in found] == [rows[:8], rows[8:16], rows[16:]]
        # What each device takes at once is a batch of its own, and all of them have as many.
        assert len(places) % (dealt.at_once * devices) == 0 or devices == 1
    assert dealt.at_once <= at_once
    assert dealt.places - 8 < dealt.at_once * devices


def test_an_epoch_has_its_own_order_which_comes_again() -> None:
    for order in (RandomOrder(50, seed=1), PooledOrder([row % 9 + 1 for row in range(50)], 4, seed=1)):
        first, second = order.rows(0), order.rows(1)
        assert sorted(first) == sorted(second) == list(range(50))
        assert first != second
        assert (order.rows(0), order.rows(1)) == (first, second)


def test_packed_steps_hold_as_many_sequences_as_the_recipe_says() -> None:
    rows = drawn_rows(60)
    recipe = small_recipe("batch=4", "accumulation=6", "packing=true", "length=64")
    windows = packed(rows, 64, seed=1)
    each = len(rows) / len(windows.rows)
    assert each > 2
    dealt = shared(recipe, windows, devices=1)
    assert abs(dealt.rows * each - 24) < each
    assert dealt.at_once == round(4 / each)
    assert shared(recipe, windows, devices=2).rows == dealt.rows
    assert shared(recipe, unpacked(rows), devices=1) == Share(rows=24, at_once=4, rounds=6, devices=1)
    assert shared(recipe, unpacked(rows), devices=4) == Share(rows=24, at_once=4, rounds=2, devices=4)
    assert shared(small_recipe("batch=8"), unpacked(rows), devices=4) == Share(8, 2, 1, 4)


@pytest.mark.parametrize("packing", ["packing=false", "packing=true"])
def test_accumulation_that_changes_the_loss(tmp_path: Path, packing: str) -> None:
    """transformers #35203: a mean of means, where rows teach unequal numbers of tokens, is another loss."""
    found = []
    for number, settings in enumerate(
        [("batch=16", "accumulation=1"), ("batch=8", "accumulation=2"), ("batch=4", "accumulation=4")]
    ):
        folder = tmp_path / str(number)
        folder.mkdir()
        outcome = trained(folder, *settings, packing, rows=drawn_rows(60))
        found.append((logged(folder), weights_of(outcome.trainer.model), outcome.share))
    if packing == "packing=true":
        (losses, weights, dealt), *others = found
        for other_losses, other_weights, other in others:
            assert other.rows == dealt.rows
            assert other.rounds > dealt.rounds
            assert other_losses == pytest.approx(losses, rel=1e-5)
            torch.testing.assert_close(other_weights, weights, rtol=1e-3, atol=1e-4)
    else:  # rows that are not packed are put in order by what is worked on at once: other rows make a step
        assert {dealt.rows for _, _, dealt in found} == {16}
        assert len({len(losses) for losses, _, _ in found}) == 1


def fails_above(model: Any, rows: int, after: int = 0) -> list[str]:
    """Have a model ask for more memory than there is, for real, when it works on more rows than so many at once."""
    said: list[str] = []
    calls = 0

    def hook(module: Any, given: Any, settings: dict[str, Any]) -> None:
        nonlocal calls
        calls += 1
        if settings["input_ids"].size(0) > rows and calls > after:
            try:
                torch.empty(2**55, dtype=torch.uint8)
            except RuntimeError as error:
                said.append(str(error))
                raise

    model.model.register_forward_pre_hook(hook, with_kwargs=True)
    return said


@pytest.mark.parametrize("after", [0, 7], ids=["in the longest batch", "in the middle"])
def test_too_little_memory_changes_what_is_worked_on_at_once_and_nothing_else(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], after: int
) -> None:
    (tmp_path / "free").mkdir()
    (tmp_path / "tight").mkdir()
    free = trained(tmp_path / "free", "batch=8")
    model = small_model()
    said = fails_above(model, 2, after)
    tight = trained(tmp_path / "tight", "batch=8", model=model)
    assert len(said) == 2  # 8, then 4 rows were too many
    assert "can't allocate memory" in said[0]
    assert free.share == Share(8, 8, 1, 1)
    assert tight.share == Share(8, 2, 4, 1)
    assert free.steps == tight.steps
    assert logged(tmp_path / "tight") == pytest.approx(logged(tmp_path / "free"), rel=1e-4)
    torch.testing.assert_close(
        weights_of(tight.trainer.model), weights_of(free.trainer.model), rtol=1e-3, atol=1e-4
    )
    assert "4 rows at once, 2 times a step, instead of 8" in capfd.readouterr().err


def test_too_little_memory_for_one_row_is_said_in_two_lines(tmp_path: Path) -> None:
    model = small_model()
    fails_above(model, 0)
    with pytest.raises(TrainingError, match="a single row") as caught:
        trained(tmp_path, "batch=2", model=model)
    assert "method=qlora" in caught.value.hint
    with pytest.raises(TrainingError, match="one of 2 devices") as caught:
        smaller(Share(8, 4, 1, 2), in_optimizer=False)
    assert "accumulation" in caught.value.hint
    with pytest.raises(TrainingError, match="optimizer"):
        smaller(Share(8, 4, 2, 1), in_optimizer=True)
    assert smaller(Share(8, 4, 2, 1), in_optimizer=False) == Share(8, 2, 4, 1)


def test_another_error_is_not_taken_for_a_lack_of_memory(tmp_path: Path) -> None:
    model = small_model()

    def hook(*_: Any) -> None:
        raise RuntimeError("mat1 and mat2 shapes cannot be multiplied")

    model.model.register_forward_pre_hook(hook)
    with pytest.raises(RuntimeError, match="mat1"):
        trained(tmp_path, model=model)


def test_trying_the_longest_batch_first_changes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from ophtimus_training.running import memory

    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    tried = trained(tmp_path / "a", model=small_model(attention_dropout=0.1))
    assert tried.measured > 0
    monkeypatch.setattr(memory, "tried", lambda _: 1)
    untried = trained(tmp_path / "b", model=small_model(attention_dropout=0.1))
    assert torch.equal(weights_of(tried.trainer.model), weights_of(untried.trainer.model))

"""What a checkpoint is made of: a manifest that finds every change, states that come back bit for bit, a folder."""

import json
import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from ophtimus_edge.errors import UsageError
from ophtimus_training.checkpoints.results import result_folder
from ophtimus_training.checkpoints.sound import MANIFEST, damage, latest_sound, prune, publish, sweep
from ophtimus_training.checkpoints.state import random_state, read_state, set_random_state, write_state


@pytest.fixture
def work(tmp_path: Path) -> Path:
    """A folder with the checkpoints of steps 2 and 10."""
    folder = tmp_path / "work"
    for step in (2, 10):
        written(folder, step)
    return folder


def written(work: Path, step: int) -> Path:
    part, final = work / f".checkpoint-{step}.part", work / f"checkpoint-{step}"
    (part / "inner").mkdir(parents=True)
    (part / "weights.safetensors").write_bytes(random.Random(step).randbytes(300))
    (part / "inner" / "shard").write_bytes(b"of another process")
    publish(part, final)
    return final


def test_the_last_step_by_its_number_is_found_and_nothing_is_left_of_the_writing(work: Path) -> None:
    assert latest_sound(work) == work / "checkpoint-10"
    assert sorted(path.name for path in work.iterdir()) == ["checkpoint-10", "checkpoint-2"]
    assert latest_sound(work / "checkpoint-2") is None
    assert latest_sound(work / "nowhere") is None


def test_any_changed_byte_of_any_file_is_found_and_the_checkpoint_before_is_used(
    work: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    last = work / "checkpoint-10"
    for name in ("weights.safetensors", "inner/shard", MANIFEST):
        path = last / name
        sound = path.read_bytes()
        for at in range(len(sound)):
            path.write_bytes(sound[:at] + bytes([sound[at] ^ 0x10]) + sound[at + 1 :])
            assert damage(last), f"byte {at} of {name}"
        assert latest_sound(work) == work / "checkpoint-2"
        assert "checkpoint-10 is damaged: " in capsys.readouterr().err
        path.write_bytes(sound)
        assert latest_sound(work) == last
        assert capsys.readouterr().err == ""


def test_a_cut_a_longer_and_a_missing_file_are_said_by_name(work: Path) -> None:
    path = work / "checkpoint-10" / "weights.safetensors"
    sound = path.read_bytes()
    path.write_bytes(sound[:-1])
    assert damage(path.parent) == "weights.safetensors has 299 bytes, not 300"
    path.write_bytes(sound + b"0")
    assert damage(path.parent) == "weights.safetensors has 301 bytes, not 300"
    path.unlink()
    assert damage(path.parent) == "weights.safetensors is missing"
    path.write_bytes(sound)
    assert damage(path.parent) is None
    (path.parent / MANIFEST).unlink()
    assert damage(path.parent) == "it has no manifest"
    (work / "checkpoint-2").rename(work / "checkpoint-4")  # a copy under another step's name
    assert damage(work / "checkpoint-4") == "its manifest is of another step or release"
    assert latest_sound(work) is None


def test_pruning_leaves_the_newest_and_does_not_count_damaged_ones_of_later_steps(work: Path) -> None:
    newest = [written(work, step) for step in (3, 4)][-1]
    (work / "checkpoint-10" / MANIFEST).unlink()
    prune(work, newest, 2)
    assert sorted(path.name for path in work.iterdir()) == ["checkpoint-10", "checkpoint-3", "checkpoint-4"]
    (work / ".checkpoint-11.part" / "inner").mkdir(parents=True)
    sweep(work)
    again = written(work, 10)  # takes the damaged one's place
    assert damage(again) is None
    prune(work, again, 2)
    assert sorted(path.name for path in work.iterdir()) == ["checkpoint-10", "checkpoint-4"]


def test_a_nested_state_comes_back_bit_for_bit_without_a_pickle(tmp_path: Path) -> None:
    state = {
        "state": {0: {"step": torch.tensor(3.0), "mean": torch.randn(4, 3).T}, 1: {}},
        "groups": [{"lr": 0.1 + 0.2, "betas": (0.9, 0.999), "params": [0, 1], "fused": None, "on": True}],
        "bits": torch.tensor([1.5, float("nan")], dtype=torch.bfloat16),
    }
    write_state(tmp_path, "state", state)
    found = read_state(tmp_path, "state")
    assert found["groups"] == state["groups"]
    assert found["state"].keys() == state["state"].keys()
    assert torch.equal(found["state"][0]["mean"], state["state"][0]["mean"])
    assert found["bits"].view(torch.int16).equal(state["bits"].view(torch.int16))
    assert not any(path.read_bytes().startswith((b"PK", b"\x80")) for path in tmp_path.iterdir())
    with pytest.raises(TypeError, match=r"state\.odd: it is a set"):
        write_state(tmp_path, "state", {"odd": {1}})


def test_tensors_that_share_memory_are_each_written(tmp_path: Path) -> None:
    rate = torch.tensor(0.5)
    write_state(tmp_path, "state", {"base": [rate, rate], "last": rate.view(1)})
    found = read_state(tmp_path, "state")
    assert [float(one) for one in (*found["base"], *found["last"])] == [0.5, 0.5, 0.5]


def test_moments_in_8_bits_come_back_as_they_were(tmp_path: Path) -> None:
    eight = pytest.importorskip("torchao.optim.subclass_8bit")
    moments = eight.OptimState8bit.zeros((16, 512), signed=False, dtype=torch.bfloat16)
    moments.copy_(torch.rand(16, 512))
    write_state(tmp_path, "state", {"state": {0: {"exp_avg_sq": moments}}})
    found = read_state(tmp_path, "state")["state"][0]["exp_avg_sq"]
    assert type(found) is type(moments)
    assert (found.signed, found.dtype, found.block_size) == (False, torch.bfloat16, 256)
    assert found.codes.equal(moments.codes)
    assert found.dequantize().equal(moments.dequantize())


def test_the_random_generators_go_on_where_they_were() -> None:
    random.gauss(0, 1)  # leaves half of a pair behind
    np.random.standard_normal()
    kept = random_state()
    before = [random.gauss(0, 1), np.random.standard_normal(), torch.rand(3).tolist()]
    random.seed(1), np.random.seed(1), torch.manual_seed(1)
    assert before != [random.gauss(0, 1), np.random.standard_normal(), torch.rand(3).tolist()]
    set_random_state(kept)
    assert before == [random.gauss(0, 1), np.random.standard_normal(), torch.rand(3).tolist()]


def test_a_result_folder_goes_on_with_the_same_recipe_and_refuses_another(tmp_path: Path) -> None:
    out, part = tmp_path / "out", tmp_path / ".out.part"
    asked: dict[str, Any] = {
        "recipe": {"epochs": 8, "batch": 4},
        "data": [{"name": "eyes.jsonl", "sha256": "0"}],
    }
    with pytest.raises(KeyboardInterrupt), result_folder(out) as result:
        result.settle(asked)
        raise KeyboardInterrupt  # before any checkpoint: there is nothing to go on from
    assert not part.exists()
    with pytest.raises(KeyboardInterrupt), result_folder(out) as result:
        result.settle(asked)
        written(result.work, 1)
        raise KeyboardInterrupt
    assert latest_sound(part / "work")
    for other, difference in (
        (asked | {"recipe": {"epochs": 9, "batch": 4}}, "epochs was 8, now 9"),
        (asked | {"data": [{"name": "eyes.jsonl", "sha256": "1"}]}, "the data or the base have changed"),
    ):
        with pytest.raises(UsageError, match=difference), result_folder(out) as result:
            result.settle(other)
        assert latest_sound(part / "work")
    described = (part / "recipe.json").read_text()
    (part / "recipe.json").write_text(described[:-9])
    with pytest.raises(UsageError, match="missing or damaged"), result_folder(out) as result:
        result.settle(asked)
    (part / "recipe.json").write_text(described)
    with result_folder(out) as result:
        result.settle(asked)
        assert latest_sound(result.work)
        with pytest.raises(UsageError, match="another run"), result_folder(out):
            pass
        (result.folder / "weights").write_text("trained")
    assert sorted(path.name for path in out.iterdir()) == ["recipe.json", "weights"]
    assert json.loads((out / "recipe.json").read_text()) == asked
    assert not part.exists()
    with pytest.raises(UsageError, match="exists already"), result_folder(out):
        pass


def test_a_run_that_kept_nothing_is_begun_anew_with_another_recipe(tmp_path: Path) -> None:
    (tmp_path / ".out.part" / "work").mkdir(parents=True)
    with result_folder(tmp_path / "out") as result:
        result.settle({"recipe": {"epochs": 1}})
        (result.folder / "base").mkdir()
        result.settle({"recipe": {"epochs": 1}})
        assert (result.folder / "base").exists()
        result.settle({"recipe": {"epochs": 2}})
        assert not (result.folder / "base").exists()
    assert json.loads((tmp_path / "out" / "recipe.json").read_text()) == {"recipe": {"epochs": 2}}

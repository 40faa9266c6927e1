"""Training for real, for seconds: a base, an adapter on it, and the merge of both."""

from pathlib import Path

import pytest
from conftest import ROOT
from conversions import converted

from ophtimus_training.cli import main
from ophtimus_training.order import PooledOrder
from ophtimus_training.tokenizer import SPECIAL_TOKENS, train_tokenizer


@pytest.fixture(scope="module")
def small_primer(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The primer's topic of glaucoma."""
    folder = tmp_path_factory.mktemp("primer")
    for kind in ("essay", "mcq"):
        (folder / kind).mkdir()
        path = ROOT / "training" / "primer" / kind / "glaucoma.jsonl"
        (folder / kind / path.name).write_bytes(path.read_bytes())
    return folder


def test_a_base_and_an_adapter_are_trained_and_converted(
    small_primer: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    base, adapter = tmp_path / "base", tmp_path / "adapter"
    small = ["--set", f"data={small_primer}", "--set", "length=1024", "--set", "epochs=1"]
    words = ["run", "demo-pretrain", "-o", str(base), *small, "--set", "layers=1", "--set", "vocabulary=600"]
    assert main(words) == 0
    assert "loss" in capsys.readouterr().out
    assert main(words) == 2  # the folder exists: nothing is overwritten
    assert "exists already" in capsys.readouterr().err
    words = ["run", "demo-instruct", "-o", str(adapter), *small, "--set", f"base={base}", "--set", "lora_r=4"]
    assert main(words) == 0
    assert (adapter / "adapter_model.safetensors").is_file()
    assert sorted(path.name for path in tmp_path.iterdir() if path.name.startswith(".")) == []
    model = converted(base, tmp_path / "model", "BF16", adapter=adapter)
    assert model.kind == "instruct"


def test_a_missing_base_or_primer_is_said_in_two_lines(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    for recipe, setting in (("demo-instruct", "base=/nowhere"), ("demo-pretrain", "data=/nowhere")):
        assert main(["run", recipe, "-o", str(tmp_path / "out"), "--set", setting]) == 1
        said = capfd.readouterr().err
        assert "Traceback" not in said
        message, hint = said.splitlines()[-2:]
        assert message.startswith("ophtimus-train: ")
        assert "/nowhere" in message + hint
        assert not (tmp_path / "out").exists()


def test_the_tokenizer_gives_every_text_back_and_ends_turns() -> None:
    tokenizer = train_tokenizer(["안압은 21 mmHg입니다.", "What is glaucoma?"] * 3, 512, 128)
    text = "안압 0.5 % — <IOP> naïve 👁\n\n  end "
    ids = tokenizer(text)["input_ids"]
    assert ids[0] == tokenizer.convert_tokens_to_ids("<|begin_of_text|>")
    assert tokenizer.decode(ids, skip_special_tokens=True) == text
    assert tokenizer.eos_token == "<|eot_id|>"
    assert [tokenizer.convert_tokens_to_ids(token) for token in SPECIAL_TOKENS] == list(
        range(len(tokenizer) - len(SPECIAL_TOKENS), len(tokenizer))
    )


def test_an_epoch_has_every_row_once_with_little_padding_and_wordings_apart() -> None:
    lengths = [20 + 7 * (row // 4) % 300 for row in range(1000)]  # four rows of each length, as wordings have
    order = PooledOrder(lengths, 4, seed=3)
    first, second = list(order), list(order)
    assert sorted(first) == sorted(second) == list(range(1000))
    assert first != second
    assert list(PooledOrder(lengths, 4, seed=3)) == first
    batches = [first[at : at + 4] for at in range(0, 1000, 4)]
    padded = sum(4 * max(lengths[row] for row in batch) for batch in batches)
    assert padded < 1.1 * sum(lengths)
    assert sum(len({row // 4 for row in batch}) < 4 for batch in batches) < 50  # of 250
    longest = [max(lengths[row] for row in batch) for batch in batches]
    assert longest not in (sorted(longest), sorted(longest, reverse=True))
    assert sorted(PooledOrder(lengths[:998], 4, seed=1)) == list(range(998))

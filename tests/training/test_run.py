"""``ophtimus-train run`` as a person runs it: what it leaves, what it says, and how it is taken up again."""

import json
import subprocess
import time
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pyarrow
import pyarrow.parquet
import pytest
import torch
from conftest import BIN, ROOT
from peft import PeftModel
from short_runs import drawn_rows, logged, small_model, trained, weights_of
from transformers import AutoModelForCausalLM, AutoTokenizer

from ophtimus_edge.errors import RecipeError
from ophtimus_training import recipe as recipes
from ophtimus_training.cli import main
from ophtimus_training.running.figures import Speed, Tally, speed
from ophtimus_training.running.picture import draw, losses

QUESTIONS = [
    {"question": f"What is number {at}?", "answer": f"It is {at}, {'and ' * (at % 5)}no more."}
    for at in range(30)
]
HELD_OUT = [{"question": f"What was number {at}?", "answer": f"It was {at}."} for at in range(4)]
CHOICES = [
    {"question": f"Which is number {at}?", "option_a": "one", "option_b": "two", "option_c": "three",
     "option_d": "four", "option_e": "", "explanation": "", "answer": ("one", "two")[at % 2]} for at in range(4)
]  # fmt: skip
QUICK = ["--set", "steps=3", "--set", "log_every=1", "--set", "batch=4", "--set", "accumulation=1"]


def lines(path: Path, rows: list[dict[str, Any]]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


@pytest.fixture
def questions(tmp_path: Path) -> list[str]:
    """Settings that name a file of questions and one of held-out ones."""
    train, heldout = (
        lines(tmp_path / "train.jsonl", QUESTIONS),
        lines(tmp_path / "heldout.jsonl", [*HELD_OUT, *CHOICES]),
    )
    return ["--set", f"data={train}", "--set", f"evaluation={heldout}"]


def test_a_smoke_run_leaves_all_that_it_promises(
    questions: list[str], tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    assert main(["run", "smoke", "-o", str(out), *questions, *QUICK, "--set", "evaluate_every=2"]) == 0
    said = capfd.readouterr()
    assert said.out.startswith(f"{out}: 3 steps")
    assert "held-out loss" in said.out
    for words in ("tokens/s", "supervised", "padding", "unknown device CPU", "left", "longest batch: measured",
                  "predicted", "right letters", "4 questions"):  # fmt: skip
        assert words in said.err, words
    assert not list(tmp_path.glob(".*"))
    assert {path.name for path in out.iterdir()} >= {
        "adapter_config.json", "adapter_model.safetensors", "tokenizer.json", "log.jsonl", "loss.svg", "recipe.json",
        "base", "README.md", "provenance.json",
    }  # fmt: skip
    record = json.loads((out / "recipe.json").read_text())
    assert record["recipe"]["steps"] == 3
    assert [file["rows"] for file in record["data"] + record["evaluation"]] == [30, 8]
    log = [json.loads(line) for line in (out / "log.jsonl").read_text().splitlines()]
    assert [row["step"] for row in log if "loss" in row] == [1, 2, 3]
    assert [row["step"] for row in log if "heldout_loss" in row] == [2, 3]
    for row in log:
        if "loss" in row:
            assert row["tokens_per_s"] > 0
            assert 0 < row["supervised_share"] < 1
            assert 0 <= row["padding_share"] < 1
            assert row["flops_utilisation"] is None
        else:
            assert row["letters"]["low"] <= row["letters"]["value"] <= row["letters"]["high"]
    assert json.loads((out / "adapter_config.json").read_text())["base_model_name_or_path"] == str(
        out / "base"
    )
    base = AutoModelForCausalLM.from_pretrained(out / "base", dtype=torch.float32)
    ids = torch.tensor([AutoTokenizer.from_pretrained(out)("What is it?")["input_ids"]])
    plain = base(ids).logits
    assert not torch.equal(PeftModel.from_pretrained(base, out)(ids).logits, plain)
    assert main(["run", "smoke", "-o", str(out), *questions]) == 2  # nothing is overwritten


def test_continued_pretraining_learns_texts_packed_and_windows(tiny_checkpoint: Path, tmp_path: Path) -> None:
    texts = lines(
        tmp_path / "texts.jsonl",
        [{"text": f"The eye of animal {at} sees. " * (1 + at % 7)} for at in range(40)],
    )
    begin = AutoTokenizer.from_pretrained(tiny_checkpoint).bos_token_id
    ids = tmp_path / "ids.parquet"
    window = [begin, *range(20, 50), begin, *range(50, 82)]
    pyarrow.parquet.write_table(pyarrow.table({"input_ids": [window] * 4}), ids)
    recipe = tmp_path / "mine.toml"
    recipe.write_text(
        f'stage = "continue"\nbase = "{tiny_checkpoint}"\ndata = ["{texts}", "{ids}"]\nmethod = "full"\nepochs = 1\n'
        'batch = 4\nlength = 64\npacking = true\nlearning_rate = 1e-3\nschedule = "linear"\nprecision = "float32"\n'
        "steps = 3\nlog_every = 1\ncheckpointing = true\n"
    )
    out = tmp_path / "out"
    with pytest.raises(SystemExit):
        main(["run", str(recipe)])  # -o is needed
    assert main(["run", str(recipe), "-o", str(out), "--set", "length=63"]) == 1  # a window is longer
    assert main(["run", str(recipe), "-o", str(out)]) == 0  # mended, the same folder will do
    model = AutoModelForCausalLM.from_pretrained(out)
    assert model.dtype == torch.bfloat16
    shares = logged(out, "supervised_share")
    assert min(shares) > 0.8  # all but the first token of each text


def test_a_run_that_was_left_is_taken_up_and_another_one_is_refused(
    questions: list[str], tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    command = ["run", "smoke", *questions, *QUICK, "--set", "save_every=1", "--set", "evaluate_every=0"]
    assert main([*command, "-o", str(tmp_path / "whole")]) == 0
    # What a kill behind the second step leaves: everything is begun again but what the checkpoint has.
    part = tmp_path / ".gone-on.part"
    stopped = subprocess.Popen(
        [str(BIN / "ophtimus-train"), *command, "-o", str(tmp_path / "gone-on")],
        cwd=ROOT,
        stderr=subprocess.DEVNULL,
    )
    while not (part / "work" / "checkpoint-2").exists() and stopped.poll() is None:
        time.sleep(0.01)
    stopped.kill()
    stopped.wait()
    if part.exists():  # else it was faster than the kill
        assert main([*command, "-o", str(tmp_path / "gone-on"), "--set", "learning_rate=1e-4"]) == 2
        assert "begun otherwise (learning_rate was" in capfd.readouterr().err
        assert main([*command, "-o", str(tmp_path / "gone-on")]) == 0
    assert not part.exists()
    whole, gone_on = (tmp_path / name / "adapter_model.safetensors" for name in ("whole", "gone-on"))
    assert whole.read_bytes() == gone_on.read_bytes()
    assert [
        json.loads(line)["step"] for line in (tmp_path / "gone-on" / "log.jsonl").read_text().splitlines()
    ] == [1, 2, 3, 3]


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        (["learning_rat=1"], "learning_rat"),
        (["epochs=many"], "epochs"),
        (["data=/nowhere"], "/nowhere"),
        (["base=/nowhere"], "no base checkpoint in /nowhere"),
        (["base=meta-llama/Llama-3.1-8B-Instruct"], "no NVIDIA GPU"),
        (["method=qlora"], "no NVIDIA GPU"),
        (["length=40"], "longer than 40 tokens"),
        (["length=40", "overlong=drop"], "no row fits into 40 tokens"),
        (["evaluation={train}"], "trained on too"),
        (["evaluation={empty}"], "empty"),
        (["data={text}"], "no questions with answers"),
        (["data={wrong}"], "wrong.jsonl"),
        (["stage=continue"], "probe"),
    ],
)  # fmt: skip
def test_a_mistake_is_refused_in_two_lines(
    questions: list[str], settings: list[str], said: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    places = {
        "train": tmp_path / "train.jsonl",
        "empty": lines(tmp_path / "empty.jsonl", []),
        "text": lines(tmp_path / "text.jsonl", [{"text": "The eye."}]),
        "wrong": lines(tmp_path / "wrong.jsonl", [{"colour": "red"}]),
    }
    words = [word for one in settings for word in ("--set", one.format(**places))]
    assert main(["run", "smoke", "-o", str(tmp_path / "out"), *questions, *words]) in (1, 2)
    message, hint = capfd.readouterr().err.splitlines()[-2:]
    assert message.startswith("ophtimus-train: ")
    assert said in message + hint
    assert hint.strip()
    assert not (tmp_path / "out").exists()


def test_a_base_without_a_template_is_refused(
    questions: list[str], tiny_checkpoint: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    import shutil

    folder = tmp_path / "plain"
    shutil.copytree(tiny_checkpoint, folder)
    (folder / "chat_template.jinja").unlink()
    assert main(["run", "smoke", "-o", str(tmp_path / "out"), *questions, "--set", f"base={folder}"]) == 1
    assert "no chat template" in capfd.readouterr().err


def test_help_is_fast_and_names_the_recipes() -> None:
    code = (
        "import sys; from ophtimus_training.cli import parser; parser();"
        "print(sorted({'torch', 'transformers', 'trl', 'peft', 'datasets'} & set(sys.modules)))"
    )
    result = subprocess.run([str(BIN / "python"), "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "[]"


def test_what_is_measured_is_what_was_worked_on() -> None:
    tally = Tally(padding=0)
    tally.add(
        {
            "input_ids": torch.tensor([[5, 6, 7], [8, 9, 0]]),
            "labels": torch.tensor([[-100, 6, 7], [-100, -100, -100]]),
        }
    )
    found = tally.read(lambda counts: counts)
    assert found["tokens"] == 5
    assert found["supervised_share"] == 2 / 5
    assert found["padding_share"] == 1 / 6
    tally.pause(1e6)
    tally.add({"input_ids": torch.tensor([[5, 6]]), "labels": torch.tensor([[5, 6]])})
    assert tally.read(lambda counts: 2 * counts)["tokens"] == 4  # of two devices


def test_utilisation_is_4n_with_frozen_weights_and_6n_without() -> None:
    from peft import LoraConfig, get_peft_model

    model = small_model()
    count = sum(one.numel() for one in model.parameters())
    found = speed(model, torch.device("cpu"), 1)
    assert (found.weights, found.factor, found.peak) == (count, 6, 0)
    assert found.utilisation(1000) is None
    assert "unknown device CPU" in found.words
    adapter = get_peft_model(model, LoraConfig(r=2, target_modules=["q_proj"], task_type="CAUSAL_LM"))
    assert speed(adapter, torch.device("cpu"), 1).factor == 4
    # NeMo's published figure: 12,473 tokens a second of an 8B model on an H100, 40.6 % at 4N.
    nemo = Speed(8_030_261_248, 4, 989e12, "H100")
    assert nemo.utilisation(12_473) == pytest.approx(0.406, abs=0.002)
    assert "4N a token" in nemo.words
    assert "989 TFLOP/s" in nemo.words


def test_the_picture_has_the_losses_and_stands_alone(tmp_path: Path) -> None:
    log, out = tmp_path / "log.jsonl", tmp_path / "loss.svg"
    draw(log, out)
    assert not out.exists()
    rows = [{"step": step, "loss": 3.0 / step} for step in range(1, 9)] + [{"step": 8, "heldout_loss": 1.5}]
    lines(log, [*rows, {"step": 9, "loss": float("nan")}])
    assert losses(log) == ([(step, 3.0 / step) for step in range(1, 9)], [(8, 1.5)])
    draw(log, out)
    root = ElementTree.fromstring(out.read_text())  # noqa: S314  # what was just drawn
    (line, _) = root.iter("{http://www.w3.org/2000/svg}polyline")
    assert len(line.attrib["points"].split()) == 8
    heights = [float(point.split(",")[1]) for point in line.attrib["points"].split()]
    assert heights == sorted(heights)  # a falling loss goes down the picture
    text = out.read_text()
    assert "href" not in text
    assert "3.000 at step 1" in text


def test_after_a_run_nothing_still_counts_as_not_above_zero(tmp_path: Path) -> None:
    trained(tmp_path, "steps=1", "epochs=1")
    assert torch.tensor(2.0**-1040, dtype=torch.float64) * 1 > 0  # the processor keeps denormals again
    with pytest.raises(RecipeError, match="similarity"):
        recipes.load("smoke", ["similarity=0"])
    assert recipes.load("smoke", ["similarity=0.5"]).similarity == 0.5


def test_both_ways_to_the_loss_agree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The learned positions alone, as on one processor, and trl's fused output layer, as everywhere else."""
    (tmp_path / "alone").mkdir()
    (tmp_path / "fused").mkdir()
    rows, heldout = drawn_rows(10), drawn_rows(5, seed=9)
    alone = trained(tmp_path / "alone", rows=rows, heldout=heldout)
    from trl.trainer.utils import add_fused_lm_head

    from ophtimus_training.running.trainer import RecipeTrainer

    model = small_model()
    add_fused_lm_head(model)
    real = RecipeTrainer.__init__

    def shared(self: Any, *given: Any, **settings: Any) -> None:
        real(self, *given, **settings)
        self._alone = False

    monkeypatch.setattr(RecipeTrainer, "__init__", shared)
    fused = trained(tmp_path / "fused", model=model, rows=rows, heldout=heldout)
    assert logged(tmp_path / "fused") == pytest.approx(logged(tmp_path / "alone"), rel=1e-4)
    assert fused.evaluation["eval_loss"] == pytest.approx(alone.evaluation["eval_loss"], rel=1e-4)
    torch.testing.assert_close(
        weights_of(fused.trainer.model), weights_of(alone.trainer.model), rtol=1e-3, atol=1e-4
    )


def test_two_processes_learn_what_one_does(questions: list[str], tmp_path: Path) -> None:
    """With their own base, shared out, evaluated, saved: torchrun starts what ``ophtimus-train run`` is."""
    settings = [
        *questions,
        *QUICK,
        "--set",
        "lora_dropout=0",
        "--set",
        "save_every=0",
        "--set",
        "evaluate_every=0",
    ]
    one, two = tmp_path / "one", tmp_path / "two"
    assert main(["run", "smoke", "-o", str(one), *settings]) == 0
    command = [str(BIN / "torchrun"), "--nproc-per-node", "2", "--standalone", "--no-python",
               str(BIN / "ophtimus-train"), "run", "smoke", "-o", str(two), *settings]  # fmt: skip
    ended = subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT)
    assert ended.returncode == 0, ended.stderr
    assert ended.stdout.count("3 steps") == 1  # said once
    assert logged(two) == pytest.approx(logged(one), rel=1e-4)
    assert logged(two, "tokens") == logged(one, "tokens")
    assert logged(two, "heldout_loss") == pytest.approx(logged(one, "heldout_loss"), rel=1e-4)
    assert [found["value"] for found in logged(two, "letters")] == [
        found["value"] for found in logged(one, "letters")
    ]
    assert {path.name for path in two.iterdir()} == {path.name for path in one.iterdir()}

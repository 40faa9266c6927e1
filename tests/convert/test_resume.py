"""What is left behind, taken up again, and added to: no state of a conversion is lost or mixed."""

import json
import shutil
from pathlib import Path

import pytest
from conftest import Disk
from conversions import Silent, converted, make_adapter, options

from ophtimus_convert import blueprint as blueprints
from ophtimus_convert.conversion import convert, prepare
from ophtimus_convert.imatrix import read_imatrix, write_imatrix
from ophtimus_edge.errors import ConversionError
from ophtimus_edge.models.formats import Verdict, read_model_folder, write_model_folder


class StopsAt(Silent):
    """A person who presses Ctrl-C in the middle of a step."""

    def __init__(self, step: str) -> None:
        super().__init__()
        self._step = step

    def show(self, step: str, unit: str, done: int, total: int, what: str) -> None:
        super().show(step, unit, done, total, what)
        if step == self._step and done >= total // 2:
            raise KeyboardInterrupt


def stopped(source: Path, out: Path, *levels: str, at: str = "write", **more: object) -> None:
    asked, display = options(source, out, *levels, **more), StopsAt(at)
    with pytest.raises(KeyboardInterrupt):
        convert(asked, prepare(asked, display), display)
    assert not out.exists()


def test_a_stopped_runs_unfinished_levels_do_not_appear_in_another_runs_folder(
    tiny_checkpoint: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    stopped(tiny_checkpoint, out, "BF16", "Q8_0")
    assert (tmp_path / ".out.part" / "model" / "tiny-BF16.gguf").is_file()
    model = converted(tiny_checkpoint, out, "Q4_K_M")
    assert sorted(path.name for path in out.iterdir()) == ["model.json", "tiny-Q4_K_M.gguf"]
    assert [level.level for level in model.levels] == ["Q4_K_M"]


def test_finished_levels_are_not_made_again(tiny_checkpoint: Path, tmp_path: Path) -> None:
    out, whole = tmp_path / "out", converted(tiny_checkpoint, tmp_path / "whole", "BF16", "Q8_0")
    stopped(tiny_checkpoint, out, "BF16", "Q8_0", at="gates", skip_gates=frozenset({"logits"}))
    ready = tmp_path / ".out.part" / "model"
    before = {path.name: path.stat().st_mtime_ns for path in ready.glob("*.gguf")}
    assert len(before) == 2
    asked, display = options(tiny_checkpoint, out, "BF16", "Q8_0"), Silent()
    model = convert(asked, prepare(asked, display), display)
    assert display.steps == ["gates"]
    assert {path.name: path.stat().st_mtime_ns for path in out.glob("*.gguf")} == before
    assert [level.sha256 for level in model.levels] == [level.sha256 for level in whole.levels]


def test_a_gate_that_fails_costs_no_files_and_its_mending_makes_them_anew(
    tiny_checkpoint: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out, read = tmp_path / "out", blueprints.read_vocabulary
    with monkeypatch.context() as patch:
        patch.setattr(blueprints, "read_vocabulary", lambda *words: read(*words)._replace(eos=3))
        with pytest.raises(ConversionError, match="the end gate failed"):
            converted(tiny_checkpoint, out, "Q8_0", skip_gates=frozenset({"logits"}))
    asked, display = options(tiny_checkpoint, out, "Q8_0", skip_gates=frozenset({"logits"})), Silent()
    model = convert(asked, prepare(asked, display), display)
    assert "write" in display.steps  # the files with the wrong end were not taken for finished
    assert model.gates["end"].startswith("passed")
    assert model.gates["logits"] == "skipped by --skip-gate"


def test_a_level_that_is_added_changes_nothing_else(tiny_checkpoint: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    model = converted(tiny_checkpoint, out, "Q8_0", skip_gates=frozenset({"logits"}))
    verdict = Verdict(level="Q8_0", statement="Q8_0 for all")
    model.demonstration, model.verdict, model.tested_languages = True, verdict, ["en"]
    write_model_folder(out, model)
    more = converted(tiny_checkpoint, out, "Q4_K_M")
    assert (more.demonstration, more.verdict, more.default_level) == (True, verdict, "Q8_0")
    assert more.tested_languages == ["en"]
    assert more.gates["tokens"].startswith("passed")
    assert more.gates["tokens (Q4_K_M)"].startswith("skipped")
    (out / "tiny-Q8_0.gguf").unlink()
    again = converted(tiny_checkpoint, out, "Q8_0", "Q4_K_M")
    assert (out / "tiny-Q8_0.gguf").is_file()
    assert sorted(level.level for level in again.levels) == ["Q4_K_M", "Q8_0"]


def test_a_folder_has_one_importance_matrix(tiny_checkpoint: Path, tmp_path: Path) -> None:
    matrix = Path(__file__).parents[2] / "training" / "primer" / "essay" / "glaucoma.jsonl"
    out = tmp_path / "out"
    model = converted(tiny_checkpoint, out, "Q4_K_M", calibrate=matrix)
    assert model.levels[0].imatrix_sha256
    with pytest.raises(ConversionError, match="has an importance matrix already"):
        converted(tiny_checkpoint, out, "IQ2_M", calibrate=matrix)
    more = converted(tiny_checkpoint, out, "IQ2_M", imatrix=out / "imatrix.gguf")
    assert {level.imatrix_sha256 for level in more.levels} == {model.levels[0].imatrix_sha256}
    partial = read_imatrix(out / "imatrix.gguf").entries
    del partial["blk.1.ffn_up.weight"]
    write_imatrix(tmp_path / "partial.gguf", {key: (value, 1) for key, value in partial.items()}, "x", 1, 1)
    with pytest.raises(ConversionError, match=r"nothing for blk\.1\.ffn_up\.weight, which IQ2_M needs"):
        converted(tiny_checkpoint, tmp_path / "partial", "IQ2_M", imatrix=tmp_path / "partial.gguf")
    assert converted(tiny_checkpoint, tmp_path / "other", "Q4_K_M", imatrix=tmp_path / "partial.gguf").levels


def test_the_output_may_be_the_folder_one_stands_in(
    tiny_checkpoint: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "here"
    folder.mkdir()
    monkeypatch.chdir(folder)
    assert converted(tiny_checkpoint, Path(), "Q8_0").levels
    assert sorted(path.name for path in folder.iterdir()) == ["model.json", "tiny-Q8_0.gguf"]
    link = tmp_path / "link"
    link.symlink_to(folder)
    assert len(converted(tiny_checkpoint, link, "Q4_K_M").levels) == 2
    assert read_model_folder(folder).level_named("Q4_K_M")


def test_the_output_may_be_a_usb_stick(tiny_checkpoint: Path, disk: Disk, tmp_path: Path) -> None:
    stick = disk(tmp_path / "stick", 8)  # empty, and a file system of its own
    assert converted(tiny_checkpoint, stick, "Q8_0").levels
    assert sorted(path.name for path in stick.iterdir()) == ["model.json", "tiny-Q8_0.gguf"]
    assert len(converted(tiny_checkpoint, stick, "Q4_K_M").levels) == 2
    assert not [path for path in tmp_path.iterdir() if path.name.startswith(".")]


META_TEMPLATE = (
    "{{- bos_token }}{%- if not date_string is defined %}{%- if strftime_now is defined %}"
    "{%- set date_string = strftime_now('%d %b %Y') %}{%- else %}{%- set date_string = '26 Jul 2024' %}{%- endif %}"
    "{%- endif %}{%- if messages[0]['role'] == 'system' %}{%- set system = messages[0]['content'] | trim %}"
    "{%- set messages = messages[1:] %}{%- else %}{%- set system = '' %}{%- endif %}"
    "{{- '<|start_header_id|>system<|end_header_id|>\n\n' }}{{- 'Cutting Knowledge Date: December 2023\n' }}"
    "{{- 'Today Date: ' + date_string + '\n\n' }}{{- system }}{{- '<|eot_id|>' }}"
    "{%- for message in messages %}{{- '<|start_header_id|>' + message['role'] + '<|end_header_id|>\n\n' "
    "+ message['content'] | trim + '<|eot_id|>' }}{%- endfor %}"
    "{%- if add_generation_prompt %}{{- '<|start_header_id|>assistant<|end_header_id|>\n\n' }}{%- endif %}"
)


def test_a_template_with_metas_date_passes_its_gates(tiny_checkpoint: Path, tmp_path: Path) -> None:
    for name, text in (
        ("dated", META_TEMPLATE),
        ("today", META_TEMPLATE.replace("date_string + '", "strftime_now('%d %b %Y') + '")),
    ):
        (tmp_path / f"{name}.jinja").write_text(text)
        model = converted(
            tiny_checkpoint, tmp_path / name, "Q8_0", template=tmp_path / f"{name}.jinja",
            skip_gates=frozenset({"logits", "answers"}),
        )  # fmt: skip
        assert model.gates["template"].startswith("passed"), model.gates
        assert model.gates["end"].startswith("passed"), model.gates
        assert model.template is not None
        assert model.template.text == text


def test_what_transformers_4_wrote_and_an_untied_model_pass_every_gate(
    tiny_checkpoint: Path, tmp_path: Path
) -> None:
    source = tmp_path / "source"
    shutil.copytree(tiny_checkpoint, source)
    config = json.loads((source / "config.json").read_text())
    rope = config.pop("rope_parameters")
    config |= {
        "rope_theta": rope["rope_theta"],
        "rope_scaling": {"type": "llama3", "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0,
                         "original_max_position_embeddings": 256},
        "torch_dtype": config.pop("dtype", "bfloat16"),
        "quantization_config": {"quant_method": "bitsandbytes", "load_in_4bit": True},
    }  # fmt: skip
    (source / "config.json").write_text(json.dumps(config))
    adapter = make_adapter(tiny_checkpoint, tmp_path / "adapter", target_modules=["q_proj", "embed_tokens"])
    model = converted(source, tmp_path / "out", "BF16", adapter=adapter, skip_gates=frozenset[str]())
    assert all(result.startswith("passed") for result in model.gates.values()), model.gates
    header = (tmp_path / "out" / "tiny-BF16.gguf").read_bytes()[:200_000]
    assert b"output.weight" in header

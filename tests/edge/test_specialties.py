import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from ophtimus_edge import specialties
from ophtimus_edge.errors import TrainingDataError, UsageError
from ophtimus_edge.locations import specialty_folder
from ophtimus_edge.specialties.questions import ChoiceQuestion, choice_prompt, choice_reply, read_questions
from ophtimus_training.heldout import heldout_lines

ROOT = Path(__file__).parents[2]


def test_the_roles_are_the_contracts_four_in_both_languages() -> None:
    roles = specialties.roles()
    assert list(roles) == ["clinical", "counselling", "teaching", "free"]
    assert all(set(role.title) == {"en", "ko"} for role in roles.values())
    assert roles["clinical"].system_prompt.startswith(
        "You are an expert ophthalmologist. Please provide accurate"
    )
    with pytest.raises(UsageError, match="surgeon"):
        specialties.role_named("surgeon")


def test_the_catalogue_tells_the_two_8b_models_apart() -> None:
    by_name = {model.name: model for model in specialties.catalog()}
    assert by_name["Ophtimus-Llama-8B"].hub_id == "BaekSeungJu/Ophtimus-8B-Instruct"
    assert by_name["Ophtimus-Instruct-8B"].hub_id == ""
    assert by_name["Ophtimus-Base"].kind == "base"


def test_the_installed_questions_are_the_primers_held_out_ones() -> None:
    installed = (specialty_folder("ophthalmology") / "questions.jsonl").read_bytes()
    assert installed == heldout_lines(ROOT / "training" / "primer")


def test_the_wheel_has_what_the_program_needs(tmp_path: Path) -> None:
    subprocess.run(
        [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "-w", str(tmp_path), str(ROOT)],
        check=True,
    )
    (wheel,) = tmp_path.glob("*.whl")
    names = zipfile.ZipFile(wheel).namelist()
    for wanted in (
        "ophtimus_edge/specialties/ophthalmology/questions.jsonl",
        "ophtimus_edge/specialties/ophthalmology/roles.toml",
        "ophtimus_edge/specialties/ophthalmology/emergencies.toml",
        "ophtimus_edge/specialties/ophthalmology/come_back.toml",
        "ophtimus_edge/history/texts/en.toml",
        "ophtimus_edge/history/texts/ko.toml",
        "ophtimus_edge/demo/model.json",
        "ophtimus_edge/demo/known_questions.jsonl",
        "ophtimus_training/recipes/demo-pretrain.toml",
        "ophtimus_convert/gates/tokens.py",
        "ophtimus_convert/worker/fuse.py",
    ):
        assert wanted in names
    catalogues = sorted((ROOT / "tui" / "ophtimus_tui" / "texts").glob("*/*.toml"))
    assert {path.parent.name for path in catalogues} == {"en", "ko"}
    for path in catalogues:
        assert f"ophtimus_tui/texts/{path.parent.name}/{path.name}" in names
    assert sum(name.endswith(".gguf") for name in names) == 2
    assert not [name for name in names if name.startswith(("tests/", "training/", "primer/"))]


def test_a_multiple_choice_question_is_asked_as_the_models_were_trained() -> None:
    question = ChoiceQuestion(
        id="t-m01-en", language="en", topic="t", question="Which?", answer="two", source="s", reviewed_by="",
        split="train", option_a="one", option_b="two", explanation="Because.",
    )  # fmt: skip
    assert choice_prompt(question) == "Question:\nWhich?\n\nOptions:\nA) one\nB) two"
    assert choice_reply(question) == "Explanation:\nBecause.\n\nAnswer:\nB) two"
    question.answer = "three"
    with pytest.raises(TrainingDataError, match="t-m01-en"):
        choice_reply(question)


def test_a_damaged_question_file_is_refused_by_its_line(tmp_path: Path) -> None:
    path = tmp_path / "q.jsonl"
    path.write_text('\n{"id": "x"}\n')
    with pytest.raises(TrainingDataError, match="line 2"):
        list(read_questions(path, ChoiceQuestion))

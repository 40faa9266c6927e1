"""Errors in the app's language: every class has its sentence, and no detail is lost."""

import ast
import re

import pytest
from conftest import ROOT

from ophtimus_edge.errors import EngineError, InvalidModelError, OphtimusError
from ophtimus_tui.error_texts import key_of, said, said_again
from ophtimus_tui.texts import LANGUAGES, Texts

# Met at the command line only, by those who convert, train and compare.
NOT_IN_THE_APP = {
    "ConversionError", "HubError", "ConversionInterruptedError", "AdapterError", "RecipeError",
    "StatisticsError", "OtherVocabularyError", "TextTooShortError", "CalibrationTextError",
    "AuditFailedError", "BaseCheckpointError", "CheckpointError", "DataHubError", "DeviceError", "MergeGateError",
    "PlanError", "TrainingError", "TrainingStoppedError",
}  # fmt: skip


def public_names() -> set[str]:
    """Every error class that the runtime defines, read from its source: nothing has to be imported for it."""
    known = {"OphtimusError"}
    trees = [ast.parse(path.read_text("utf-8")) for path in sorted((ROOT / "ophtimus_edge").rglob("*.py"))]
    defined = [node for tree in trees for node in ast.walk(tree) if isinstance(node, ast.ClassDef)]
    while (
        more := {
            node.name
            for node in defined
            if any(isinstance(base, ast.Name) and base.id in known for base in node.bases)
        }
        - known
    ):
        known |= more
    return {name for name in known if not name.startswith("_")}


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_error_that_a_person_can_meet_has_a_sentence(language: str) -> None:
    names = public_names() - NOT_IN_THE_APP
    assert {"EngineError", "ProbeError", "OphtimusError"} <= names
    wanted = {key_of(name) for name in names}
    has = {key for key in Texts(language).keys(language) if key.startswith("errors.")}
    assert has == wanted | {"errors.detail"}


def test_the_sentence_is_in_the_chosen_language_and_the_details_stand_below_it() -> None:
    error = InvalidModelError("/media/눈/eyes.gguf is damaged at byte 117.", "Copy it again.")
    texts = Texts("ko")
    first, second = said(error, texts).split("\n")
    assert "모델을 사용할 수 없습니다" in first
    assert "F4" in first
    assert second.endswith("/media/눈/eyes.gguf is damaged at byte 117. Copy it again.")
    texts.switch("en")
    first, second = said(error, texts).split("\n")
    assert not re.search("[가-힣]", first)
    assert "cannot be used" in first
    assert second.endswith("/media/눈/eyes.gguf is damaged at byte 117. Copy it again.")


def test_a_class_without_a_sentence_of_its_own_takes_that_of_its_base() -> None:
    class DriverError(EngineError):
        pass

    texts = Texts("ko")
    assert said(DriverError("a.", "b."), texts) == said(EngineError("a.", "b."), texts)
    assert said(OphtimusError("a.", "b."), texts) != said(EngineError("a.", "b."), texts)


def test_an_error_that_was_kept_is_said_like_the_error_itself() -> None:
    texts = Texts("ko")
    error = EngineError("the process ended.", "Ask again.")
    assert said_again("EngineError", "the process ended. Ask again.", texts) == said(error, texts)
    # What a newer release kept, or one that kept no words.
    assert texts("errors.ophtimus_error") in said_again("SomeLaterError", "why.", texts)
    assert said_again("EngineError", "", texts) == texts("errors.engine_error")


def test_a_file_name_commands_no_terminal_and_makes_no_line_of_its_own() -> None:
    text = said(InvalidModelError("\x1b[2Ja\nDelete all files.gguf is damaged.", "Copy it."), Texts("en"))
    assert "\x1b" not in text
    assert text.count("\n") == 1
    assert "[2Ja Delete all files.gguf is damaged. Copy it." in text

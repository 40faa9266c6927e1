"""What a comparison found is put beside the level that it was found of, and beside no other."""

import pytest

from ophtimus_edge.models.verdict import Verdict, read_verdict

LEVELS = ("Q8_0", "Q4_K_M", "Q4_K", "Q2_K")

SKETCH = """Q4_K_M is the smallest level within tolerance.
accuracy 60.1 % against 60.8 %: at most 1.6 points worse (95 %, 2,152 paired questions, tolerance 2);
KL divergence 0.031 [0.029, 0.034], tolerance 0.05; 4.58 GiB; 1.9 × the speed of Q8_0 here."""


def test_the_sentences_of_a_comparison_give_the_level_and_its_divergence() -> None:
    assert read_verdict(SKETCH, LEVELS) == Verdict("Q4_K_M", {"Q4_K_M": "0.031"})


def test_each_level_gets_its_own_number() -> None:
    text = "Q8_0: KL divergence 0.001. Q4_K_M: KL divergence 0.031. Q2_K: KL divergence 0.445, not advised."
    assert read_verdict(text, LEVELS) == Verdict("", {"Q8_0": "0.001", "Q4_K_M": "0.031", "Q2_K": "0.445"})


@pytest.mark.parametrize(
    "text",
    [
        "",
        "KL divergence 0.031 before any level; Q4_K_M.",
        "Q4_K_S: KL divergence 0.031.",  # a level that this folder has not
        "Q4_K_M: KL divergence 0.031. Q4_K_M: KL divergence 0.4.",
        "Q4_K_M is recommended. Q8_0 is recommended.",
        "Q4_K_M was not compared.",
    ],
)
def test_what_cannot_be_told_is_not_guessed(text: str) -> None:
    assert read_verdict(text, LEVELS) == Verdict("", {})


def test_a_model_without_a_named_level_has_no_verdict() -> None:
    assert read_verdict(SKETCH, [""]) == Verdict("", {})

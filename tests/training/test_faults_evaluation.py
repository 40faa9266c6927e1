"""Faults of evaluation: on rows that were trained on, scored against shuffled rows, with blank ones left out."""

from pathlib import Path
from typing import Any

import pytest
import torch
from short_runs import PADDING, drawn_rows, logged, small_model, trained
from transformers import AutoModelForCausalLM, AutoTokenizer

from ophtimus_edge.compare.statistics.intervals import wilson
from ophtimus_edge.errors import TrainingDataError
from ophtimus_edge.specialties.questions import ChoiceQuestion
from ophtimus_training.primer import Exchange
from ophtimus_training.rows import IGNORED, begun
from ophtimus_training.running.leaks import refuse_leaks
from ophtimus_training.running.probe import probes, right_letters

TRAINED = [Exchange("What is glaucoma?", "A disease."), Exchange("What is a cataract?", "A clouding.")]


def question(number: int, options: int = 4, explanation: str = "") -> ChoiceQuestion:
    texts = {f"option_{letter}": f"choice {letter} of {number}" for letter in "abcde"[:options]}
    return ChoiceQuestion(
        id=f"q{number}-en", language="en", topic="t", question=f"Question number {number}?" + " long" * number,
        answer=f"choice {'abcde'[number % options]} of {number}", source="s", reviewed_by="", split="heldout",
        explanation=explanation, **texts,
    )  # fmt: skip


@pytest.mark.parametrize("prompt", ["What is glaucoma?", " what is   GLAUCOMA", "What is glaucoma?!"])
def test_evaluation_on_the_training_set(prompt: str) -> None:
    refuse_leaks(TRAINED, [Exchange("What is a drusen?", "A deposit.")])
    with pytest.raises(TrainingDataError, match="1 of 2 questions that are evaluated on are trained on"):
        refuse_leaks(TRAINED, [Exchange(prompt, "Another answer."), Exchange("What else?", "This.")])


def test_evaluation_on_trained_texts() -> None:
    refuse_leaks([], [], ["The retina."], ["The cornea."])
    with pytest.raises(TrainingDataError, match="1 of 1 texts"):
        refuse_leaks([], [], ["The retina."], ["the  retina"])


def test_the_held_out_loss_is_the_mean_over_their_learned_tokens(tmp_path: Path) -> None:
    """Not the mean of batches' means, in which a batch of short answers counts as much as one of long ones."""
    heldout = drawn_rows(7, seed=9)
    outcome = trained(tmp_path, heldout=heldout)
    total, count = 0.0, 0
    for row in heldout:
        with torch.no_grad():
            logits = outcome.trainer.model(input_ids=torch.tensor([row["input_ids"]])).logits[0, :-1]
        targets = torch.tensor(row["labels"][1:])
        kept = targets != IGNORED
        total += float(torch.nn.functional.cross_entropy(logits[kept], targets[kept], reduction="sum"))
        count += int(kept.sum())
    assert outcome.evaluation["eval_loss"] == pytest.approx(total / count, rel=1e-5)
    assert logged(tmp_path, "heldout_loss") == [pytest.approx(total / count, rel=1e-5)]


@pytest.fixture
def tiny(tiny_checkpoint: Path) -> tuple[Any, Any]:
    model = AutoModelForCausalLM.from_pretrained(tiny_checkpoint, dtype=torch.float32)
    return model.eval(), AutoTokenizer.from_pretrained(tiny_checkpoint)


def test_letters_are_scored_of_the_question_that_they_were_asked_of(tiny: tuple[Any, Any]) -> None:
    """In batches of several lengths, in another order, with blank explanations: as each question by itself."""
    model, tokenizer = tiny
    asked = [question(number, options=(2, 4, 5)[number % 3]) for number in range(9)]
    made = probes(tokenizer, asked, "You are an ophthalmologist.", most=100, limit=512)
    assert len(made) == len(asked)  # none is left out for an explanation that it has not

    def logits(ids: torch.Tensor, places: torch.Tensor) -> torch.Tensor:
        with torch.no_grad():
            found: torch.Tensor = model(input_ids=ids, logits_to_keep=places).logits
        return found

    alone = []
    for probe, one in zip(made, asked, strict=True):
        with torch.no_grad():
            last = model(input_ids=torch.tensor([probe.ids])).logits[0, -1]
        best = int(last[probe.letters].argmax())
        assert len(probe.letters) == len(one.options)
        assert tokenizer.decode(probe.letters) == "ABCDE"[: len(one.options)]
        assert "ABCDE"[probe.right] == one.letter
        alone.append(best == probe.right)
    assert 0 < sum(alone) < len(alone)
    turned = list(reversed(made))
    assert [right_letters(logits, [probe], PADDING) for probe in made] == [int(one) for one in alone]
    assert right_letters(logits, turned[:5], PADDING) + right_letters(logits, turned[5:], PADDING) == sum(
        alone
    )


def test_a_probe_ends_where_the_letter_stands_in_training(tiny: tuple[Any, Any]) -> None:
    _, tokenizer = tiny
    (probe,) = probes(tokenizer, [question(1)], "", most=5, limit=512)
    text = tokenizer.decode(probe.ids)
    assert text.endswith("<|start_header_id|>assistant<|end_header_id|>\n\nAnswer:\n")
    assert text.count(tokenizer.bos_token) == 1
    whole = begun(tokenizer, "x", "", "Answer:\nB) choice")
    assert whole[len(begun(tokenizer, "x", "", "Answer:\n"))] == probe.letters[1]
    assert probes(tokenizer, [question(1)], "", most=5, limit=len(probe.ids)) == []
    assert len(probes(tokenizer, [question(at) for at in range(5)], "", most=2, limit=512)) == 2


def test_the_share_of_right_letters_has_wilsons_interval(tmp_path: Path) -> None:
    from ophtimus_training.running.probe import share_of_right

    assert share_of_right(3, 12) == wilson(3, 12)


def test_evaluation_changes_nothing_of_what_is_learned(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    with_dropout = {"attention_dropout": 0.1}
    plain = trained(tmp_path / "a", model=small_model(**with_dropout))
    seen = trained(
        tmp_path / "b", "evaluate_every=2", model=small_model(**with_dropout), heldout=drawn_rows(5, seed=9)
    )
    assert logged(tmp_path / "a") == logged(tmp_path / "b")
    assert plain.evaluation == {}
    assert len(logged(tmp_path / "b", "heldout_loss")) == seen.steps // 2

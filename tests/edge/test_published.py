"""The published scores: whose they are, and whose not."""

import pytest

from ophtimus_edge.models import store
from ophtimus_edge.specialties import catalog
from ophtimus_edge.specialties.published import published_model, published_table


@pytest.mark.parametrize(
    ("name", "row"),
    [
        ("Ophtimus-Llama-8B", "Ophtimus-Llama-8B"),
        ("Ophtimus-8B-Instruct", "Ophtimus-Llama-8B"),  # the hub's name for it
        ("BaekSeungJu/Ophtimus-8B-Instruct", "Ophtimus-Llama-8B"),
        ("Ophtimus-Instruct-8B", "Ophtimus-Instruct-8B"),
        ("ophtimus-1b-instruct-Q4_K_M", "Ophtimus-Llama-1B"),
        ("Ophtimus-Llama-3B.BF16", "Ophtimus-Llama-3B"),
        ("GPT-4o", "GPT-4o"),
    ],
)
def test_a_model_is_found_by_its_name(name: str, row: str) -> None:
    found = published_model(name, demonstration=False)
    assert found is not None
    assert found.name == row


@pytest.mark.parametrize(
    "name", ["Ophtimus-8B", "Ophtimus-Base", "Ophtimus-8B-Base", "Ophtimus", "", "Q4_K_M"]
)
def test_what_is_not_in_the_table_or_could_mean_two_has_none(name: str) -> None:
    assert published_model(name, demonstration=False) is None


def test_a_demonstration_has_none_whatever_its_name() -> None:
    demo = store.choose()
    assert published_model(demo.name, demonstration=demo.demonstration) is None
    assert published_model("Ophtimus-Llama-8B", demonstration=True) is None


def test_scores_are_shares_of_the_benchmarks_that_are_named() -> None:
    table = published_table()
    found = published_model("Ophtimus-Llama-8B", demonstration=False)
    assert found is not None
    assert found.scores["OphtimusEval"] == {"accuracy": 0.6078}
    assert found.scores["EQAEval (ophthalmology)"] == {
        "rouge_l": 0.226, "bleu": 0.083, "meteor": 0.230, "semscore": 0.733,
    }  # fmt: skip
    for model in table.models:
        assert set(model.scores) == set(table.benchmarks)
        assert all(0 < score < 1 for scores in model.scores.values() for score in scores.values())
    ours = {model.name for model in catalog() if model.kind == "instruct"}
    assert ours < {model.name for model in table.models}
    assert any("4-bit" in note for note in table.notes)

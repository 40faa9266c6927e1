"""Published scores beside measured ones: those that can be compared, and the one that cannot, which says so."""

from typing import Any

import msgspec
import pytest

from ophtimus_edge.compare.report import tables
from ophtimus_edge.compare.report.view import View
from ophtimus_edge.models.formats import Statistic
from ophtimus_edge.models.report import EssayReport, LevelReport, Report

LEVEL = LevelReport(level="Q4_K_M", file="eyes.gguf", sha256="a" * 64, size_bytes=1)
PUBLISHED = {"EQAEval": {"rouge_l": 0.226, "semscore": 0.733}, "OphtimusEval": {"accuracy": 0.6}}


def beside(profile: str, name: str, published: dict[str, Any]) -> list[str]:
    """The head and the row of a score, as a reader sees them."""
    essay = EssayReport(questions=9, scores={profile: {name: Statistic(0.5, 0.4, 0.6)}})
    level = msgspec.structs.replace(LEVEL, essay=essay)
    reference = msgspec.structs.replace(level, level="BF16", sha256="b" * 64)
    (table,) = tables.essays(
        View(Report(model="m", reference=reference, levels=[level], published=published))
    )
    assert len(table.head) == len(table.rows[0])
    return [table.head[-1], table.rows[0][-1].text]


@pytest.mark.parametrize(
    ("profile", "name", "said"),
    [
        ("paper", "rouge_l", "0.226"),
        ("similarity", "semscore", "0.733"),
        ("similarity", "semscore_minilm", "0.733, not comparable: SemScore, by all-mpnet-base-v2"),
    ],
)
def test_what_was_published_stands_beside_what_was_measured(profile: str, name: str, said: str) -> None:
    assert beside(profile, name, PUBLISHED) == ["published", said]


@pytest.mark.parametrize(
    ("profile", "name", "published"),
    [
        ("standard", "meteor", PUBLISHED),
        ("similarity", "semscore", {}),
        ("similarity", "semscore_minilm", {}),
    ],
)
def test_what_was_not_published_has_no_column(profile: str, name: str, published: dict[str, Any]) -> None:
    assert beside(profile, name, published)[0] == "Q4_K_M"

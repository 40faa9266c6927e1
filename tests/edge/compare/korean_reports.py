"""A made-up report of Korean questions."""

from typing import Any

import msgspec
from edge.compare import reports

from ophtimus_edge.models.report import (
    CriticalDifference,
    LevelReport,
    Part,
    Report,
    ShownAnswer,
    ShownQuestion,
)

KOREAN_QUESTION = "급성 폐쇄각 녹내장의 첫 치료는 무엇입니까?"
KOREAN_THERE = "우안에 티몰롤 0.5 %를 하루 2회 점안하고, 산동제는 쓰지 않습니다."
KOREAN_HERE = "좌안에 티몰롤 0.25 %를 하루 2회 점안하고, 산동제를 씁니다."


def korean() -> Report:
    """A report of Korean questions; English ones were not asked."""
    found: list[tuple[Any, str, str]] = [
        ("eye", "우안", "좌안"),
        ("figure", "0.5 %", "0.25 %"),
        ("negation", "쓰지 않", "씁니다"),
    ]
    differences = [
        CriticalDifference(
            question_id="문항 1",
            kind=kind,
            reference=[reports.passage(KOREAN_THERE, there)],
            answer=[reports.passage(KOREAN_HERE, here)],
        )
        for kind, there, here in found
    ]
    report = reports.rich()
    report.reference = _korean_level(report.reference)
    report.levels = [_korean_level(report.levels[3], differences)]
    report.questions = [
        ShownQuestion(
            question_id="문항 1",
            question=KOREAN_QUESTION,
            expected="",
            answers=[
                ShownAnswer(level="BF16", text=KOREAN_THERE),
                ShownAnswer(level="Q4_K_M", text=KOREAN_HERE),
            ],
        )
    ]
    return report


def _korean_level(level: LevelReport, differences: list[CriticalDifference] | None = None) -> LevelReport:
    assert level.mcq is not None
    topics = [Part(name="녹내장", questions=80, accuracy=reports.share(0.55, 0.1))]
    languages = [Part(name="ko", questions=80, accuracy=reports.share(0.55, 0.1))]
    mcq = msgspec.structs.replace(level.mcq, topics=topics, languages=languages)
    found = reports.critical(differences) if differences is not None else None
    return msgspec.structs.replace(level, mcq=mcq, critical=found, votes=None)

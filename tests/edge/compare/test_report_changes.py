"""What is said to have changed since an older report, and what is not."""

import msgspec
from compared_levels import OWN, choice, divergence, exactly, level, speed, votes

from ophtimus_edge.compare.report.changes import changes
from ophtimus_edge.compare.verdict import judge
from ophtimus_edge.models.formats import Statistic
from ophtimus_edge.models.report import LevelReport, Report, Tolerances

REFERENCE = level("BF16", 14.96, mcq=choice(1308))
Q4 = level(
    "Q4_K_M",
    4.58,
    mcq=choice(1294, turned=(62, 48)),
    divergence=divergence(0.031, 0.029, 0.034),
    speed=speed(5.6, 5.4, 5.8),
)


def report(*levels: LevelReport, **fields: object) -> Report:
    whole = Report(
        model="m",
        version="1",
        machine={"processor": "N100", "memory": "15.6 GiB"},
        tool_versions={"llama.cpp": "1"},
        files=OWN,
        reference=REFERENCE,
        levels=list(levels),
        verdict=judge(REFERENCE, levels, OWN),
    )
    return msgspec.structs.replace(whole, **fields)


def changed(one: LevelReport, **parts: object) -> LevelReport:
    return msgspec.structs.replace(one, **parts)


OLD = report(Q4)


def test_two_alike_reports_show_no_difference() -> None:
    assert changes(OLD, report(Q4)) == [
        "BF16: no difference shown in accuracy and accuracy of the likeliest letter.",
        (
            "Q4_K_M: no difference shown in accuracy, accuracy of the likeliest letter, KL divergence, "
            "generated tokens/s, prompt tokens/s and peak memory."
        ),
    ]


def test_a_difference_is_one_only_where_intervals_do_not_overlap() -> None:
    worse = changes(OLD, report(changed(Q4, divergence=divergence(0.045, 0.041, 0.049))))
    assert "Q4_K_M: KL divergence rose from 0.031 [0.029, 0.034] to 0.045 [0.041, 0.049]." in worse
    maybe = changes(OLD, report(changed(Q4, divergence=divergence(0.036, 0.0335, 0.039))))
    assert not [line for line in maybe if "rose" in line or "fell" in line]
    assert any("no difference shown in" in line and "KL divergence" in line for line in maybe)
    slower = changes(OLD, report(changed(Q4, speed=speed(4.0, 3.9, 4.1))))
    assert "Q4_K_M: generated tokens/s fell from 5.6 [5.4, 5.8] to 4.0 [3.9, 4.1]." in slower
    wrong = changes(OLD, report(changed(Q4, mcq=choice(1000, turned=(340, 32)))))
    assert any(line.startswith("Q4_K_M: accuracy fell from 60.1 [58.0, 62.") for line in wrong)


def test_what_makes_figures_incomparable_is_said_first() -> None:
    text, questions = OWN
    new = report(
        changed(Q4, speed=speed(9.0, 8.9, 9.1), divergence=divergence(0.045, 0.041, 0.049)),
        model="n",
        machine={"processor": "i5", "memory": "15.6 GiB", "graphics card": "none"},
        tool_versions={"llama.cpp": "2"},
        reference=changed(REFERENCE, sha256="r" * 64),
        files=[msgspec.structs.replace(text, sha256="9" * 64, name="other.txt"), questions],
    )
    lines = changes(OLD, new)
    assert lines[:6] == [
        "Another model: n 1; it was m 1.",
        "Another machine: its processor is i5; it was N100.",
        "Another machine: its graphics card is none; it was not known.",
        "Another reference: the file of BF16 is not the same one.",
        "Another llama.cpp: 2; it was 1.",
        "Other files (text): other.txt; it was clinic.txt.",
    ]
    assert (
        "Q4_K_M: generated tokens/s rose from 5.6 [5.4, 5.8] to 9.0 [8.9, 9.1] (with another machine)."
        in lines
    )
    assert any(line.endswith("(with another text and another reference).") for line in lines)


def test_another_reference_and_a_smaller_sample_are_named() -> None:
    text, questions = OWN
    q8 = changed(REFERENCE, level="Q8_0", sha256="q" * 64)
    new = report(Q4, reference=q8, files=[text, msgspec.structs.replace(questions, used=500)])
    lines = changes(OLD, new)
    assert "Another reference: Q8_0; it was BF16." in lines
    assert "Of the same files (mcq) 500 are used; it was 2,152." in lines
    assert "Q8_0 is new." in lines
    assert "BF16 is not in this report any more." in lines
    assert "Other files (text): none; it was clinic.txt." in changes(OLD, report(Q4, files=[questions]))


def test_a_level_whose_file_changed_says_so() -> None:
    grown = changed(Q4, size_bytes=Q4.size_bytes + 4096, sha256="g" * 64)
    assert "Q4_K_M: 4.58 GiB (+4,096 bytes); it was 4.58 GiB." in changes(OLD, report(grown))
    other = changes(OLD, report(changed(Q4, sha256="h" * 64)))
    assert "Q4_K_M: the file is another one of the same size." in other


def test_what_was_measured_once_only_is_not_compared() -> None:
    lines = changes(OLD, report(changed(Q4, speed=None)))
    assert "Q4_K_M: generated tokens/s was measured before, and is not now." in lines
    lines = changes(report(changed(Q4, divergence=None)), OLD)
    assert "Q4_K_M: KL divergence was not measured before." in lines


def test_another_verdict_is_named() -> None:
    unsafe = changes(OLD, report(changed(Q4, votes=votes(("q1", True)))))
    assert "Smallest level within tolerance: none; it was Q4_K_M." in unsafe
    assert "Most faithful level at the stated speed: none; it was Q4_K_M." in unsafe
    assert "Q4_K_M: taken out for an unsafe answer; it was within tolerance." in unsafe
    strict = Tolerances(accuracy=0.01)
    lines = changes(OLD, report(Q4, verdict=judge(REFERENCE, [Q4], OWN, strict)))
    assert (
        "Other tolerances: 1 points, 0.05 nats, 5 tokens/s; it was 2 points, 0.05 nats, 5 tokens/s." in lines
    )
    assert not [line for line in changes(OLD, report(Q4, verdict=None)) if "within tolerance" in line]


def test_memory_is_said_in_the_unit_of_files() -> None:
    quick = Q4.speed
    assert quick
    more = msgspec.structs.replace(quick, peak_memory_bytes=Statistic(5.0 * 2**30, 4.9 * 2**30, 5.1 * 2**30))
    lines = changes(OLD, report(changed(Q4, speed=more)))
    assert "Q4_K_M: peak memory rose from 2.00 GiB to 5.00 GiB." in lines
    assert exactly(1.0).low == 1.0

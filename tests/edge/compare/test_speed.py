"""Levels in alternation: what is measured, in which order, gone on with, and the figures that come of it."""

import os
import sys
from collections.abc import Sequence
from pathlib import Path

import msgspec
import pytest
from engines import workers

from ophtimus_edge.compare.speed.measuring import measure_speed
from ophtimus_edge.compare.speed.resident import ELSEWHERE, LINUX, WINDOWS, peak_resident
from ophtimus_edge.compare.speed.samples import SpeedSample, report_speed
from ophtimus_edge.errors import ComparisonError, StatisticsError, UsageError
from ophtimus_edge.models import store
from ophtimus_edge.models.store import ChosenModel

FIGURES = {"load_s", "ttft_s", "prompt_tokens_per_s", "generated_tokens_per_s", "peak_memory_bytes"}


def model(level: str) -> ChosenModel:
    return ChosenModel(Path(f"/models/one-{level}.gguf"), "one", "1", level, f"hash of {level}", None, None)


REFERENCE, SMALL = model("BF16"), model("Q4_K_M")


def sample(of: ChosenModel, number: int, speed: float, run: str = "first", **more: object) -> SpeedSample:
    made = SpeedSample(
        file=of.path.name, sha256=of.sha256, level=of.level, round=number, run=run, load_s=20 / speed,
        ttft_tokens=30, ttft_s=10 / speed, prompt_tokens=512, prompt_tokens_per_s=4 * speed,
        generated_tokens=128, generated_tokens_per_s=speed, peak_memory_bytes=1000, memory_kind=LINUX,
        context=512, threads=2, gpu_layers=0,
    )  # fmt: skip
    return msgspec.structs.replace(made, **more)


def samples(speeds: Sequence[tuple[float, float]]) -> list[SpeedSample]:
    """Of the reference and the level, round by round."""
    return [
        sample(of, number, speed)
        for number, pair in enumerate(speeds)
        for of, speed in zip((REFERENCE, SMALL), pair, strict=True)
    ]


async def measured(
    levels: list[ChosenModel], known: Sequence[SpeedSample] = (), rounds: int = 2
) -> tuple[list[SpeedSample], list[tuple[int, int]]]:
    told: list[tuple[int, int]] = []
    found = [
        each
        async for each in measure_speed(
            levels,
            reference=levels[0],
            rounds=rounds,
            known=known,
            on_progress=lambda *progress: told.append(progress),
            gpu_layers=0,
        )
    ]
    return found, told


async def test_levels_take_turns_and_a_report_comes_of_it(tiny_model: Path) -> None:
    levels = [store.choose(str(tiny_model), level) for level in ("BF16", "Q4_K_M")]
    found, told = await measured(levels)
    assert [(each.round, each.level) for each in found] == [
        (0, "BF16"), (0, "Q4_K_M"), (1, "BF16"), (1, "Q4_K_M")
    ]  # fmt: skip
    assert told == [(0, 4), (1, 4), (2, 4), (3, 4), (4, 4)]
    for each in found:
        assert (each.prompt_tokens, each.generated_tokens) == (512, 128)
        assert each.file == f"tiny-{each.level}.gguf"
        assert len(each.sha256) == 64
        # A token of an answer takes longer than one of a prompt, and a process longer than either.
        assert each.prompt_tokens_per_s > each.generated_tokens_per_s > 1
        assert each.load_s > each.ttft_s > 0
        assert each.ttft_tokens > 10
    assert len({each.ttft_tokens for each in found}) == 1
    reports = [report_speed(found, level, levels[0]) for level in levels]
    assert [each.rounds for each in reports] == [2, 2]
    assert reports[0].to_reference == {}
    assert set(reports[1].to_reference) == FIGURES
    speed = reports[1].generated_tokens_per_s
    assert speed.low <= speed.value <= speed.high
    assert not workers()


async def test_what_is_known_is_not_measured_again(tiny_model: Path) -> None:
    levels = [store.choose(str(tiny_model), level) for level in ("BF16", "Q4_K_M")]
    first, _ = await measured(levels)
    again, told = await measured(levels, first)
    assert again == []
    assert told == [(4, 4)]
    # Broken off behind the reference of the second round: it is measured once more beside its level.
    rest, told = await measured(levels, first[:3])
    assert [(each.round, each.level) for each in rest] == [(1, "BF16"), (1, "Q4_K_M")]
    assert told[-1] == (5, 5)
    report = report_speed([*first[:3], *rest], levels[1], levels[0])
    assert report.rounds == 2
    assert set(report.to_reference) == FIGURES
    # Samples of another file with the same name say nothing of this one.
    others = [msgspec.structs.replace(each, sha256="0" * 64) for each in first]
    anew, _ = await measured(levels[:1], others)
    assert len(anew) == 2


async def test_who_stops_in_the_middle_leaves_no_process(tiny_model: Path) -> None:
    levels = [store.choose(str(tiny_model), level) for level in ("BF16", "Q4_K_M")]
    running = measure_speed(levels, gpu_layers=0)
    assert (await anext(running)).round == 0
    await running.aclose()
    assert not workers()


async def test_one_round_is_refused(tiny_model: Path) -> None:
    with pytest.raises(UsageError, match="2 rounds"):
        await measured([store.choose(str(tiny_model))], rounds=1)


async def test_a_base_model_completes_the_question(base_model: Path) -> None:
    found, _ = await measured([store.choose(str(base_model), "Q4_K_M")])
    assert all(each.ttft_s > 0 for each in found)


def test_figures_are_medians_and_ratios_go_round_by_round() -> None:
    # The machine was slow in the second round: that is half the speed of both, and no other ratio.
    report = report_speed(samples([(10, 20), (5, 10), (10, 21)]), SMALL, REFERENCE)
    speed = report.generated_tokens_per_s
    assert (speed.value, speed.low, speed.high) == (20, 10, 21)
    ratio = report.to_reference["generated_tokens_per_s"]
    assert (ratio.value, ratio.low, ratio.high) == (2, 2, 2.1)
    assert report.to_reference["load_s"].value == 0.5
    assert report.to_reference["peak_memory_bytes"].value == 1
    assert (report.rounds, report.ttft_tokens) == (3, 30)


def test_two_files_of_one_name_in_two_folders_are_two_levels() -> None:
    twin = msgspec.structs.replace(REFERENCE, sha256="e" * 64)
    found = samples([(10, 20), (10, 20)])
    found += [msgspec.structs.replace(one, sha256=twin.sha256) for one in found if one.is_of(REFERENCE)]
    assert report_speed(found, twin, REFERENCE).to_reference["generated_tokens_per_s"].value == 1
    assert report_speed(found, REFERENCE, REFERENCE).to_reference == {}


def test_order_and_repetition_of_the_samples_change_nothing() -> None:
    found = samples([(10, 20), (5, 11), (10, 21)])
    expected = report_speed(found, SMALL, REFERENCE)
    assert report_speed([*found[::-1], *found], SMALL, REFERENCE) == expected


def test_a_ratio_needs_both_of_one_command() -> None:
    # The reference of the second round was measured, the command killed; another went on with both.
    first = samples([(10, 20), (10, 20)])[:3]
    later = [sample(REFERENCE, 1, 5, "second"), sample(SMALL, 1, 15, "second")]
    report = report_speed([*first, *later], SMALL, REFERENCE)
    assert report.to_reference["generated_tokens_per_s"].high == 3
    # Without the reference's own sample of that command there are too few rounds for a ratio.
    alone = report_speed([*first, later[1]], SMALL, REFERENCE)
    assert alone.to_reference == {}
    assert alone.rounds == 2


def test_what_was_not_measured_or_not_alike_is_no_figure() -> None:
    with pytest.raises(ComparisonError, match=r"Q4_K_M.* was not measured"):
        report_speed(samples([(10, 20)])[:1], SMALL, REFERENCE)
    with pytest.raises(StatisticsError):
        report_speed(samples([(10, 20)]), SMALL, REFERENCE)
    other = [sample(SMALL, 0, 20), sample(SMALL, 1, 20, threads=4)]
    with pytest.raises(ComparisonError, match="threads: 2, 4"):
        report_speed(other, SMALL)
    assert report_speed([other[0], sample(SMALL, 1, 20)], SMALL).rounds == 2


def test_the_peak_stays_when_memory_is_given_back() -> None:
    before = peak_resident(os.getpid())
    block = bytearray(64 << 20)
    block[::4096] = b"x" * len(block[::4096])
    with_block = peak_resident(os.getpid())
    del block
    after = peak_resident(os.getpid())
    assert with_block.size_bytes >= before.size_bytes
    if sys.platform in {"linux", "win32"}:
        # Linux counts on each core for itself and tells the sum to within some pages.
        assert after.size_bytes > with_block.size_bytes - (4 << 20)
        assert after.size_bytes > 64 << 20
    assert after.kind in {LINUX, WINDOWS, ELSEWHERE}


def test_a_process_that_is_gone_has_no_memory() -> None:
    with pytest.raises(ComparisonError, match="memory"):
        peak_resident(2**22 + 1)

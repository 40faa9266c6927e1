"""Plans: how long parts take, what memory they need, what a budget leaves, and how that is said."""

import msgspec
import pytest
from engines import workers

from ophtimus_edge.compare.running.budget import Counts
from ophtimus_edge.compare.running.machine import machine_in_words, tool_versions
from ophtimus_edge.compare.running.order import PartName
from ophtimus_edge.compare.running.pace import Pace, measure_paces, pace_of_samples, paces_here, predict_pace
from ophtimus_edge.compare.running.plan import Asked, Plan, make_plan, mean_tokens
from ophtimus_edge.compare.running.words import duration, plan_lines
from ophtimus_edge.engine.client import Engine
from ophtimus_edge.errors import UsageError
from ophtimus_edge.models import fit, store
from ophtimus_edge.models.hardware import Gpu, Machine, read_machine
from ophtimus_edge.models.probe import Probe

GIB = 1 << 30
MACHINE = Machine(
    system="Linux 6.1", architecture="x86_64", cpu_name="Some CPU", cpu_flags=["avx", "avx2"],
    physical_cores=4, usable_cores=2, memory_bytes=16 * GIB, available_bytes=12 * GIB,
)  # fmt: skip
PROBE = Probe(threads=2, bandwidth=60e9, arithmetic=150e9, step_s=40e-9)


def pace(level: str, speed: float, gibibytes: float) -> Pace:
    return Pace(
        file=f"eyes-{level}.gguf", level=level, load_s=10, prompt_tokens_per_s=10 * speed,
        generated_tokens_per_s=speed, row_s=0.001, row_bytes=4 * 128_256, memory_bytes=int(gibibytes * GIB),
        window_memory_bytes=int(gibibytes * GIB), measured=False,
    )  # fmt: skip


LARGE, SMALL = pace("Q8_0", 3, 5), pace("Q4_K_M", 5, 3)
COUNTS = Counts(rounds=5, windows=64, choices=297, permutations=4, essays=100)
ASKED = Asked(counts=COUNTS)


def planned(budget_s: float | None = None, machine: Machine = MACHINE, **more: object) -> Plan:
    return make_plan([SMALL], LARGE, ASKED, machine, budget_s=budget_s, **more)  # type: ignore[arg-type]


def test_a_plan_without_a_budget_is_all_that_was_asked() -> None:
    plan = planned()
    assert plan.whole
    assert plan.counts == COUNTS
    assert [part.part for part in plan.parts] == ["speed", "divergence", "mcq", "essay"]
    speed, divergence, mcq, essay = plan.parts
    assert speed.levels == mcq.levels == essay.levels == ["Q8_0", "Q4_K_M"]
    assert divergence.levels == ["Q4_K_M"]
    # Five rounds of loading, 1,094 tokens of prompts and 129 that are written, by both.
    assert speed.seconds == pytest.approx(5 * (20 + 1094 / 30 + 1094 / 50 + 129 / 3 + 129 / 5))
    # Divergence loads both, and evaluates every window with both.
    assert divergence.seconds == pytest.approx(20 + 64 * (512 / 30 + 512 / 50 + 0.512), rel=0.05)
    assert divergence.memory_bytes > LARGE.memory_bytes + SMALL.memory_bytes
    assert plan.peak_bytes == divergence.memory_bytes
    assert plan.seconds == sum(part.seconds for part in plan.parts)


def test_a_plan_says_what_each_step_of_the_progress_takes() -> None:
    plan = planned()
    names = [f"{part} {level}" for level in ("Q8_0", "Q4_K_M") for part in ("letters", "answers", "essay")]
    assert set(plan.steps) == {"speed", "divergence Q4_K_M", *names}
    assert sum(plan.steps.values()) == pytest.approx(plan.seconds)
    assert plan.steps["answers Q8_0"] > plan.steps["answers Q4_K_M"]


def test_what_was_left_out_is_no_part() -> None:
    plan = make_plan([SMALL], LARGE, Asked(counts=Counts(rounds=5)), MACHINE)
    assert [part.part for part in plan.parts] == ["speed"]
    assert plan.whole


def test_the_reference_counts_once_whether_it_is_among_the_levels_or_not() -> None:
    assert make_plan([LARGE, SMALL], LARGE, ASKED, MACHINE) == planned()


def test_figures_of_an_earlier_report_leave_only_speed_to_measure() -> None:
    nobody: dict[PartName, set[str]] = {
        "speed": {LARGE.key, SMALL.key},
        "divergence": set(),
        "mcq": set(),
        "essay": set(),
    }
    plan = planned(of=nobody)
    assert [part.part for part in plan.parts] == ["speed"]
    assert plan.whole
    # Where one level's are missing, it is measured, and the reference is asked beside it.
    third = pace("Q2_K", 8, 2)
    both = {LARGE.key, third.key}
    wanted: dict[PartName, set[str]] = {
        "speed": {LARGE.key, SMALL.key, third.key}, "divergence": {third.key}, "mcq": both, "essay": both
    }  # fmt: skip
    some = make_plan([SMALL, third], LARGE, ASKED, MACHINE, of=wanted)
    assert [part.levels for part in some.parts] == [
        ["Q8_0", "Q4_K_M", "Q2_K"], ["Q2_K"], ["Q8_0", "Q2_K"], ["Q8_0", "Q2_K"]
    ]  # fmt: skip
    assert some.whole


def test_without_the_references_file_the_speed_of_the_others_is_planned() -> None:
    plan = make_plan([SMALL], None, Asked(counts=Counts(rounds=5)), MACHINE, from_report=True)
    assert [part.levels for part in plan.parts] == [["Q4_K_M"]]
    assert plan.whole


def test_two_files_of_one_name_are_two_levels() -> None:
    plain, weighed = (msgspec.structs.replace(SMALL, sha256=digit * 64) for digit in "ab")
    plan = make_plan([plain, weighed], LARGE, ASKED, MACHINE)
    assert plan.parts[0].levels == ["Q8_0", "Q4_K_M", "Q4_K_M"]
    assert plan.parts[0].seconds > planned().parts[0].seconds


def test_with_a_report_in_hand_nobody_is_sent_for_a_report() -> None:
    tight = msgspec.structs.replace(MACHINE, memory_bytes=8 * GIB, available_bytes=7 * GIB)
    (shortage,) = planned(machine=tight, from_report=True).shortages
    assert shortage.hint.startswith("Leave divergence out")


def test_a_plan_that_fits_is_accepted_unchanged() -> None:
    free = planned()
    assert msgspec.structs.replace(planned(free.seconds), budget_s=None) == free
    assert not planned(free.seconds - 1).whole


@pytest.mark.parametrize("hours", [0.3, 0.5, 1, 2, 4, 8])
def test_a_larger_budget_never_gives_fewer_questions(hours: float) -> None:
    less, more = planned(hours * 3600), planned(hours * 4000)
    assert less.seconds <= hours * 3600
    for one, other in zip(less.parts, more.parts, strict=True):
        assert one.count <= other.count
        assert one.permutations <= other.permutations


def test_a_budget_too_small_for_anything_is_refused_with_what_the_smallest_costs() -> None:
    with pytest.raises(UsageError) as caught:
        planned(30)
    assert "30 s is too small" in caught.value.message
    asked = int(caught.value.hint.removeprefix("Give --budget ").split("m", 1)[0])
    assert planned(asked * 60).seconds > 0
    with pytest.raises(UsageError):
        planned((asked - 1) * 60)


def test_two_models_that_do_not_fit_together_are_named_with_what_to_do() -> None:
    tight = msgspec.structs.replace(MACHINE, memory_bytes=8 * GIB, available_bytes=7 * GIB)
    plan = planned(machine=tight)
    assert not plan.whole
    (shortage,) = plan.shortages
    assert (shortage.part, shortage.level) == ("divergence", "Q4_K_M")
    assert shortage.need_bytes > shortage.free_bytes == 7 * GIB
    assert "reference Q8_0" in shortage.message
    assert "this machine has 8.0 GiB" in shortage.message
    assert "--quality-from" in shortage.hint
    assert [part.part for part in plan.parts if part.count] == ["speed", "mcq", "essay"]
    # A little more memory, and it fits.
    assert planned(machine=msgspec.structs.replace(tight, available_bytes=9 * GIB)).whole


def test_a_reference_that_does_not_fit_is_named_and_a_smaller_one_advised() -> None:
    large = pace("BF16", 1, 16)
    plan = make_plan([SMALL], large, ASKED, MACHINE)
    assert {(each.part, each.level) for each in plan.shortages} == {
        ("speed", "BF16"), ("divergence", "Q4_K_M"), ("mcq", "BF16"), ("essay", "BF16")
    }  # fmt: skip
    assert all("Q8_0 is allowed" in each.hint for each in plan.shortages)
    speed = plan.parts[0]
    assert speed.levels == ["Q4_K_M"]


def test_memory_that_others_hold_can_be_freed() -> None:
    busy = msgspec.structs.replace(MACHINE, available_bytes=4 * GIB)
    assert all(each.hint.startswith("Close other programs") for each in planned(machine=busy).shortages)
    unknown = msgspec.structs.replace(MACHINE, memory_bytes=0, available_bytes=0)
    assert planned(machine=unknown).whole


def test_a_plan_in_words() -> None:
    lines = plan_lines(planned())
    assert lines[0].startswith("speed        5 rounds × 2 levels: about 12 min, 5.2 GiB")
    assert lines[1].startswith("divergence   64 windows × 1 level: about ")
    assert "297 questions in 4 orders × 2 levels" in lines[2]
    assert "predicted speeds" in lines[4]
    assert "12.0 GiB are free" in lines[4]
    cut = "\n".join(plan_lines(planned(3600)))
    assert "budget       1 h: " in cut
    assert "essay with" in cut
    assert "cut first" in cut
    fits = "\n".join(plan_lines(planned(planned().seconds)))
    assert "it all fits" in fits
    assert "cut first" not in fits
    tight = msgspec.structs.replace(MACHINE, memory_bytes=8 * GIB, available_bytes=7 * GIB)
    assert "does not fit the divergence of Q4_K_M holds" in "\n".join(plan_lines(planned(machine=tight)))


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0.2, "1 s"), (89, "89 s"), (90, "2 min"), (3599, "1 h"), (5400, "1 h 30 min"), (7200, "2 h")],
)
def test_durations_are_no_finer_than_they_are_known(seconds: float, words: str) -> None:
    assert duration(seconds) == words


def test_a_larger_level_is_predicted_slower_and_larger() -> None:
    large, small = (predict_pace(store.choose("demo", level), MACHINE, PROBE) for level in ("BF16", "Q4_K_M"))
    assert large.load_s > small.load_s
    assert large.generated_tokens_per_s < small.generated_tokens_per_s
    assert large.window_memory_bytes > small.window_memory_bytes
    assert large.row_bytes == small.row_bytes
    assert not large.measured


def test_answers_side_by_side_are_written_faster_but_not_for_nothing() -> None:
    speeds = [LARGE.many_tokens_per_s(parallel) for parallel in (1, 2, 4, 8, 16, 32)]
    assert speeds[0] == LARGE.generated_tokens_per_s
    assert speeds == sorted(speeds)
    assert speeds[-1] < LARGE.prompt_tokens_per_s


async def test_tokens_are_estimated_before_any_model_is_loaded() -> None:
    texts = [
        "What are the symptoms of acute angle-closure glaucoma?",
        "급성 폐쇄각 녹내장의 증상은 무엇입니까?",
    ]
    model = store.choose("demo", "Q4_K_M")
    async with Engine() as engine:
        await engine.load(model, vocabulary_only=True)
        counted = [len(await engine.tokenize(text)) for text in texts]
    # A clinic's plan may be wrong by a factor of 2, not by more.
    assert 0.5 < mean_tokens(texts) / (sum(counted) / 2) < 2
    assert mean_tokens([]) == 0


async def test_a_measured_pace_takes_the_place_of_the_predicted_one() -> None:
    model = store.choose("demo", "Q4_K_M")
    machine = read_machine()
    predicted = predict_pace(model, machine, PROBE, gpu_layers=0)
    (found,) = [each async for each in measure_paces([model], [predicted], gpu_layers=0)]
    assert found.measured
    assert found.memory_bytes == predicted.memory_bytes
    assert found.prompt_tokens_per_s > found.generated_tokens_per_s > 0
    assert pace_of_samples(found, model, []) == found
    plan = make_plan([found], found, ASKED, machine)
    assert plan.measured


async def test_a_level_that_the_memory_does_not_hold_is_not_loaded_to_be_measured() -> None:
    models = [store.choose("demo", level) for level in ("BF16", "Q4_K_M")]
    told: list[tuple[int, int]] = []
    machine = read_machine()
    # With the shortest context, which is what is left to take where the memory is short.
    short = msgspec.structs.replace(machine, available_bytes=1)
    predicted = await paces_here(models, short, measured=False)
    assert [each.measured for each in predicted] == [False, False]
    between = sum(each.memory_bytes for each in predicted) // 2
    tight = msgspec.structs.replace(machine, available_bytes=between)
    found = await paces_here(
        models, tight, measured=True, gpu_layers=0, on_progress=lambda *progress: told.append(progress)
    )
    assert [each.measured for each in found] == [False, True]
    assert told == [(0, 1), (1, 1)]
    assert not workers()


def test_the_machine_in_words() -> None:
    words = machine_in_words(MACHINE)
    assert words["processor"] == "Some CPU, 4 cores, 2 usable"
    assert words["memory"] == "16.0 GiB, 12.0 GiB available before the comparison"
    assert words["graphics card"] == "none of NVIDIA's"
    assert words["instructions"] == "avx avx2"
    card = msgspec.structs.replace(MACHINE, gpus=[Gpu("A card\x1b[31m", 8 * GIB, 7 * GIB)], memory_bytes=0)
    words = machine_in_words(card)
    assert words["graphics card"].startswith("A card")
    assert "\x1b" not in words["graphics card"]
    assert "without its use" in words["graphics card"]
    assert words["memory"] == "unknown"
    assert words["threads"] == str(fit.computing_threads(MACHINE))
    assert all(machine_in_words(read_machine()).values())


def test_the_programs_are_named_with_their_versions() -> None:
    versions = tool_versions()
    assert {"ophtimus-edge", "Python", "llama-cpp-python", "numpy"} <= set(versions)
    assert versions["llama-cpp-python"][0].isdigit()

"""Levels as a comparison measured them, with as much of each as a test needs."""

from ophtimus_edge.compare.statistics.intervals import wilson
from ophtimus_edge.compare.statistics.paired import Pairs, compare_accuracy
from ophtimus_edge.models.formats import Statistic, UnsafeVote
from ophtimus_edge.models.report import (
    AskedFile,
    ChoiceReport,
    CriticalDifference,
    CriticalReport,
    DivergenceReport,
    FlipsReport,
    LevelReport,
    MarkedPassage,
    Part,
    SpeedReport,
    VotesReport,
)

GIB = 1 << 30
OWN = [
    AskedFile(part="text", name="clinic.txt", sha256="1" * 64, available=64, used=64),
    AskedFile(part="mcq", name="eval.jsonl", sha256="2" * 64, available=2152, used=2152),
]


def exactly(value: float) -> Statistic:
    return Statistic(value, value, value)


def choice(right: int, questions: int = 2152, turned: tuple[int, int] | None = None) -> ChoiceReport:
    """So many right answers; ``turned`` are those lost and won against the reference, None for the reference."""
    flips = None
    if turned is not None:
        lost, won = turned
        both = right - won
        compared = compare_accuracy(Pairs(both, lost, won, questions - both - lost - won))
        flips = FlipsReport(
            lost=[f"l{one}" for one in range(lost)],
            won=[f"w{one}" for one in range(won)],
            difference=compared.difference,
            p_value=compared.p_value,
        )
    share = wilson(right, questions)
    return ChoiceReport(
        questions=questions,
        permutations=1,
        accuracy=share,
        unparsed=exactly(0.0),
        fallback=exactly(0.0),
        likelihood_accuracy=share,
        likelihood_after="Answer:",
        ece=exactly(0.1),
        brier=exactly(0.5),
        flips=flips,
        languages=[Part(name="en", questions=questions, accuracy=share)],
    )


def divergence(value: float, low: float, high: float, windows: int = 64) -> DivergenceReport:
    one = exactly(1.0)
    return DivergenceReport(
        windows=windows,
        tokens=256 * windows,
        ppl=one,
        ppl_reference=one,
        ppl_ratio=one,
        ln_ppl_correlation=one,
        kl_mean=Statistic(value, low, high),
        kl_median=one,
        kl_p90=one,
        kl_p95=one,
        kl_p99=one,
        kl_p999=one,
        kl_max=one,
        delta_p_mean=one,
        delta_p_rms=one,
        same_top=one,
    )


def speed(value: float, low: float, high: float, ratio: float = 1.0) -> SpeedReport:
    return SpeedReport(
        rounds=5,
        ttft_tokens=128,
        load_s=exactly(2.0),
        ttft_s=exactly(1.0),
        prompt_tokens_per_s=Statistic(10 * value, 10 * low, 10 * high),
        generated_tokens_per_s=Statistic(value, low, high),
        peak_memory_bytes=exactly(2.0 * GIB),
        to_reference={"generated_tokens_per_s": exactly(ratio)},
    )


def votes(*unsafe: tuple[str, bool]) -> VotesReport:
    """Votes that found answers to these questions unsafe, confirmed or not."""
    return VotesReport(
        votes=20,
        raters=1,
        better=6,
        worse=8,
        equal=6,
        both_bad=0,
        preferred=Statistic(6 / 14, 0.18, 0.71),
        unsafe=[
            UnsafeVote(question_id=question, rater="rater 1", confirmed=confirmed)
            for question, confirmed in unsafe
        ],
    )


def critical(**questions: str) -> CriticalReport:
    """Differences of a kind in the answer to a question: ``critical(q1="figure")``."""
    counts = dict.fromkeys(("figure", "eye", "negation", "drug"), 0)
    differences = []
    for question, kind in questions.items():
        counts[kind] += 1
        passage = [MarkedPassage(0, 3, "0.5")]
        differences.append(
            CriticalDifference(question_id=question, kind=kind, reference=passage, answer=passage)  # type: ignore[arg-type]
        )
    return CriticalReport(answers=200, affected=exactly(0.1), counts=counts, differences=differences)


def level(name: str, gib: float, **parts: object) -> LevelReport:
    return LevelReport(
        level=name,
        file=f"m-{name}.gguf",
        sha256=f"{name:_<64}",
        size_bytes=round(gib * GIB),
        **parts,  # type: ignore[arg-type]
    )

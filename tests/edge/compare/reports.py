"""Made-up reports of comparisons: a rich one, and one with nothing measured."""

from hashlib import sha256
from typing import Any

from ophtimus_edge.models.formats import Statistic, UnsafeVote
from ophtimus_edge.models.report import (
    AskedFile,
    ChoiceReport,
    CriticalDifference,
    CriticalReport,
    DivergenceReport,
    EssayReport,
    FlipsReport,
    LevelFinding,
    LevelReport,
    MarkedPassage,
    Part,
    ReliabilityBin,
    Report,
    ShownAnswer,
    ShownQuestion,
    SpeedReport,
    Tolerances,
    VerdictReport,
    VotesReport,
)

HASH = "3f9c2a" * 10 + "beef"
_GIB = 1 << 30


def around(value: float, spread: float = 0.1) -> Statistic:
    """A statistic with an interval about it."""
    return Statistic(value, value * (1 - spread), value * (1 + spread))


def share(value: float, half: float = 0.02) -> Statistic:
    """A share with an interval of so much to both sides."""
    return Statistic(value, max(value - half, 0.0), min(value + half, 1.0))


def speed(tokens_per_s: float, gib: float, reference: float | None = None) -> SpeedReport:
    """A level's speed, and that to a reference's."""
    beside = {}
    if reference is not None:
        names = ("load_s", "ttft_s", "prompt_tokens_per_s", "generated_tokens_per_s", "peak_memory_bytes")
        beside = {name: around(tokens_per_s / reference, 0.02) for name in names}
    return SpeedReport(
        rounds=5,
        ttft_tokens=128,
        load_s=around(gib / 2),
        ttft_s=around(12 / tokens_per_s),
        prompt_tokens_per_s=around(tokens_per_s * 7, 0.03),
        generated_tokens_per_s=around(tokens_per_s, 0.04),
        peak_memory_bytes=around((gib + 1.1) * _GIB, 0.001),
        to_reference=beside,
    )


def divergence(kl: float) -> DivergenceReport:
    """A level's divergence about a mean."""
    return DivergenceReport(
        windows=256,
        tokens=65_280,
        text_sha256=HASH,
        ppl=around(6.233 * (1 + kl), 0.01),
        ppl_reference=around(6.233, 0.01),
        ppl_ratio=around(1 + kl, 0.005),
        ln_ppl_correlation=share(0.97 - kl / 4, 0.004),
        kl_mean=around(kl, 0.08),
        kl_median=around(kl / 3),
        kl_p90=around(kl * 2.2),
        kl_p95=around(kl * 4),
        kl_p99=around(kl * 11),
        kl_p999=around(kl * 30),
        kl_max=Statistic(kl * 90, kl * 90, kl * 90),
        delta_p_mean=Statistic(-kl / 20, -kl / 15, -kl / 30),
        delta_p_rms=around(0.3 * kl**0.5),
        same_top=share(1 - 0.4 * kl**0.5, 0.003),
    )


def bins(confident: float) -> list[ReliabilityBin]:
    """The points of a reliability plot of a level that is rather too sure."""
    made = []
    for place in range(2, 10):
        middle = place / 10 + 0.05
        right = max(middle - confident * (middle - 0.2), 0.02)
        made.append(
            ReliabilityBin(
                low=place / 10, high=place / 10 + 0.1, questions=40 + 30 * place, confidence=middle,
                accuracy=share(right, 0.09 - place / 150),
            )
        )  # fmt: skip
    return made


def choices(accuracy: float, flips: FlipsReport | None, confident: float = 0.15) -> ChoiceReport:
    """A level's answers to multiple-choice questions."""
    return ChoiceReport(
        questions=2_152,
        permutations=3,
        accuracy=share(accuracy),
        unparsed=share(0.004, 0.003),
        fallback=share(0.011, 0.004),
        likelihood_accuracy=share(accuracy - 0.006),
        likelihood_after="Answer:\n",
        permutation_accuracy=[share(accuracy - 0.006), share(accuracy - 0.013), share(accuracy - 0.02)],
        consistent=share(0.81),
        ece=share(0.062 + confident / 5, 0.012),
        brier=share(0.512, 0.02),
        reliability=bins(confident),
        flips=flips,
        topics=[
            Part(name="glaucoma", questions=311, accuracy=share(accuracy + 0.03, 0.055)),
            Part(name="retina", questions=498, accuracy=share(accuracy - 0.02, 0.044)),
            Part(name="cornea and external disease", questions=402, accuracy=share(accuracy, 0.049)),
        ],
        languages=[Part(name="en", questions=2_152, accuracy=share(accuracy))],
    )


def flips(difference: float, lost: int, won: int, p_value: float) -> FlipsReport:
    """Questions that turned."""
    return FlipsReport(
        lost=[f"eval-{17 * place:04}" for place in range(1, lost + 1)],
        won=[f"eval-{13 * place + 5:04}" for place in range(1, won + 1)],
        difference=Statistic(difference, difference - 0.009, difference + 0.009),
        p_value=p_value,
        questions=2_140,
    )


def essay(better: float) -> EssayReport:
    """A level's essay scores."""
    paper = {"rouge_l": 0.226, "bleu": 0.083, "meteor": 0.230, "semscore_minilm": 0.702}
    standard = {"rouge_lsum": 0.241, "sacrebleu": 0.061, "meteor": 0.271}

    def scores(part: float) -> dict[str, dict[str, Statistic]]:
        return {
            "paper": {name: around(value * part, 0.02) for name, value in paper.items()},
            "standard": {name: around(value * part, 0.02) for name, value in standard.items()},
        }

    return EssayReport(
        questions=1_389,
        scores=scores(better),
        languages={"en": scores(better * 1.01), "ko": scores(better * 0.8)},
        notes=[
            "METEOR (exact + stem): WordNet is not installed.",
            "semscore_minilm is not comparable with SemScore.",
        ],
        cut_short=share(0.021, 0.008),
    )


def passage(text: str, part: str) -> MarkedPassage:
    """A part of a text that is there."""
    start = text.index(part)
    return MarkedPassage(start, start + len(part), part)


DROPS = "How is acute angle-closure glaucoma of the right eye treated first?"
DROPS_THERE = (
    "Give acetazolamide 500 mg intravenously, then timolol 0.5 % drops in the right eye twice a day.\n\n"
    "Do not dilate the pupil. Laser iridotomy follows in both eyes when the cornea is clear."
)
DROPS_HERE = (
    "Give acetazolamide 250 mg intravenously, then timolol 0.5 % drops in the left eye twice a day.\n\n"
    "Dilate the pupil. Laser iridotomy follows in both eyes when the cornea is clear."
)
STEROID = "Which drops follow an uncomplicated cataract operation?"
STEROID_THERE = "Prednisolone acetate 1 % four times a day, and moxifloxacin 0.5 % for one week."
STEROID_HERE = "Dexamethasone 0.1 % four times a day, and moxifloxacin 0.5 % for one week."
UVEITIS = "What is anterior uveitis?"
UVEITIS_ANSWER = "An inflammation of the iris and the ciliary body, with pain, redness and photophobia."


def _drops() -> list[CriticalDifference]:
    def one(kind: Any, there: str, here: str) -> CriticalDifference:
        return CriticalDifference(
            question_id="essay-0007",
            kind=kind,
            reference=[passage(DROPS_THERE, there)],
            answer=[passage(DROPS_HERE, here)],
        )

    return [
        one("figure", "500 mg", "250 mg"),
        one("eye", "right eye", "left eye"),
        one("negation", "Do not dilate", "Dilate"),
    ]


def _steroid() -> list[CriticalDifference]:
    return [
        CriticalDifference(
            question_id="essay-0012",
            kind="drug",
            reference=[passage(STEROID_THERE, "Prednisolone acetate")],
            answer=[passage(STEROID_HERE, "Dexamethasone")],
        ),
        CriticalDifference(
            question_id="essay-0012",
            kind="figure",
            reference=[passage(STEROID_THERE, "1 %")],
            answer=[passage(STEROID_HERE, "0.1 %")],
        ),
    ]


def critical(differences: list[CriticalDifference]) -> CriticalReport:
    """Critical differences with their counts."""
    kinds = ("figure", "eye", "negation", "drug")
    affected = len({one.question_id for one in differences}) / 120
    return CriticalReport(
        answers=120,
        affected=share(affected, 0.02),
        counts={kind: sum(one.kind == kind for one in differences) for kind in kinds},
        differences=differences,
    )


def votes(better: int, worse: int, unsafe: list[UnsafeVote] | None = None) -> VotesReport:
    """Blind votes."""
    return VotesReport(
        votes=better + worse + 9,
        raters=2,
        better=better,
        worse=worse,
        equal=7,
        both_bad=2,
        preferred=share(better / (better + worse), 0.2),
        unsafe=unsafe or [],
    )


UNSAFE = UnsafeVote(
    question_id="essay-0007",
    rater="Dr. Han",
    confirmed=True,
    note="Treats the wrong eye\nand dilates the pupil.",
)


def _level(name: str, gib: float, **parts: Any) -> LevelReport:
    file = f"Ophtimus-Llama-8B-{name}.gguf"
    return LevelReport(
        level=name, file=file, sha256=sha256(name.encode()).hexdigest(), size_bytes=int(gib * _GIB), **parts
    )


def questions() -> list[ShownQuestion]:
    """Essays with the answers of the reference and two levels."""
    return [
        ShownQuestion(
            question_id="essay-0007",
            question=DROPS,
            expected="Lower the pressure, then laser iridotomy.",
            answers=[
                ShownAnswer(level="BF16", text=DROPS_THERE),
                ShownAnswer(level="Q4_K_M", text=DROPS_THERE),
                ShownAnswer(level="Q2_K", text=DROPS_HERE),
            ],
        ),
        ShownQuestion(
            question_id="essay-0012",
            question=STEROID,
            expected="",
            answers=[
                ShownAnswer(level="BF16", text=STEROID_THERE),
                ShownAnswer(level="Q4_K_M", text=STEROID_HERE),
                ShownAnswer(level="Q2_K", text=STEROID_HERE),
            ],
        ),
        ShownQuestion(
            question_id="essay-0020",
            question=UVEITIS,
            expected=UVEITIS_ANSWER,
            answers=[
                ShownAnswer(level="BF16", text=UVEITIS_ANSWER),
                ShownAnswer(level="Q4_K_M", text=UVEITIS_ANSWER),
                ShownAnswer(level="Q2_K", text=""),
            ],
        ),
    ]


def rich() -> Report:
    """A report in which every part was measured of some level."""
    return Report(
        model="Ophtimus-Llama-8B",
        version="1.0",
        made_at="2026-11-23T14:20:00+09:00",
        machine={
            "processor": "Intel Core i5-12400, 6 cores",
            "memory": "31.1 GiB",
            "graphics card": "none",
            "system": "Ubuntu 24.04",
        },
        tool_versions={"ophtimus-edge": "0.1.0", "llama-cpp-python": "0.3.36", "rouge-score": "0.1.2"},
        settings={"--mcq": "eval.jsonl", "--budget": "2h", "seed": "0"},
        files=[
            AskedFile(part="text", name="wiki.txt", sha256=HASH, available=512, used=256),
            AskedFile(
                part="mcq",
                name="eval.jsonl",
                sha256=HASH,
                available=2_153,
                used=2_152,
                skipped=["row 1,204: the answer is “F”, and there are options A to D."],
            ),
            AskedFile(part="essay", name="primer", sha256=HASH, embedded=True, available=120, used=120),
        ],
        reference=_level(
            "BF16", 14.96, speed=speed(1.9, 14.96), mcq=choices(0.6081, None, 0.1), essay=essay(1.0)
        ),
        levels=[
            _level(
                "Q8_0", 7.95, speed=speed(3.1, 7.95, 1.9), divergence=divergence(0.00136),
                mcq=choices(0.609, flips(0.001, 9, 11, 0.824)), essay=essay(1.0), critical=critical([]),
            ),
            _level("Q6_K", 6.14, divergence=divergence(0.00545), reused_from=HASH),
            _level("Q5_K_M", 5.33, speed=speed(4.6, 5.33, 1.9), divergence=divergence(0.01076)),
            _level(
                "Q4_K_M", 4.58, speed=speed(5.6, 4.58, 1.9), divergence=divergence(0.03127),
                mcq=choices(0.601, flips(-0.007, 48, 33, 0.119), 0.2), essay=essay(0.99),
                critical=critical(_steroid()), votes=votes(6, 8),
            ),
            _level(
                "IQ4_XS", 4.17, speed=speed(5.4, 4.17, 1.9), divergence=divergence(0.0363),
                mcq=choices(0.596, flips(-0.012, 60, 34, 0.0096), 0.2),
            ),
            _level(
                "Q2_K", 2.95, speed=speed(7.9, 2.95, 1.9), divergence=divergence(0.44513),
                mcq=choices(0.471, flips(-0.137, 402, 107, 1e-40), 0.5), essay=essay(0.8),
                critical=critical([*_drops(), *_steroid()]), votes=votes(2, 13, [UNSAFE]),
            ),
        ],
        verdict=VerdictReport(
            level="Q4_K_M",
            statement="Q4_K_M is the smallest level within tolerance. Accuracy 60.1 % against 60.8 %: at most 1.6 "
            "points worse (95 %, 2,140 paired questions, tolerance 2); KL divergence 0.031 [0.028, 0.034], "
            "tolerance 0.05; 4.58 GiB; 2.9 × the speed of BF16 here. 1 of 120 answers differs in a number or a drug.",
            tolerances=Tolerances(),
            findings=[
                _finding("Q8_0", "within"), _finding("Q6_K", "not measured"), _finding("Q5_K_M", "not measured"),
                _finding("Q4_K_M", "within"), _finding("IQ4_XS", "open", 640), _finding("Q2_K", "unsafe"),
            ],
            fastest_faithful="Q4_K_M",
            fastest_statement="Q4_K_M is the most faithful level that writes at least 5 tokens/s here (5.6).",
        ),
        questions=questions(),
        published={
            "OphtimusEval": {"accuracy": 0.6078},
            "EQAEval (ophthalmology)": {"rouge_l": 0.226, "bleu": 0.083, "meteor": 0.230, "semscore": 0.733},
        },
        baseline_sha256=HASH,
        changes=["Q4_K_M writes 5.6 tokens/s; it was 5.1.", "Q2_K: accuracy was not measured before."],
    )  # fmt: skip


def _finding(level: str, found: Any, more: int | None = None) -> LevelFinding:
    reasons = {
        "within": ["Accuracy is at most 1.6 points worse (95 %).", "KL divergence is within 0.05."],
        "open": ["Accuracy is at most 2.1 points worse (95 %); the tolerance is 2 points."],
        "unsafe": [
            "One answer was confirmed as unsafe by a person.",
            "Accuracy is at least 12.8 points worse.",
        ],
        "not measured": ["Accuracy was not measured."],
    }
    return LevelFinding(level=level, finding=found, reasons=reasons[found], more_questions=more)


def bare() -> Report:
    """A report of which nothing was measured."""
    return Report(model="Ophtimus-Llama-1B", reference=_level("Q8_0", 1.22), levels=[_level("Q4_K_M", 0.75)])

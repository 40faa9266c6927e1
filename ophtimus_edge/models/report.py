"""``report.json``: quantization levels side by side against a reference, as `ophtimus compare` found them.

Whatever was not measured is None, never 0. Every statistic is ``{value, low, high}`` with its 95 % interval, in
the unit that the field's name says; shares go from 0 to 1. What a statistic is, and where its formula is from,
stands in the room of `ophtimus_edge.compare` that computes it.
"""

from typing import Literal

import msgspec

from ophtimus_edge.models.formats import Document, Statistic, UnsafeVote


class SpeedReport(msgspec.Struct, frozen=True, kw_only=True):
    """How fast a level is on the machine of the report, and what it takes.

    Attributes:
        rounds: in which every level was measured once, in turn, each time after a warm-up.
        load_s: from the start of the process until the model can be asked.
        ttft_s: from the end of a question of ``ttft_tokens`` tokens until the first token of its answer.
        prompt_tokens_per_s, generated_tokens_per_s: by llama-bench's method: pp512 and tg128.
        peak_memory_bytes: resident, of the process that holds the model.
        to_reference: each of these divided by the reference's of the same round, by its field's name.
    """

    rounds: int
    ttft_tokens: int
    load_s: Statistic
    ttft_s: Statistic
    prompt_tokens_per_s: Statistic
    generated_tokens_per_s: Statistic
    peak_memory_bytes: Statistic
    to_reference: dict[str, Statistic] = {}


class DivergenceReport(msgspec.Struct, frozen=True, kw_only=True):
    """How far a level predicts otherwise than the reference; intervals are a bootstrap's over windows.

    Attributes:
        text_sha256: of the text's tokens' windows that were scored.
        ppl, ppl_reference: perplexity.
        ppl_ratio: the level's divided by the reference's.
        ln_ppl_correlation: of −ln p over tokens; None where one of them does not vary.
        kl_mean … kl_max: of KL(reference ‖ level) over tokens, in nats.
        delta_p_mean, delta_p_rms: of the probability of the right token, the level's less the reference's.
        same_top: the share of tokens at which both find the same one likeliest.
    """

    windows: int
    tokens: int
    text_sha256: str = ""
    ppl: Statistic
    ppl_reference: Statistic
    ppl_ratio: Statistic
    ln_ppl_correlation: Statistic | None
    kl_mean: Statistic
    kl_median: Statistic
    kl_p90: Statistic
    kl_p95: Statistic
    kl_p99: Statistic
    kl_p999: Statistic
    kl_max: Statistic
    delta_p_mean: Statistic
    delta_p_rms: Statistic
    same_top: Statistic


class Part(msgspec.Struct, frozen=True, kw_only=True):
    """A group of the questions: a topic or a language, and how many of them were answered right."""

    name: str
    questions: int
    accuracy: Statistic


class ReliabilityBin(msgspec.Struct, frozen=True, kw_only=True):
    """A point of the reliability plot: questions that the level was about as sure of."""

    low: float
    high: float
    questions: int
    confidence: float
    accuracy: Statistic


class FlipsReport(msgspec.Struct, frozen=True, kw_only=True):
    """The questions that turned against the reference, by id.

    Attributes:
        lost: right at the reference, wrong at the level; ``won``: the other way round.
        difference: of the accuracies, the level's less the reference's, paired.
        p_value: McNemar's exact test.
        questions: that both answered; 0 for all that the level was asked.
    """

    lost: list[str]
    won: list[str]
    difference: Statistic
    p_value: float
    questions: int = 0


class ChoiceReport(msgspec.Struct, frozen=True, kw_only=True):
    """Multiple-choice questions.

    Attributes:
        questions: asked; ``permutations``: orders of the options in which each was.
        accuracy: generated in the trained form and parsed; what could not be parsed is wrong.
        unparsed: the share that could not be parsed.
        fallback: the share that only the documented fallback could.
        cut_short: the share of generated answers that ended at the length limit.
        likelihood_accuracy: of the likeliest letter, right after ``likelihood_after``.
        permutation_accuracy: of each order of the options, the written one first; of the likeliest letter, over the
            questions that were asked in all orders. Empty where there was one.
        consistent: the share of questions with one likeliest option in all orders, of those asked in several.
        ece, brier, reliability: of the letters' probabilities.
        flips: None for the reference itself.
        topics, languages: the same accuracy by groups; languages that were not asked are missing.
    """

    questions: int
    permutations: int
    accuracy: Statistic | None
    unparsed: Statistic | None
    fallback: Statistic | None
    cut_short: Statistic | None = None
    likelihood_accuracy: Statistic
    likelihood_after: str
    permutation_accuracy: list[Statistic] = []
    consistent: Statistic | None = None
    ece: Statistic
    brier: Statistic
    reliability: list[ReliabilityBin] = []
    flips: FlipsReport | None = None
    topics: list[Part] = []
    languages: list[Part] = []


class EssayReport(msgspec.Struct, frozen=True, kw_only=True):
    """Essay questions.

    Attributes:
        scores: means over questions by profile and name: ``{"paper": {"rouge_l": …, "bleu": …}}``; sacreBLEU is
            of all answers together.
        notes: what a reader must know of them: "METEOR (exact + stem)", an embedding model's name.
        cut_short: the share of answers that ended at the length limit.
        languages: the same scores of each language that at least two questions were asked in.
    """

    questions: int
    scores: dict[str, dict[str, Statistic]]
    notes: list[str] = []
    cut_short: Statistic | None = None
    languages: dict[str, dict[str, dict[str, Statistic]]] = {}


class MarkedPassage(msgspec.Struct, frozen=True):
    """A part of an answer, ``start`` to ``end`` in characters."""

    start: int
    end: int
    text: str


class CriticalDifference(msgspec.Struct, frozen=True, kw_only=True):
    """What a person must look at: where a level's answer and the reference's differ."""

    question_id: str
    kind: Literal["figure", "eye", "negation", "drug"]
    reference: list[MarkedPassage]
    answer: list[MarkedPassage]


class CriticalReport(msgspec.Struct, frozen=True, kw_only=True):
    """Critical differences between a level's answers and the reference's.

    Attributes:
        answers: pairs that were compared; ``affected``: the share of them with at least one difference.
        counts: differences by kind; a kind without any is there with 0.
    """

    answers: int
    affected: Statistic
    counts: dict[str, int]
    differences: list[CriticalDifference]


class VotesReport(msgspec.Struct, frozen=True, kw_only=True):
    """What people found, unaware of the levels, of a level's answers beside the reference's.

    Attributes:
        better, worse, equal, both_bad: votes for the level, for the reference, and neither.
        raters: how many people.
        preferred: better ÷ (better + worse), exact binomial (Clopper and Pearson); None without either.
        unsafe: every answer of the level that was found unsafe.
    """

    votes: int
    raters: int
    better: int
    worse: int
    equal: int
    both_bad: int
    preferred: Statistic | None
    unsafe: list[UnsafeVote] = []


class LevelReport(msgspec.Struct, frozen=True, kw_only=True):
    """What was measured of one level.

    Attributes:
        level: "BF16", "Q4_K_M" …; ``file`` is its name without folders.
        files: the SHA-256 of the file that a part was measured on, by the part's name in ``Report.files``. Not
            in the first reports, where the report has one file for each part.
        reused_from: the SHA-256 of the report that figures of quality come from, "" for measured here.
        reused: the parts that come from there: "divergence", "mcq", "essay"; empty in the first reports, where
            it was all of them.
    """

    level: str
    file: str
    sha256: str
    size_bytes: int
    files: dict[str, str] = {}
    reused_from: str = ""
    reused: list[str] = []
    speed: SpeedReport | None = None
    divergence: DivergenceReport | None = None
    mcq: ChoiceReport | None = None
    essay: EssayReport | None = None
    critical: CriticalReport | None = None
    votes: VotesReport | None = None


class Tolerances(msgspec.Struct, frozen=True, kw_only=True):
    """What a level may lose and still be "within tolerance".

    Attributes:
        accuracy: that it may be worse by, as a share.
        kl_mean: its mean KL divergence from the reference at the most, in nats.
        generated_tokens_per_s: that the most faithful level at a stated speed must reach.
    """

    accuracy: float = 0.02
    kl_mean: float = 0.05
    generated_tokens_per_s: float = 5.0


class LevelFinding(msgspec.Struct, frozen=True, kw_only=True):
    """Whether a level is within the tolerances, and why.

    Attributes:
        level: its name, with more where two levels have the same; ``sha256`` of its file.
        finding: ``within`` only where the whole of each interval is; ``open`` where more has to be measured.
        reasons: a sentence for each of accuracy, divergence and votes.
        more_questions, more_windows: how many more it would take; None where more would not show it.
        only_embedded: whether all it was measured on came with the program: then it is not recommended.
    """

    level: str
    sha256: str = ""
    finding: Literal["within", "beyond", "open", "unsafe", "not measured"]
    reasons: list[str]
    more_questions: int | None = None
    more_windows: int | None = None
    only_embedded: bool = False


class VerdictReport(msgspec.Struct, frozen=True, kw_only=True):
    """Which level a clinic should get.

    Attributes:
        level: the smallest within tolerance, "" for none; ``sha256`` of its file.
        statement: that in words, or how much more it takes.
        fastest_faithful: the most faithful level that reaches the stated speed here, "" for none.
        only_embedded: whether all questions were the program's own: then nothing is recommended.
    """

    level: str
    statement: str
    tolerances: Tolerances
    findings: list[LevelFinding]
    fastest_faithful: str = ""
    fastest_statement: str = ""
    only_embedded: bool = False
    sha256: str = ""


class AskedFile(msgspec.Struct, frozen=True, kw_only=True):
    """A file that levels were compared on.

    Attributes:
        part: what for; ``embedded`` files come with the program.
        used: windows, questions or votes of ``available`` that were; the rest was left out for the budget, or
            is a vote about other files, or one that its rater corrected.
        skipped: rows that are not sound, or votes about other files, a sentence each, the first hundred.
        remarks: what a reader must know of what was used, a sentence each.
    """

    part: Literal["text", "mcq", "essay", "votes"]
    name: str
    sha256: str
    embedded: bool = False
    available: int = 0
    used: int = 0
    skipped: list[str] = []
    remarks: list[str] = []


class ShownAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """A level's answer to a question, for the report's pages side by side; ``sha256`` of the level's file."""

    level: str
    text: str
    sha256: str = ""


class ShownQuestion(msgspec.Struct, frozen=True, kw_only=True):
    """A question with the answers of the reference and of the levels, the reference's first."""

    question_id: str
    question: str
    expected: str
    answers: list[ShownAnswer]


class Report(Document, kw_only=True):
    """``report.json``: quantization levels side by side against a reference.

    Attributes:
        model: name and ``version`` of the model; ``demonstration`` where it is for trying out only.
        made_at: ISO 8601 with its offset.
        machine: in words, by name: "processor", "memory", "graphics card", "system" …
        tool_versions: of the programs whose numbers these are.
        settings: what was asked for on the command line, for who wants to measure it again.
        notes: what was not measured as a reader would expect it, and why, a sentence each.
        reference: the level that the others are compared with; not always BF16, so its name is said.
        published: the published scores of a model of this name, by benchmark, where there are any.
        baseline_sha256: of the older report that ``changes`` compares with, "" for none.
        changes: what changed since, a sentence each.
    """

    model: str
    version: str = ""
    demonstration: bool = False
    made_at: str = ""
    machine: dict[str, str] = msgspec.field(default_factory=dict)
    tool_versions: dict[str, str] = msgspec.field(default_factory=dict)
    settings: dict[str, str] = msgspec.field(default_factory=dict)
    files: list[AskedFile] = msgspec.field(default_factory=list)
    notes: list[str] = msgspec.field(default_factory=list)
    reference: LevelReport
    levels: list[LevelReport]
    verdict: VerdictReport | None = None
    questions: list[ShownQuestion] = msgspec.field(default_factory=list)
    published: dict[str, dict[str, float]] = msgspec.field(default_factory=dict)
    baseline_sha256: str = ""
    changes: list[str] = msgspec.field(default_factory=list)

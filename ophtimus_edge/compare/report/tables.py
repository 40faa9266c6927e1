"""The tables of a report, as HTML and Markdown both print them."""

from collections.abc import Callable, Iterable
from typing import NamedTuple, TypeVar

from ophtimus_edge.compare.report import cells
from ophtimus_edge.compare.report.cells import ABSENT, Cell
from ophtimus_edge.compare.report.published import published_score
from ophtimus_edge.compare.report.view import KINDS, Row, View, language, line, not_measured_in
from ophtimus_edge.models.formats import Statistic
from ophtimus_edge.models.report import (
    ChoiceReport,
    DivergenceReport,
    EssayReport,
    LevelReport,
    SpeedReport,
    VotesReport,
)

PartT = TypeVar("PartT")


class Table(NamedTuple):
    """A table: the names of its columns, and its rows, whose first cell is their name."""

    caption: str
    head: list[str]
    rows: list[list[Cell]]


SCORES = {
    "rouge_1": "ROUGE-1", "rouge_2": "ROUGE-2", "rouge_l": "ROUGE-L", "rouge1": "ROUGE-1", "rouge2": "ROUGE-2",
    "rougeL": "ROUGE-L", "rouge_lsum": "ROUGE-Lsum", "bleu": "BLEU", "sacrebleu": "sacreBLEU", "meteor": "METEOR",
    "semscore": "SemScore", "semscore_minilm": "SemScore (all-MiniLM-L6-v2)", "accuracy": "accuracy",
}  # fmt: skip


def levels(view: View) -> Table:
    """What a reader looks up first: a row for each level."""
    head = [
        "level",
        "size",
        "KL divergence",
        "accuracy",
        "speed here",
        "memory",
        "critical differences",
        "finding",
    ]
    return Table("Levels, 95 % intervals", head, [_level(view, row) for row in view.rows])


def _level(view: View, row: Row) -> list[Cell]:
    level = row.level
    speed, critical = level.speed, level.critical
    divergence = cells.nats(level.divergence.kl_mean) if level.divergence else ABSENT
    differing = ABSENT
    if critical is not None:
        found = len(view.pairs(row))
        differing = Cell(f"{found:,} of {critical.answers:,} answers", target=row.critical_id)
    return [
        Cell(row.name, target="" if row.is_reference else f"level-{row.place}"),
        Cell(cells.bytes_text(level.size_bytes)),
        Cell("is the reference") if row.is_reference and level.divergence is None else divergence,
        _accuracy(level),
        cells.rate(speed.generated_tokens_per_s) if speed else ABSENT,
        cells.size(speed.peak_memory_bytes) if speed else ABSENT,
        Cell("is the reference") if row.is_reference and critical is None else differing,
        Cell(view.finding(row)),
    ]


def _accuracy(level: LevelReport) -> Cell:
    if level.mcq is None or level.mcq.accuracy is not None:
        return cells.percent(level.mcq.accuracy if level.mcq else None)
    by_letter = cells.percent(level.mcq.likelihood_accuracy)
    return by_letter._replace(text=f"{by_letter.text} by letter")


def speed(view: View) -> Table:
    """Speed and memory, a column for each level."""

    def take(show: Callable[[Statistic | None], Cell], name: str) -> Callable[[SpeedReport], Cell]:
        return lambda one: show(getattr(one, name))

    def beside(name: str) -> Callable[[SpeedReport], Cell]:
        return lambda one: cells.ratio(one.to_reference.get(name))

    lines = [
        ("generated tokens (tg128)", take(cells.rate, "generated_tokens_per_s")),
        ("… to the reference", beside("generated_tokens_per_s")),
        ("prompt tokens (pp512)", take(cells.rate, "prompt_tokens_per_s")),
        ("… to the reference", beside("prompt_tokens_per_s")),
        ("time to first token", take(cells.seconds, "ttft_s")),
        ("… to the reference", beside("ttft_s")),
        ("time to load", take(cells.seconds, "load_s")),
        ("… to the reference", beside("load_s")),
        ("peak memory", take(cells.size, "peak_memory_bytes")),
        ("… to the reference", beside("peak_memory_bytes")),
        ("question of", lambda one: Cell(f"{one.ttft_tokens:,} tokens")),
        ("rounds", lambda one: Cell(f"{one.rounds:,}")),
    ]
    return _by_level(view, "Speed and memory", view.rows, lambda level: level.speed, lines)


def divergence(view: View) -> Table:
    """Divergence from the reference, a column for each level."""
    lines: list[tuple[str, Callable[[DivergenceReport], Cell]]] = [
        ("KL divergence, mean (nats)", lambda one: cells.nats(one.kl_mean)),
        ("… median", lambda one: cells.nats(one.kl_median)),
        ("… 90 %", lambda one: cells.nats(one.kl_p90)),
        ("… 95 %", lambda one: cells.nats(one.kl_p95)),
        ("… 99 %", lambda one: cells.nats(one.kl_p99)),
        ("… 99.9 %", lambda one: cells.nats(one.kl_p999)),
        ("… maximum", lambda one: cells.nats(one.kl_max)),
        ("same top token", lambda one: cells.percent(one.same_top)),
        ("Δp, mean", lambda one: cells.points(one.delta_p_mean, 2)),
        ("Δp, root mean square", lambda one: cells.percent(one.delta_p_rms)),
        ("perplexity", lambda one: cells.plain(one.ppl, 4, 2)),
        ("perplexity of the reference", lambda one: cells.plain(one.ppl_reference, 4, 2)),
        ("perplexity ratio", lambda one: cells.plain(one.ppl_ratio, 4, 3)),
        ("correlation of ln perplexity", lambda one: cells.percent(one.ln_ppl_correlation)),
        ("windows", lambda one: Cell(f"{one.windows:,}")),
        ("tokens", lambda one: Cell(f"{one.tokens:,}")),
    ]
    return _by_level(
        view, f"Divergence from {view.reference.name}", view.levels, lambda level: level.divergence, lines
    )


def choices(view: View) -> Table:
    """Multiple choice, a column for each level."""
    lines: list[tuple[str, Callable[[ChoiceReport], Cell]]] = [
        ("accuracy, generated and parsed", lambda one: cells.percent(one.accuracy)),
        ("could not be parsed", lambda one: cells.percent(one.unparsed)),
        ("parsed by the fallback only", lambda one: cells.percent(one.fallback)),
        ("ended at the length limit", lambda one: cells.percent(one.cut_short)),
        ("accuracy of the likeliest letter", lambda one: cells.percent(one.likelihood_accuracy)),
        ("… which was read", lambda one: Cell(_after(one.likelihood_after))),
    ]
    most = max((len(row.level.mcq.permutation_accuracy) for row in view.rows if row.level.mcq), default=0)
    lines += [(_order(place), _permutation(place)) for place in range(most)]
    lines += [
        ("same letter in all orders", lambda one: cells.percent(one.consistent)),
        ("calibration error (ECE)", lambda one: cells.plain(one.ece, 1, 3)),
        ("Brier score (0 to 2)", lambda one: cells.plain(one.brier, 1, 3)),
        ("questions", lambda one: Cell(f"{one.questions:,}")),
        ("orders of the options", lambda one: Cell(f"{one.permutations:,}")),
    ]
    return _by_level(view, "Multiple choice", view.rows, lambda level: level.mcq, lines)


def _after(text: str) -> str:
    return f"after “{line(text)}”" if line(text) else cells.NOT_MEASURED


def _order(place: int) -> str:
    return "… options as written" if place == 0 else f"… options in order {place + 1}"


def _permutation(place: int) -> Callable[[ChoiceReport], Cell]:
    def cell(one: ChoiceReport) -> Cell:
        return (
            cells.percent(one.permutation_accuracy[place])
            if place < len(one.permutation_accuracy)
            else ABSENT
        )

    return cell


def groups(view: View, kind: str) -> Table:
    """Accuracy by ``topics`` or ``languages``, a row for each."""
    parts = {
        row.place: {part.name: part for part in getattr(row.level.mcq, kind)}
        for row in view.rows
        if row.level.mcq
    }
    # Both languages of the program have their line, whether or not anything was asked in them.
    names: dict[str, str] = {"English": "en", "Korean": "ko"} if kind == "languages" else {}
    for found in parts.values():
        for name in found:
            names[language(name) if kind == "languages" else name] = name
    rows = []
    for shown, name in names.items():
        counts = {found[name].questions for found in parts.values() if name in found}
        asked = f"{max(counts):,}" if counts else f"not measured in {shown}" if kind == "languages" else "0"
        measured = [
            cells.percent(parts[row.place][name].accuracy if name in parts.get(row.place, {}) else None)
            for row in view.rows
        ]
        rows.append([Cell(line(shown)), Cell(asked), *measured])
    title = {"topics": "topic", "languages": "language"}[kind]
    return Table(f"Accuracy by {title}", [title, "questions", *(row.name for row in view.rows)], rows)


def flips(view: View) -> Table:
    """Questions that turned against the reference, a row for each level."""
    rows = []
    for row in view.levels:
        found = row.level.mcq.flips if row.level.mcq else None
        asked = row.level.mcq.questions if row.level.mcq else 0
        if found is None:
            rows.append([Cell(row.name), *[ABSENT] * 5])
            continue
        rows.append(
            [
                Cell(row.name),
                Cell(f"{found.questions or asked:,}"),
                cells.points(found.difference),
                Cell(f"{len(found.lost):,}"),
                Cell(f"{len(found.won):,}"),
                Cell(cells.probability(found.p_value)),
            ]
        )
    head = [
        "level",
        "paired questions",
        "difference of accuracy",
        "right → wrong",
        "wrong → right",
        "McNemar, exact p",
    ]
    return Table("Flipped questions", head, rows)


def essays(view: View) -> list[Table]:
    """Essay scores, a table for each profile, with the published scores beside those they belong to."""
    profiles: dict[str, dict[str, None]] = {}
    for row in view.rows:
        for profile, scores in row.level.essay.scores.items() if row.level.essay else ():
            profiles.setdefault(profile, {}).update(dict.fromkeys(scores))
    return [_profile(view, profile, list(names)) for profile, names in profiles.items()]


def _profile(view: View, profile: str, names: list[str]) -> Table:
    published = {name: text for name in names if (text := published_score(view, profile, name))}
    rows = []
    for name in names:
        measured = [cells.plain(_score(row.level.essay, profile, name), 1, 3) for row in view.rows]
        beside = [Cell(published.get(name, "not published"))] if published else []
        rows.append([Cell(SCORES.get(name, line(name))), *measured, *beside])
    head = ["score", *(row.name for row in view.rows), *(["published"] if published else [])]
    return Table(f"Essay scores, profile “{line(profile)}”", head, rows)


def _score(essay: EssayReport | None, profile: str, name: str) -> Statistic | None:
    return essay.scores.get(profile, {}).get(name) if essay else None


def essay_languages(view: View) -> list[Table]:
    """Essay scores by language, a table for each, where more than one was asked in."""
    names: dict[str, dict[tuple[str, str], None]] = {}
    for row in view.rows:
        for name, profiles in row.level.essay.languages.items() if row.level.essay else ():
            keys = ((profile, score) for profile, scores in profiles.items() for score in scores)
            names.setdefault(name, {}).update(dict.fromkeys(keys))
    if len(names) < 2:
        return []
    return [_essay_language(view, name, list(keys)) for name, keys in names.items()]


def _essay_language(view: View, name: str, keys: list[tuple[str, str]]) -> Table:
    rows = []
    for profile, score in keys:
        found = [
            row.level.essay.languages.get(name, {}).get(profile, {}).get(score) if row.level.essay else None
            for row in view.rows
        ]
        title = f"{SCORES.get(score, line(score))}, {line(profile)}"
        rows.append([Cell(title), *(cells.plain(one, 1, 3) for one in found)])
    return Table(f"Essay scores in {line(language(name))}", ["score", *(row.name for row in view.rows)], rows)


def essays_not_measured_in(view: View) -> list[str]:
    """Sentences on the languages of the program that no essay question was asked in; none where that is not known."""
    asked = [name for row in view.rows if row.level.essay for name in row.level.essay.languages]
    return not_measured_in(asked) if asked else []


def published(view: View) -> Table:
    """The published scores of a model of this name."""
    rows = [
        [Cell(line(benchmark)), Cell(SCORES.get(name, line(name))), Cell(_published(name, value))]
        for benchmark, scores in view.report.published.items()
        for name, value in scores.items()
    ]
    return Table("Published scores of a model of this name", ["benchmark", "score", "published"], rows)


def _published(name: str, value: float) -> str:
    return f"{value * 100:.2f} %" if name == "accuracy" else f"{value:.3f}"


def critical(view: View) -> Table:
    """Critical differences by kind, a row for each level."""
    rows = []
    for row in view.levels:
        found = row.level.critical
        if found is None:
            rows.append([Cell(row.name), *[ABSENT] * (len(KINDS) + 2)])
            continue
        counts = [Cell(f"{found.counts.get(kind, 0):,}") for kind in KINDS]
        rows.append(
            [
                Cell(row.name, target=row.critical_id),
                Cell(f"{found.answers:,}"),
                cells.percent(found.affected),
                *counts,
            ]
        )
    head = ["level", "answers compared", "with a difference", "figures", "eyes", "negations", "drugs"]
    return Table("Critical differences", head, rows)


def votes(view: View) -> Table:
    """Blind votes, a row for each level; and one for the reference where its own answers were found unsafe."""
    rows = [[Cell(row.name), *_votes(row.level.votes)] for row in view.levels]
    if (found := view.reference.level.votes) is not None and found.unsafe:
        beside = [Cell("is the reference")] * 7
        rows.insert(0, [Cell(view.reference.name), *beside, Cell(_unsafe(found))])
    head = [
        "level", "votes", "raters", "level better", "reference better", "equal", "both bad",
        "preferred to the reference", "unsafe",
    ]  # fmt: skip
    return Table("Blind votes", head, rows)


def _votes(found: VotesReport | None) -> Iterable[Cell]:
    if found is None:
        return [ABSENT] * 8
    counts = (found.votes, found.raters, found.better, found.worse, found.equal, found.both_bad)
    return [*(Cell(f"{count:,}") for count in counts), cells.percent(found.preferred), Cell(_unsafe(found))]


def _unsafe(found: VotesReport) -> str:
    confirmed = sum(vote.confirmed for vote in found.unsafe)
    return f"{len(found.unsafe):,} ({confirmed:,} confirmed)" if found.unsafe else "0"


def _by_level(
    view: View,
    caption: str,
    rows: list[Row],
    part: Callable[[LevelReport], PartT | None],
    lines: list[tuple[str, Callable[[PartT], Cell]]],
) -> Table:
    measured = [part(row.level) for row in rows]
    body = [
        [Cell(name), *(cell(one) if one is not None else ABSENT for one in measured)] for name, cell in lines
    ]
    return Table(caption, ["measure", *(row.name for row in rows)], body)

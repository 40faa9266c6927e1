"""What is measured of a level in one round, and how the rounds become figures of a report."""

from collections.abc import Iterable

import msgspec

from ophtimus_edge.compare.statistics.repetitions import ratio_to_reference, repeated
from ophtimus_edge.errors import ComparisonError
from ophtimus_edge.models.report import SpeedReport
from ophtimus_edge.models.store import ChosenModel

_FIELDS = ("load_s", "ttft_s", "prompt_tokens_per_s", "generated_tokens_per_s", "peak_memory_bytes")


class SpeedSample(msgspec.Struct, frozen=True, kw_only=True):
    """A level in one round.

    Attributes:
        file, sha256: of the level's file; without folders, and "" where nothing states it.
        level: "BF16", "Q4_K_M" …
        round: from 0.
        run: of the command that measured it. Only what one command measured lies close together in time:
            a level is compared with the reference's sample of its own round and run.
        load_s: from the start of the process until the model could be asked.
        ttft_s: from the end of a question of ``ttft_tokens`` tokens until the first token of its answer.
        prompt_tokens, generated_tokens: that were evaluated for the two speeds.
        peak_memory_bytes: resident; ``memory_kind`` says what of it.
        context, threads, gpu_layers: with which it was loaded.
    """

    file: str
    sha256: str
    level: str
    round: int
    run: str
    load_s: float
    ttft_tokens: int
    ttft_s: float
    prompt_tokens: int
    prompt_tokens_per_s: float
    generated_tokens: int
    generated_tokens_per_s: float
    peak_memory_bytes: int
    memory_kind: str
    context: int
    threads: int
    gpu_layers: int

    def is_of(self, model: ChosenModel) -> bool:
        """Whether it was measured with this file."""
        return (self.file, self.sha256) == (model.path.name, model.sha256)


def report_speed(
    samples: Iterable[SpeedSample], level: ChosenModel, reference: ChosenModel | None = None
) -> SpeedReport:
    """A level's figures: the median of its rounds, how far they spread, and its ratios to the reference.

    A pure function of the samples, which may be of several levels, in any order and more than once.

    Args:
        reference: None, or the level itself, for no ratios.

    Raises:
        ComparisonError: the level was not measured, or with other questions or other settings from one
            round to another.
        StatisticsError: it was measured in one round only.
    """
    ours = _by_round(samples := list(samples), level)
    if not ours:
        raise ComparisonError(
            f"the speed of {level.path.name} was not measured.", "Run the comparison again with speed."
        )
    _check_alike(list(ours.values()), level)
    pairs = []
    if reference is not None and (reference.path.name, reference.sha256) != (level.path.name, level.sha256):
        pairs = _pairs(samples, level, reference)
    first = next(iter(ours.values()))
    figures = {name: repeated([_value(each, name) for each in ours.values()]) for name in _FIELDS}
    return SpeedReport(
        rounds=len(ours),
        ttft_tokens=first.ttft_tokens,
        load_s=figures["load_s"],
        ttft_s=figures["ttft_s"],
        prompt_tokens_per_s=figures["prompt_tokens_per_s"],
        generated_tokens_per_s=figures["generated_tokens_per_s"],
        peak_memory_bytes=figures["peak_memory_bytes"],
        to_reference={
            name: ratio_to_reference(
                [_value(each, name) for each, _ in pairs], [_value(other, name) for _, other in pairs]
            )
            for name in _FIELDS
            if len(pairs) > 1
        },
    )


def _value(sample: SpeedSample, name: str) -> float:
    return float(getattr(sample, name))


def _by_round(samples: Iterable[SpeedSample], model: ChosenModel) -> dict[int, SpeedSample]:
    """A model's samples in the order of their rounds; of a round that was measured again, the first."""
    found: dict[int, SpeedSample] = {}
    for sample in samples:
        if sample.is_of(model):
            found.setdefault(sample.round, sample)
    return dict(sorted(found.items()))


def _pairs(
    samples: list[SpeedSample], level: ChosenModel, reference: ChosenModel
) -> list[tuple[SpeedSample, SpeedSample]]:
    """The level's samples with the reference's of the same round and run, in the order of the rounds."""
    theirs = {(each.round, each.run): each for each in samples if each.is_of(reference)}
    return [
        (each, theirs[each.round, each.run])
        for each in _by_round(samples, level).values()
        if (each.round, each.run) in theirs
    ]


def _check_alike(samples: list[SpeedSample], level: ChosenModel) -> None:
    """Refuse to average what cannot be: the machine or the program changed between two rounds.

    Raises:
        ComparisonError: naming what changed.
    """
    for name in ("ttft_tokens", "prompt_tokens", "generated_tokens", "threads", "gpu_layers", "memory_kind"):
        values = {str(getattr(sample, name)) for sample in samples}
        if len(values) > 1:
            raise ComparisonError(
                f"the rounds of {level.path.name} were measured with different {name.replace('_', ' ')}: "
                f"{', '.join(sorted(values))}.",
                "Name another folder with --out, so that all rounds are measured anew.",
            )

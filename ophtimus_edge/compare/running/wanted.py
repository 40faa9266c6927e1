"""What a person wants compared, and how; what they leave out is as here."""

from pathlib import Path
from typing import NamedTuple

ROUNDS = 5
ORDERS = 2
ESSAY_TOKENS = 512  # of an essay's answer; the published ones have 150 on average
ACCURACY_POINTS = 2.0
KL_NATS = 0.05
TOKENS_A_SECOND = 5.0


class Wanted(NamedTuple):
    """A comparison as it is asked for; the fields have the names of the flags of ``ophtimus compare``.

    Attributes:
        levels: GGUF files, model folders or installed models.
        out: the folder of the report.
        reference: a file or the name of a level; "" for the most faithful of them.
        text, mcq, essay: files of one's own; where none is named, the program's own questions are asked.
        votes: files of blind tests.
        without: parts that are left out: speed, divergence, mcq, essay.
        budget: a time such as 2h; "" for none.
        quality_from: a report whose figures of quality are taken.
        baseline: a report that this one is compared with.
        rounds: of speed.
        orders: of a choice question's options.
        likelihood_only: whether the letters' likelihood alone decides.
        max_tokens: of an essay's answer.
        similarity: whether essays are compared in meaning too.
        semscore: a folder of all-mpnet-base-v2.
        accuracy_tolerance: percentage points that a level may be worse by.
        kl_tolerance: mean KL divergence at the most, in nats.
        speed_wanted: tokens/s that the most faithful fast level must reach.
        gpu_layers: that a GPU takes; None for as many as fit.
    """

    levels: tuple[str, ...]
    out: Path
    reference: str = ""
    text: Path | None = None
    mcq: Path | None = None
    essay: Path | None = None
    votes: tuple[Path, ...] = ()
    without: tuple[str, ...] = ()
    budget: str = ""
    quality_from: Path | None = None
    baseline: Path | None = None
    rounds: int = ROUNDS
    orders: int = ORDERS
    likelihood_only: bool = False
    max_tokens: int = ESSAY_TOKENS
    similarity: bool = False
    semscore: Path | None = None
    accuracy_tolerance: float = ACCURACY_POINTS
    kl_tolerance: float = KL_NATS
    speed_wanted: float = TOKENS_A_SECOND
    gpu_layers: int | None = None

    @property
    def left_out(self) -> tuple[str, ...]:
        """The parts that are not measured; with figures of quality from elsewhere only what was named is."""
        named = {"divergence": self.text, "mcq": self.mcq, "essay": self.essay}
        if self.quality_from:
            return (*self.without, *(part for part, file in named.items() if file is None))
        return self.without

    def in_words(self) -> dict[str, str]:
        """The command line, for who wants to measure it again."""
        return {
            f"--{name.replace('_', '-')}" if name != "levels" else "levels": (
                " ".join(map(str, value)) if isinstance(value, tuple) else str(value)
            )
            for name, value in sorted(self._asdict().items())
            if name != "out" and value not in (None, False, (), "")
        }

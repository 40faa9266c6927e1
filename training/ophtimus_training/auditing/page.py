"""An audit as a person reads it in a terminal or a file: plain text, what is learned between ⟦ and ⟧."""

from collections.abc import Iterator

from ophtimus_edge.text import sanitize
from ophtimus_training.auditing.faults import WORDS
from ophtimus_training.auditing.figures import Audit, Lengths, Sample, SplitFigures

LEARNED = "⟦", "⟧"
_BAR = 40
_MOST_LEFT_OUT = 20


def as_text(audit: Audit) -> str:
    """The whole page."""
    return "".join(f"{line}\n" for line in _lines(audit))


def _lines(audit: Audit) -> Iterator[str]:
    yield f"Audit of {audit.recipe} ({audit.stage}, at most {audit.length:,} tokens a row)"
    for figures in audit.splits:
        yield ""
        yield from _split(figures)
    yield ""
    yield f"Compared with {audit.compared_with:,} rows that are evaluated on:"
    yield f"  the same question   {len(audit.leaks):,}"
    yield f"  a common passage    {len(audit.overlaps):,}"
    for leak in (*audit.leaks[:3], *audit.overlaps[:3]):
        yield f"    {_line(leak.place)} {_line(leak.said)}"
    if audit.left_out:
        yield ""
        yield f"Left out of the sources: {len(audit.left_out):,}"
        yield from (f"  {_line(sentence)}" for sentence in audit.left_out[:_MOST_LEFT_OUT])
        if len(audit.left_out) > _MOST_LEFT_OUT:
            yield f"  … and {len(audit.left_out) - _MOST_LEFT_OUT:,} more, which --json lists"
    for number, sample in enumerate(audit.samples, start=1):
        yield ""
        yield f"Sample {number}: {_line(sample.place)}, {sample.tokens:,} tokens; learned is what stands in ⟦ ⟧"
        yield from _sample(sample)
    yield ""
    yield from (f"Note: {note}" for note in audit.notes)
    yield from (f"FAILS: {_line(failure)}" for failure in audit.failures)
    if audit.passed:
        yield "The audit passes."


def _split(figures: SplitFigures) -> Iterator[str]:
    yield "Trained on" if figures.split == "train" else "Evaluated on"
    rows = max(figures.rows, 1)
    yield f"  rows                {figures.rows:,}"
    yield f"  tokens              {figures.tokens:,}, of which {figures.learned:,} are learned"
    yield f"  BOS                 {figures.bos:,} ({figures.bos / rows:.2f} a row)"
    yield f"  ends of a turn      {figures.ends:,} ({figures.ends / rows:.2f} a row)"
    yield f"  cut rows            {figures.cut:,}"
    yield f"  fully masked rows   {figures.fully_masked:,}"
    yield f"  duplicates          {figures.duplicates:,}, nearly {figures.near_duplicates:,}"
    lengths = figures.lengths
    yield (
        f"  tokens of a row     median {lengths.median:,}, 95 % at most {lengths.percentile_95:,}, "
        f"longest {lengths.longest:,}"
    )
    yield from _histogram(lengths)
    for fault, found in figures.faults.items():
        yield f"  rows that {WORDS[fault]}: {found.rows:,}"
        for row in found.first:
            yield f"    {_line(row.place)}" + (f": {_line(row.said)}" if row.said else "")


def _histogram(lengths: Lengths) -> Iterator[str]:
    most = max((one.rows for one in lengths.histogram), default=0) or 1
    for one in lengths.histogram:
        if one.high or one.rows:
            span = f"{one.low:,}–{one.high:,}" if one.high else f"from {one.low:,}"
            bar = "█" * -(-_BAR * one.rows // most)
            yield f"    {span:>13} {one.rows:>8,} {bar}".rstrip()


def _sample(sample: Sample) -> Iterator[str]:
    text = "".join(
        f"{LEARNED[0]}{sanitize(piece.text)}{LEARNED[1]}" if piece.learned else sanitize(piece.text)
        for piece in sample.pieces
    )
    yield from (f"  │ {line}".rstrip() for line in text.splitlines())


def _line(text: str) -> str:
    return " ".join(sanitize(text).split())

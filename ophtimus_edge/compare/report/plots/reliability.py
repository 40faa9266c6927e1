"""Whether a level is as often right as it is sure: a small plot for each."""

from ophtimus_edge.compare.report.cells import percent
from ophtimus_edge.compare.report.elements import Element
from ophtimus_edge.compare.report.plots.axes import linear
from ophtimus_edge.compare.report.plots.drawing import line, mark, picture, short, upright, words
from ophtimus_edge.models.report import ReliabilityBin

_WIDTH, _HEIGHT = 300.0, 300.0
_LEFT, _RIGHT, _TOP, _BOTTOM = 58.0, 286.0, 28.0, 248.0


def draw(name: str, place: int, level: str, bins: list[ReliabilityBin]) -> Element | None:
    """The plot of one level; None without bins.

    Args:
        name: for the ids of its parts.
        place: of the level in the report.
    """
    if not bins:
        return None
    across = linear([0.0, 100.0], _LEFT, _RIGHT, 4)
    up = linear([0.0, 100.0], _BOTTOM, _TOP, 4)
    parts = [words((_LEFT + _RIGHT) / 2, 16, short(level), "middle", "level-name")]
    for tick in across.ticks:
        x, y = across.place(tick), up.place(tick)
        parts += [line(x, _TOP, x, _BOTTOM, "grid"), line(_LEFT, y, _RIGHT, y, "grid")]
        parts.append(words(x, _BOTTOM + 18, across.name(tick), "middle", "tick"))
        parts.append(words(_LEFT - 7, y + 4.5, up.name(tick), "end", "tick"))
    parts += [line(_LEFT, _BOTTOM, _RIGHT, _BOTTOM, "axis"), line(_LEFT, _TOP, _LEFT, _BOTTOM, "axis")]
    parts.append(line(_LEFT, _BOTTOM, _RIGHT, _TOP, "limit"))
    most = max(one.questions for one in bins)
    for one in bins:
        x = across.place(one.confidence * 100)
        low, high = up.place(one.accuracy.low * 100), up.place(one.accuracy.high * 100)
        parts.append(line(x, low, x, high, "interval"))
        # The area of a mark says how many questions it stands for, down to one that can be seen.
        size = 3.0 + 4.0 * (one.questions / most) ** 0.5
        parts.append(mark(place, x, up.place(one.accuracy.value * 100), size))
    parts.append(words((_LEFT + _RIGHT) / 2, _BOTTOM + 40, "how sure (%)", "middle", "axis-name"))
    parts.append(upright(14, (_TOP + _BOTTOM) / 2, "how often right (%)"))
    said = "; ".join(
        f"{one.confidence * 100:.0f} % sure: {percent(one.accuracy).whole} right, {one.questions:,} questions"
        for one in bins
    )
    title = f"Reliability of {level}"
    return picture(name, _WIDTH, _HEIGHT, title, f"How sure against how often right. {said}.", *parts)

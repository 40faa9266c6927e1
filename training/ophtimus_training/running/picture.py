"""loss.svg: the losses of a run over its steps, in one file that needs nothing else.

Drawn with what the reports of ``ophtimus compare`` are drawn with; a plotting library would be the largest
dependency for one picture.
"""

import json
from pathlib import Path
from xml.etree import ElementTree  # only to write: nothing is parsed with it

from ophtimus_edge.compare.report.elements import Element, element
from ophtimus_edge.compare.report.plots.axes import Scale, fitting, linear
from ophtimus_edge.compare.report.plots.drawing import line, picture, upright, words
from ophtimus_edge.locations import staged

PICTURE = "loss.svg"
_WIDTH, _HEIGHT = 720.0, 380.0
_LEFT, _RIGHT, _TOP, _BOTTOM = 84.0, 704.0, 30.0, 322.0
_STYLE = (
    "text{font:13px sans-serif;fill:#222}.tick{fill:#666}.grid{stroke:#ddd}.axis{stroke:#666}"
    ".trained{fill:none;stroke:#1565c0;stroke-width:1.8}.heldout{fill:none;stroke:#c62828;stroke-width:1.8;"
    "stroke-dasharray:6 4}.trained-mark{fill:#1565c0}.heldout-mark{fill:#c62828}"
    "@media(prefers-color-scheme:dark){svg{background:#16181c}text{fill:#eee}.tick{fill:#aaa}.grid{stroke:#333}}"
)

Points = list[tuple[int, float]]


def draw(log: Path, out: Path) -> None:
    """Draw the losses of a log, where it has any."""
    trained, heldout = losses(log)
    if not trained and not heldout:
        return
    drawn = picture(
        "loss", _WIDTH, _HEIGHT, "Loss over steps", _said(trained, heldout), *_parts(trained, heldout)
    )
    drawn.set("xmlns", "http://www.w3.org/2000/svg")
    with staged(out) as part:
        part.write_bytes(ElementTree.tostring(drawn, encoding="utf-8", xml_declaration=True))


def losses(log: Path) -> tuple[Points, Points]:
    """The trained and the held-out losses of a log by their steps, those that are no number left out."""
    trained: Points = []
    heldout: Points = []
    for text in log.read_text("utf-8").splitlines() if log.is_file() else []:
        row = json.loads(text)
        for name, points in (("loss", trained), ("heldout_loss", heldout)):
            if name in row and row[name] == row[name]:  # NaN equals nothing
                points.append((row["step"], float(row[name])))
    return trained, heldout


def _parts(trained: Points, heldout: Points) -> list[Element]:
    every = [*trained, *heldout]
    across = linear([0, *(step for step, _ in every)], _LEFT, _RIGHT)
    up = fitting([loss for _, loss in every], _BOTTOM, _TOP)
    parts = [element("style", _STYLE), *_axes(across, up)]
    for points, name, class_ in ((trained, "trained", "trained"), (heldout, "held out", "heldout")):
        if not points:
            continue
        places = [(across.place(step), up.place(loss)) for step, loss in points]
        parts.append(
            element("polyline", points=" ".join(f"{x:.1f},{y:.1f}" for x, y in places), class_=class_)
        )
        # One point makes no line; and the held-out ones are few.
        marked = places if class_ == "heldout" or len(places) == 1 else []
        parts += [element("circle", cx=x, cy=y, r=3.5, class_=f"{class_}-mark") for x, y in marked]
        at = _LEFT + (20 if class_ == "trained" else 140)
        parts += [line(at, _TOP - 14, at + 26, _TOP - 14, class_), words(at + 32, _TOP - 10, name)]
    return parts


def _axes(across: Scale, up: Scale) -> list[Element]:
    parts = []
    for tick in across.ticks:
        x = across.place(tick)
        parts += [
            line(x, _TOP, x, _BOTTOM, "grid"),
            words(x, _BOTTOM + 19, across.name(tick), "middle", "tick"),
        ]
    for tick in up.ticks:
        y = up.place(tick)
        parts += [line(_LEFT, y, _RIGHT, y, "grid"), words(_LEFT - 8, y + 4.5, up.name(tick), "end", "tick")]
    parts += [line(_LEFT, _BOTTOM, _RIGHT, _BOTTOM, "axis"), line(_LEFT, _TOP, _LEFT, _BOTTOM, "axis")]
    kind = ", logarithmic" if up.logarithmic else ""
    return [
        *parts,
        words((_LEFT + _RIGHT) / 2, _BOTTOM + 44, "steps", "middle", "axis-name"),
        upright(18, (_TOP + _BOTTOM) / 2, f"loss (nats a token{kind})"),
    ]


def _said(trained: Points, heldout: Points) -> str:
    said = [
        f"{name}: {points[0][1]:.3f} at step {points[0][0]}, {points[-1][1]:.3f} at step {points[-1][0]}"
        for name, points in (("Trained", trained), ("Held out", heldout)) if points
    ]  # fmt: skip
    return f"Loss in nats a token. {'; '.join(said)}."

"""Text in both themes can be read: the contrasts of WCAG, computed from what Textual makes of the themes."""

import re

import pytest
from conftest import ROOT
from piloting import shown, until
from textual.app import App, ComposeResult
from textual.color import Color
from textual.theme import Theme
from textual.widgets import Static, TextArea

from ophtimus_edge import settings
from ophtimus_edge.models import store
from ophtimus_tui.app import OphtimusApp
from ophtimus_tui.themes import DARK, LIGHT, THEMES, theme_named

AA = 4.5
GROUNDS = ("background", "surface", "panel")
SOURCES = "\n".join(path.read_text("utf-8") for path in sorted((ROOT / "tui/ophtimus_tui").rglob("*.py")))
# What text may be written in, and everything that a screen does write text in; but for what has a ground of its own.
TEXT = {
    "text", "text-muted", "text-disabled", "foreground", "foreground-muted", "foreground-disabled", "primary",
    "secondary", "accent", "warning", "error", "success", "text-primary", "text-secondary", "text-accent",
    "text-warning", "text-error", "text-success",
    *(name for name in re.findall(r"(?:(?<![-\w])|title-)color: \$([a-z0-9-]+)", SOURCES) if "-cursor-" not in name),
}  # fmt: skip
PAIRS = [
    ("block-cursor-foreground", "block-cursor-background"),
    ("block-cursor-blurred-foreground", "block-cursor-blurred-background"),
    ("input-cursor-foreground", "input-cursor-background"),
    ("input-selection-foreground", "input-selection-background"),
    ("button-foreground", "surface"),
    ("footer-key-foreground", "panel"),
    ("footer-description-foreground", "panel"),
]


def luminance(color: Color) -> float:
    """Relative luminance of sRGB, as WCAG 2.2 defines it."""
    parts = [value / 255 for value in (color.r, color.g, color.b)]
    red, green, blue = (one / 12.92 if one <= 0.04045 else ((one + 0.055) / 1.055) ** 2.4 for one in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: Color, other: Color) -> float:
    lighter, darker = sorted((luminance(one), luminance(other)), reverse=True)
    return (lighter + 0.05) / (darker + 0.05)


def on(value: str, ground: Color) -> Color:
    """A colour variable as it is painted on a ground: `auto 60%` and transparency are worked out."""
    if match := re.fullmatch(r"auto(?: (\d+)%)?", value):
        return ground + ground.get_contrast_text(int(match[1] or 100) / 100)
    return ground + Color.parse(value)


def test_the_contrast_is_the_one_that_wcag_defines() -> None:
    assert contrast(Color.parse("#fff"), Color.parse("#000")) == pytest.approx(21)
    assert contrast(Color.parse("#777"), Color.parse("#fff")) == pytest.approx(4.48, abs=0.01)
    assert on("auto 60%", Color.parse("#fff")) == Color.parse("#666666")


@pytest.mark.parametrize("theme", THEMES, ids=lambda theme: theme.name)
def test_all_text_has_a_contrast_of_four_and_a_half_on_every_ground(theme: Theme) -> None:
    colors = theme.to_color_system().generate()
    faint = {}
    for ground in GROUNDS:
        under = Color.parse(colors[ground])
        for name in TEXT:
            if (ratio := contrast(on(colors[name], under), under)) < AA:
                faint[name, ground] = round(ratio, 2)
    assert faint == {}


@pytest.mark.parametrize("theme", THEMES, ids=lambda theme: theme.name)
@pytest.mark.parametrize(("text", "ground"), PAIRS)
def test_what_is_marked_can_be_read(theme: Theme, text: str, ground: str) -> None:
    colors = theme.to_color_system().generate()
    under = Color.parse(colors["background"]) + Color.parse(colors[ground])
    assert contrast(on(colors[text], under), under) >= AA


@pytest.mark.parametrize("theme", THEMES, ids=lambda theme: theme.name)
def test_a_border_stands_out_from_what_it_borders(theme: Theme) -> None:
    """WCAG 2.2, 1.4.11: 3 to 1 for what shows where the box is."""
    colors = theme.to_color_system().generate()
    for border in ("border", "border-blurred", "primary", "accent"):
        assert contrast(Color.parse(colors[border]), Color.parse(colors["background"])) >= 3


@pytest.mark.parametrize("setting", ["dark", "light"])
@pytest.mark.parametrize("focused", [True, False])
async def test_the_words_in_the_border_of_the_talks_can_be_read(setting: str, focused: bool) -> None:
    """Where no colour is given for them they have that of the border, which may be faint."""
    app = OphtimusApp(
        store.choose(), "en", settings.Settings(theme=setting, first_start_done=settings.FIRST_START)
    )
    async with app.run_test(size=(120, 30)) as pilot:
        await until(lambda: "not a medical record" in shown(app))
        if focused:
            await pilot.press("f2")
        await pilot.pause()
        seen = set()
        for strip in app.screen._compositor.render_strips():
            for segment in strip:
                for words in ("talks", "not a medical record"):
                    if segment.text.strip() == words and segment.style and segment.style.color:
                        seen.add(words)
                        style = segment.style
                        assert style.bgcolor
                        colors = [Color.from_rich_color(one) for one in (style.color, style.bgcolor)]
                        assert contrast(*colors) >= AA, words
    assert seen == {"talks", "not a medical record"}


@pytest.mark.parametrize(("setting", "dark"), [("dark", True), ("light", False)])
async def test_an_app_paints_the_theme_that_is_set(setting: str, dark: bool) -> None:
    class Small(App[None]):
        CSS = "Static { background: $panel; color: $text-muted; }"

        def compose(self) -> ComposeResult:
            yield Static("word", markup=False)
            yield TextArea("word")

    app = Small()
    for theme in THEMES:
        app.register_theme(theme)
    app.theme = theme_named(setting)
    assert app.theme == (DARK if dark else LIGHT)
    async with app.run_test() as pilot:
        await pilot.pause()
        for widget in (app.query_one(Static), app.query_one(TextArea)):
            background, foreground = widget.background_colors[1], widget.colors[3]
            assert contrast(background + foreground, background) >= AA
            assert (luminance(background) < luminance(foreground)) is dark

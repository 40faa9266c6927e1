"""The two themes of the app, dark and light, in which all text can be read.

Textual's own (8.2.8) are made for their looks: a warning has a contrast of 1.3 to 1 on the light theme's
panel, an error 2.5 to 1 on the dark one's. Here every colour that text is written in is chosen; tests
compute the contrasts (WCAG 2.2, 1.4.3: at least 4.5 to 1) on the background, the surface and the panel.
"""

from textual.theme import Theme

DARK = "ophtimus-dark"
LIGHT = "ophtimus-light"

_DARK = Theme(
    name=DARK,
    primary="#6cb6e8",
    secondary="#9db4d0",
    accent="#f2b04b",
    foreground="#e6ebf0",
    background="#10151b",
    surface="#182029",
    panel="#232e3a",
    success="#7fd18b",
    warning="#f5c451",
    error="#ff9a91",
    dark=True,
    variables={
        "text": "#e6ebf0",
        "text-muted": "#aebac6",
        "text-disabled": "#97a4b1",
        "foreground-muted": "#aebac6",
        "foreground-disabled": "#97a4b1",
        "block-cursor-foreground": "#10151b",
        "block-cursor-background": "#6cb6e8",
        "block-cursor-blurred-foreground": "#e6ebf0",
        "block-cursor-blurred-background": "#33475a",
        "input-selection-background": "#2f5573",
        "input-selection-foreground": "#e6ebf0",
        "border": "#6cb6e8",
        "border-blurred": "#5b6b7b",
        "button-color-foreground": "#10151b",
        "footer-key-foreground": "#f2b04b",
        "link-color": "#6cb6e8",
    },
)

_LIGHT = Theme(
    name=LIGHT,
    primary="#0b5c8f",
    secondary="#3e5878",
    accent="#8a4a00",
    foreground="#16202a",
    background="#fbfcfd",
    surface="#f1f4f7",
    panel="#e2e8ee",
    success="#1c6330",
    warning="#7a4b00",
    error="#a8201a",
    dark=False,
    variables={
        "text": "#16202a",
        "text-muted": "#47545f",
        "text-disabled": "#56626d",
        "foreground-muted": "#47545f",
        "foreground-disabled": "#56626d",
        "block-cursor-foreground": "#ffffff",
        "block-cursor-background": "#0b5c8f",
        "block-cursor-blurred-foreground": "#16202a",
        "block-cursor-blurred-background": "#c3d3e0",
        "input-selection-background": "#bcd9ee",
        "input-selection-foreground": "#16202a",
        "border": "#0b5c8f",
        "border-blurred": "#7d8b98",
        "button-color-foreground": "#ffffff",
        "footer-key-foreground": "#8a4a00",
        "link-color": "#0b5c8f",
    },
)

THEMES = (_DARK, _LIGHT)


def theme_named(name: str) -> str:
    """The registered name of a theme as the settings have it: ``dark`` or ``light``."""
    return LIGHT if name == "light" else DARK

"""The end of a dialog that waits for a thread: not before it is in front again."""

from functools import partial
from typing import Any

from textual.screen import Screen

_LOOK_S = 0.1  # between two looks whether it is in front


def end(screen: Screen[Any], result: object) -> None:
    """Dismiss a screen with its result as soon as it is in front.

    A screen that is dismissed under another one would take that one away: what was hidden would be seen.
    """
    if screen.app.screen is screen:  # is_current holds behind another one too
        screen.dismiss(result)
    elif screen in screen.app.screen_stack:
        screen.set_timer(_LOOK_S, partial(end, screen, result))

"""A page on this computer, shown in the person's own browser; never an address of the network."""

import os
import sys
import webbrowser
from pathlib import Path


def can_be_opened() -> bool:
    """Whether a browser has a window here; one that draws in the terminal would draw over the app."""
    if sys.platform in {"win32", "darwin"}:
        return True
    return bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))


def open_page(path: Path) -> bool:
    """Open a file in the browser; whether one was found. May wait for it to start."""
    try:
        return webbrowser.open(path.absolute().as_uri())
    except (webbrowser.Error, OSError):
        return False

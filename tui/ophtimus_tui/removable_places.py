"""Where a stick or another disk is mounted, as far as this system shows it in its usual folders."""

import string
import sys
from pathlib import Path

BASES = (Path("/media"), Path("/run/media"), Path("/mnt"), Path("/Volumes"))


def removable_places() -> list[Path]:
    """The mounted folders below the usual ones, by name; on Windows the drives besides C.

    May wait for a disk that wakes up.
    """
    if sys.platform == "win32":
        return [
            Path(f"{letter}:\\") for letter in string.ascii_uppercase if letter != "C" and _is_drive(letter)
        ]
    found: list[Path] = []
    for base in BASES:
        for place in _folders(base):
            # /media/stick, or /media/NAME/stick as desktops have it
            found += [place] if place.is_mount() else [inner for inner in _folders(place) if inner.is_mount()]
    return found


def _is_drive(letter: str) -> bool:
    try:
        return Path(f"{letter}:\\").exists()
    except OSError:  # a card reader without a card
        return False


def _folders(folder: Path) -> list[Path]:
    try:
        return sorted(entry for entry in folder.iterdir() if entry.is_dir())
    except OSError:
        return []

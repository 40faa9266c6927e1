"""Names that the app offers for the files it writes for a person."""

import datetime
import re
import unicodedata

from ophtimus_edge.text import sanitize

_LONGEST = 60  # characters; Korean takes three bytes each, and a name has 255
_NOT_IN_NAMES = re.compile(r'[<>:"/\\|?*\t\n\x00-\x1f]')


def file_name(title: str, on: datetime.date, ending: str) -> str:
    """Such as ``2026-11-23 녹내장이란 무엇인가요.html``: a name that Windows, macOS and Linux all take.

    The date stands first, so that no title is a name that Windows keeps for itself, such as ``CON``.
    """
    words = " ".join(_NOT_IN_NAMES.sub(" ", sanitize(unicodedata.normalize("NFC", title))).split())
    return f"{on.isoformat()} {words[:_LONGEST]}".rstrip(" .") + f".{ending}"

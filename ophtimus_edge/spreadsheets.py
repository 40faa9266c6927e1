"""Cells of CSV that no spreadsheet runs.

Excel and LibreOffice take a cell that begins with ``=``, ``+``, ``-`` or ``@`` for a formula, and an
answer may well begin with a dash. An apostrophe in front makes it text. Because a cell that begins
with an apostrophe of its own gets another, taking one away from every guarded cell gives back every word;
which cells those are, a table says in a column of its own. Plain numbers (a refraction of -2.50) are no
formulas and stay as they are.
"""

import re

# Korean Excel reads UTF-8 only behind a byte order mark.
ENCODING = "utf-8-sig"
GUARD = "'"

# OWASP, "CSV Injection": the four signs, their full-width forms, tab and line ends.
_RUNS = re.compile(r"\s*[=+\-@＝＋－＠]|[\t\r\n]|'")
_NUMBER = re.compile(r"[+-]?\d+([.,]\d+)*")


def guarded(text: str) -> str:
    """A cell's text so that no spreadsheet runs it."""
    return GUARD + text if _RUNS.match(text) and not _NUMBER.fullmatch(text) else text

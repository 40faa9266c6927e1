"""HTML pages that are printed: one file, without script or network, light, for A4."""

import html
from collections.abc import Iterable

from ophtimus_edge.text import sanitize

# The page may load nothing at all; its own style is the one thing that it may use.
_POLICY = "default-src 'none'; style-src 'unsafe-inline'"

_STYLE = """
@page { size: A4; margin: 18mm 16mm; }
:root { color-scheme: light; }
body { font-family: "Noto Sans KR", "Malgun Gothic", "Apple SD Gothic Neo", "Noto Sans", "Segoe UI",
       system-ui, sans-serif; line-height: 1.5; color: #000; background: #fff; max-width: 178mm;
       margin: 8mm auto; padding: 0 4mm; }
h1, h2, h3, h4 { line-height: 1.3; break-after: avoid; overflow-wrap: anywhere; }
p { orphans: 3; widows: 3; overflow-wrap: anywhere; }
.words { font-family: inherit; margin: 4pt 0; white-space: pre-wrap; overflow-wrap: anywhere;
         word-break: keep-all; orphans: 3; widows: 3; }
table, tr { break-inside: avoid; }
@media print { body { margin: 0; padding: 0; max-width: none; } }
"""


def page(title: str, language: str, style: str, parts: Iterable[str]) -> str:
    """A whole page.

    Args:
        language: ``en`` or ``ko``, of the labels.
        style: CSS beside what all pages have.
        parts: HTML, escaped already.
    """
    body = "\n".join(parts)
    return sanitize(
        f"<!DOCTYPE html>\n<html lang={language}>\n<head>\n<meta charset=utf-8>\n"
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">\n'
        f'<meta name=viewport content="width=device-width">\n<meta name=referrer content=no-referrer>\n'
        f"<title>{escaped(title)}</title>\n<style>{_STYLE}{style}</style>\n</head>\n"
        f"<body>\n{body}\n</body>\n</html>\n"
    )


def words(text: str, kind: str) -> str:
    """What somebody wrote, to the letter: its blanks, lines and marks.

    The first line end inside ``<pre>`` is dropped by every reader of HTML, so one of our own stands there.
    """
    return f'<pre class="words {kind}">\n{escaped(text)}</pre>'


def escaped(text: str) -> str:
    """A text in which nothing is HTML."""
    return html.escape(text, quote=True)

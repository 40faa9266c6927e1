"""The sheets of a kit: one page for the clinic, in the kit; and one for paper, which never goes on the stick.

The page for the clinic is written once for each language (``texts/``) and comes out as a web page that can be printed
and as plain text. The paper has what the kit's own words cannot prove: the key's fingerprint and the manifest's hash.
"""

import html
import re
import textwrap
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Literal

import msgspec

Language = Literal["en", "ko"]

NAMES: dict[Language, str] = {"en": "START-HERE", "ko": "START-HERE.ko"}
_WIDTH = 78  # columns of the plain text
_STYLE = """
@page { size: A4; margin: 14mm }
body { font: 10.5pt/1.4 system-ui, "Noto Sans CJK KR", "Malgun Gothic", sans-serif; max-width: 46em;
  margin: 1.5em auto; padding: 0 1em; color: #111; background: #fff }
h1 { font-size: 1.5em; margin: 0 0 .2em } h2 { font-size: 1.1em; margin: .9em 0 .2em; color: #124 }
p, li { margin: .2em 0 } ul { padding-left: 1.2em; margin: .2em 0 } code, pre { font-family: monospace, monospace }
pre { background: #eef2f6; border-left: 4px solid #357; padding: .4em .7em; margin: .3em 0; white-space: pre-wrap }
.digits { font-size: 14pt; letter-spacing: .05em; line-height: 1.6 }
"""


class _Line(msgspec.Struct, forbid_unknown_fields=True):
    text: str = ""
    command: str = ""
    when: str = ""


class _Section(msgspec.Struct, forbid_unknown_fields=True):
    heading: str
    line: list[_Line]


class _Text(msgspec.Struct, forbid_unknown_fields=True):
    title: str
    lead: str
    models: str
    no_models: str
    other_language: str
    section: list[_Section]


@dataclass(frozen=True)
class Facts:
    """What a clinic's sheet tells of a kit.

    Attributes:
        models: names with versions and levels.
        size_bytes: that the kit takes when it is installed, about.
        pythons: of which a machine with Linux needs one; empty where the kit brings its own.
        glibc: that Linux needs, such as "2.28".
    """

    name: str
    version: str
    models: Sequence[str]
    size_bytes: int
    linux: bool
    windows: bool
    pythons: Sequence[str]
    glibc: str
    demonstration: bool


def clinic_sheets(facts: Facts) -> dict[str, bytes]:
    """The page for the clinic by its file's name: HTML and text, in each language."""
    sheets = {}
    for language, name in NAMES.items():
        sheets[f"{name}.html"] = _page(facts, language).encode("utf-8")
        # Windows takes a text for UTF-8 by these three bytes.
        sheets[f"{name}.txt"] = b"\xef\xbb\xbf" + _plain(facts, language).encode("utf-8")
    return sheets


def paper_sheets(name: str, version: str, fingerprint: str, manifest_sha256: str) -> dict[str, bytes]:
    """The sheet for paper by its suffix: HTML and text, both languages on one page.

    Args:
        fingerprint: of the key, in groups.
        manifest_sha256: in groups.
    """
    lines = [
        f"Ophtimus Edge: {name} {version}",
        "",
        "Print this, and bring it to the clinic by another way than the stick.",
        "인쇄해서 USB와 다른 경로로 전달하세요.",
        "",
        "SHA-256 of the kit (manifest.json) · 키트의 SHA-256",
        *_halves(manifest_sha256),
        "",
        "Fingerprint of the key that signed it · 서명한 키의 지문",
        *_halves(fingerprint),
        "",
        "The installer shows the first of the two. If a digit differs, do not install.",
        "설치 프로그램이 위의 SHA-256을 보여 줍니다. 한 글자라도 다르면 설치하지 마세요.",
    ]
    body = [f"<h1>{html.escape(lines[0])}</h1>"]
    for line in lines[1:]:
        if line.startswith("    "):
            body.append(f'<pre class="digits">{html.escape(line.strip())}</pre>')
        elif line:
            body.append(f"<p>{html.escape(line)}</p>")
    page = _document("en", lines[0], body)
    return {
        ".html": page.encode("utf-8"),
        ".txt": b"\xef\xbb\xbf" + ("\n".join(lines) + "\n").encode("utf-8"),
    }


def _halves(digits: str) -> list[str]:
    groups = digits.split()
    return [f"    {' '.join(groups[at : at + 8])}" for at in range(0, len(groups), 8)]


@cache
def _text(language: Language) -> _Text:
    data = resources.files("ophtimus_edge.kit.building").joinpath(f"texts/{language}.toml").read_text("utf-8")
    return msgspec.convert(tomllib.loads(data), type=_Text)


def _holds(facts: Facts) -> set[str]:
    held = {
        "": True,
        "linux": facts.linux,
        "linux_python": facts.linux and bool(facts.pythons),
        "linux_runtime": facts.linux and not facts.pythons,
        "windows": facts.windows,
        "demonstration": facts.demonstration,
    }
    return {name for name, holds in held.items() if holds}


def _filled(text: str, facts: Facts, language: Language) -> str:
    last = {"en": " or ", "ko": " 또는 "}[language]
    *most, final = facts.pythons or [""]
    values = {
        "name": facts.name,
        "version": facts.version,
        "models": ", ".join(facts.models),
        "gigabytes": f"{max(facts.size_bytes / 2**30, 0.1):.1f}",
        "glibc": facts.glibc,
        "pythons": f"{', '.join(most)}{last}{final}" if most else final,
    }
    return re.sub(r"\{(\w+)\}", lambda match: values[match[1]], text)


def _page(facts: Facts, language: Language) -> str:
    text, holds = _text(language), _holds(facts)

    def shown(line: str) -> str:
        escaped = html.escape(_filled(line, facts, language))
        return re.sub(r"`([^`]+)`", r"<code>\1</code>", escaped)

    body = [
        f"<h1>{shown(text.title)}</h1>",
        f"<p>{shown(text.lead)} {shown(text.models if facts.models else text.no_models)}</p>",
    ]
    for section in text.section:
        body.append(f"<h2>{shown(section.heading)}</h2>")
        for line in section.line:
            if line.when in holds:
                body.append(
                    f"<pre>{shown(line.command)}</pre>" if line.command else f"<p>{shown(line.text)}</p>"
                )
    other = text.other_language.split()[-1]
    body.append(f'<p><a href="{html.escape(other)}">{shown(text.other_language)}</a></p>')
    return _document(language, _filled(text.title, facts, language), body)


def _document(language: Language, title: str, body: Sequence[str]) -> str:
    return "\n".join((
        "<!doctype html>",
        f'<html lang="{language}">',
        '<head><meta charset="utf-8"><meta name="viewport" content="width=device-width">',
        f"<title>{html.escape(title)}</title><style>{_STYLE}</style></head>",
        "<body>",
        *body,
        "</body>",
        "</html>",
        "",
    ))  # fmt: skip


def _plain(facts: Facts, language: Language) -> str:
    text, holds = _text(language), _holds(facts)
    title = _filled(text.title, facts, language)
    lines = [title, "=" * len(title), ""]
    lead = f"{text.lead} {text.models if facts.models else text.no_models}"
    lines += _wrapped(_filled(lead, facts, language), "")
    for section in text.section:
        lines += ["", section.heading, ""]
        for line in section.line:
            if line.when in holds and line.command:
                lines += ["", f"      {_filled(line.command, facts, language)}", ""]
            elif line.when in holds:
                lines += _wrapped(_filled(line.text, facts, language), "- ")
    # Windows' oldest editor breaks lines at these two only.
    return "\r\n".join(lines) + "\r\n"


def _wrapped(text: str, bullet: str) -> list[str]:
    # A Korean letter takes two columns: half as many of them fit.
    wide = sum(ord(letter) >= 0x1100 for letter in text) > len(text) / 4
    return textwrap.wrap(
        text, _WIDTH * 5 // 8 if wide else _WIDTH, initial_indent=bullet, subsequent_indent=" " * len(bullet),
        break_long_words=False, break_on_hyphens=False,
    )  # fmt: skip

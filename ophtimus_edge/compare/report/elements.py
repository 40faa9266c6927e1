"""HTML from elements: whatever is put into one as text is escaped when it is written.

A thin layer over the standard library's ElementTree, which writes HTML with its void elements. There is no way to
put markup into a page as a string, so none can come in with what a model or a person wrote.
"""

import re
from xml.etree import ElementTree  # only to write: nothing is parsed with it

from ophtimus_edge.text import sanitize

Element = ElementTree.Element
Child = ElementTree.Element | str | None

_HANGUL = re.compile("[\u1100-\u11ff\u3130-\u318f\uac00-\ud7a3]")

# The page may load nothing at all; its own style is the one thing that it may use.
_POLICY = "default-src 'none'; style-src 'unsafe-inline'"


def element(tag: str, *children: Child, **attributes: str | int | float | None) -> Element:
    """An element with its children; None among them is left out.

    Args:
        attributes: by name, with "_" for "-" and without one at the end: ``class_="small"``, ``stroke_width=2``.
            Those that are None are left out.
    """
    made = ElementTree.Element(tag)
    for name, value in attributes.items():
        if value is not None:
            made.set(name.rstrip("_").replace("_", "-"), _attribute(value))
    add(made, *children)
    return made


def add(parent: Element, *children: Child) -> None:
    """Put children at the end of an element."""
    for child in children:
        if isinstance(child, str):
            if len(parent):
                parent[-1].tail = (parent[-1].tail or "") + child
            else:
                parent.text = (parent.text or "") + child
        elif child is not None:
            parent.append(child)


def said(text: str, class_: str | None = None) -> Element:
    """What somebody wrote, in a line: its direction stays its own, and Korean is named so for its letters."""
    return element("bdi", text, lang=language_of(text), class_=class_)


def language_of(text: str) -> str | None:
    """The value of a ``lang`` attribute: "ko" for a text with Korean letters; English is the page's own."""
    return "ko" if _HANGUL.search(text) else None


def page(title: str, style: str, *body: Child) -> str:
    """A whole page, which loads nothing and runs nothing."""
    head = element(
        "head",
        element("meta", charset="utf-8"),
        element("meta", http_equiv="Content-Security-Policy", content=_POLICY),
        element("meta", name="viewport", content="width=device-width, initial-scale=1"),
        element("meta", name="referrer", content="no-referrer"),
        element("meta", name="color-scheme", content="light dark"),
        element("title", title),
        element("style", style),
    )
    whole = element("html", head, element("body", *body), lang="en")
    written = ElementTree.tostring(whole, encoding="unicode", method="html")
    return sanitize(f"<!DOCTYPE html>\n{written}\n")


def _attribute(value: str | int | float) -> str:
    return f"{value:.2f}".rstrip("0").rstrip(".") if isinstance(value, float) else str(value)

"""From turns to token ids.

A chat template is a program from a file; :mod:`ophtimus_edge.engine.worker.templates` renders it within
bounds. The turns' texts never pass through it: the template sees a mark in the place of each, and the texts
between the marks are tokenized with the special tokens they name, while a turn's own text is tokenized
without. A person who types ``<|eot_id|>`` asks about those letters and does not end the turn.
"""

import datetime
import re
from collections.abc import Callable

import jinja2

from ophtimus_edge.engine.messages import Turn
from ophtimus_edge.engine.worker.templates import BoundedEnvironment

Tokenize = Callable[[str, bool], list[int]]

_LONGEST_LAYOUT = 64  # of a date
# Between characters that no text has; a template that changes letters to other cases destroys it. It is the
# same in every prompt, so that a prompt does not depend on chance.
_MARK = "\ue000aB{}\ue001"
_MARKED = re.compile("\ue000aB([0-9]+)\ue001")


class TemplateError(Exception):
    """The template cannot be rendered."""


class ChatTemplate:
    """A chat template with its date fixed."""

    def __init__(self, text: str, date: str, bos: str, eos: str) -> None:
        """Compile a template.

        Args:
            text: of the template.
            date: such as "26 Jul 2024".
            bos: the text of the token that begins a text.
            eos: the text of the token that ends one.

        Raises:
            TemplateError: it does not parse, or needs what no chat template needs.
        """
        self._environment = environment = BoundedEnvironment()

        def refuse(reason: object) -> None:
            raise jinja2.TemplateError(environment.text(reason))

        def strftime_now(layout: object) -> str:
            if not isinstance(layout, str) or len(layout) > _LONGEST_LAYOUT:
                raise jinja2.TemplateRuntimeError("it writes a date in an unknown way")
            return datetime.datetime.strptime(date, "%d %b %Y").strftime(layout)

        environment.globals.update(raise_exception=refuse, strftime_now=strftime_now)
        self._variables = {"bos_token": bos, "eos_token": eos, "date_string": date}
        try:
            self._template = environment.template(text)
        except Exception as error:  # a hostile template can provoke any
            raise TemplateError(_reason(error)) from error

    def render(self, turns: list[Turn], tokenize: Tokenize) -> list[int]:
        """The ids of a conversation, up to where the assistant's next turn begins.

        Args:
            turns: oldest first; one that has ids gets them in the place of its text. Where the last is the
                assistant's, it is left open, to be gone on with.
            tokenize: text and whether the special tokens that it names count, to ids.

        Raises:
            TemplateError: the template refuses the turns, does too much, or drops or repeats a turn.
        """
        if turns and turns[-1].role == "assistant":
            begun = turns[-1]
            return self.render(turns[:-1], tokenize) + (begun.ids or tokenize(begun.text, False))
        return _ids(self._parts(turns), turns, tokenize)

    def prefix(self, system: str, tokenize: Tokenize) -> list[int]:
        """The ids that a conversation with this system prompt begins with, up to the first question's text.

        Args:
            system: the system prompt; "" for a conversation without one.
            tokenize: as in :meth:`render`.

        Raises:
            TemplateError: as in :meth:`render`.
        """
        turns = [Turn("system", system)] if system else []
        parts = self._parts([*turns, Turn("user", "")])
        return _ids(parts[: 2 * len(turns) + 1], turns, tokenize)

    def _parts(self, turns: list[Turn]) -> list[str]:
        """The rendered text, cut at the turns: the texts at even places, the turns' numbers between them."""
        messages = [{"role": turn.role, "content": _MARK.format(index)} for index, turn in enumerate(turns)]
        variables = {
            "messages": messages,
            "add_generation_prompt": True,
            "tools": None,
            "documents": None,
            **self._variables,
        }
        try:
            text = self._environment.rendered(self._template, variables)
            text.encode()  # half a surrogate pair has no bytes, and no tokens
        except Exception as error:  # a hostile template can provoke any
            raise TemplateError(_reason(error)) from error
        parts = _MARKED.split(text)
        if parts[1::2] != [str(index) for index in range(len(turns))]:
            raise TemplateError("the template drops, repeats or reorders a turn")
        if any(_MARK[0] in part or _MARK[-1] in part for part in parts[::2]):
            raise TemplateError("the template changes a turn's text")
        return parts


def _ids(parts: list[str], turns: list[Turn], tokenize: Tokenize) -> list[int]:
    ids: list[int] = []
    for position, part in enumerate(parts):
        if position % 2:
            turn = turns[int(part)]
            ids += turn.ids or tokenize(turn.text.strip(), False)
        elif part:
            ids += tokenize(part, True)
    return ids


def _reason(error: Exception) -> str:
    """What a template did wrong, in a few words; what it says of itself is cut short."""
    if isinstance(error, RecursionError):
        return "it is nested too deeply"
    text = " ".join(str(error).split())
    return text[:200].rstrip(".") or type(error).__name__

"""From turns to token ids.

A chat template is a program from a file, so it runs in jinja2's sandbox. The turns' texts never pass
through it: the template sees a mark in the place of each, and the texts between the marks are
tokenized with the special tokens they name, while a turn's own text is tokenized without. A person
who types ``<|eot_id|>`` asks about those letters and does not end the turn.
"""

import datetime
import re
import secrets
from collections.abc import Callable

import jinja2
from jinja2.sandbox import ImmutableSandboxedEnvironment

from ophtimus_edge.engine.messages import Turn

Tokenize = Callable[[str, bool], list[int]]


class TemplateError(Exception):
    """The template cannot be rendered."""


class ChatTemplate:
    """A chat template with its date fixed."""

    def __init__(self, text: str, date: str, bos: str, eos: str) -> None:
        environment = ImmutableSandboxedEnvironment(
            trim_blocks=True, lstrip_blocks=True, extensions=["jinja2.ext.loopcontrols"]
        )

        def refuse(reason: str) -> None:
            raise jinja2.TemplateError(reason)

        def strftime_now(layout: str) -> str:
            return datetime.datetime.strptime(date, "%d %b %Y").strftime(layout)

        environment.globals.update(raise_exception=refuse, strftime_now=strftime_now)
        self._variables = {"bos_token": bos, "eos_token": eos, "date_string": date}
        try:
            self._template = environment.from_string(text)
        except jinja2.TemplateError as error:
            raise TemplateError(str(error)) from error

    def render(self, turns: list[Turn], tokenize: Tokenize) -> list[int]:
        """The ids of a conversation, up to where the assistant's next turn begins.

        Args:
            turns: oldest first.
            tokenize: text and whether the special tokens that it names count, to ids.

        Raises:
            TemplateError: the template refuses the turns, or drops or repeats one.
        """
        nonce = secrets.token_hex(8)
        marks = [f"[{nonce}:{index}]" for index in range(len(turns))]
        messages = [{"role": turn.role, "content": mark} for turn, mark in zip(turns, marks, strict=True)]
        try:
            text = self._template.render(
                messages=messages, add_generation_prompt=True, tools=None, **self._variables
            )
        except (jinja2.TemplateError, TypeError, ValueError, ArithmeticError, LookupError) as error:
            raise TemplateError(str(error)) from error
        parts = re.split(rf"\[{nonce}:(\d+)\]", text)
        if [int(index) for index in parts[1::2]] != list(range(len(turns))):
            raise TemplateError("the template drops or repeats a turn")
        ids: list[int] = []
        for position, part in enumerate(parts):
            if position % 2:
                ids += tokenize(turns[int(part)].text.strip(), False)
            elif part:
                ids += tokenize(part, True)
        return ids

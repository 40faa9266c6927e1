"""Talks as JSON: everything that is kept of them, every branch and version."""

import datetime
import json
import math
from collections.abc import Sequence
from typing import Any

import msgspec

from ophtimus_edge import __version__
from ophtimus_edge.history.demonstration import is_demonstration
from ophtimus_edge.history.talk import Talk
from ophtimus_edge.history.texts import Sentences
from ophtimus_edge.models import withdrawals
from ophtimus_edge.text import sanitize

FORMAT = "ophtimus-talks"
SCHEMA_VERSION = 1


def render(talks: Sequence[Talk], language: str, at: datetime.datetime) -> bytes:
    """Talks as a JSON document, a talk a line.

    Beside the fields of :class:`ophtimus_edge.history.talk.Talk`, each answer says that it is no medical
    advice (``notice``), whether the demonstration model wrote it (``demonstration``), and why the model that wrote
    it was withdrawn (``withdrawn``, "" where it was not).
    """
    say = Sentences(language)
    head = {
        "format": FORMAT,
        "schema_version": SCHEMA_VERSION,
        "exported_at": at.isoformat(),
        "program": __version__,
        "notice": f"{say('not_advice')} {say('not_record')} {say('identifying')}",
    }
    lines = [_json(_talk(talk, say("not_advice"), say.language)) for talk in talks]
    body = ",\n".join(lines)
    return f'{_json(head)[:-1]},\n"talks":[\n{body}\n]}}\n'.encode()


def _talk(talk: Talk, notice: str, language: str) -> dict[str, Any]:
    fields: dict[str, Any] = msgspec.to_builtins(talk)
    for question, its_fields in zip(talk.questions, fields["questions"], strict=True):
        for reply, answer in zip(question.replies, its_fields["replies"], strict=True):
            taken_back = withdrawals.of(reply.provenance.sha256)
            answer |= {
                "demonstration": is_demonstration(reply.provenance),
                "withdrawn": taken_back.why(language) if taken_back else "",
                "notice": notice,
            }
    return fields


def _json(value: Any) -> str:
    return json.dumps(_sound(value), ensure_ascii=False, allow_nan=False, separators=(",", ":"))


def _sound(value: Any) -> Any:
    """The same without what JSON or UTF-8 cannot carry: half characters, and a speed that is no number."""
    if isinstance(value, str):
        return sanitize(value)
    if isinstance(value, float):
        return value if math.isfinite(value) else 0.0
    if isinstance(value, dict):
        return {sanitize(key): _sound(entry) for key, entry in value.items()}
    if isinstance(value, list):
        return value if value and isinstance(value[0], int) else [_sound(entry) for entry in value]
    return value

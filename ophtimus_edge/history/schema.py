"""The tables of a history as they were at first, and how a talk's parts are turned into rows and back.

Every message has a number that only grows: the index of words knows it by that, and the newest are those
with the highest. What a later release adds (columns, tables, keys of a JSON object) is never touched here:
rows are changed in place, column by column.
"""

import datetime
import math
from typing import Any

import msgspec

from ophtimus_edge.history.database import Row
from ophtimus_edge.history.talk import Flag, Provenance, Question, Reply, Talk
from ophtimus_edge.text import sanitize

FIRST_TABLES = """
CREATE TABLE meta(key TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE talks(
    id TEXT PRIMARY KEY,
    title TEXT NOT NULL,
    begun_at TEXT NOT NULL,
    changed_at TEXT NOT NULL,
    pinned INTEGER NOT NULL DEFAULT 0,
    held INTEGER NOT NULL DEFAULT 0,
    chosen TEXT NOT NULL DEFAULT '{}'
);
CREATE TABLE questions(
    number INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    talk TEXT NOT NULL REFERENCES talks(id) ON DELETE CASCADE,
    after TEXT NOT NULL,
    text TEXT NOT NULL,
    asked_at TEXT NOT NULL,
    shown INTEGER NOT NULL DEFAULT 0
);
CREATE INDEX questions_of_talk ON questions(talk);
CREATE TABLE replies(
    number INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    talk TEXT NOT NULL REFERENCES talks(id) ON DELETE CASCADE,
    question TEXT NOT NULL REFERENCES questions(id) ON DELETE CASCADE,
    place INTEGER NOT NULL,
    provenance TEXT NOT NULL,
    begun_at TEXT NOT NULL,
    text TEXT NOT NULL,
    ids BLOB NOT NULL,
    finish TEXT NOT NULL,
    note TEXT NOT NULL,
    notices TEXT NOT NULL,
    dropped TEXT NOT NULL,
    prompt_tokens INTEGER NOT NULL,
    completion_tokens INTEGER NOT NULL,
    tokens_per_s REAL NOT NULL,
    keep INTEGER NOT NULL DEFAULT 0,
    flag TEXT
);
CREATE INDEX replies_of_talk ON replies(talk);
CREATE INDEX replies_of_question ON replies(question);
CREATE INDEX replies_growing ON replies(finish) WHERE finish = 'writing';
CREATE TABLE deletions(at TEXT NOT NULL, talks INTEGER NOT NULL, messages INTEGER NOT NULL);
CREATE VIRTUAL TABLE search USING fts5(
    words, content = '', contentless_delete = 1, tokenize = 'ascii'
);
"""

_REPLY_COLUMNS = (
    "provenance", "begun_at", "text", "ids", "finish", "note", "notices", "dropped",
    "prompt_tokens", "completion_tokens", "tokens_per_s", "keep", "flag",
)  # fmt: skip
_NEXT_NUMBER = (
    "1 + (SELECT coalesce(max(number), 0) FROM"
    " (SELECT max(number) AS number FROM questions UNION ALL SELECT max(number) FROM replies))"
)

BEGIN_TALK = (
    "INSERT INTO talks(id, title, begun_at, changed_at) VALUES(?, '', ?, ?) ON CONFLICT(id) DO NOTHING"
)
# What a later release added to the provenance stays: the two objects are merged.
KEEP_REPLY = (
    f"INSERT INTO replies(number, id, talk, question, place, {', '.join(_REPLY_COLUMNS)})"
    f" VALUES({_NEXT_NUMBER}, ?, ?, ?, ?{', ?' * len(_REPLY_COLUMNS)})"
    " ON CONFLICT(id) DO UPDATE SET provenance = json_patch(provenance, excluded.provenance), "
    + ", ".join(f"{column} = excluded.{column}" for column in _REPLY_COLUMNS if column != "provenance")
    + " RETURNING number"
)
KEEP_QUESTION = (
    "INSERT INTO questions(number, id, talk, after, text, asked_at, shown)"
    f" VALUES({_NEXT_NUMBER}, ?, ?, ?, ?, ?, ?)"
    " ON CONFLICT(id) DO UPDATE SET shown = excluded.shown RETURNING number"
)
READ_REPLIES = (
    f"SELECT question, id, {', '.join(_REPLY_COLUMNS)} FROM replies WHERE talk = ? ORDER BY place, number"  # noqa: S608
)
READ_QUESTIONS = "SELECT id, after, text, asked_at, shown FROM questions WHERE talk = ? ORDER BY number"
READ_TALK = "SELECT id, title, begun_at, pinned, held, chosen FROM talks WHERE id = ?"


def begun_row(talk: Talk) -> Row:
    """The values of BEGIN_TALK."""
    return talk.id, talk.begun_at.isoformat(), talk.begun_at.isoformat()


def question_row(talk: Talk, question: Question) -> Row:
    """The values of KEEP_QUESTION."""
    return (
        question.id, talk.id, question.after, sanitize(question.text), question.asked_at.isoformat(),
        question.shown,
    )  # fmt: skip


def reply_row(talk: Talk, question: Question, reply: Reply) -> Row:
    """The values of KEEP_REPLY."""
    place = next((at for at, other in enumerate(question.replies) if other.id == reply.id), 0)
    return (
        reply.id, talk.id, question.id, place, as_json(reply.provenance), reply.begun_at.isoformat(),
        sanitize(reply.text), msgspec.msgpack.encode(reply.ids), reply.finish, sanitize(reply.note),
        as_json(reply.notices), as_json(reply.dropped), reply.prompt_tokens, reply.completion_tokens,
        reply.tokens_per_s if math.isfinite(reply.tokens_per_s) else 0.0, reply.keep, flag_json(reply.flag),
    )  # fmt: skip


def flag_json(flag: Flag | None) -> str | None:
    """A flag as its column holds it."""
    return None if flag is None else as_json(flag)


def as_json(value: object) -> str:
    """A value as JSON, its texts sanitized: an unpaired surrogate in a name must not stop an answer."""
    return msgspec.json.encode(_sanitized(msgspec.to_builtins(value))).decode()


def _sanitized(value: Any) -> Any:
    if isinstance(value, str):
        return sanitize(value)
    if isinstance(value, list):
        return [_sanitized(item) for item in value]
    if isinstance(value, dict):
        return {key: _sanitized(item) for key, item in value.items()}
    return value


def talk_of(row: Row, questions: list[Row], replies: list[Row]) -> Talk:
    """A talk from the rows of READ_TALK, READ_QUESTIONS and READ_REPLIES.

    Raises:
        msgspec.ValidationError, msgspec.DecodeError, ValueError: a row is not as it was written.
    """
    of_question: dict[str, list[Reply]] = {}
    for question, *values in replies:
        of_question.setdefault(question, []).append(_reply(values))
    talk = Talk(
        id=row[0],
        title=row[1],
        begun_at=moment(row[2]),
        pinned=bool(row[3]),
        held=bool(row[4]),
        chosen=_CHOSEN.decode(row[5]),
    )
    for id_, after, text, asked_at, shown in questions:
        answers = of_question.get(id_, [])
        talk.questions.append(
            Question(
                id=id_, after=after, text=text, asked_at=moment(asked_at), replies=answers,
                shown=shown if 0 <= shown < len(answers) else 0,
            )
        )  # fmt: skip
    return talk


def moment(text: str) -> datetime.datetime:
    """A time as :func:`datetime.datetime.isoformat` wrote it."""
    return datetime.datetime.fromisoformat(text)


_CHOSEN = msgspec.json.Decoder(dict[str, str])
_PROVENANCE = msgspec.json.Decoder(Provenance)
_STRINGS = msgspec.json.Decoder(list[str])
_IDS = msgspec.msgpack.Decoder(list[int])
_FLAG = msgspec.json.Decoder(Flag)


def _reply(values: list[Any]) -> Reply:
    kept = dict(zip(("id", *_REPLY_COLUMNS), values, strict=True))
    return Reply(
        id=kept["id"],
        provenance=_PROVENANCE.decode(kept["provenance"]),
        begun_at=moment(kept["begun_at"]),
        text=kept["text"],
        ids=_IDS.decode(kept["ids"]),
        finish=kept["finish"],
        note=kept["note"],
        notices=_STRINGS.decode(kept["notices"]),
        dropped=_STRINGS.decode(kept["dropped"]),
        prompt_tokens=kept["prompt_tokens"],
        completion_tokens=kept["completion_tokens"],
        tokens_per_s=kept["tokens_per_s"],
        keep=bool(kept["keep"]),
        flag=None if kept["flag"] is None else _FLAG.decode(kept["flag"]),
    )

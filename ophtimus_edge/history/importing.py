"""The JSON of an export back into talks.

A file may come from anywhere. So its size and depth are bounded, every text is sanitized (and otherwise left as
it is, composed or decomposed), and the tree must be one that a talk can be: every question reachable from the
beginning, every id once. What cannot be a talk is refused, with its place; what is merely of no use is left out:
choices and dropped turns that name nothing here, fields that this release does not know.

The tokens of an answer stand in later prompts as they are, and nobody sees whether they mean what its text says.
From a file they are therefore left out, unless asked for; the words stand for them.
"""

import datetime
import math
import re
import uuid
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Literal

import msgspec

from ophtimus_edge.errors import FormatVersionError, HistoryImportError
from ophtimus_edge.history.export.document import FORMAT, SCHEMA_VERSION
from ophtimus_edge.history.talk import Question, Reply, Talk
from ophtimus_edge.text import sanitize

MOST_BYTES = 256 << 20
_MOST_TALKS = 100_000
_MOST_QUESTIONS = 10_000  # of one talk
_MOST_REPLIES = 1_000  # to one question
_MOST_TEXT = 1 << 20  # characters of a question, an answer or a correction
_MOST_LINE = 2_000  # characters of a name or a title
_MOST_NOTICES = 1_000
_MOST_TOKENS = 1 << 20
_LARGEST = (1 << 63) - 1  # that a database keeps
_YEARS = range(1970, 9000)
_ID = re.compile(r"[0-9A-Za-z_-]{1,64}")

_ELSEWHERE = "Export it again with Ophtimus, and do not change the file by hand."


class _Head(msgspec.Struct):
    format: Literal["ophtimus-talks"]
    schema_version: int


class _Document(_Head):
    talks: list[msgspec.Raw]


def read(path: Path, taken: Collection[str] = (), keep_tokens: bool = False) -> list[Talk]:
    """The talks of an exported JSON file; see :func:`talks_of`.

    Raises:
        HistoryImportError: it cannot be read, is larger than 256 MiB, or is no sound export.
        FormatVersionError: a newer release wrote it.
    """
    try:
        with path.open("rb") as file:
            data = file.read(MOST_BYTES + 1)
    except OSError as error:
        raise HistoryImportError(
            f"{path} cannot be read: {error.strerror or error}.", "Check the path and the file."
        ) from error
    return talks_of(data, str(path), taken, keep_tokens)


def talks_of(
    data: bytes, origin: str = "the file", taken: Collection[str] = (), keep_tokens: bool = False
) -> list[Talk]:
    """The talks of an exported JSON document, all of them or none.

    Args:
        origin: the file's name, for messages.
        taken: ids of talks, questions and answers that are in use; what has one of them, or one of an
            earlier talk of the file, gets a new one.
        keep_tokens: take over the answers' tokens, from a file that this computer's own history wrote.

    Raises:
        HistoryImportError: it is too large or no sound export; the message names the place.
        FormatVersionError: a newer release wrote it.
    """
    if len(data) > MOST_BYTES:
        raise HistoryImportError(
            f"{origin} is larger than {MOST_BYTES >> 20} MiB.", "Export fewer conversations into one file."
        )
    raws = _document(data, origin).talks
    if len(raws) > _MOST_TALKS:
        raise HistoryImportError(
            f"{origin} has {len(raws):,} conversations; {_MOST_TALKS:,} are taken at most.",
            "Export fewer conversations into one file.",
        )
    in_use = set(taken)
    talks = []
    for number, raw in enumerate(raws, start=1):
        place = f"{origin}, conversation {number}"
        try:
            talk = msgspec.json.decode(raw, type=Talk)
        except (msgspec.DecodeError, ValueError, RecursionError) as error:
            raise _refused(place, _reason(error)) from error
        _check(talk, place)
        _clean(talk, keep_tokens)
        in_use |= _with_free_ids(talk, in_use)
        talks.append(talk)
    return talks


def _document(data: bytes, origin: str) -> _Document:
    data = data.removeprefix(b"\xef\xbb\xbf")  # an editor's byte order mark
    try:
        version = msgspec.json.decode(data, type=_Head).schema_version
        if version > SCHEMA_VERSION:
            raise FormatVersionError(
                f"{origin} has format version {version}; this release reads up to {SCHEMA_VERSION}.",
                "Update Ophtimus Edge, or export it with this release.",
            )
        return msgspec.json.decode(data, type=_Document)
    except (msgspec.DecodeError, ValueError, RecursionError) as error:
        raise HistoryImportError(
            f"{origin} is no sound export of conversations ({FORMAT}): {_reason(error)}.",
            "Name a file that was made with the export to JSON; copy it again if it is damaged.",
        ) from error


def _reason(error: Exception) -> str:
    if isinstance(error, RecursionError):
        return "it is nested too deeply"
    return sanitize(str(error)).removesuffix(".")[:300]


def _refused(place: str, reason: str) -> HistoryImportError:
    return HistoryImportError(f"{place}: {reason}. Nothing was imported.", _ELSEWHERE)


# --- what is refused -----------------------------------------------------------------------------------


def _check(talk: Talk, place: str) -> None:
    """Refuse what no talk can be."""
    _check_id(talk.id, place)
    _check_time(talk.begun_at, place)
    _check_length(talk.title, _MOST_LINE, f"{place}, its title")
    _check_count(talk.questions, _MOST_QUESTIONS, "questions", place)
    ids: set[str] = set()
    follows: dict[str, list[Question]] = {}
    for number, question in enumerate(talk.questions, start=1):
        where = f"{place}, question {number}"
        _check_question(question, where)
        for one in (question.id, *(reply.id for reply in question.replies)):
            if one in ids:
                raise _refused(where, f"the id {one} is there twice")
            ids.add(one)
        follows.setdefault(question.after, []).append(question)
    reached, answers = 0, [""]
    while answers:
        for question in follows.pop(answers.pop(), []):
            reached += 1
            answers += [reply.id for reply in question.replies]
    if reached < len(talk.questions):
        lost = next(iter(follows.values()))[0]
        number = talk.questions.index(lost) + 1
        raise _refused(f"{place}, question {number}", "it follows no answer that leads back to the beginning")


def _check_question(question: Question, where: str) -> None:
    _check_id(question.id, where)
    if question.after:
        _check_id(question.after, where)
    _check_time(question.asked_at, where)
    _check_length(question.text, _MOST_TEXT, where)
    _check_count(question.replies, _MOST_REPLIES, "answers", where)
    if not 0 <= question.shown < max(1, len(question.replies)):
        raise _refused(where, f"it shows answer {question.shown} of {len(question.replies)}")
    for number, reply in enumerate(question.replies, start=1):
        _check_reply(reply, f"{where}, answer {number}")


def _check_reply(reply: Reply, where: str) -> None:
    how = reply.provenance
    _check_id(reply.id, where)
    _check_time(reply.begun_at, where)
    for name in (how.model, how.version, how.level, how.sha256, how.role, reply.failure):
        _check_length(name, _MOST_LINE, where)
    texts = [reply.text, reply.note, *reply.notices]
    if reply.flag:
        _check_time(reply.flag.at, where)
        texts.append(reply.flag.correction)
    for text in texts:
        _check_length(text, _MOST_TEXT, where)
    _check_count(reply.notices, _MOST_NOTICES, "notices", where)
    _check_count(reply.dropped, _MOST_QUESTIONS, "dropped questions", where)
    _check_count(reply.ids, _MOST_TOKENS, "tokens", where)
    for count in (how.seed, reply.prompt_tokens, reply.completion_tokens, *reply.ids):
        if not 0 <= count <= _LARGEST:
            raise _refused(where, f"the number {count} is out of range")
    for measure in (how.temperature, reply.tokens_per_s):
        if not (math.isfinite(measure) and measure >= 0):
            raise _refused(where, f"the number {measure} is out of range")


def _check_id(name: str, place: str) -> None:
    if not _ID.fullmatch(name):
        raise _refused(place, f"{sanitize(name)[:80]!r} is no id")


def _check_time(at: datetime.datetime, place: str) -> None:
    if at.tzinfo is None:
        raise _refused(place, f"the time {at.isoformat()} has no offset from UTC")
    if at.year not in _YEARS:
        raise _refused(place, f"the year {at.year} is out of range")


def _check_length(text: str, most: int, place: str) -> None:
    if len(text) > most:
        raise _refused(place, f"a text has {len(text):,} characters; {most:,} are taken at most")


def _check_count(entries: Sequence[object], most: int, what: str, place: str) -> None:
    if len(entries) > most:
        raise _refused(place, f"it has {len(entries):,} {what}; {most:,} are taken at most")


# --- what is cleaned -----------------------------------------------------------------------------------


def _clean(talk: Talk, keep_tokens: bool) -> None:
    """Sanitize the texts, and leave out what is of no use here."""
    talk.title = " ".join(sanitize(talk.title).splitlines())
    after = {question.id: question.after for question in talk.questions}
    talk.chosen = {key: chosen for key, chosen in talk.chosen.items() if after.get(chosen) == key}
    for question in talk.questions:
        question.text = sanitize(question.text)
        for reply in question.replies:
            _clean_reply(reply, keep_tokens)
            reply.dropped = [one for one in reply.dropped if one in after]


def _clean_reply(reply: Reply, keep_tokens: bool) -> None:
    how = reply.provenance
    reply.provenance = msgspec.structs.replace(
        how,
        model=_line(how.model),
        version=_line(how.version),
        level=_line(how.level),
        sha256=_line(how.sha256),
        role=_line(how.role),
    )
    words = sanitize(reply.text)
    if not keep_tokens or words != reply.text:
        reply.ids = []
    reply.text = words
    reply.note, reply.failure = sanitize(reply.note), sanitize(reply.failure)
    reply.notices = [sanitize(notice) for notice in reply.notices]
    if reply.finish == "writing":  # nobody writes it any more
        reply.finish = "cancelled"
    if reply.flag:
        reply.flag = msgspec.structs.replace(reply.flag, correction=sanitize(reply.flag.correction))


def _line(text: str) -> str:
    return " ".join(sanitize(text).splitlines())


def _with_free_ids(talk: Talk, in_use: set[str]) -> set[str]:
    """Give what has an id that is in use a new one, everywhere; returns the talk's ids."""
    own = [talk.id]
    for question in talk.questions:
        own += [question.id, *(reply.id for reply in question.replies)]
    new = {one: uuid.uuid4().hex if one in in_use else one for one in own}
    new[""] = ""
    talk.id = new[talk.id]
    talk.chosen = {new[key]: new[chosen] for key, chosen in talk.chosen.items()}
    for question in talk.questions:
        question.id, question.after = new[question.id], new[question.after]
        for reply in question.replies:
            reply.id, reply.dropped = new[reply.id], [new[one] for one in reply.dropped]
    return set(new.values()) - {""}

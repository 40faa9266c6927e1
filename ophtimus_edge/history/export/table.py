"""Talks as CSV for spreadsheets: a row for each question that is shown.

UTF-8 behind a byte order mark, so that Korean Excel reads it. A cell that a spreadsheet would run as a formula
gets an apostrophe in front (:mod:`ophtimus_edge.spreadsheets`), and the last column names the columns whose
cells got one: taking one apostrophe away from each of them gives back every word, as :func:`read` does.
"""

import csv
import io
from collections.abc import Sequence

from ophtimus_edge.history.export.shown import (
    Shown,
    dropped_line,
    flag_title,
    moment,
    role_title,
    shown,
    warnings,
)
from ophtimus_edge.history.talk import Talk
from ophtimus_edge.history.texts import Sentences
from ophtimus_edge.spreadsheets import ENCODING, GUARD, guarded
from ophtimus_edge.text import sanitize

_BETWEEN = " | "
_COLUMNS = (
    "column_talk", "column_number", "column_branch", "column_asked_at", "column_question",
    "column_answer_version", "label_flag", "column_answer", "column_correction", "label_finish",
    "label_model", "label_version", "label_level", "label_sha256", "label_role", "label_temperature",
    "label_seed", "label_again", "label_begun_at", "label_tokens", "label_note", "column_notices",
    "column_dropped", "column_not_advice", "column_talk_id",
)  # fmt: skip


def render(talks: Sequence[Talk], language: str) -> bytes:
    """Talks as a CSV table with a row of headings."""
    say = Sentences(language)
    names = [say(column) for column in _COLUMNS]
    stream = io.StringIO(newline="")
    writer = csv.writer(stream)
    writer.writerow([*names, say("column_guarded")])
    for talk in talks:
        for item in shown(talk):
            cells = [sanitize(cell) for cell in _cells(talk, item, say)]
            safe = [guarded(cell) for cell in cells]
            changed = [name for name, cell, one in zip(names, cells, safe, strict=True) if cell != one]
            writer.writerow([*safe, _BETWEEN.join(changed)])
    return stream.getvalue().encode(ENCODING)


def read(content: bytes) -> list[dict[str, str]]:
    """The rows of a table of :func:`render`, each word as it was before apostrophes were put in front."""
    rows = []
    reader = csv.DictReader(io.StringIO(content.decode(ENCODING), newline=""))
    for row in reader:
        *names, marked = row
        changed = row.pop(marked).split(_BETWEEN)
        rows.append({name: row[name].removeprefix(GUARD) if name in changed else row[name] for name in names})
    return rows


def _cells(talk: Talk, item: Shown, say: Sentences) -> list[str]:
    question, reply = item.question, item.reply
    place = [talk.title, str(item.number), _of(item.branch, say), moment(question.asked_at), question.text]
    if reply is None:
        return [*place, *[""] * (len(_COLUMNS) - len(place) - 1), talk.id]
    how, flag = reply.provenance, reply.flag
    return [
        *place,
        _of(item.version, say),
        flag_title(flag, say) if flag else "",  # before the answer: a cell cannot be struck through
        reply.text,
        flag.correction if flag else "",
        say(f"finish_{reply.finish}"),
        how.model,
        how.version,
        how.level,
        how.sha256,
        role_title(how.role, say.language),
        f"{how.temperature:g}",
        str(how.seed),
        say("yes" if how.again else "no"),
        moment(reply.begun_at),
        str(reply.completion_tokens),
        reply.note,
        _BETWEEN.join([*warnings(reply, say), *reply.notices]),
        dropped_line(item, say),
        say("not_advice"),
        talk.id,
    ]


def _of(place: tuple[int, int], say: Sentences) -> str:
    """Such as "1 of 2", in words: a spreadsheet takes 1/2 for a date."""
    return say("of", place=place[0], count=place[1]) if place[1] > 1 else str(place[0])

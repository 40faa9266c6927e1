"""Talks as one HTML page for printing: no script, no network, light, A4, and no table cut in two.

What people and models wrote is escaped and stands as it was written; no renderer of Markdown touches it.
"""

import datetime
from collections.abc import Iterator, Sequence

from ophtimus_edge.history.export.shown import (
    Shown,
    answer_title,
    dropped_line,
    flag_title,
    marks,
    moment,
    opening,
    origin,
    question_title,
    shown,
    talk_title,
    warnings,
)
from ophtimus_edge.history.paper import escaped, page, words
from ophtimus_edge.history.talk import Reply, Talk
from ophtimus_edge.history.texts import Sentences

_STYLE = """
body { font-size: 12pt; }
h1 { font-size: 18pt; }
h2 { font-size: 15pt; border-top: 2pt solid #222; padding-top: 6pt; margin-top: 24pt; }
h3 { font-size: 12pt; margin: 18pt 0 4pt; }
h4 { font-size: 12pt; margin: 10pt 0 4pt; }
.words.asked { border-left: 3pt solid #666; padding-left: 8pt; }
.small { font-size: 10pt; color: #333; }
.warning { font-weight: bold; border: 1.5pt solid #222; padding: 4pt 8pt; }
.notices { margin: 4pt 0; border-left: 3pt double #222; padding-left: 8pt; }
del { display: block; }
del, del .words { text-decoration: line-through; }
table { border-collapse: collapse; width: 100%; font-size: 10pt; margin: 8pt 0 0; }
th, td { text-align: left; vertical-align: top; border: 0.5pt solid #888; padding: 2pt 6pt;
         overflow-wrap: anywhere; }
th { width: 30%; font-weight: normal; color: #333; }
"""


def render(talks: Sequence[Talk], language: str, at: datetime.datetime) -> bytes:
    """Talks as an HTML page."""
    say = Sentences(language)
    over = opening(talks, say, at)
    parts = [
        f"<h1>{escaped(over.title)}</h1>",
        f"<p class=small>{escaped(over.exported)}</p>",
        f"<p class=warning>{escaped(over.warning)}</p>",
        f"<p>{escaped(over.notes)}</p>",
    ]
    for talk in talks:
        parts += _talk(talk, say)
    return page(over.title, say.language, _STYLE, parts).encode()


def _talk(talk: Talk, say: Sentences) -> Iterator[str]:
    yield f"<h2>{escaped(talk_title(talk, say))}</h2>"
    yield f"<p class=small>{escaped(marks(talk, say))}</p>"
    items = shown(talk)
    if not items:
        yield f"<p>{escaped(say('empty'))}</p>"
    for item in items:
        yield f"<h3>{escaped(question_title(item, say))}</h3>"
        yield f"<p class=small>{escaped(moment(item.question.asked_at))}</p>"
        yield words(item.question.text, "asked")
        if item.reply is None:
            yield f"<p>{escaped(say('no_answer'))}</p>"
        else:
            yield from _answer(item, item.reply, say)


def _answer(item: Shown, reply: Reply, say: Sentences) -> Iterator[str]:
    yield f"<h4>{escaped(answer_title(item, say))}</h4>"
    for warning in warnings(reply, say):
        yield f"<p class=warning>{escaped(warning)}</p>"
    if reply.notices:
        yield f"<div class=notices><p>{escaped(say('notice'))}:</p>"
        yield words("\n".join(reply.notices), "notice")
        yield "</div>"
    if dropped := dropped_line(item, say):
        yield f"<p class=small>{escaped(dropped)}</p>"
    answer = words(reply.text, "answer") if reply.text else f"<p>{escaped(say('no_words'))}</p>"
    if reply.flag:
        yield f"<p class=warning>{escaped(flag_title(reply.flag, say))}. {escaped(say('flagged_struck'))}</p>"
        yield f"<del>{answer}</del>"
        if reply.flag.correction:
            yield f"<h4>{escaped(say('correction'))}</h4>"
            yield words(reply.flag.correction, "correction")
        else:
            yield f"<p>{escaped(say('no_correction'))}</p>"
    else:
        yield answer
    rows = "".join(
        f"<tr><th scope=row>{escaped(label)}</th><td>{escaped(value)}</td></tr>"
        for label, value in origin(reply, say)
    )
    yield f"<table><tbody>{rows}</tbody></table>"
    yield f"<p class=small>{escaped(say('not_advice'))}</p>"

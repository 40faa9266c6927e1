"""A handout for a patient: an answer that a person has read and corrected, in large type.

What goes to a patient is never what a model wrote: :func:`draft_of` gives a copy to be edited, and :func:`page`
prints what a person has made of it, with that person's name. When to come back at once is said by the field's
standing sentences, which are data and not reviewed by a physician: who signs the page has read them too.
"""

import datetime
import unicodedata
from typing import Literal

from ophtimus_edge.errors import HandoutRefusedError
from ophtimus_edge.history.demonstration import is_demonstration
from ophtimus_edge.history.paper import escaped, words
from ophtimus_edge.history.paper import page as paper_page
from ophtimus_edge.history.talk import Reply, Talk
from ophtimus_edge.history.texts import Sentences
from ophtimus_edge.models import withdrawals
from ophtimus_edge.specialties.come_back import come_back
from ophtimus_edge.text import sanitize

MOST_CHARACTERS = 20_000  # of a handout: some 15 pages
_MOST_LINE = 200
_JAMO = ("\u1100", "\u11ff")  # of which syllables are composed
_FILLERS = "\u115f\u1160\u3164\uffa0"  # letters by category, and nothing on paper

Refusal = Literal["flagged", "demonstration", "withdrawn", "writing", "empty"]
_REFUSED: dict[Refusal, tuple[str, str]] = {
    "flagged": (
        "this answer is flagged as {kind}; no handout is made of it.",
        "Choose another answer, or ask again. If the flag is a mistake, take it away first.",
    ),
    "demonstration": (
        "the demonstration model wrote this answer; no handout is made of it.",
        "Ask a model that is made for clinical use.",
    ),
    "withdrawn": (
        "the model that wrote this answer was withdrawn by its maker; no handout is made of it.",
        "Ask another model.",
    ),
    "writing": ("this answer is still being written.", "Wait until it is complete."),
    "empty": ("this answer has no words.", "Choose another answer, or ask again."),
}

# No letter on the page is smaller than this: large print begins at 16 points.
LEAST_POINTS = 16

_STYLE = f"""
body {{ font-size: {LEAST_POINTS + 1}pt; line-height: 1.6; }}
h1 {{ font-size: 24pt; }}
h2 {{ font-size: 19pt; margin: 0 0 6pt; }}
.words {{ margin: 12pt 0; }}
.signs {{ border: 2pt solid #000; padding: 8pt 12pt; margin: 14pt 0; }}
.signs ul {{ margin: 4pt 0 10pt; padding-left: 20pt; }}
li {{ break-inside: avoid; margin-bottom: 4pt; }}
.foot {{ font-size: {LEAST_POINTS}pt; break-inside: avoid; }}
.foot p {{ margin: 4pt 0; }}
"""


def draft_of(talk: Talk, reply: Reply) -> str:
    """The words of an answer, for a person to correct; nothing of how it was made.

    Raises:
        HandoutRefusedError: the answer is flagged, the demonstration model's or a withdrawn one's,
            still being written or empty.
        ValueError: the answer is not of this talk.
    """
    if not any(reply is one for question in talk.questions for one in question.replies):
        raise ValueError("the answer is not of this talk")
    if why := refusal(reply):
        message, hint = _REFUSED[why]
        raise HandoutRefusedError(message.format(kind=reply.flag.kind if reply.flag else ""), hint)
    return sanitize(reply.text)


def refusal(reply: Reply) -> Refusal | None:
    """Why no handout is made of an answer; None where one can be made."""
    if reply.flag is not None:
        return "flagged"
    if is_demonstration(reply.provenance):
        return "demonstration"
    if withdrawals.of(reply.provenance.sha256):
        return "withdrawn"
    if reply.finish == "writing":
        return "writing"
    return None if reply.text.strip() else "empty"


def page(
    text: str,
    checked_by: str,
    language: str = "ko",
    *,
    on: datetime.date | None = None,
    contact: str = "",
    title: str = "",
) -> str:
    """A handout as an HTML page to print.

    Args:
        text: what a person has made of the draft; it is printed to the letter.
        checked_by: who has read and corrected it.
        language: of what stands around it, ``en`` or ``ko``.
        on: the date on it; today, where it is not given.
        contact: how the clinic is reached, in its own words.
        title: in the place of the general one.

    Raises:
        HandoutRefusedError: the text or the name is missing, or too long.
    """
    say = Sentences(language)
    text, name, contact, title = (sanitize(one).strip() for one in (text, checked_by, contact, title))
    if not _has_letters(text):
        raise HandoutRefusedError("the handout is empty.", "Write what the patient should read.")
    if not _has_letters(name):
        raise HandoutRefusedError(
            "nobody's name stands under the handout.",
            "Read and correct it, and write the name of the person who did.",
        )
    if len(text) > MOST_CHARACTERS or max(len(name), len(contact), len(title)) > _MOST_LINE:
        raise HandoutRefusedError(
            f"the handout is too long: {len(text):,} characters.",
            f"A text of {MOST_CHARACTERS:,} characters is printed at most, and lines of {_MOST_LINE}.",
        )
    title = title or say("handout_title")
    parts = [f"<h1>{escaped(title)}</h1>", words(text, "handout"), *_signs(say), "<div class=foot>"]
    if contact:
        parts.append(f"<p><b>{escaped(say('handout_contact'))}</b>: {escaped(contact)}</p>")
    parts += [
        f"<p>{escaped(say('handout_checked', name=name))}</p>",
        f"<p>{escaped(say('handout_date', date=(on or datetime.date.today()).isoformat()))}</p>",
        f"<p>{escaped(say('handout_written'))} {escaped(say('handout_supports'))}</p>",
        "</div>",
    ]
    return paper_page(title, say.language, _STYLE, parts)


def language_of(text: str) -> Literal["en", "ko"]:
    """What a patient reads, by most of the letters; a Korean syllable has two or three.

    So a Korean text may name its terms in English too, and an English one a person in Korean.
    """
    letters = [letter for letter in unicodedata.normalize("NFD", text) if letter.isalpha()]
    korean = sum(_JAMO[0] <= letter <= _JAMO[1] for letter in letters)
    return "ko" if 2 * korean > len(letters) else "en"


def standing_sentences(language: str) -> list[str]:
    """What every handout says beside its text, for the person who signs it to read: headings, then sentences."""
    return [line for heading, signs in standing_groups(language) for line in (heading, *signs)]


def standing_groups(language: str) -> list[tuple[str, list[str]]]:
    """The same, each heading with its sentences."""
    return _groups(Sentences(language))


def _signs(say: Sentences) -> list[str]:
    parts = ["<div class=signs>"]
    for heading, signs in _groups(say):
        parts.append(f"<h2>{escaped(heading)}</h2>")
        parts.append("<ul>" + "".join(f"<li>{escaped(sign)}</li>" for sign in signs) + "</ul>")
    return [*parts, "</div>"]


def _groups(say: Sentences) -> list[tuple[str, list[str]]]:
    return [
        (heading, [sign.when[say.language] for sign in come_back() if sign.ambulance is ambulance])
        for ambulance, heading in ((True, say("handout_ambulance")), (False, say("handout_come_back")))
    ]


def _has_letters(text: str) -> bool:
    """Whether something of it is seen on paper and can be read."""
    return any(unicodedata.category(one)[0] in "LN" and one not in _FILLERS for one in text)

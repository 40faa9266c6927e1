"""Talks of every shape, for tests of what is made of them."""

import datetime
from collections.abc import Callable

from hypothesis import strategies as st

from ophtimus_edge.history.talk import Flag, Provenance, Reply, Talk, new_talk
from ophtimus_edge.text import sanitize

AT = datetime.datetime(2026, 3, 1, 9, 41, 7, tzinfo=datetime.timezone(datetime.timedelta(hours=9)))
HOW = Provenance(
    model="Ophtimus-Llama-8B",
    version="1",
    level="Q4_K_M",
    sha256="ab" * 32,
    role="clinical",
    temperature=0.7,
    seed=4711,
)

# Letters that formats trip over: marks of Markdown, HTML and CSV, formulas, Korean in both forms, line ends.
LETTERS = "ab 1.-=+@'\"`~*_<>&#|;,\t\n\u2028\u00a0가각ᄀ각녹👁\ufeff\ufffd\\"
texts = st.text(st.sampled_from(LETTERS) | st.characters(codec="utf-8"), max_size=30).map(sanitize)
words = texts.filter(lambda text: bool(text.strip()))
lines = texts.map(lambda text: " ".join(text.split()))
times = st.datetimes(
    datetime.datetime(1970, 1, 2),
    datetime.datetime(2200, 1, 1),
    timezones=st.integers(-14 * 60, 14 * 60).map(
        lambda minutes: datetime.timezone(datetime.timedelta(minutes=minutes))
    ),
)
flags = st.builds(Flag, kind=st.sampled_from(["wrong", "unsafe", "incomplete"]), correction=texts, at=times)
provenances = st.builds(
    Provenance,
    model=lines,
    version=lines,
    level=lines,
    sha256=st.sampled_from(["", "0f" * 32]),
    role=st.sampled_from(["clinical", "free", "of a later release"]),
    temperature=st.floats(0, 2),
    seed=st.integers(0, (1 << 32) - 2),
    again=st.booleans(),
    demonstration=st.booleans(),
)


@st.composite
def talks(draw: Callable[..., object]) -> Talk:
    """A talk that was led by asking, asking again, editing and stepping through versions and branches."""
    pick: Callable[..., object] = draw
    talk = new_talk()
    talk.begun_at = pick(times)  # type: ignore[assignment]
    for step in pick(st.lists(st.sampled_from(["ask", "edit", "again", "version", "branch"]), max_size=12)):  # type: ignore[attr-defined]
        path = talk.path()
        place = path[pick(st.integers(0, len(path) - 1))] if path else None  # type: ignore[call-overload]
        if step == "ask" or place is None:
            if not path or path[-1].reply is not None:
                talk.ask(str(pick(words))).asked_at = pick(times)  # type: ignore[assignment]
        elif step == "edit":
            talk.ask(str(pick(words)), instead_of=place)
        elif step == "again":
            _answer(talk.begin_reply(place, pick(provenances)), pick, [one.id for one in path])  # type: ignore[arg-type]
        elif step == "version":
            talk.show_reply(place, 1)
        else:
            talk.show_branch(place, 1)
    talk.pinned, talk.held = bool(pick(st.booleans())), bool(pick(st.booleans()))
    return talk


def _answer(reply: Reply, pick: Callable[..., object], earlier: list[str]) -> None:
    values = {
        "text": texts,
        "ids": st.lists(st.integers(0, 128_255), max_size=4),
        "finish": st.sampled_from(["stop", "length", "cancelled", "failed"]),
        "note": texts,
        "notices": st.lists(texts, max_size=2),
        "dropped": st.lists(st.sampled_from(earlier), unique=True),
        "prompt_tokens": st.integers(0, 10_000),
        "completion_tokens": st.integers(0, 10_000),
        "tokens_per_s": st.floats(0, 10_000),
        "keep": st.booleans(),
        "flag": st.none() | flags,
        "begun_at": times,
    }
    for name, strategy in values.items():
        setattr(reply, name, pick(strategy))


def talk_with(question: str, answer: str, **reply: object) -> Talk:
    """A talk of one question and its answer."""
    talk = new_talk()
    talk.begun_at = AT
    asked = talk.ask(question)
    asked.asked_at = AT
    made = talk.begin_reply(asked, HOW)
    made.text, made.finish, made.begun_at = answer, "stop", AT
    for name, value in reply.items():
        setattr(made, name, value)
    return talk

"""A question and its answer as they stand on the screen."""

import asyncio
from collections.abc import Callable
from typing import ClassVar

from textual import events
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.message import Message
from textual.widgets import Static

from ophtimus_edge.history.talk import Question, Reply, Talk
from ophtimus_edge.models import withdrawals
from ophtimus_edge.safety import emergencies
from ophtimus_edge.safety.figures import figures
from ophtimus_edge.text import sanitize
from ophtimus_tui.error_texts import said_again
from ophtimus_tui.texts import Texts
from ophtimus_tui.widgets.answer import Answer
from ophtimus_tui.widgets.key_line import KeyLine, clickable
from ophtimus_tui.widgets.line import Line

_TIME = "%H:%M"
_LONG = 8_000  # characters; the figures of so many take some hundredths of a second


class _Ending(Line):
    """The line under an answer, whose words run a command when they are clicked."""

    async def action_choose(self, command: str) -> None:
        """Choose the exchange that the line belongs to, and run a command of the screen on it."""
        self.screen.set_focus(self.query_ancestor(Exchange))
        await self.run_action(f"screen.{command}")


class Exchange(Vertical, can_focus=True):
    """One question, what must be said before its answer, the answer as it grows, and how it ended.

    What a person or a model wrote is shown as it is: no markup is read in it. A question that waits for its
    turn has no place in the talk yet.
    """

    DEFAULT_CSS = """
    Exchange { height: auto; margin: 0 1 1 0; padding: 0 1; border-left: blank; }
    Exchange:focus { border-left: thick $accent; }
    Exchange > Static { height: auto; }
    Exchange .who { color: $text-muted; text-style: bold; }
    Exchange .question { padding: 0 0 0 2; }
    Exchange .hidden { display: none; }
    Exchange .notice { padding: 0 0 0 2; color: $warning; margin: 1 0; }
    Exchange .emergency { padding: 0 1; margin: 1 0; color: $error; text-style: bold; border: round $error; }
    Exchange Answer { padding: 0 0 0 2; }
    Exchange .line { padding: 0 0 0 2; color: $text-muted; }
    Exchange .line.error { color: $error; }
    Exchange .flag { padding: 0 0 0 2; color: $warning; text-style: bold; }
    Exchange .correction { padding: 0 0 0 4; }
    Exchange .gone { color: $text-muted; text-align: center; }
    Exchange KeyLine { padding: 0 0 0 2; display: none; }
    Exchange:focus KeyLine { display: block; }
    """
    # With the focus comes a line of keys, and what is under the mouse moves: so not before a click is over.
    FOCUS_ON_CLICK = False
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up", "step(-1)", show=False),
        Binding("down", "step(1)", show=False),
        Binding("left", "version(-1)", show=False),
        Binding("right", "version(1)", show=False),
        Binding("enter", "leave", show=False),
    ]

    class Stepped(Message):
        """The exchange before or after this one is wanted; 0 for the question box."""

        def __init__(self, exchange: "Exchange", by: int, typed: str = "") -> None:
            super().__init__()
            self.exchange, self.by, self.typed = exchange, by, typed

    class Turned(Message):
        """Another version of the answer, or of the question where the answer has one only, is wanted."""

        def __init__(self, exchange: "Exchange", by: int) -> None:
            super().__init__()
            self.exchange, self.by = exchange, by

    def __init__(
        self, texts: Texts, text: str, talk: Talk, place: Question | None, *, raw: bool, details: bool
    ) -> None:
        super().__init__()
        self._texts = texts
        self.question = text
        self._talk = talk
        self.place = place
        self._details = details
        self.state: Callable[[], str] | None = None
        """Says how it stands while the answer is not there; None where the answer says it."""
        self._stops = True
        self._shows_answer = False  # from then on it grows with the pieces
        self._checked: tuple[str, list[str] | None] = ("", [])  # a text, and its figures
        self._gone_count = 0
        self._who = Static("", classes="who", markup=False)
        self._asked = Static(text, classes="question", markup=False)
        self._emergency = Static("", classes="emergency hidden", markup=False)
        self._notice = Static("", classes="notice hidden", markup=False)
        self._by = Static("", classes="who", markup=False)
        self._answer = Answer(raw=raw)
        self._figures = Static("", classes="line hidden", markup=False)
        self._flag = Static("", classes="flag hidden", markup=False)
        self._correction = Static("", classes="correction hidden", markup=False)
        self._ending = _Ending(classes="line")
        self._gone = Static("", classes="gone hidden", markup=False)
        self._keys = KeyLine()
        self._rules = emergencies.match(text)

    def compose(self) -> ComposeResult:
        """The parts, top to bottom."""
        yield from (self._who, self._asked, self._emergency, self._notice, self._by, self._answer)
        yield from (self._flag, self._correction, self._figures, self._ending, self._keys, self._gone)

    def on_mount(self) -> None:
        """Write what is known."""
        self._shows_answer = True
        self._answer.replace(self.answer)
        if self.reply and self.reply.finish != "writing":
            self._answer.finish()
        self.relabel()

    @property
    def reply(self) -> Reply | None:
        """The answer that is shown."""
        return self.place.reply if self.place else None

    @property
    def answer(self) -> str:
        """The answer's source text, as far as it is there."""
        return self.reply.text if self.reply else ""

    def relabel(self) -> None:
        """Write everything that is the app's own anew, in the language that is spoken now."""
        texts = self._texts
        self._emergency.update(
            "\n\n".join(
                texts("chat.emergency", title=rule.title.of(texts.language), review=self._review(rule))
                + f"\n{rule.notice.of(texts.language)}"
                for rule in self._rules
            )
        )
        self._emergency.set_class(not self._rules, "hidden")
        self._keys.show(
            [
                (texts("keys.f5"), "screen.again"), (texts("keys.f6"), "screen.edit"),
                (texts("keys.f7"), "screen.flag"), (texts("keys.ctrl_c"), "screen.copy"),
                (texts("keys.ctrl_k"), "screen.keep"),
                (texts("keys.ctrl_r"), "screen.raw"), ("‹", "screen.version(-1)"), ("›", "screen.version(1)"),
            ]
        )  # fmt: skip
        self._write()
        self.gone(self._gone_count)

    def begin(self, place: Question) -> None:
        """Its turn has come: it has a place in the talk, and an answer that begins."""
        self.place = place
        self._answer.replace(self.answer)
        self._write()

    def grow(self, text: str) -> None:
        """The answer goes on."""
        if self._shows_answer:  # else it is in the reply, which is shown as soon as this stands on the screen
            self._answer.add(text)

    def status(self, say: Callable[[], str], *, stops: bool = True) -> None:
        """Say under the answer how it stands while it is not there.

        Args:
            say: gives the words in the language that is spoken now.
            stops: whether Escape stops it.
        """
        self.state, self._stops = say, stops
        words = Content(say())
        if stops:
            stop = clickable(self._texts("chat.stops"), "choose('stop')")
            words = Content(" · ").join([words, stop])
        self._ending.say(words)
        self._ending.set_class(False, "error")

    def finish(self) -> None:
        """Show all of the answer, how it ended, and its figures."""
        self.state = None
        if self._answer.text != self.answer:  # gone on with, inside a character
            self._answer.replace(self.answer)
        self._answer.finish()
        self._write()

    def raw(self, raw: bool) -> None:
        """Show the source of the answer, or the answer with its formatting."""
        self._answer.raw = raw

    def details(self, details: bool) -> None:
        """Show the details of the answer, or one word."""
        self._details = details
        self._write()

    def gone(self, count: int) -> None:
        """Say under it that so many exchanges up to this one no longer fit; 0 for nothing."""
        self._gone_count = count
        key = "chat.dropped_one" if count == 1 else "chat.dropped"
        self._gone.update(self._texts(key, count=count) if count != 1 else self._texts(key))
        self._gone.set_class(not count, "hidden")

    def action_step(self, by: int) -> None:
        """Go to the exchange before or after."""
        self.post_message(self.Stepped(self, by))

    def action_version(self, by: int) -> None:
        """Turn to another version."""
        self.post_message(self.Turned(self, by))

    def action_leave(self) -> None:
        """Back to the question box."""
        self.post_message(self.Stepped(self, 0))

    def on_click(self) -> None:
        """A click chooses it."""
        self.focus()

    def on_key(self, event: events.Key) -> None:
        """What is typed belongs in the question box."""
        if event.is_printable and event.character:
            event.stop()
            self.post_message(self.Stepped(self, 0, event.character))

    def _write(self) -> None:
        """The lines that depend on the answer."""
        texts, reply = self._texts, self.reply
        self._who.update("  ".join(part for part in (texts("chat.you"), self._asked_at()) if part))
        words = [texts("chat.model")]
        if reply and self.place:
            words.append(reply.begun_at.strftime(_TIME))
            if reply.provenance.again:
                how = reply.provenance
                words.append(texts("chat.again", temperature=how.temperature, seed=how.seed))
            if len(self.place.replies) > 1:
                words.append(texts("chat.version", place=self.place.shown + 1, count=len(self.place.replies)))
            if reply.keep:
                words.append(texts("chat.kept"))
            if reply.flag:
                words.append(texts(f"flag.short_{reply.flag.kind}"))
        self._by.update("  ".join(words))
        self._write_flag(reply)
        writing = reply is None or reply.finish == "writing"
        found = self._figures_of(reply.text) if reply and not writing else []
        if found is None:
            self._figures.update(texts("chat.figures_wait"))
        else:
            self._figures.update(texts("chat.figures", figures=" · ".join(found)) if found else "")
        self._figures.set_class(found == [], "hidden")
        notices = [texts.anew(line) for line in reply.notices] if reply else []
        if reply and (taken_back := withdrawals.of(reply.provenance.sha256)):
            notices.insert(0, texts("chat.withdrawn_answer", reason=taken_back.why(texts.language)))
        self._notice.update("\n".join(notices))
        self._notice.set_class(not notices, "hidden")
        if self.state is not None:
            self.status(self.state, stops=self._stops)
        elif reply is None:
            self.status(lambda: texts("chat.waiting"))
        elif not writing:
            self._ending.say(self._end(reply))
            self._ending.set_class(reply.finish == "failed", "error")

    def _write_flag(self, reply: Reply | None) -> None:
        """What a person found amiss, and what they wrote in its place."""
        texts, flag = self._texts, reply.flag if reply else None
        self._answer.struck = flag is not None
        self._flag.update(texts(f"flag.shown_{flag.kind}") if flag else "")
        self._flag.set_class(flag is None, "hidden")
        words = sanitize(flag.correction) if flag else ""
        above = texts("flag.correction")
        self._correction.update(f"{above}\n{words}" if words.strip() else "")
        self._correction.set_class(not words.strip(), "hidden")

    def _figures_of(self, text: str) -> list[str] | None:
        """The figures of the answer, looked for once in each text, however often the lines are written.

        None while they are looked for, in a thread: no key waits for a text that is hostile or very long.
        """
        if self._checked[0] == text:
            return self._checked[1]
        if len(text) <= _LONG:
            self._checked = (text, figures(text))
        elif self.is_attached:
            self._checked = (text, None)
            self.run_worker(self._search(text), group="figures", exclusive=True)
        else:
            return (
                None  # another talk is on the screen; when this one is opened again, it is another exchange
            )
        return self._checked[1]

    async def _search(self, text: str) -> None:
        self._checked = (text, await asyncio.to_thread(figures, text))
        self._write()

    def _end(self, reply: Reply) -> Content:
        """How the answer ended. What names a key does under the mouse what the key does."""
        texts = self._texts
        if reply.finish == "failed":
            note = said_again(reply.failure, reply.note, texts) if reply.note else texts("chat.ended_early")
            return Content(note)
        if reply.finish == "cancelled" and not reply.text:
            return clickable(texts("chat.stopped_before"), "choose('again')")
        if reply.finish == "cancelled" and not reply.ids:  # the app ended before they were told
            return clickable(texts("chat.interrupted"), "choose('again')")
        key, action = {
            "stop": ("chat.complete", ""), "length": ("chat.length", "choose('go_on')"),
        }.get(reply.finish, ("chat.cancelled", "choose('go_on')"))  # fmt: skip
        ending = clickable(texts(key), action)
        if self._details:
            how = reply.provenance
            ending += " · " + texts(
                "chat.details",
                level=how.level,
                tokens=reply.completion_tokens,
                speed=f"{reply.tokens_per_s:.1f}",
                prompt=reply.prompt_tokens,
                seed=how.seed,
                time=reply.begun_at.strftime("%Y-%m-%d %H:%M:%S"),
                hash=how.sha256[:12] or texts("chat.unknown_hash"),
            )
        return ending

    def _asked_at(self) -> str:
        if not self.place:
            return ""
        branches = self._talk.branches(self.place.after)
        if len(branches) < 2:
            return self.place.asked_at.strftime(_TIME)
        version = self._texts("chat.version", place=branches.index(self.place) + 1, count=len(branches))
        return f"{self.place.asked_at.strftime(_TIME)}  {version}"

    def _review(self, rule: emergencies.Rule) -> str:
        return (
            rule.review
            if self._texts.language == "en" or rule.reviewed_by
            else self._texts("chat.unreviewed")
        )

"""The talk that is open: its questions and answers, top to bottom, and what the app says between them."""

from collections.abc import Callable, Sequence

from textual import on
from textual.containers import VerticalScroll
from textual.message import Message

from ophtimus_edge.history.talk import Question, Talk
from ophtimus_tui.serving import Job
from ophtimus_tui.texts import Texts
from ophtimus_tui.widgets.exchange import Exchange
from ophtimus_tui.widgets.remark import Remark


class TalkView(VerticalScroll, can_focus=False):
    """Shows the path of one talk. The question box keeps the cursor until an exchange is chosen."""

    DEFAULT_CSS = """
    TalkView { height: 1fr; padding: 0 1; scrollbar-size-vertical: 1; }
    """

    class Left(Message):
        """The cursor went down beyond the last exchange, perhaps by typing."""

        def __init__(self, typed: str) -> None:
            super().__init__()
            self.typed = typed

    def __init__(self, texts: Texts, talk: Talk) -> None:
        super().__init__(id="talk")
        self._texts = texts
        self._talk = talk
        self._raw = self._details = False

    @property
    def exchanges(self) -> list[Exchange]:
        """What stands in the talk, top to bottom."""
        return [child for child in self.children if isinstance(child, Exchange)]

    @property
    def chosen(self) -> Exchange | None:
        """The exchange with the cursor, else the last one."""
        exchanges = self.exchanges
        focused = self.screen.focused
        return next((one for one in exchanges if one is focused), exchanges[-1] if exchanges else None)

    @property
    def raw(self) -> bool:
        """Whether the answers are shown as they were written."""
        return self._raw

    @raw.setter
    def raw(self, raw: bool) -> None:
        self._raw = raw
        for exchange in self.exchanges:
            exchange.raw(raw)

    @property
    def details(self) -> bool:
        """Whether the details of the answers are shown."""
        return self._details

    @details.setter
    def details(self, details: bool) -> None:
        self._details = details
        for exchange in self.exchanges:
            exchange.details(details)

    def from_on(self, exchange: Exchange) -> list[Exchange]:
        """An exchange and those after it."""
        exchanges = self.exchanges
        return exchanges[exchanges.index(exchange) :]

    def after(self, exchange: Exchange) -> Exchange | None:
        """The exchange after one."""
        return next(iter(self.from_on(exchange)[1:]), None)

    def relabel(self) -> None:
        """Write everything that is the app's own anew, in the language that is spoken now."""
        for child in self.children:
            if isinstance(child, Exchange | Remark):
                child.relabel()

    def say(self, say: Callable[[], str]) -> None:
        """Put a sentence of the app's own at the end.

        Args:
            say: gives it in the language that is spoken when it is asked.
        """
        self.mount(Remark(say))

    async def add(self, question: str) -> Exchange:
        """Put a question at the end, and follow the end from now on."""
        exchange = self._exchange(question, None)
        await self.mount(exchange)
        self.anchor()
        return exchange

    async def clear_from(self, exchange: Exchange) -> None:
        """Take an exchange and those after it from the screen; the talk keeps them."""
        for other in self.from_on(exchange):
            await other.remove()

    async def show(self, talk: Talk, unfinished: Sequence[Job] = ()) -> None:
        """Show another talk, or another path of the same.

        Args:
            unfinished: what is being answered or waits, of any talk; from now on it is written here.
        """
        self._talk = talk
        await self.remove_children()
        shown = [self._exchange(place.text, place) for place in talk.path()]
        for job in unfinished:
            if job.talk is not talk:
                continue
            place = job.exchange.place
            here = next((one for one in shown if place is not None and one.place is place), None)
            if place is None:  # its turn has not come: the talk does not have it yet
                here = self._exchange(job.exchange.question, None)
                shown.append(here)
            if here is not None:
                here.state = job.exchange.state
                job.exchange = here
        await self.mount(*shown)
        if shown:
            self.mark_dropped(shown[-1])
        self.anchor()

    def mark_dropped(self, exchange: Exchange) -> None:
        """Say behind the exchanges that no longer fitted when one was answered that they did not."""
        exchanges = self.exchanges
        if exchange not in exchanges:
            return  # another talk is on the screen
        dropped = set(exchange.reply.dropped) if exchange.reply else set()
        gone = [one.place is not None and one.place.id in dropped for one in exchanges]
        run = 0
        for at, one in enumerate(exchanges):
            run = run + 1 if gone[at] else 0
            ends = gone[at] and not (at + 1 < len(exchanges) and gone[at + 1])
            one.gone(run if ends else 0)

    @on(Exchange.Stepped)
    def _stepped(self, event: Exchange.Stepped) -> None:
        event.stop()
        exchanges = self.exchanges
        at = exchanges.index(event.exchange) + event.by if event.exchange in exchanges else len(exchanges)
        if event.by and 0 <= at < len(exchanges):
            exchanges[at].focus()
        elif event.by >= 0:
            self.post_message(self.Left(event.typed))

    def _exchange(self, text: str, place: Question | None) -> Exchange:
        return Exchange(self._texts, text, self._talk, place, raw=self._raw, details=self._details)

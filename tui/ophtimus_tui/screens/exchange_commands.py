"""The commands on the chosen exchange: answer again, go on, keep always, copy, turn to another version."""

from textual import on, work
from textual.screen import Screen

from ophtimus_edge.models.store import ChosenModel
from ophtimus_edge.text import sanitize
from ophtimus_tui import clipboard
from ophtimus_tui.open_talk import OpenTalk
from ophtimus_tui.serving import Job, Kind, Serving
from ophtimus_tui.texts import Texts
from ophtimus_tui.widgets.exchange import Exchange


class ExchangeCommands(Screen[None]):
    """What the chat screen can do with one question and its answers, once they stand in the talk.

    Attributes:
        model: the one that answers.
    """

    model: ChosenModel
    serving: Serving
    open_talk: OpenTalk
    _texts: Texts

    def action_again(self) -> None:
        """Answer the chosen question again, with chance; where it never got words, as it was asked."""
        chosen = self.open_talk.view.chosen
        reply = chosen.reply if chosen else None
        if chosen and chosen.place is None:
            self._answer_more("ask")  # refused before it had a place
        else:
            self._answer_more("again" if reply is None or reply.text else "retry")

    def action_go_on(self) -> None:
        """Go on with an answer that was cut short or stopped."""
        chosen = self.open_talk.view.chosen
        reply = chosen.reply if chosen else None
        if reply is None or reply.finish not in {"length", "cancelled"} or not reply.ids:
            return
        how = reply.provenance
        if (how.model, how.version, how.level) == (self.model.name, self.model.version, self.model.level):
            self._answer_more("go_on")

    @work
    async def _answer_more(self, kind: Kind) -> None:
        chosen, view = self.open_talk.view.chosen, self.open_talk.view
        if chosen is None or self.open_talk.busy_from(chosen):
            return
        if following := view.after(chosen):
            await view.clear_from(following)
        chosen.status(lambda: self._texts("chat.waiting"))
        self.serving.put(Job(chosen, self.open_talk.talk, kind))

    def action_keep(self) -> None:
        """Keep the chosen exchange always, or no longer."""
        if chosen := self.open_talk.view.chosen:
            self.open_talk.keep_always(chosen)

    def action_copy(self) -> None:
        """Copy what is marked, or the source of the chosen answer."""
        chosen = self.open_talk.view.chosen
        text = sanitize(self.get_selected_text() or (chosen.answer if chosen else ""))
        if text:
            self.app.copy_to_clipboard(text)  # through the terminal
            reached = clipboard.copy(text)
            self.notify(self._texts("chat.copied" if reached else "chat.copied_terminal"), markup=False)

    def action_version(self, by: int) -> None:
        """Turn the chosen exchange to another version."""
        if chosen := self.open_talk.view.chosen:
            self._turn(chosen, by)

    @on(Exchange.Turned)
    def _turned(self, event: Exchange.Turned) -> None:
        self._turn(event.exchange, event.by)

    @work
    async def _turn(self, exchange: Exchange, by: int) -> None:
        await self.open_talk.turn(exchange, by)

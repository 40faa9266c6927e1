"""The question that is being written: begun, edited in its place, put aside for another, kept on the disk."""

from ophtimus_edge.history.draft import Draft
from ophtimus_tui.draft_keeping import DraftKeeping
from ophtimus_tui.texts import Texts
from ophtimus_tui.widgets.ask_box import AskBox
from ophtimus_tui.widgets.exchange import Exchange


class Composing:
    """What the question box is used for, so that nothing that a person wrote is lost on the way.

    Attributes:
        box: the question box.
        editing: the exchange whose question is in the box; None where the box holds a new question.
    """

    def __init__(self, texts: Texts) -> None:
        self._texts = texts
        self.box = AskBox()
        self.editing: Exchange | None = None
        self._aside = ""  # what stood in the box before another question was put there
        self._keeping = DraftKeeping(self.box, texts)

    def begin(self) -> None:
        """Put the example into the box."""
        self.box.write(self._texts("chat.example"))
        self.box.focus()

    async def take_up(self, draft: Draft | None) -> None:
        """Keep what is written from now on, and put what was begun before it.

        Args:
            draft: where; None keeps nothing.
        """
        begun = await self._keeping.take_up(draft)
        if begun and (self._is_example() or not self.box.text.strip()):
            self.box.write(begun)
        elif begun:
            self.box.put_back(begun)
        self._keeping.changed()

    async def leave(self) -> str:
        """Keep what is written for another time, and hold nothing of it any more.

        Returns:
            What is kept nowhere, since it was to be kept in no file, or could not be.
        """
        left = await self._keeping.leave()
        self.editing, self._aside = None, ""
        self.box.load_text("")  # what could be undone is gone too
        self.relabel()
        return left

    async def would_be_lost(self) -> bool:
        """Whether something is written that is kept nowhere."""
        return await self._keeping.would_be_lost()

    def end(self) -> None:
        """Keep the last letters too."""
        self._keeping.keep_at_the_end()

    def relabel(self) -> None:
        """Say over the box what it is for, in the language that is spoken now."""
        texts = self._texts
        self.box.entitle(
            [
                (texts("chat.editing"), ""), (texts("chat.editing_send"), "screen.send"),
                (texts("chat.editing_leave"), "screen.stop"),
            ] if self.editing else [
                (texts("chat.ask"), ""), (texts("chat.key_send"), "screen.send"), (texts("chat.key_line"), ""),
            ]
        )  # fmt: skip

    def changed(self) -> None:
        """The box holds something else: keep it soon."""
        self._keeping.changed()

    def hold(self, question: str) -> None:
        """A question has left the box and is in no talk yet."""
        self._keeping.put_aside(question)

    def release(self, question: str) -> None:
        """It is in a talk, or in the box again."""
        self._keeping.take_back(question)
        self._keeping.keep()

    def write(self, question: str, editing: Exchange | None = None) -> None:
        """Put a question into the box; what was written there comes back when this one is sent or left.

        Args:
            editing: in whose place it is asked.
        """
        own = self.box.text
        if self._is_example() or (self.editing and own == self.editing.question):
            own = ""
        self._put_aside("\n".join(part for part in (self._aside, own) if part))
        self.editing = editing
        self.box.write(question)
        self.box.focus()
        self.relabel()

    def sent(self) -> Exchange | None:
        """What was in the box was sent; returns the exchange in whose place it belongs."""
        edited, self.editing = self.editing, None
        self._give_back()
        return edited

    def leave_editing(self, *, changes: bool = False) -> None:
        """Leave an edited question as it was.

        Args:
            changes: whether what was changed in it stays in the box.
        """
        if self.editing is None:
            return
        if not changes or self.box.text == self.editing.question:
            self.box.clear()
        self.editing = None
        self._give_back()

    def _is_example(self) -> bool:
        return self._texts.anew(self.box.text) == self._texts("chat.example")

    def _put_aside(self, text: str) -> None:
        if self._aside:
            self._keeping.take_back(self._aside)
        self._aside = text
        if text:
            self._keeping.put_aside(text)

    def _give_back(self) -> None:
        """Put what stood in the box before into it again."""
        self.box.put_back(self._aside)
        self._put_aside("")
        self.relabel()

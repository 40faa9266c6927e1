"""The question that is being written, kept on the disk while it grows, so that no crash costs it."""

import asyncio

from textual.timer import Timer

from ophtimus_edge.errors import FolderNotWritableError
from ophtimus_edge.history.draft import Draft
from ophtimus_tui.error_texts import said
from ophtimus_tui.texts import Texts
from ophtimus_tui.widgets.ask_box import AskBox

_DELAY_S = 0.5  # between a key and the disk; no key waits for it


class DraftKeeping:
    """Keeps what a question box holds, and what was put aside for it, where it is told to.

    Args:
        box: what is written in.
    """

    def __init__(self, box: AskBox, texts: Texts) -> None:
        self._draft: Draft | None = None
        self._box, self._texts = box, texts
        self._aside: list[str] = []
        self._begun = self._failed = False
        self._due: Timer | None = None
        self._writing = asyncio.Lock()

    async def take_up(self, draft: Draft | None) -> str:
        """Keep here from now on; returns what was begun when the app ended, "" where nothing was."""
        begun = await asyncio.to_thread(draft.read) if draft else ""
        self._draft, self._begun = draft, True
        return begun

    async def leave(self) -> str:
        """Keep what is written now, and nothing from then on; returns it where it could not be kept."""
        draft, self._draft = self._draft, None
        if draft is not None and self._begun:
            await self._keep(draft)
        text = "" if draft is not None and self._begun and not self._failed else self._text()
        self._begun = False
        self._aside.clear()
        return text

    async def would_be_lost(self) -> bool:
        """Whether something is written that is kept nowhere; what can be kept is kept now."""
        if not self._text():
            return False
        if self._draft is None or not self._begun:
            return True
        await self._keep(self._draft)
        return self._failed

    def put_aside(self, text: str) -> None:
        """A text is in no box for a while, and must not be lost."""
        self._aside.append(text)
        self.changed()

    def take_back(self, text: str) -> None:
        """A text that was put aside is in its place again."""
        if text in self._aside:  # else it was kept for another time
            self._aside.remove(text)
        self.changed()

    def changed(self) -> None:
        """Keep it soon."""
        if self._draft is not None and self._due is None and self._box.is_running:
            self._due = self._box.set_timer(_DELAY_S, self.keep)

    def keep(self) -> None:
        """Keep it now, in a thread."""
        self._due = None
        if self._draft is not None:
            self._box.run_worker(self._keep(self._draft), group="draft")

    def keep_at_the_end(self) -> None:
        """Keep it before the app ends."""
        if self._draft is None or not self._begun:  # what was begun another time is not in the box yet
            return
        try:
            self._draft.keep(self._text())
        except FolderNotWritableError:
            return  # said while there was a screen to say it on

    async def _keep(self, draft: Draft) -> None:
        async with self._writing:  # the last one wins
            try:
                await asyncio.to_thread(draft.keep, self._text())
                self._failed = False
            except FolderNotWritableError as error:
                if not self._failed:
                    self._failed = True
                    self._box.notify(
                        self._texts("chat.draft_failed", reason=said(error, self._texts)),
                        severity="warning",
                        markup=False,
                    )

    def _text(self) -> str:
        """All that would be lost; not the example, which nobody wrote."""
        text = self._box.text
        written = "" if self._texts.anew(text) == self._texts("chat.example") else text
        return "\n\n".join(part for part in (*self._aside, written) if part.strip())

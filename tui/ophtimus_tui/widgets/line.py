"""A line of the app's own words that changes often, while an answer streams."""

from textual.content import Content
from textual.widgets import Static


class Line(Static):
    """Words of which only those that take another room lay the screen out anew.

    ``Static.update`` does so at each change, which takes as long as all else that a streamed word takes.
    """

    def __init__(self, words: str = "", *, id: str | None = None, classes: str | None = None) -> None:  # noqa: A002
        super().__init__(words, id=id, classes=classes, markup=False)
        self._said = Content(words)

    def say(self, words: str | Content) -> None:
        """Say other words; the same ones cost nothing."""
        now, before = Content(words) if isinstance(words, str) else words, self._said
        if now.is_same(before):
            return
        self._said = now
        self.update(now, layout=not self._same_room(before, now))

    def _same_room(self, before: Content, now: Content) -> bool:
        if "\n" in before.plain or "\n" in now.plain:
            return False
        width = self.styles.width
        if width is not None and width.is_auto:
            return before.cell_length == now.cell_length
        return max(before.cell_length, now.cell_length) <= self.content_size.width

"""How far the answers of a blind test are, while they are made."""

import time

from ophtimus_tui.texts import Texts


class AnswersProgress:
    """How far the answers are, and how long the rest of them takes.

    Attributes:
        done, total: answers of both levels.
    """

    def __init__(self, texts: Texts, total: int) -> None:
        self._texts = texts
        self.done, self.total = 0, total
        self._before = 0
        self._first: tuple[int, float] | None = None
        self._loaded = 0.0
        self._tokens = 0

    def begin_level(self, place: int, questions: int) -> None:
        """The next level is loaded; how the levels are named stays untold."""
        self._before = place * questions
        self._loaded, self._tokens = 0.0, 0

    def loads(self, fraction: float) -> None:
        """A part of the model is loaded."""
        self._loaded = fraction

    def answers(self, done: int, _total: int) -> None:
        """So many questions are answered by this level."""
        self.done, self._tokens = self._before + done, 0
        if self._first is None:
            self._first = (self.done, time.monotonic())

    def writes(self, tokens: int) -> None:
        """An answer has so many tokens."""
        self._loaded, self._tokens = 1.0, tokens

    def said(self) -> str:
        """How far it is, in words."""
        texts = self._texts
        parts = [texts("blind.far", done=self.done, total=self.total)]
        if self._tokens:
            parts.append(texts("blind.far_tokens", tokens=self._tokens))
        elif self._loaded < 1:
            parts.append(texts("blind.far_loading", percent=int(100 * self._loaded)))
        if self._first and self.done > self._first[0]:
            a_second = (self.done - self._first[0]) / max(1e-6, time.monotonic() - self._first[1])
            left = round((self.total - self.done) / a_second)
            parts.append(texts("models.time_left", time=f"{left // 60}:{left % 60:02}"))
        return " · ".join(parts)

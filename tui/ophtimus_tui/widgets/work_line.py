"""How far a long work is: a bar, the file, the bytes, the time that is left."""

import time
from collections.abc import Callable

from textual.app import ComposeResult
from textual.containers import Vertical
from textual.widgets import ProgressBar, Static

from ophtimus_edge.text import sanitize
from ophtimus_tui.sizes import size
from ophtimus_tui.texts import Texts

_SOON_S = 1.0  # a rate of less than a second is none
_READ_S = 0.1  # in which somebody reads how far it is


class WorkLine(Vertical):
    """Hidden until work begins; :meth:`end` hides it again."""

    DEFAULT_CSS = """
    WorkLine { height: auto; padding: 0 1; display: none; }
    WorkLine.working { display: block; }
    WorkLine ProgressBar { width: 100%; }
    WorkLine Bar { width: 1fr; }
    """

    def __init__(self, texts: Texts) -> None:
        super().__init__()
        self._texts = texts
        self._bar = ProgressBar(total=1, show_eta=False)
        self._line = Static("", markup=False)
        self._begun = self._first = 0.0
        self._told: tuple[str, int, int, str] | None = None

    def compose(self) -> ComposeResult:
        """The bar and the line under it."""
        yield self._line
        yield self._bar

    def begin(self, what: str) -> None:
        """Show that work begins.

        Args:
            what: is done, in the chosen language, such as "checking eyes".
        """
        self._begun, self._first, self._told = time.monotonic(), -1.0, (what, 0, 0, "")
        self._bar.update(total=1, progress=0)
        self._line.update(what)
        self.add_class("working")

    def tell(self, done: int, total: int, file: str) -> None:
        """Show how far the work is, in bytes."""
        if self._told is None:
            return
        if self._first < 0:
            # What an earlier copy left is hashed at once; the rate is that of this run's own bytes.
            self._begun, self._first = time.monotonic(), done
        self._told = (self._told[0], done, total, file)
        self._bar.update(total=max(1, total), progress=done)
        self._write()

    def tell_step(self, what: str, done: int, total: int) -> None:
        """Show another step of the work, or how far the same one is, in bytes; a total of 0 is not known."""
        if self._told is None:
            return
        if self._told[0] != what or done < self._told[1]:
            self._begun, self._first = time.monotonic(), done
        self._told = (what, done, total, "")
        self._bar.update(total=total or None, progress=done)  # without a total the bar moves to and fro
        self._write()

    def end(self) -> None:
        """Hide it."""
        self._told = None
        self.remove_class("working")

    def relabel(self, what: str) -> None:
        """Say the same in the language that is chosen now."""
        if self._told is not None:
            self._told = (what, *self._told[1:])
            self._write()

    def _write(self) -> None:
        if self._told is None:
            return
        what, done, total, file = self._told
        parts = [what]
        parts += [sanitize(file)] if file else []
        if total:
            parts.append(self._texts("models.done_of", done=size(done), total=size(total)))
        passed = time.monotonic() - self._begun
        if total and passed >= _SOON_S and done > self._first >= 0:
            left = round((total - done) * passed / (done - self._first))
            parts.append(self._texts("models.time_left", time=f"{left // 60}:{left % 60:02}"))
        self._line.update(" · ".join(parts))


def step_said(step: str, texts: Texts) -> str:
    """A step of a backup in the chosen language; "" for none, and for one that has no words here."""
    key = f"backup.step_{step.replace(' ', '_')}"
    return texts(key) if step and key in texts.keys(texts.language) else ""


def throttled(tell: Callable[[str, int, int], object]) -> Callable[[str, int, int], None]:
    """Tell of a new step and of the end of one at once, and of the rest as often as somebody can read it."""
    told_step, told_at = "", 0.0

    def tell_sometimes(step: str, done: int, total: int) -> None:
        nonlocal told_step, told_at
        now = time.monotonic()
        if step != told_step or done == total or now - told_at >= _READ_S:
            told_step, told_at = step, now
            tell(step, done, total)

    return tell_sometimes

"""A recovery key shown once: checked against the paper, or kept in a text file to be printed."""

from functools import partial
from pathlib import Path

from textual import work

from ophtimus_edge.history.keys import RecoveryKey
from ophtimus_edge.history.recovery_file import lies_with, save_recovery
from ophtimus_edge.history.talk import now
from ophtimus_tui.file_names import file_name
from ophtimus_tui.model_rows import line
from ophtimus_tui.screens.choose import Said
from ophtimus_tui.screens.form import Field, FormError, FormScreen
from ophtimus_tui.screens.save_file import SaveFileScreen
from ophtimus_tui.texts import Texts


class RecoveryScreen(FormScreen[bool]):
    """Dismissed with True once the last group was typed from the paper; with None by Escape. F2 writes the file.

    Args:
        recovery: the key.
        name: whose history it opens.
    """

    def __init__(self, texts: Texts, recovery: RecoveryKey, name: str) -> None:
        self._recovery, self._whose = recovery, name
        self._written: Path | None = None
        super().__init__(
            texts,
            self._said_over,
            [Field("people.last_group")],
            self._confirmed,
            leaving="people.key_unconfirmed",
        )

    def key_words(self) -> list[tuple[str, str]]:
        """As of every form, and F2."""
        return [*super().key_words(), (self._texts("people.key_file"), "screen.reveal")]

    def action_reveal(self) -> None:
        """Write the key into a text file, to be printed."""
        self._keep_in_a_file()

    @work(exclusive=True)
    async def _keep_in_a_file(self) -> None:
        page = partial(self._texts, "people.recovery_page", name=line(self._whose), recovery=self._recovery)
        written = await self.app.push_screen_wait(recovery_file_screen(self._texts, page))
        if written is not None:
            self._written = written
            self.relabel()

    def _said_over(self) -> str:
        text = self._texts("people.recovery", recovery=self._recovery)
        if self._written is None:
            return text
        return "\n\n".join([text, self._texts("people.recovery_written", path=line(str(self._written)))])

    def _confirmed(self, typed: list[str]) -> bool:
        if typed[0].strip().upper() != self._recovery.rsplit("-", 1)[1]:
            raise FormError("people.not_the_last_group")
        return True


def recovery_file_screen(texts: Texts, page: Said, backup: Path | None = None) -> SaveFileScreen:
    """Where the text file with a recovery key goes.

    Args:
        page: gives what stands in it.
        backup: what the key opens; without it a history of this computer.
    """

    def doubt(path: Path) -> Said | None:
        if backup is not None and lies_with(path, backup):
            return partial(texts, "backup.recovery_beside", backup=line(str(backup)))
        return None

    return SaveFileScreen(
        texts,
        partial(texts, "people.recovery_save_title" if backup is None else "backup.recovery_save_title"),
        file_name(texts("backup.recovery_name"), now().date(), "txt"),
        lambda path, replace, _show: save_recovery(path, page(), replace),
        partial(texts, "save.writing"),
        doubt,
    )

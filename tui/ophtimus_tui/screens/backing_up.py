"""A backup of a person's history on a stick, and a new profile made from one."""

from functools import partial
from pathlib import Path
from typing import Any

from textual.app import App

from ophtimus_edge.errors import OphtimusError
from ophtimus_edge.history import backup, keys
from ophtimus_edge.history.profiles import Profile
from ophtimus_edge.history.talk import now
from ophtimus_tui.error_texts import said
from ophtimus_tui.file_names import file_name
from ophtimus_tui.model_rows import line
from ophtimus_tui.screens.choose import ChooseScreen
from ophtimus_tui.screens.passphrase_boxes import SecretScreen
from ophtimus_tui.screens.recovery import recovery_file_screen
from ophtimus_tui.screens.restore import ENDING, RestoreScreen
from ophtimus_tui.screens.save_file import SaveFileScreen, Show
from ophtimus_tui.texts import Texts

# The functions wait for a person: they have to be called from a worker.


async def back_up(app: App[Any], texts: Texts, profile: Profile, key: bytes) -> None:
    """Ask for what a backup needs, write and check it, and say where it is.

    Args:
        key: of the profile's history, as it is unlocked.
    """
    try:
        locked = profile.locked
    except OphtimusError as error:
        app.notify(said(error, texts), severity="error", markup=False)
        return
    passphrase: str | None = None
    if not locked:
        passphrase = await app.push_screen_wait(
            SecretScreen(texts, partial(texts, "backup.new_passphrase"), new=True)
        )
        if passphrase is None:
            return
    recovery: list[keys.RecoveryKey | None] = []

    def write(path: Path, _replace: bool, show: Show) -> None:
        recovery.append(backup.backup(profile, key, path, passphrase, show))

    path = await app.push_screen_wait(
        SaveFileScreen(
            texts,
            partial(texts, "backup.save_title_locked" if locked else "backup.save_title"),
            file_name(texts("backup.file", name=profile.name), now().date(), ENDING),
            write,
            partial(texts, "backup.working"),
        )
    )
    if path is None:
        return
    if recovery and recovery[-1]:
        await _hand_over(app, texts, path, recovery[-1])
    app.notify(texts("backup.done", path=line(str(path))), markup=False, timeout=20)


async def _hand_over(app: App[Any], texts: Texts, path: Path, recovery: keys.RecoveryKey) -> None:
    """Show the backup's recovery key until somebody says that it is written down, or keeps it in a file."""
    while True:
        chosen = await app.push_screen_wait(
            ChooseScreen(
                lambda: texts("backup.recovery", path=line(str(path)), recovery=recovery),
                {
                    "written": partial(texts, "backup.recovery_written"),
                    "file": partial(texts, "backup.recovery_file"),
                },
            )
        )
        if chosen == "written":
            return
        if chosen == "file":
            page = partial(texts, "backup.recovery_page", path=line(path.name), recovery=recovery)
            await app.push_screen_wait(recovery_file_screen(texts, page, path))


async def restore(app: App[Any], texts: Texts) -> Profile | None:
    """Make a new profile from a backup, and say that it is chosen at the next start."""
    profile = await app.push_screen_wait(RestoreScreen(texts))
    if profile is not None:
        app.notify(texts("backup.restored", name=line(profile.name)), markup=False, timeout=30)
    return profile

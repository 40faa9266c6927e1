"""Opening a person's history: what takes time, for a thread."""

import contextlib
import getpass
import os
import secrets
from typing import NamedTuple

from ophtimus_edge import locations
from ophtimus_edge.errors import FolderNotWritableError, RecoveryKeyMistypedError
from ophtimus_edge.history import keys, profiles
from ophtimus_edge.history.beside import Beside
from ophtimus_edge.history.draft import Draft
from ophtimus_edge.history.keys import RecoveryKey
from ophtimus_edge.history.profiles import Profile
from ophtimus_edge.history.store import Store


class Opened(NamedTuple):
    """A history that is open.

    Attributes:
        key: of the history; gone with this when the history is locked.
        draft: where the question that is being written is kept; None where it is not.
        locked: whether it has a passphrase.
        recovered: whether the recovery key opened it.
    """

    profile: Profile
    key: bytes
    history: Beside
    draft: Draft | None
    locked: bool
    recovered: bool = False


class Secret(NamedTuple):
    """What somebody typed to open a history, as the keys take it."""

    passphrase: str | None
    recovery: RecoveryKey | None


def secret(typed: str) -> Secret:
    """A recovery key where it can be nothing else, since its own checksum says so; otherwise a passphrase."""
    try:
        return Secret(None, keys.check_recovery_key(typed))
    except RecoveryKeyMistypedError:
        return Secret(typed, None)


def account_name() -> str:
    """The name under which the person uses this computer."""
    with contextlib.suppress(OSError, KeyError, ImportError):
        return getpass.getuser()
    return os.environ.get("USERNAME", "1")


def make(name: str, passphrase: str = "") -> tuple[Profile, RecoveryKey]:
    """Make a profile, from the first moment behind its passphrase where one is given.

    Returns:
        It, and its recovery key; "" without a passphrase.

    Raises:
        HistoryError: the name cannot be taken, the passphrase is too short, or the folder cannot be written.
    """
    if not passphrase:
        return profiles.create(name), ""
    with profiles.beginning(name) as begun:
        recovery = keys.create_locked(begun.key_file, secrets.token_bytes(keys.KEY_BYTES), passphrase)
    return profiles.finished(begun), recovery


def open_history(profile: Profile, *, keep_draft: bool, typed: str = "") -> Opened:
    """Open a person's history.

    Args:
        typed: the passphrase or the recovery key, where it is locked.

    Raises:
        OphtimusError: it stays closed; see :func:`ophtimus_edge.history.keys.unlock` and
            :class:`ophtimus_edge.history.store.Store`.
    """
    locked = profile.locked
    given = secret(typed) if locked else Secret(None, None)
    key = keys.unlock(profile.key_file, given.passphrase, given.recovery)
    history = Beside(Store(profile.folder, key))
    draft = None
    if keep_draft and not history.read_only:  # else the draft is the other program's
        draft = Draft(profile.draft_file, key)
        _take_over(draft)
    return Opened(profile, key, history, draft, locked, given.recovery is not None)


def _take_over(draft: Draft) -> None:
    """Take the draft of a release that kept it in plain, once."""
    before = Draft(locations.draft_file())
    with contextlib.suppress(FolderNotWritableError):  # it stays where it is until there is room
        if text := before.read():
            draft.keep("\n\n".join(part for part in (text, draft.read()) if part))
        before.keep("")

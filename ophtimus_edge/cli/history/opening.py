"""Which profile is meant, what opens it, and its history, to be read or to be changed."""

import argparse
import getpass
import os
import sys
import unicodedata
from pathlib import Path

from ophtimus_edge import locations
from ophtimus_edge.cli.history import NOT_THE_RECORD
from ophtimus_edge.errors import (
    HistoryBusyError,
    HistoryExportError,
    HistoryReadOnlyError,
    ProfileError,
    TalkNotFoundError,
    UsageError,
)
from ophtimus_edge.history import keys, profiles
from ophtimus_edge.history.profiles import Profile
from ophtimus_edge.history.store import Store
from ophtimus_edge.terminal.saying import say
from ophtimus_edge.terminal.standard_input import is_terminal

_MOST_SECRET_BYTES = 64 << 10
_NAMED = 12  # profiles in a sentence


def profile_of(options: argparse.Namespace) -> Profile:
    """The profile that is named, or the only one.

    Raises:
        ProfileError: there is none, or none of that name.
        UsageError: there are several, and none is named.
    """
    known = profiles.list_profiles()
    if not known:
        raise _none_here()
    names = ", ".join(profile.name for profile in known[:_NAMED])
    names += f" and {len(known) - _NAMED} more" if len(known) > _NAMED else ""
    if options.profile is None:
        if len(known) > 1:
            raise UsageError(
                f"there are {len(known)} profiles here: {names}.", "Name one of them: --profile NAME."
            )
        return known[0]
    asked = _compared(options.profile)
    for profile in known:
        if asked == _compared(profile.name) or options.profile == profile.id:
            return profile
    raise ProfileError(f"there is no profile {options.profile} here.", f"There are: {names}.")


def key_of(options: argparse.Namespace, profile: Profile) -> bytes:
    """What the history of a profile is read with.

    Raises:
        HistoryLockedError: the passphrase or the recovery key does not open it.
        UsageError: neither was given, and there is no terminal to ask at.
        HistoryDamagedError: the key is missing or damaged.
    """
    if not profile.locked:
        return keys.unlock(profile.key_file)
    recovery = recovery_key(options)
    if recovery is not None:
        return keys.unlock(profile.key_file, recovery=recovery)
    return keys.unlock(profile.key_file, passphrase(options, f"Passphrase of {profile.name}: "))


def recovery_key(options: argparse.Namespace) -> keys.RecoveryKey | None:
    """The recovery key that was given, or is asked for; None where none is meant.

    Raises:
        RecoveryKeyMistypedError: it is none.
        UsageError: the file cannot be read, or there is no terminal to ask at.
    """
    if options.recovery_key_file is not None:
        return keys.check_recovery_key(_secret_in(options.recovery_key_file, "recovery key"))
    if options.recovery:
        return keys.check_recovery_key(_asked("Recovery key: ", "--recovery-key-file FILE"))
    return None


def passphrase(options: argparse.Namespace, prompt: str, new: bool = False) -> str:
    """A passphrase from a file or the terminal, where nothing that is typed is shown.

    Args:
        new: ask for it twice.

    Raises:
        UsageError: the file cannot be read, there is no terminal to ask at, or the two are not the same.
    """
    if options.passphrase_file is not None:
        return _secret_in(options.passphrase_file, "passphrase")
    first = _asked(prompt, "--passphrase-file FILE")
    if new and _asked("The same again: ", "") != first:
        raise UsageError(
            "the two passphrases are not the same.", "Run the command again. Nothing was written."
        )
    return first


def reading(profile: Profile, key: bytes) -> Store:
    """The history of a profile, to be read; the app may have it open, or open it meanwhile.

    Raises:
        HistoryError: it cannot be opened; the subclass says why.
    """
    try:
        return Store(profile.folder, key, only_read=True)
    except HistoryBusyError:  # there is no file yet, or it has an earlier release's form
        Store(profile.folder, key).close()
        return Store(profile.folder, key, only_read=True)


def writing(profile: Profile, key: bytes) -> Store:
    """The history of a profile, to be changed.

    Raises:
        HistoryBusyError: the app has it open.
        HistoryReadOnlyError: its folder takes no changes.
        HistoryError: it cannot be opened; the subclass says why.
    """
    store = Store(profile.folder, key)
    if store.read_only:
        store.close()
        if os.access(profile.folder, os.W_OK):
            raise HistoryBusyError(
                f"the history of {profile.name} is open in the app, or in another program.",
                "Close the app and run the command again. Nothing was changed.",
            )
        raise HistoryReadOnlyError(
            f"the folder {profile.folder} takes no changes.",
            "See to it that you may write there. Nothing was changed.",
        )
    return store


def id_of(store: Store, asked: str) -> str:
    """The id of the one conversation whose id is, or begins with, what was typed.

    Raises:
        TalkNotFoundError: there is none.
        UsageError: there are several.
    """
    ids = [head.id for head in store.heads()]
    found = [id_ for id_ in ids if id_ == asked] or [id_ for id_ in ids if asked and id_.startswith(asked)]
    if len(found) > 1:
        raise UsageError(
            f"{len(found)} conversations begin with {asked}.", f"Type more of it, such as {found[0]}."
        )
    if not found:
        raise TalkNotFoundError(
            f"there is no conversation {asked} in this history.", "Look it up: ophtimus history list."
        )
    return found[0]


def see_that_it_is_free(file: Path, replace: bool) -> None:
    """Refuse a name that another file has, before a passphrase is asked for.

    Raises:
        HistoryExportError: there is such a file, and it may not be replaced; or it is a folder.
    """
    if os.path.isdir(file):  # noqa: PTH112  (of a folder that may not be read, pathlib's raises)
        raise HistoryExportError(
            f"{file} is a folder.", f"Name a file in it, such as {file / 'history.backup'}."
        )
    if os.path.lexists(file) and not replace:
        raise HistoryExportError(
            f"{file} exists already, and was left as it is.", "Name another file, or add --replace."
        )


def say_who_reads(profile: Profile) -> None:
    """Say to a person who looks at a history what it is not, and who else can read it."""
    if sys.stderr.isatty():
        unlocked = "" if profile.locked else " No passphrase: anyone who uses this account can read it."
        say(NOT_THE_RECORD + unlocked)


def _none_here() -> ProfileError:
    home = locations.history_folder()
    try:
        next(home.iterdir(), None)
    except FileNotFoundError:
        pass
    except OSError as error:
        return ProfileError(
            f"the folder {home} cannot be read: {error.strerror or error}.",
            "See to it that you may read it, or name the program's folder: OPHTIMUS_HOME=/path/to/folder.",
        )
    return ProfileError(
        f"there is no history here: {home}.",
        "Ask something in the app, or restore a backup: ophtimus history restore.",
    )


def _asked(prompt: str, instead: str) -> str:
    if not (is_terminal() and sys.stderr.isatty()):
        raise UsageError(
            "this needs a passphrase or a recovery key, and there is no terminal to ask at.",
            f"Give it in a file that only you can read: {instead}.",
        )
    try:
        return getpass.getpass(prompt)
    except EOFError:
        raise KeyboardInterrupt from None


def _secret_in(file: Path, what: str) -> str:
    try:
        with file.open("rb") as opened:
            data = opened.read(_MOST_SECRET_BYTES + 1)
        text = data.decode("utf-8-sig")
    except OSError as error:
        raise UsageError(
            f"the {what} in {file} cannot be read: {error.strerror or error}.", "Check the path and the file."
        ) from error
    except UnicodeDecodeError as error:
        raise UsageError(f"{file} is no text in UTF-8.", f"Save the {what} as UTF-8.") from error
    text = text.removesuffix("\n").removesuffix("\r")
    if not text.strip() or "\n" in text or len(data) > _MOST_SECRET_BYTES:
        raise UsageError(f"{file} does not hold one line.", f"Put the {what} there, and nothing else.")
    return text


def _compared(name: str) -> str:
    return unicodedata.normalize("NFC", " ".join(name.split())).casefold()

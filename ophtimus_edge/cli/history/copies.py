"""``ophtimus history backup`` and ``restore``."""

import argparse

from ophtimus_edge.cli.history.opening import (
    key_of,
    passphrase,
    profile_of,
    recovery_key,
    see_that_it_is_free,
)
from ophtimus_edge.errors import BackupError
from ophtimus_edge.history import backup
from ophtimus_edge.terminal.saying import line, result, result_json, steps


def back_up(options: argparse.Namespace) -> None:
    """Write a profile into a file that its passphrase opens, or one that is asked for."""
    see_that_it_is_free(options.file, options.replace)
    profile = profile_of(options)
    key = key_of(options, profile)
    own = None if profile.locked else passphrase(options, "Passphrase for the backup: ", new=True)
    with steps() as show:
        recovery = backup.backup(profile, key, options.file, own, show)
    try:
        size = options.file.stat().st_size
    except OSError as error:
        raise BackupError(
            f"the backup {options.file} is not there any more: {error.strerror or error}.",
            "See that its disk is connected, and do it again. The history is as it was.",
        ) from error
    if options.json:
        result_json({"file": str(options.file), "size_bytes": size, "recovery_key": recovery})
        return
    result(
        f"{options.file} is written and checked: the history of {line(profile.name)}, {size / (1 << 20):.1f} MiB."
    )
    if recovery is None:
        result(
            "It opens with the passphrase that the profile has now, or with the recovery key printed with it."
        )
    else:
        result(f"It opens with its passphrase, or with this recovery key: {recovery}")
        result("Write it down and keep it elsewhere: without both, nobody can open the backup.")


def restore(options: argparse.Namespace) -> None:
    """Make a new profile from a backup."""
    backup.look(options.file)
    recovery = recovery_key(options)
    word = None if recovery is not None else passphrase(options, "Passphrase of the backup: ")
    with steps() as show:
        profile = backup.restore(options.file, word, recovery, options.profile, show)
    if options.json:
        result_json({"profile": profile.name, "id": profile.id})
    else:
        result(f"{options.file} is restored as the profile {line(profile.name)}.")
        result("The profiles that were there stay as they were.")

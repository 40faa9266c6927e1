"""The passphrases of keys, asked for at the terminal, where nothing that is typed is shown."""

import getpass
import sys
from pathlib import Path

from ophtimus_edge.errors import UsageError
from ophtimus_edge.kit.keys import SigningKey, read_signing_key
from ophtimus_edge.terminal.standard_input import is_terminal
from ophtimus_edge.text import sanitize


def signing_key(path: Path) -> SigningKey:
    """A private key from its file, its passphrase asked for where it has one.

    Raises:
        KitSignatureError: there is none, it is not one, or the passphrase is not its.
        UsageError: it has a passphrase, and there is no terminal to ask at.
    """

    def ask() -> str:
        if not is_terminal():
            raise UsageError(
                f"the key {path} has a passphrase, and there is no terminal to ask for it at.",
                "Run the command in a terminal, or use a key without a passphrase.",
            )
        return _asked(f"Passphrase of {path}: ")

    return read_signing_key(path, ask)


def asked_for_new(path: Path) -> str:
    """A passphrase for a new key, asked for twice; "" for none, and where there is no terminal.

    Raises:
        UsageError: the two are not the same.
    """
    if not is_terminal():
        return ""
    first = _asked(f"Passphrase for {path} (Enter for none): ")
    if first and _asked("The same again: ") != first:
        raise UsageError(
            "the two passphrases are not the same.", "Run the command again. Nothing was written."
        )
    return first


def _asked(prompt: str) -> str:
    try:
        return getpass.getpass(sanitize(prompt), stream=sys.stderr)
    except EOFError as error:
        raise UsageError("no passphrase was typed.", "Run the command again. Nothing was written.") from error

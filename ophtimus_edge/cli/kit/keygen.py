"""``ophtimus kit keygen``: a key to sign kits with."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any


def add_parser(actions: Any) -> None:
    """Add the verb to ``ophtimus kit``."""
    text = "make a key to sign kits with"
    parser = actions.add_parser("keygen", help=text, description=f"{text[0].upper()}{text[1:]}.")
    parser.add_argument("-o", "--out", type=Path, required=True, metavar="FILE", help="of the private key")
    parser.add_argument(
        "--succeeds", type=Path, metavar="OLD_KEY",
        help="a private key that this one takes the place of: clinics that know the old one follow",
    )  # fmt: skip
    parser.add_argument("--json", action="store_true", help="JSON on standard output")


def run(options: argparse.Namespace) -> None:
    """Run the verb.

    Raises:
        KitSignatureError: a key cannot be read or written.
        UsageError: two passphrases were not the same, or there is no terminal to ask for one at.
    """
    import base64

    from ophtimus_edge.kit import keys, signature
    from ophtimus_edge.terminal.passphrases import asked_for_new, signing_key
    from ophtimus_edge.terminal.saying import result, result_json, say

    out: Path = options.out
    keys.check_new(out)
    old = signing_key(options.succeeds) if options.succeeds else None
    passphrase = asked_for_new(out)
    keys.check_new(out, passphrase)
    key = keys.generate_key()
    if old is not None:  # before the key: where the work breaks off, no key is there without its chain
        chain = signature.succeed(old, key.public, signature.read_succession(options.succeeds))
        signature.write_succession(out, chain)
    keys.write_key(out, key, passphrase)
    if not passphrase:
        say(f"{out} has no passphrase: whoever can read it can sign kits.")
    if options.json:
        result_json(
            {
                "key": str(out),
                "public_key_file": str(keys.public_file(out)),
                "public_key": base64.b64encode(key.public).decode("ascii"),
                "fingerprint": keys.fingerprint(key.public),
                "succeeds": keys.fingerprint(old.public) if old else "",
                "encrypted": bool(passphrase),
            }
        )
        return
    result(f"{out} signs kits; keep a copy of it where nobody else gets at it.")
    if old is not None:
        result(f"{signature.succession_file(out)} says that it succeeds the old key; keep it beside the key.")
    result(
        f"{keys.public_file(out)} may be given to anyone. Its fingerprint:\n{keys.fingerprint(key.public)}"
    )

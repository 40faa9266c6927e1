"""``ophtimus kit verify``: whether a kit is whole, and whether a key that is trusted here vouches for it."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ophtimus_edge.errors import KitChangedError
    from ophtimus_edge.kit.state import KitState
    from ophtimus_edge.kit.verifying import Signed


def add_parser(actions: Any) -> None:
    """Add the verb to ``ophtimus kit``."""
    parser = actions.add_parser(
        "verify",
        help="read a whole kit and compare it with its signed manifest",
        description="Read a whole kit and compare it with its signed manifest. Nothing of it is used. The exit code "
        "is 0 where it is whole, and 1 where anything was changed, added or taken away, or another key signed it.",
    )
    parser.add_argument("folder", type=Path, metavar="DIR", help="the kit: the folder with manifest.json")
    parser.add_argument(
        "--key", type=Path, metavar="PUB", help="a public key to trust, in the place of the pinned one"
    )
    parser.add_argument(
        "--to", type=Path, metavar="ROOT", help="the folder of the installation whose pinned key counts"
    )
    parser.add_argument("--json", action="store_true", help="JSON on standard output")


def run(options: argparse.Namespace) -> None:
    """Run the verb.

    Raises:
        KitError: the kit is not whole, or not signed by a key that is trusted here; the subclass says which.
        KitInstallError: the installation's state is damaged.
        FormatVersionError: the kit was made by a newer release.
    """
    from ophtimus_edge import locations
    from ophtimus_edge.cli.kit.progress import bar
    from ophtimus_edge.errors import KitChangedError
    from ophtimus_edge.kit import keys
    from ophtimus_edge.kit.state import read_state
    from ophtimus_edge.kit.verifying import read_signed, verify_files
    from ophtimus_edge.terminal.saying import say

    state = None if options.key else read_state(options.to or locations.kit_root())
    pinned = keys.read_public_key(options.key) if options.key else state.public_key if state else None
    kit = read_signed(options.folder, pinned)
    try:
        with bar(f"reading {kit.manifest.name} {kit.manifest.version}") as show:
            verify_files(kit, show)
    except KitChangedError as error:
        _tell(options, kit, state, error)
        raise
    except KeyboardInterrupt:
        say("\nThe kit was not read to its end, so nothing is known of it.")
        raise
    _tell(options, kit, state, None)


def _tell(
    options: argparse.Namespace, kit: Signed, state: KitState | None, found: KitChangedError | None
) -> None:
    from ophtimus_edge.kit.keys import fingerprint, in_groups
    from ophtimus_edge.terminal.saying import line, result, result_json

    manifest = kit.manifest
    faults = found.faults if found else ()
    refused = _refused(kit, state)
    if options.json:
        result_json(
            {
                "kit": str(kit.folder),
                "result": "changed" if faults else "whole",
                "signature": "verified" if kit.pinned else "unverified",
                "name": manifest.name,
                "version": manifest.version,
                "program": manifest.program,
                "manifest_sha256": kit.manifest_sha256,
                "signed_by": fingerprint(kit.signer),
                "files": len(manifest.files),
                "size_bytes": kit.size_bytes,
                "faults": [{"path": path, "fault": fault} for path, fault in faults],
                "may_follow": not (faults or refused),
            }
        )
        return
    title = line(f"{manifest.name} {manifest.version}")
    if faults:
        result(f"{title}: CHANGED. What is wrong with it:")
        for path, fault in faults:
            result(f"  {line(path)}  {line(fault)}")
        return
    size = (
        f"{kit.size_bytes / 2**30:.2f} GiB"
        if kit.size_bytes >= 1 << 30
        else f"{kit.size_bytes / 2**20:.1f} MiB"
    )
    result(f"{title}: whole. {len(manifest.files)} files, {size}, are as they were made.")
    if kit.pinned:
        whose = f"in {options.key}" if options.key else "that is pinned here"
        result(f"verified: the key {whose} vouches for it. It is signed by {fingerprint(kit.signer)}.")
    else:
        result(
            "unverified: no key is pinned here yet, so nothing proves who made it. Compare these digits with the "
            "paper that came with it:\n"
            f"  manifest  {in_groups(kit.manifest_sha256)}\n  key       {fingerprint(kit.signer)}"
        )
    if refused:
        result(f"It would not be installed here: {refused}")


def _refused(kit: Signed, state: KitState | None) -> str:
    """Why the kit may not follow what is installed, "" where it may."""
    from ophtimus_edge.errors import KitError
    from ophtimus_edge.kit.succeeding import check_follows

    if state is None:
        return ""
    try:
        check_follows(state, kit)
    except KitError as error:
        return error.message
    return ""

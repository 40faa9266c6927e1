"""``ophtimus kit build``: a kit of models and everything that they need, signed."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ophtimus_edge.kit.building.kit import Built
    from ophtimus_edge.kit.building.order import KitOrder

_PLATFORMS = ("linux-x86_64", "win_amd64")


def add_parser(actions: Any) -> None:
    """Add the verb to ``ophtimus kit``."""
    parser = actions.add_parser(
        "build",
        help="build and sign a kit",
        description="Build a folder for a USB stick that brings the program and models to a computer without "
        "internet, and sign it. Wheels are fetched and built once and stay in the cache. The same order gives the "
        "same manifest.",
    )
    parser.add_argument("--name", required=True, metavar="N", help="what clinics know the kit by")
    parser.add_argument(
        "--version", required=True, metavar="X.Y.Z", help="higher than that of the kit before"
    )
    parser.add_argument(
        "--key", type=Path, required=True, metavar="KEY", help="the private key that signs it"
    )
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="the kit: a new folder")
    parser.add_argument(
        "--models", type=Path, nargs="+", action="extend", default=[], metavar="DIR",
        help="model folders; the first one is opened at the clinic",
    )  # fmt: skip
    parser.add_argument(
        "-l", "--level", action="append", default=[], metavar="L",
        help="a level, or `recommended` for the one that a comparison recommends; repeats. Without it: the "
        "recommended one where there is one, else the one that the folder opens",
    )  # fmt: skip
    parser.add_argument(
        "--platform", action="append", choices=_PLATFORMS, help="what it is for; repeats (linux-x86_64)"
    )
    parser.add_argument(
        "--python",
        action="append",
        metavar="3.N",
        help="which Pythons of Linux machines; repeats (3.11 to 3.13)",
    )
    parser.add_argument(
        "--python-archive", type=Path, action="append", default=[], metavar="PATH",
        help="a relocatable Python for machines that have none; needed for Windows",
    )  # fmt: skip
    parser.add_argument(
        "--accelerator", choices=("cuda",), default="", help="llama.cpp for NVIDIA's cards too"
    )
    parser.add_argument(
        "--report", type=Path, action="append", default=[], metavar="DIR",
        help="what ophtimus compare wrote about the levels; repeats",
    )  # fmt: skip
    parser.add_argument(
        "--previous", type=Path, metavar="KIT", help="the kit before: what it withdrew is repeated"
    )
    parser.add_argument(
        "--withdraw", action="append", default=[], metavar="SHA256=REASON",
        help="a model file that must not be used any more; repeats",
    )  # fmt: skip
    parser.add_argument(
        "--withdrawn", type=Path, action="append", default=[], metavar="FILE",
        help="TOML with entries [[withdrawn]] of sha256, en and ko",
    )  # fmt: skip
    parser.add_argument(
        "--split", default="auto", metavar="SIZE",
        help="split models' files that are not shorter: a size such as 4GiB, none, or auto for what the file "
        "system of DIR takes (auto)",
    )  # fmt: skip
    parser.add_argument(
        "--wheel", type=Path, action="append", default=[], metavar="PATH",
        help="a wheel that goes before fetched ones; repeats",
    )  # fmt: skip
    parser.add_argument(
        "--program-wheel", type=Path, metavar="PATH", help="the wheel of Ophtimus Edge itself"
    )
    parser.add_argument(
        "--licence", action="append", default=[], metavar="PACKAGE=FILE",
        help="the licence of a package whose wheel has none; repeats",
    )  # fmt: skip
    parser.add_argument("--constraints", type=Path, metavar="PATH", help="exact versions (the project's own)")
    parser.add_argument("--offline", action="store_true", help="fetch nothing: everything is in the cache")
    parser.add_argument("--json", action="store_true", help="JSON on standard output")


def run(options: argparse.Namespace) -> None:
    """Run the verb.

    Raises:
        KitBuildError: something that was named is missing or does not suit, or the disk is full.
        KitSignatureError: the key cannot be used.
        OphtimusError: a model or the earlier kit is damaged; the subclass says what.
    """
    from ophtimus_edge.kit.building.kit import KEPT, build
    from ophtimus_edge.kit.signature import read_succession
    from ophtimus_edge.terminal.build_progress import BuildProgress
    from ophtimus_edge.terminal.passphrases import signing_key

    order = _order(options)
    key = signing_key(options.key)
    succession = read_succession(options.key)
    progress = BuildProgress()
    try:
        with progress:
            built = build(order, key, succession, progress)
    except KeyboardInterrupt:
        sys.stderr.write(f"\n{KEPT}\n")
        raise
    finally:
        progress.tell_notes()
    _tell(options, built)


def _order(options: argparse.Namespace) -> KitOrder:
    from ophtimus_edge.errors import UsageError
    from ophtimus_edge.kit.building import order

    licences = {}
    for word in options.licence:
        package, _, file = word.partition("=")
        if not (package and file):
            raise UsageError(f"--licence {word} names no file.", "Write it as PACKAGE=FILE.")
        licences[package.lower().replace("_", "-")] = Path(file)
    return order.KitOrder(
        name=options.name,
        version=options.version,
        out=options.out,
        models=tuple(options.models),
        levels=tuple(options.level),
        platforms=tuple(options.platform or ("linux-x86_64",)),
        pythons=tuple(options.python or order.PYTHONS),
        archives=tuple(options.python_archive),
        accelerator=options.accelerator,
        reports=tuple(options.report),
        withdraw=tuple(options.withdraw),
        withdrawn_files=tuple(options.withdrawn),
        previous=options.previous,
        split_bytes=order.split_bytes(options.split),
        wheels=tuple(options.wheel),
        program_wheel=options.program_wheel,
        licences=licences,
        constraints=options.constraints,
        offline=options.offline,
    )


def _tell(options: argparse.Namespace, built: Built) -> None:
    from ophtimus_edge.kit.keys import fingerprint, in_groups
    from ophtimus_edge.terminal.saying import result, result_json

    manifest = built.manifest
    if options.json:
        result_json(
            {
                "kit": str(built.folder),
                "name": manifest.name,
                "version": manifest.version,
                "program": manifest.program,
                "manifest_sha256": built.manifest_sha256,
                "signed_by": fingerprint(built.signed_by),
                "files": len(manifest.files),
                "size_bytes": built.size_bytes,
                "platforms": [
                    {"platform": one.platform, "pythons": one.pythons, "glibc": one.glibc}
                    for one in manifest.platforms
                ],
                "models": [{"name": one.name, "levels": one.levels} for one in manifest.models],
                "withdrawn": [one.sha256 for one in manifest.withdrawn],
                "sheets": [str(path) for path in built.sheets],
            }
        )
        return
    result(
        f"{built.folder}: {manifest.name} {manifest.version}, {len(manifest.files)} files, "
        f"{built.size_bytes / 2**20:.1f} MiB."
    )
    result(f"  manifest  {in_groups(built.manifest_sha256)}\n  key       {fingerprint(built.signed_by)}")
    result(f"Print {built.sheets[0]} and bring it to the clinic by another way than the stick.")

"""``ophtimus release``: from a checkpoint to a signed kit, in one chain that goes on where it was stopped.

``ophtimus`` finds this module through the entry-point group ``ophtimus.verbs``. Only what the verb works with is
imported, and only when it runs.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from ophtimus_edge.errors import MissingExtraError

_PARTS = ("speed", "divergence", "mcq", "essay")
_PLATFORMS = ("linux-x86_64", "win_amd64")


def add_parser(verbs: Any) -> None:
    """Add the verb to the command line of ``ophtimus``."""
    verb = verbs.add_parser(
        "release",
        help="a checkpoint to a signed kit: convert, compare and kit build in one chain",
        description="Convert a checkpoint, compare its levels and build a signed kit, one after another in one "
        "folder. Each step is left out where its result is there and of the same inputs; stopped or killed, the same "
        "command goes on.",
        epilog="Each step can also be done by itself: ophtimus-convert, ophtimus compare, ophtimus kit build.",
    )
    add = verb.add_argument
    add("checkpoint", metavar="CHECKPOINT", help="a checkpoint's folder, or a hub id such as owner/name")
    add("-l", "--level", action="append", required=True, metavar="LEVEL", help="to convert to; repeats")
    add("--version", required=True, metavar="X.Y.Z", help="of the kit: higher than that of the one before")
    add("--key", type=Path, required=True, metavar="KEY", help="the private key that signs the kit")
    add("--out", type=Path, required=True, metavar="DIR", help="the model, the report and the kit go into it")
    add("--plan", action="store_true", help="say what each step would take, and write nothing")
    add("--json", action="store_true", help="JSON on standard output")
    _add_converting(verb.add_argument_group("converting").add_argument)
    _add_comparing(verb.add_argument_group("comparing").add_argument)
    _add_building(verb.add_argument_group("the kit").add_argument)
    verb.set_defaults(run=run)


def _add_converting(add: Any) -> None:
    add("--adapter", type=Path, metavar="DIR", help="a LoRA adapter's folder")
    add("--name", default="", metavar="N", help="the model's name (default: the checkpoint's)")
    add(
        "--model-version", default="", metavar="V",
        help="the model's version (default: as it was converted before, else the kit's)",
    )  # fmt: skip
    add("--imatrix", type=Path, metavar="FILE", help="an importance matrix")
    add("--calibrate", type=Path, metavar="TEXT", help="compute one on a text file")
    add("--tokenizer", type=Path, metavar="DIR", help="take the tokenizer from this folder")
    add("--chat-template", type=Path, metavar="FILE", help="take the chat template from this file")
    add("--skip-gate", action="append", default=[], metavar="GATE", help="leave a gate out; repeats")


def _add_comparing(add: Any) -> None:
    add("--no-compare", action="store_true", help="put no report into the kit; no level is recommended then")
    add("--reference", default="", metavar="LEVEL", help="what is compared with (default: the most faithful)")
    add("--text", type=Path, metavar="FILE", help="for divergence")
    add("--mcq", type=Path, metavar="FILE", help="multiple-choice questions")
    add("--essay", type=Path, metavar="FILE", help="essay questions")
    add("--votes", type=Path, action="append", default=[], metavar="FILE", help="of blind tests; repeats")
    add("--without", action="append", default=[], choices=_PARTS, metavar="PART",
        help="leave a part out: " + ", ".join(_PARTS))  # fmt: skip
    add("--budget", default="", metavar="TIME", help="such as 2h: as much of each part as fits")


def _add_building(add: Any) -> None:
    add(
        "--kit-name", default="", metavar="N", help="what clinics know the kit by (default: the model's name)"
    )
    add("--kit-level", action="append", default=[], metavar="L",
        help="for the kit; repeats (default: the recommended one, else the one that the model opens)")  # fmt: skip
    add("--platform", action="append", choices=_PLATFORMS, help="repeats (linux-x86_64)")
    add("--python", action="append", metavar="3.N", help="of Linux machines; repeats")
    add("--python-archive", type=Path, action="append", default=[], metavar="PATH",
        help="a relocatable Python; needed for Windows")  # fmt: skip
    add("--accelerator", choices=("cuda",), default="", help="llama.cpp for NVIDIA's cards too")
    add("--previous", type=Path, metavar="KIT", help="the kit before: what it withdrew is repeated")
    add("--withdraw", action="append", default=[], metavar="SHA256=REASON", help="take a model file back")
    add("--withdrawn", type=Path, action="append", default=[], metavar="FILE",
        help="TOML with entries [[withdrawn]] of sha256, en and ko")  # fmt: skip
    add("--split", default="auto", metavar="SIZE", help="as for ophtimus kit build")
    add("--wheel", type=Path, action="append", default=[], metavar="PATH", help="goes before fetched ones")
    add("--program-wheel", type=Path, metavar="PATH", help="the wheel of Ophtimus Edge itself")
    add("--licence", action="append", default=[], metavar="PACKAGE=FILE", help="of a package without one")
    add("--constraints", type=Path, metavar="PATH", help="exact versions (the project's own)")
    add("--offline", action="store_true", help="fetch nothing, neither a checkpoint nor wheels")


def run(options: argparse.Namespace) -> None:
    """Run the verb.

    Raises:
        MissingExtraError: what converts is not installed.
        OphtimusError: a step cannot be done; what the others made stays.
    """
    try:
        from ophtimus_convert.releasing import chain
    except ImportError as error:
        raise MissingExtraError(
            f"a release needs conversion, and a package for it is not installed ({error.name}).",
            "Install it with: pip install 'ophtimus-edge[convert]'.",
        ) from error
    chain.release(options)

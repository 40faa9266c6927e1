"""``ophtimus models``: the store of installed models."""

from __future__ import annotations

import argparse
import contextlib
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from ophtimus_edge.models.inventory import FileCheck, StoredModel

UNVERIFIED = "unverified"
FROM_KIT = "from the installed kit"
EXPLAINED = (
    "unverified: no signature covers it; its hashes only say that the files are those it was added with."
)


def add_parser(verbs: Any) -> None:
    """Add the verb to the command line."""
    verb = verbs.add_parser(
        "models", help="list, add, remove or verify models", description="The store of installed models."
    )
    actions = verb.add_subparsers(dest="action", metavar="ACTION", required=True)

    def action(name: str, text: str) -> Any:
        parser = actions.add_parser(name, help=text, description=text)
        parser.add_argument("--json", action="store_true", help="JSON on standard output")
        return parser

    action("list", "what is installed here")
    adding = action("add", "copy a model into the store; a copy that was stopped goes on")
    adding.add_argument("path", type=Path, metavar="PATH", help="a model folder, or a GGUF file")
    removing = action("remove", "remove a model from the store")
    removing.add_argument("name", metavar="NAME", help="as ophtimus models list has it")
    removing.add_argument("--yes", action="store_true", help="do not ask")
    verifying = action("verify", "hash every file and compare")
    verifying.add_argument("name", nargs="?", metavar="NAME", help="without it, every model")


def run(options: argparse.Namespace) -> None:
    """Run the verb.

    Raises:
        OphtimusError: the model is not there, not sound, or the store cannot be changed.
    """
    {"list": _list, "add": _add, "remove": _remove, "verify": _verify}[options.action](options)


def _list(options: argparse.Namespace) -> None:
    from ophtimus_edge.models import inventory

    models = inventory.stored()
    for model in models:
        if options.json:
            _print_json(_described(model))
        else:
            _print(_told(model))
    for left in inventory.unfinished():
        if options.json:
            _print_json({"name": left.name, "unfinished_bytes": left.size_bytes})
        else:
            _print(
                f"{left.name}\n  unfinished: {_size(left.size_bytes)} of a copy or removal that was broken off; the "
                f"same command goes on, ophtimus models remove {left.name} frees them"
            )
    if not options.json and any(not (model.built_in or model.kit) for model in models):
        _print(f"\n{EXPLAINED}")


def _add(options: argparse.Namespace) -> None:
    from ophtimus_edge.models.installing import add

    try:
        with _progress("copying") as show:
            added = add(options.path, show)
    except KeyboardInterrupt:
        _say("\nWhat is copied is kept; run the same command to go on.")
        raise
    for name in added.left_behind:
        _say(f"left behind, since model.json does not list it: {name}")
    if not added.licences and not added.already:
        _say("no licence file came with it.")
    name, version = added.folder.name, added.description.version
    if options.json:
        _print_json(
            {
                "name": name,
                "version": version,
                "folder": str(added.folder),
                "levels": [level.level for level in added.description.levels],
                "result": "already there" if added.already else "added",
                "copied_bytes": added.copied_bytes,
                "left_behind": added.left_behind,
                "signature": UNVERIFIED,
            }
        )
    elif added.already:
        _print(f"{name} {version} is already there.")
    else:
        _print(f"{name} {version} added. Use it with: ophtimus ask --model {name}\n{EXPLAINED}")


def _remove(options: argparse.Namespace) -> None:
    from ophtimus_edge.errors import UsageError
    from ophtimus_edge.models import inventory, kit_models
    from ophtimus_edge.models.store import DEMO
    from ophtimus_edge.text import sanitize

    fixed = (
        options.name == DEMO or options.name in kit_models.folders()
    )  # which is refused, without a question
    if not fixed and options.name not in {left.name for left in inventory.unfinished()}:
        inventory.find(options.name)
    if not options.yes and not fixed:
        if not (sys.stdin is not None and sys.stdin.isatty() and sys.stderr.isatty()):
            raise UsageError(
                f"removing {options.name} needs a confirmation, and there is no terminal to ask at.",
                "Add --yes to remove it.",
            )
        sys.stderr.write(f"Remove {sanitize(options.name)} and its files? [y/N] ")
        sys.stderr.flush()
        if sys.stdin.readline().strip().casefold() not in {"y", "yes", "예", "네"}:
            _say("Nothing was removed.")
            return
    freed = inventory.remove(options.name)
    if options.json:
        _print_json({"name": options.name, "result": "removed", "freed_bytes": freed})
    else:
        _print(f"{options.name} removed; {_size(freed)} freed.")


def _verify(options: argparse.Namespace) -> None:
    from ophtimus_edge.errors import InvalidModelError, OphtimusError
    from ophtimus_edge.models import inventory

    models = [inventory.find(options.name)] if options.name else inventory.stored()
    bad: list[str] = []
    for model in models:
        try:
            with _progress(f"hashing {model.name}") as show:
                checks = inventory.verify(model, show)
        except OphtimusError as error:
            bad.append(f"{model.name}/model.json")
            if options.json:
                _print_json({"model": model.name, "file": "model.json", "result": "unreadable", "sha256": ""})
            else:
                _print(f"{model.name}/model.json  unreadable: {error.message}")
            continue
        for check in checks:
            _print_check(model, check, options.json)
        bad += [f"{model.name}/{check.file}" for check in checks if check.bad]
    if bad:
        more = f", and {len(bad) - 3} more" if len(bad) > 3 else ""
        raise InvalidModelError(
            f"damaged or missing: {', '.join(bad[:3])}{more}.",
            "Remove the model (ophtimus models remove NAME) and add it again from its source.",
        )


def _print_check(model: StoredModel, check: FileCheck, as_json: bool) -> None:
    if as_json:
        _print_json({"model": model.name, "file": check.file, "result": check.result, "sha256": check.sha256})
    else:
        _print(f"{model.name}/{check.file}  {check.result}")


def _described(model: StoredModel) -> dict[str, Any]:
    from ophtimus_edge.models import withdrawals

    signature = "built in" if model.built_in else FROM_KIT if model.kit else UNVERIFIED
    known: dict[str, Any] = {
        "name": model.name, "folder": str(model.folder), "signature": signature, "kit": model.kit
    }  # fmt: skip
    if model.description is None:
        error = model.error
        return known | {"error": error.message if error else "", "hint": error.hint if error else ""}
    description, record = model.description, model.record
    return known | {
        "title": description.name,
        "version": description.version,
        "kind": description.kind,
        "demonstration": description.demonstration,
        "levels": [
            {
                "level": level.level,
                "file": level.file,
                "size_bytes": level.size_bytes,
                "sha256": level.sha256,
                "default": level.level == description.default_level,
                "withdrawn": taken_back.reason if (taken_back := withdrawals.of(level.sha256)) else None,
            }
            for level in description.levels
        ],
        "added": record.added if record else "",
        "hashes_verified": record.verified if record else "",
        "damaged": record.damaged if record else [],
    }


def _told(model: StoredModel) -> str:
    """A model in a few lines for people."""
    from ophtimus_edge.models import withdrawals

    if model.description is None:
        return f"{model.name}\n  cannot be used: {model.error.message if model.error else 'no description'}"
    description, record = model.description, model.record
    title = description.name if description.name != model.name else ""
    lines = [" ".join(part for part in (model.name, title, description.version) if part)]
    for level in description.levels:
        default = "  default" if level.level == description.default_level else ""
        lines.append(f"  {level.level or 'level not named':10}{_size(level.size_bytes):>12}{default}")
        if taken_back := withdrawals.of(level.sha256):
            lines.append(f"    WITHDRAWN by its maker, answers nothing any more: {taken_back.why('en')}")
    marks = ["demonstration, not for clinical use"] if description.demonstration else []
    marks += ["base model: completes texts, with --role free"] if description.kind == "base" else []
    if model.built_in:
        marks.append("built in; its hashes are checked at each use")
    elif model.kit:
        marks.append(f"from the installed kit {model.kit}, whose signature covers its hashes")
    elif record and record.damaged:
        marks += [UNVERIFIED, f"DAMAGED: {', '.join(record.damaged)}"]
    else:
        verified = record.verified if record else ""
        moment = verified.replace("T", " ").removesuffix("Z")
        marks += [UNVERIFIED, f"hashes right on {moment} UTC" if verified else "hashes never verified"]
    return "\n".join([*lines, f"  {'; '.join(marks)}"])


def _size(size: int) -> str:
    if size < 1 << 30:
        return f"{size / 2**20:.1f} MiB"
    return f"{size / 2**30:.2f} GiB"


def _print(text: str) -> None:
    from ophtimus_edge.text import sanitize

    sys.stdout.write(sanitize(text) + "\n")


def _say(text: str) -> None:
    from ophtimus_edge.text import sanitize

    sys.stderr.write(sanitize(text) + "\n")


def _print_json(record: dict[str, Any]) -> None:
    import json

    # Text that is no Unicode, as a file's name may be on Linux, is written as an escape.
    sys.stdout.write(json.dumps(record, ensure_ascii=True) + "\n")


@contextlib.contextmanager
def _progress(what: str) -> Iterator[Callable[[int, int, str], None]]:
    """A bar on standard error in a terminal; elsewhere a line for each file."""
    if not sys.stderr.isatty():
        said: set[str] = set()

        def tell(_done: int, _total: int, file: str) -> None:
            if file not in said:
                said.add(file)
                _say(f"{what} {file}")

        yield tell
        return
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn

    bars = Progress(
        TextColumn("{task.description}"), BarColumn(), DownloadColumn(binary_units=True),
        TimeRemainingColumn(compact=True), console=Console(stderr=True), transient=True,
    )  # fmt: skip
    with bars:
        task = bars.add_task(what, total=None)
        yield lambda done, total, _file: bars.update(task, completed=done, total=total)

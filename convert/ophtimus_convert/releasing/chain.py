"""The chain: refuse what can be refused before it begins; then convert, compare and build, where it is needed."""

import argparse
import contextlib
import gc
import sys
from pathlib import Path
from typing import NamedTuple

from ophtimus_convert import cli as converting
from ophtimus_convert.folder import licence_files
from ophtimus_convert.hub import is_hub_id
from ophtimus_convert.releasing import forecast
from ophtimus_convert.releasing.comparing import compared
from ophtimus_convert.releasing.places import (
    Done,
    Places,
    all_sha256,
    digest,
    file_sha256,
    program_digest,
)
from ophtimus_edge import __version__, locations
from ophtimus_edge.compare.running.preparing import read_parts
from ophtimus_edge.errors import KitBuildError, UsageError
from ophtimus_edge.kit.building import kit as building
from ophtimus_edge.kit.building import order as ordering
from ophtimus_edge.kit.building.withdrawing import read_previous, read_withdrawn
from ophtimus_edge.kit.keys import SigningKey, fingerprint, in_groups
from ophtimus_edge.kit.manifest import MANIFEST, version_number
from ophtimus_edge.kit.signature import read_succession, succession_file
from ophtimus_edge.models.formats import read_model_folder
from ophtimus_edge.terminal import comparison
from ophtimus_edge.terminal.build_progress import BuildProgress
from ophtimus_edge.terminal.passphrases import signing_key
from ophtimus_edge.terminal.saying import result, result_json, say

KEPT = "What was done is kept; run the same command to go on."


class Release(NamedTuple):
    """What a release is made with, once it was checked that it can be.

    Attributes:
        order: of the kit, without its models and report, which are not there yet.
    """

    options: argparse.Namespace
    places: Places
    order: ordering.KitOrder
    key: SigningKey


def release(options: argparse.Namespace) -> None:
    """Make a release, or say what it would take.

    Raises:
        OphtimusError: a step cannot be done.
        KeyboardInterrupt: somebody stopped it; what was done is kept.
    """
    checked = check(options)
    if options.plan:
        words = convert_words(options, checked.places)
        forecast.tell(options, checked.places, words)
        return
    out = checked.places.out
    taken = KitBuildError(f"a release is being made in {out} at this moment.", "Wait for its end.")
    with locations.held(out / ".release.lock", taken):
        try:
            made = _steps(checked)
        except KeyboardInterrupt:
            say(f"\n{KEPT}")
            raise
    _tell(checked, made)


def check(options: argparse.Namespace) -> Release:
    """Refuse at once what would be refused after hours of work.

    Raises:
        OphtimusError: a name, a version, a key or a file does not suit; the subclass says which.
    """
    version_number(options.version)
    name = (
        converting.checked_name(options.name) if options.name else converting.default_name(options.checkpoint)
    )
    kit_name = ordering.checked_name(options.kit_name or name)
    converting.checked_levels(options.level, weighed=bool(options.imatrix or options.calibrate))
    unknown = [level for level in options.kit_level if level not in {*_levels(options), "recommended"}]
    if unknown:
        raise UsageError(f"--kit-level {unknown[0]} is none of the levels of -l.", "Add it to them.")
    if options.no_compare and "recommended" in options.kit_level:
        raise UsageError(
            "without a comparison no level is recommended.", "Leave out --no-compare, or name one."
        )
    key = signing_key(options.key)
    previous = None
    if options.previous:
        trusted = {key.public, *(link.old_key for link in read_succession(options.key))}
        previous = read_previous(options.previous, kit_name, options.version, trusted)
    read_withdrawn(options.withdraw, options.withdrawn, previous)
    _expect_licence(options)
    if not options.no_compare:
        read_parts(options.text, options.mcq, options.essay, options.without)
    out = options.out.expanduser().absolute()
    places = Places(out, name, kit_name, options.version)
    if not options.plan:
        locations.ensure_writable(out)
    return Release(options, places, _order(options, places, kit_name), key)


def _expect_licence(options: argparse.Namespace) -> None:
    """No model goes to a clinic without its licence. Of a hub's checkpoint it is not known before it is fetched."""
    if is_hub_id(options.checkpoint):
        return
    folders = [Path(options.checkpoint), *(one for one in (options.tokenizer, options.adapter) if one)]
    if not licence_files(folder for folder in folders if folder.is_dir()):
        raise KitBuildError(
            f"there is no licence file in {options.checkpoint}, and no model goes to a clinic without its licence.",
            "Put the licence of the model, such as LICENSE.txt, beside the checkpoint's files.",
        )


def _levels(options: argparse.Namespace) -> list[str]:
    return [level.upper() for level in options.level]


def _order(options: argparse.Namespace, places: Places, kit_name: str) -> ordering.KitOrder:
    licences = {}
    for word in options.licence:
        package, _, file = word.partition("=")
        if not (package and file):
            raise UsageError(f"--licence {word} names no file.", "Write it as PACKAGE=FILE.")
        licences[package.lower().replace("_", "-")] = Path(file)
    return ordering.KitOrder(
        name=kit_name,
        version=options.version,
        out=places.kit,
        models=(places.model,),
        levels=tuple(options.kit_level),
        platforms=tuple(options.platform or ("linux-x86_64",)),
        pythons=tuple(options.python or ordering.PYTHONS),
        archives=tuple(options.python_archive),
        accelerator=options.accelerator,
        reports=() if options.no_compare else (places.report,),
        withdraw=tuple(options.withdraw),
        withdrawn_files=tuple(options.withdrawn),
        previous=options.previous,
        split_bytes=ordering.split_bytes(options.split),
        wheels=tuple(options.wheel),
        program_wheel=options.program_wheel,
        licences=licences,
        constraints=options.constraints,
        offline=options.offline,
    )


def _steps(checked: Release) -> list[str]:
    """Do the steps that are needed; returns their names. What they print goes to standard error."""
    made = []
    with contextlib.redirect_stdout(sys.stderr):
        say("1 of 3: converting")
        made += ["convert"] if _convert(checked) else []
        if not checked.options.no_compare:
            say("2 of 3: comparing")
            made += ["compare"] if _compare(checked) else []
        say("3 of 3: building the kit")
        made += ["kit"] if _build(checked) else []
    return made


def _convert(checked: Release) -> bool:
    """Convert to the levels that are not there yet; whether any was made."""
    before = _hashes(checked.places)
    checked.places.model.parent.mkdir(parents=True, exist_ok=True)
    words = convert_words(checked.options, checked.places)
    gc.disable()  # as ophtimus-convert does: millions of objects that all stay
    try:
        converting.run(converting.parser().parse_args(words))
    finally:
        gc.enable()
    return _hashes(checked.places) != before


def _hashes(places: Places) -> dict[str, str]:
    if not (places.model / "model.json").is_file():
        return {}
    return {level.level: level.sha256 for level in read_model_folder(places.model).levels}


def _converted_version(places: Places) -> str:
    """The version of the model that is there already: a later kit may bring the same one."""
    return read_model_folder(places.model).version if (places.model / "model.json").is_file() else ""


def convert_words(options: argparse.Namespace, places: Places) -> list[str]:
    """The command line of ``ophtimus-convert`` for the first step."""
    words = [options.checkpoint, "-o", str(places.model), "--name", places.model.name]
    words += ["--version", options.model_version or _converted_version(places) or options.version]
    for level in options.level:
        words += ["-l", level]
    for gate in options.skip_gate:
        words += ["--skip-gate", gate]
    named = ("adapter", "imatrix", "calibrate", "tokenizer", "chat_template")
    return [*words, *_named(options, named), *(["--offline"] if options.offline else [])]


def _named(options: argparse.Namespace, names: tuple[str, ...]) -> list[str]:
    return [
        word
        for name in names
        if (value := getattr(options, name))
        for word in (f"--{name.replace('_', '-')}", str(value))
    ]


def _compare(checked: Release) -> bool:
    """Compare the levels, where they were not compared in the same way; whether they were now."""
    options, places = checked.options, checked.places
    inputs = digest(
        {
            "program": __version__,
            "files": _hashes(places),
            "asked": all_sha256(path for path in (options.text, options.mcq, options.essay) if path),
            "of": [name for name in ("text", "mcq", "essay") if getattr(options, name)],
            "votes": all_sha256(options.votes),
            "reference": options.reference,
            "without": sorted(set(options.without)),
            "budget": options.budget,
        }
    )
    record = places.record()
    if record.compared.inputs == inputs and places.has_report(record.compared):
        say(f"{places.report} is the comparison of these files; nothing was measured.")
        return False
    comparison.compare(compared(options, places.model, places.report))
    record.compared = Done(inputs=inputs, sha256=file_sha256(places.report / "report.json"))
    places.note(record)
    return True


def _build(checked: Release) -> bool:
    """Build the kit where it is not there; whether it was built now.

    Raises:
        KitBuildError: a kit of this version is there, and of other inputs.
    """
    places, order = checked.places, checked.order
    inputs = _kit_inputs(checked)
    record = places.record()
    known = record.built.get(places.kit.name, Done())
    if places.kit.exists():
        manifest = places.kit / MANIFEST
        sha256 = file_sha256(manifest) if manifest.is_file() else ""
        if known.inputs != inputs or known.sha256 not in ("", sha256) or not sha256 or not places.sheets:
            raise KitBuildError(
                f"{places.kit} is there already, and was made of other files or with other options.",
                "Raise --version, since versions only go up; or remove it, where it was given to nobody.",
            )
        say(f"{places.kit} is the kit of these files; nothing was built.")
        record.built[places.kit.name] = Done(inputs=inputs, sha256=sha256)
        places.note(record)
        return False
    record.built[places.kit.name] = Done(inputs=inputs)  # a kit that appears from here on is of these
    places.note(record)
    progress = BuildProgress()
    try:
        with progress:
            built = building.build(order, checked.key, read_succession(checked.options.key), progress)
    finally:
        progress.tell_notes()
    record.built[places.kit.name] = Done(inputs=inputs, sha256=built.manifest_sha256)
    places.note(record)
    return True


def _kit_inputs(checked: Release) -> str:
    options, places, order = checked.options, checked.places, checked.order
    succession = succession_file(options.key)
    previous = order.previous / MANIFEST if order.previous and order.previous.is_dir() else order.previous
    return digest(
        {
            "program": program_digest() if order.program_wheel is None else file_sha256(order.program_wheel),
            "model": file_sha256(places.model / "model.json"),
            "report": "" if options.no_compare else file_sha256(places.report / "report.json"),
            "key": fingerprint(checked.key.public),
            "succession": file_sha256(succession) if succession.is_file() else "",
            "name": order.name,
            "levels": order.levels,
            "platforms": order.platforms,
            "pythons": order.pythons,
            "accelerator": order.accelerator,
            "split": order.split_bytes,
            "archives": all_sha256(order.archives),
            "previous": file_sha256(previous),
            "withdraw": order.withdraw,
            "withdrawn": all_sha256(order.withdrawn_files),
            "wheels": all_sha256(order.wheels),
            "licences": {name: file_sha256(path) for name, path in order.licences.items()},
            "constraints": file_sha256(order.constraints),
        }
    )


def _tell(checked: Release, made: list[str]) -> None:
    places, record = checked.places, checked.places.record()
    sha256 = record.built[places.kit.name].sha256
    report = "" if checked.options.no_compare else str(places.report / "report.html")
    if checked.options.json:
        result_json(
            {
                "made": made,
                "model": str(places.model),
                "report": report,
                "kit": str(places.kit),
                "version": checked.order.version,
                "manifest_sha256": sha256,
                "signed_by": fingerprint(checked.key.public),
                "sheets": [str(path) for path in places.sheets],
            }
        )
        return
    result(f"model     {places.model}")
    if report:
        result(f"report    {report}")
    result(f"kit       {places.kit}")
    result(f"manifest  {in_groups(sha256)}\nkey       {fingerprint(checked.key.public)}")
    result(f"Print {places.sheets[0]} and bring it to the clinic by another way than the stick.")

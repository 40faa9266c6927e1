"""A model folder: the GGUF files of the levels, their licences, and model.json that says what they are."""

import importlib.metadata
import re
import shutil
import threading
from collections.abc import Iterable
from concurrent.futures import Future
from pathlib import Path
from typing import NamedTuple

import msgspec

from ophtimus_convert.blueprint import Blueprint
from ophtimus_convert.checkpoint import weight_files
from ophtimus_edge import __version__
from ophtimus_edge.errors import ConversionError, InvalidModelError
from ophtimus_edge.models.formats import (
    Level,
    Licence,
    ModelFolder,
    Source,
    SourceFile,
    Template,
    read_model_folder,
    write_model_folder,
)
from ophtimus_edge.models.provenance import training_files
from ophtimus_edge.models.store import sha256_of
from ophtimus_edge.specialties import DEFAULT_SPECIALTY

_PREFERRED = "Q4_K_M"
_LICENCES = re.compile(
    r"(licen[cs]e|notice|use_policy)\b.*|(licen[cs]e|notice|use_policy)[._-].*", re.IGNORECASE
)
_OF_THE_DISK = frozenset({".conversion.part", "lost+found", "System Volume Information"})
_TOKENIZER = ("tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "chat_template.jinja")


class Origin(NamedTuple):
    """What a model is made from, with the hash of every file."""

    source: Source
    adapter: Source | None


class Hashing:
    """Hashes the weights of a checkpoint beside everything else: 16 GB take their time.

    The thread is a daemon, so that a conversion that is stopped does not wait for it.
    """

    def __init__(self, source: Path) -> None:
        """Begin with a checkpoint's safetensors, before anything is known of it."""
        self._hashes: dict[Path, Future[str]] = {path: Future() for path in weight_files(source)}
        threading.Thread(target=self._work, daemon=True).start()

    def origin(self, blueprint: Blueprint, source_id: str, revision: str) -> Origin:
        """What a model is made from; waits for the end.

        Raises:
            OSError: a file cannot be read.
        """
        folder, adapter = blueprint.checkpoint.folder, blueprint.adapter
        files = [folder / "config.json", *blueprint.checkpoint.files]
        files += [blueprint.vocabulary.folder / name for name in _TOKENIZER]
        return Origin(
            Source(id=source_id or folder.resolve().name, revision=revision, files=self._hashed(files)),
            Source(id=adapter.folder.resolve().name, files=self._hashed(adapter.files)) if adapter else None,
        )

    def _hashed(self, files: list[Path]) -> list[SourceFile]:
        hashed = []
        for path in files:
            if path.is_file():
                begun = self._hashes.get(path)
                digest = begun.result() if begun else sha256_of(path)
                hashed.append(SourceFile(path.name, path.stat().st_size, digest))
        return hashed

    def _work(self) -> None:
        for path, digest in self._hashes.items():
            try:
                digest.set_result(sha256_of(path))
            except OSError as error:
                digest.set_exception(error)


def describe(
    blueprint: Blueprint,
    origin: Origin,
    version: str,
    levels: list[Level],
    licences: list[Licence],
    imatrix: str,
    gates: dict[str, str],
    provenance: list[SourceFile],
) -> ModelFolder:
    """What model.json will say.

    Args:
        provenance: the files that say how it was trained.
        imatrix: the name of the importance matrix's file, or "".
        gates: what each gate came to, by name.
    """
    names = [entry.level for entry in levels]
    template = blueprint.vocabulary.template
    return ModelFolder(
        name=blueprint.name,
        version=version,
        specialty=DEFAULT_SPECIALTY,
        kind="instruct" if template else "base",
        source=origin.source,
        adapter=origin.adapter,
        template=Template(text=template) if template else None,
        levels=levels,
        default_level=_PREFERRED if _PREFERRED in names else names[-1],
        imatrix=imatrix,
        gates=gates,
        licences=licences,
        provenance=provenance,
        tool_versions={
            "ophtimus-edge": __version__,
            "llama-cpp-python": importlib.metadata.version("llama-cpp-python"),
        },
    )


def read_existing(out: Path) -> ModelFolder | None:
    """The model folder that is there already, or None.

    Raises:
        ConversionError: there is something else.
    """
    if not out.exists():
        return None
    if out.is_dir() and not [path for path in out.iterdir() if path.name not in _OF_THE_DISK]:
        return None
    try:
        return read_model_folder(out)
    except InvalidModelError as error:
        raise ConversionError(
            f"{out} exists and is no sound model folder: {error.message}",
            "Name a new folder with -o, or move the old one away.",
        ) from error


def check_same(existing: ModelFolder, wanted: ModelFolder, out: Path) -> None:
    """Refuse to mix two models in one folder.

    Raises:
        ConversionError: naming what differs.
    """
    for what, old, new in (
        ("name", existing.name, wanted.name),
        ("version", existing.version, wanted.version),
        ("source", _hashes(existing.source), _hashes(wanted.source)),
        ("adapter", _hashes(existing.adapter), _hashes(wanted.adapter)),
        ("chat template", existing.template, wanted.template),
    ):
        if old != new:
            raise ConversionError(
                f"{out} holds a model of another {what}; a folder holds the levels of one model.",
                "Name a new folder with -o, or move the old one away.",
            )


def copy_licences(blueprint: Blueprint, target: Path) -> list[Licence]:
    """Copy the licence and notice files of what the model is made from, which travel with every copy."""
    licences = []
    folders = [blueprint.checkpoint.folder, blueprint.vocabulary.folder]
    folders += [blueprint.adapter.folder] if blueprint.adapter else []
    for path in licence_files(folders):
        shutil.copyfile(path, target / path.name)
        text = path.read_text(encoding="utf-8", errors="replace").strip()
        is_notice = path.name.lower().startswith("notice")
        licences.append(Licence(name=path.stem, file=path.name, notice=text if is_notice else ""))
    return licences


def licence_files(folders: Iterable[Path]) -> list[Path]:
    """The licence and notice files of folders; of several with one name, the first."""
    found: dict[str, Path] = {}
    for folder in folders:
        for path in sorted(folder.iterdir()):
            if path.is_file() and _LICENCES.fullmatch(path.name):
                found.setdefault(path.name, path)
    return list(found.values())


def copy_provenance(blueprint: Blueprint, target: Path) -> list[SourceFile]:
    """Copy the record and the card of the training: the adapter's, which holds its base's, else the checkpoint's."""
    folders = [blueprint.adapter.folder] if blueprint.adapter else []
    folders.append(blueprint.checkpoint.folder)
    found = next(filter(None, map(training_files, folders)), {})
    copied = []
    for name, path in found.items():
        shutil.copyfile(path, target / name)
        copied.append(SourceFile(name, (target / name).stat().st_size, sha256_of(target / name)))
    return copied


def added(existing: ModelFolder, more: ModelFolder) -> ModelFolder:
    """A model folder's description with the levels of another of the same model.

    Everything else stays as it is: its marks, its verdict, its default. The gates of the new files stand
    beside those of the old ones, by the levels that they were run on. What a comparison found of a file that is
    replaced by another one goes with it.
    """
    levels = {entry.level: entry for entry in [*existing.levels, *more.levels]}
    replaced = {entry.level for entry in existing.levels if levels[entry.level].sha256 != entry.sha256}
    verdict = existing.comparison.without(replaced)
    which = ", ".join(entry.level for entry in more.levels)
    return msgspec.structs.replace(
        existing,
        levels=list(levels.values()),
        verdict=existing.verdict if verdict == existing.comparison else verdict,
        imatrix=more.imatrix or existing.imatrix,
        gates={**existing.gates, **{f"{gate} ({which})": result for gate, result in more.gates.items()}},
    )


def publish(ready: Path, names: list[str], out: Path, model: ModelFolder) -> None:
    """Put finished files in their place: a new folder appears whole, an existing one gains its files.

    Args:
        ready: the folder that holds them; what it holds besides is left behind.
        names: of the files.

    Raises:
        OSError: a file cannot be written or renamed.
    """
    if out.exists():
        for name in names:
            (ready / name).replace(out / name)
        write_model_folder(out, model)
        return
    for path in ready.iterdir():
        if path.name not in names:
            path.unlink()
    write_model_folder(ready, model)
    out.parent.mkdir(parents=True, exist_ok=True)
    ready.rename(out)


def _hashes(source: Source | None) -> set[str]:
    return {file.sha256 for file in source.files} if source else set()

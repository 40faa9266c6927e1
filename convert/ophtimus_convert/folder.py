"""A model folder: the GGUF files of the levels, their licences, and model.json that says what they are."""

import importlib.metadata
import shutil
from pathlib import Path

from ophtimus_convert.blueprint import Blueprint
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
from ophtimus_edge.models.store import sha256_of
from ophtimus_edge.specialties import DEFAULT_SPECIALTY

_PREFERRED = "Q4_K_M"
_LICENCES = ("LICENSE*", "LICENCE*", "NOTICE*", "Notice*", "USE_POLICY*")
_TOKENIZER = ("tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "chat_template.jinja")


class Origin:
    """The files that a model is made from, with their hashes: slow for large checkpoints."""

    def __init__(self, blueprint: Blueprint, source_id: str, revision: str) -> None:
        """Hash everything."""
        folder, adapter = blueprint.checkpoint.folder, blueprint.adapter
        files = [folder / "config.json", *blueprint.checkpoint.files]
        files += [blueprint.vocabulary.folder / name for name in _TOKENIZER]
        self.source = Source(id=source_id or folder.resolve().name, revision=revision, files=_hashed(files))
        self.adapter = (
            Source(id=adapter.folder.resolve().name, files=_hashed(adapter.files)) if adapter else None
        )


def describe(
    blueprint: Blueprint,
    origin: Origin,
    version: str,
    levels: list[Level],
    licences: list[Licence],
    imatrix: str,
    gates: dict[str, str],
) -> ModelFolder:
    """What model.json will say.

    Args:
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
    if out.is_dir() and not any(out.iterdir()):
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
    """Copy the licence and notice files of the checkpoint, which travel with every copy of a model."""
    licences, seen = [], set()
    for pattern in _LICENCES:
        for path in sorted(blueprint.checkpoint.folder.glob(pattern)):
            if path.is_file() and path.name not in seen:
                seen.add(path.name)
                shutil.copyfile(path, target / path.name)
                text = path.read_text(encoding="utf-8", errors="replace").strip()
                is_notice = path.name.lower().startswith("notice")
                licences.append(Licence(name=path.stem, file=path.name, notice=text if is_notice else ""))
    return licences


def publish(ready: Path, out: Path, model: ModelFolder) -> None:
    """Put finished files in their place: a new folder appears whole, an existing one gains its files.

    Raises:
        OSError: a file cannot be written or renamed.
    """
    if out.exists() and any(out.iterdir()):
        for path in sorted(ready.iterdir()):
            path.replace(out / path.name)
        write_model_folder(out, model)
        return
    write_model_folder(ready, model)
    if out.exists():
        out.rmdir()
    out.parent.mkdir(parents=True, exist_ok=True)
    ready.rename(out)


def _hashed(files: list[Path]) -> list[SourceFile]:
    return [SourceFile(path.name, path.stat().st_size, sha256_of(path)) for path in files if path.is_file()]


def _hashes(source: Source | None) -> set[str]:
    return {file.sha256 for file in source.files} if source else set()

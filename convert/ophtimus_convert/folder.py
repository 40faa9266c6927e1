"""A model folder: the GGUF files of the levels, and model.json that says where they came from."""

import hashlib
import importlib.metadata
import shutil
from collections.abc import Callable
from pathlib import Path

from ophtimus_convert.adapter import Adapter
from ophtimus_convert.checkpoint import Checkpoint
from ophtimus_convert.quantize import quantize
from ophtimus_convert.vocabulary import read_vocabulary
from ophtimus_convert.writer import shape_of, write_merged
from ophtimus_edge import __version__
from ophtimus_edge.errors import ConversionError
from ophtimus_edge.models import gguf
from ophtimus_edge.models.formats import Level, ModelFolder, Source, SourceFile, Template, write_model_folder
from ophtimus_edge.models.store import sha256_of
from ophtimus_edge.specialties import DEFAULT_SPECIALTY

CHUNK = 4 << 20
_PREFERRED = "Q4_K_M"

Progress = Callable[[str, int, int], None]


def convert(
    source: Path,
    adapter_folder: Path | None,
    levels: list[str],
    out: Path,
    name: str,
    version: str,
    on_progress: Progress,
) -> ModelFolder:
    """Convert a checkpoint, with its adapter, to a model folder.

    Everything is made in a folder beside ``out``, which is renamed when it is whole.

    Args:
        levels: the quantization levels to write.
        out: a folder that does not exist yet.
        on_progress: told the step's name, the tensors done and their number.

    Raises:
        ConversionError: the checkpoint, the adapter or the target cannot be used.
    """
    if out.exists():
        raise ConversionError(
            f"{out} exists already.", "Name a new folder with -o, or move the old one away."
        )
    checkpoint = Checkpoint(source)
    adapter = Adapter(adapter_folder) if adapter_folder else None
    vocabulary = read_vocabulary(source, shape_of(checkpoint).vocabulary)
    part = out.with_name(f".{out.name}.part")
    shutil.rmtree(part, ignore_errors=True)
    try:
        part.mkdir(parents=True)
        merged = part / "merged.gguf"
        write_merged(checkpoint, adapter, vocabulary, name, merged,
                     lambda done, total: on_progress("merge", done, total))  # fmt: skip
        entries = [_level(merged, part, name, level, on_progress) for level in levels]
        merged.unlink()
        model = ModelFolder(
            name=name,
            version=version,
            specialty=DEFAULT_SPECIALTY,
            kind="instruct" if vocabulary.template else "base",
            source=_source(source, [source / "config.json", source / "tokenizer.json", *checkpoint.files]),
            adapter=_source(adapter.folder, sorted(adapter.folder.glob("adapter_*"))) if adapter else None,
            template=Template(text=vocabulary.template) if vocabulary.template else None,
            levels=entries,
            default_level=_PREFERRED if _PREFERRED in levels else levels[-1],
            tool_versions={
                "ophtimus-edge": __version__,
                "llama-cpp-python": importlib.metadata.version("llama-cpp-python"),
            },
        )
        write_model_folder(part, model)
        part.rename(out)
    except OSError as error:
        raise ConversionError(
            f"{error.filename or part} cannot be written: {error.strerror or error}.",
            "Free some space, or name another folder with -o.",
        ) from error
    finally:
        shutil.rmtree(part, ignore_errors=True)
    return model


def _level(merged: Path, folder: Path, name: str, level: str, on_progress: Progress) -> Level:
    path = folder / f"{name}-{level}.gguf"
    quantize(merged, path, level, lambda done, total: on_progress(level, done, total))
    gguf.check(path)
    whole, chunks = hashlib.sha256(), []
    with path.open("rb") as file:
        while chunk := file.read(CHUNK):
            whole.update(chunk)
            chunks.append(hashlib.sha256(chunk).hexdigest())
    return Level(
        level=level,
        file=path.name,
        size_bytes=path.stat().st_size,
        sha256=whole.hexdigest(),
        chunk_sha256=chunks,
    )


def _source(folder: Path, files: list[Path]) -> Source:
    return Source(
        id=folder.resolve().name,
        files=[
            SourceFile(path.name, path.stat().st_size, sha256_of(path)) for path in files if path.is_file()
        ],
    )

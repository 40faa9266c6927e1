"""Read a finished GGUF back from the disk: hash it, and let ggml look at every block."""

import contextlib
import hashlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from ophtimus_convert.jobs import Verified, Verify
from ophtimus_convert.positioned import PositionedFile
from ophtimus_convert.worker import ggml
from ophtimus_edge.errors import ConversionError
from ophtimus_edge.models.digests import file_sha256
from ophtimus_edge.models.gguf import Header, TensorInfo, check

_READ = 8 << 20


def verify(job: Verify, on_progress: Callable[[int, int, str], None]) -> Verified:
    """Verify a file.

    Raises:
        ConversionError: a block is not valid.
        InvalidModelError: its header is not sound.
    """
    path = Path(job.path)
    header, size = check(path), path.stat().st_size
    with ThreadPoolExecutor(2) as pool:  # two passes over pages that are in the cache anyway
        whole = pool.submit(file_sha256, path)
        _validate(path, header)
        chunks = []
        with path.open("rb", buffering=0) as file:
            while chunk := file.read(job.chunk):
                chunks.append(hashlib.sha256(chunk).hexdigest())
                on_progress(min(len(chunks) * job.chunk, size), size, path.name)
        return Verified(whole.result(), chunks, len(header.tensors))


def _validate(path: Path, header: Header) -> None:
    with contextlib.closing(PositionedFile(path)) as file:
        for tensor in header.tensors:
            for start, count in _pieces(tensor):
                data = file.read(count, header.data_offset + tensor.offset + start)
                if not ggml.valid(data, tensor.type):
                    raise ConversionError(
                        f"{path.name}: {tensor.name} holds blocks that are not valid.",
                        "The weights may be too large for this level: leave it out, "
                        "or look at that tensor of the checkpoint.",
                    )


def _pieces(tensor: TensorInfo) -> list[tuple[int, int]]:
    row = tensor.size_bytes
    for length in tensor.shape[1:]:
        row //= length
    step = max(_READ // row, 1) * row
    return [(start, min(step, tensor.size_bytes - start)) for start in range(0, tensor.size_bytes, step)]

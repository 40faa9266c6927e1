"""The fused pass: each slice of rows is read once, merged, rounded, permuted, and written at every level.

Rows are independent for every type, so any cut on whole rows gives the same bytes. A slice is small,
and its place in each file is known beforehand: a thread a core takes slices until none is left.
"""

import contextlib
import math
import threading
import zlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

import numpy as np

from ophtimus_convert.adapter import Adapter
from ophtimus_convert.checkpoint import Checkpoint
from ophtimus_convert.imatrix import ImportanceMatrix, read_imatrix
from ophtimus_convert.jobs import Fuse, FusedTensor
from ophtimus_convert.positioned import PositionedFile
from ophtimus_convert.tensors import Floats, rotary_order
from ophtimus_convert.worker import ggml
from ophtimus_edge.errors import AdapterError, ConversionError
from ophtimus_edge.locations import staged

SLICE_WEIGHTS = 2 << 20  # 8 MiB in float32: fits the caches' reach, and leaves work for every core


class _Slice(NamedTuple):
    """Rows ``start`` to ``stop`` of a tensor."""

    tensor: FusedTensor
    start: int
    stop: int


def slices(tensors: list[FusedTensor]) -> list[_Slice]:
    """The work, cut on whole rows, and on whole heads where rows are permuted."""
    cut = []
    for tensor in tensors:
        rows = max(SLICE_WEIGHTS // tensor.columns // tensor.step, 1) * tensor.step
        cut += [
            _Slice(tensor, start, min(start + rows, tensor.rows)) for start in range(0, tensor.rows, rows)
        ]
    return cut


def fuse(job: Fuse, on_progress: Callable[[int, int, str], None]) -> None:
    """Write the data of every output.

    Raises:
        ConversionError: a weight is not finite, or the importance matrix does not fit.
        AdapterError: the merged sum is not finite.
        OSError: a file cannot be read or written.
    """
    work = slices(job.tensors)
    for kind in {place.type for tensor in job.tensors for place in tensor.places}:
        ggml.prepare(kind)
    path = Path(job.journal)
    with contextlib.ExitStack() as stack:
        running = stack.enter_context(_Pass(job))
        finished = running.finished(_lines(path), work)
        with staged(path) as part:
            part.write_bytes(b"".join(finished.values()))
        journal = stack.enter_context(path.open("ab"))
        total = sum(running.size(piece) for piece in work)
        lock, done = threading.Lock(), 0
        queue = iter([(index, piece) for index, piece in enumerate(work)])
        stop = threading.Event()

        def advance(piece: _Slice) -> None:
            nonlocal done
            done += running.size(piece)
            on_progress(done, total, piece.tensor.name)

        def run() -> None:
            while not stop.is_set():
                with lock:
                    index, piece = next(queue, (-1, None))
                    if piece is None:
                        return
                    if index in finished:
                        advance(piece)
                        continue
                try:
                    sums = running.write(piece)
                except BaseException:
                    stop.set()
                    raise
                with lock:
                    journal.write(f"{index} {' '.join(map(str, sums))}\n".encode())
                    journal.flush()
                    advance(piece)

        with ThreadPoolExecutor(job.threads) as pool:
            for future in [pool.submit(run) for _ in range(job.threads)]:
                future.result()
        journal.close()
        if len(running.finished(_lines(path), work)) < len(work):
            raise ConversionError(
                "what was written does not read back as it was written.", "Check the disk, and convert again."
            )


def _lines(journal: Path) -> list[bytes]:
    """The journal's whole lines; a kill may have torn the last one."""
    if not journal.is_file():
        return []
    return [line for line in journal.read_bytes().splitlines(keepends=True) if line.endswith(b"\n")]


class _Pass:
    """The open files of a pass, and what is done to one slice."""

    def __init__(self, job: Fuse) -> None:
        self._job = job
        self._checkpoint = Checkpoint(Path(job.source))
        self._adapter = Adapter(Path(job.adapter)) if job.adapter else None
        if self._adapter:
            self._adapter.fit(self._checkpoint.shapes, self._checkpoint.tied)
        self._imatrix: ImportanceMatrix | None = read_imatrix(Path(job.imatrix)) if job.imatrix else None
        self._files: list[PositionedFile] = []

    def __enter__(self) -> "_Pass":
        self._files = [PositionedFile(Path(path), write=True) for path in self._job.outputs]
        return self

    def __exit__(self, *_: object) -> None:
        for file in self._files:
            file.close()

    def finished(self, journal: list[bytes], work: list[_Slice]) -> dict[int, bytes]:
        """The slices that a killed run wrote whole: those in its journal whose bytes are still there."""
        with ThreadPoolExecutor(self._job.threads) as pool:
            found = pool.map(lambda line: self._there(line, work), journal)
            return {index: line for index, line in zip(found, journal, strict=True) if index is not None}

    def _there(self, line: bytes, work: list[_Slice]) -> int | None:
        """The slice that a line of the journal names, where its bytes are still those that were written."""
        if not all(part.isdigit() for part in line.split()):
            return None  # torn by a power cut
        index, *sums = (int(part) for part in line.split() or (b"-1",))
        if not (0 <= index < len(work) and len(sums) == len(self._files)):
            return None
        there = all(
            zlib.crc32(file.read(size, offset)) == checksum
            for (file, offset, size), checksum in zip(self._regions(work[index]), sums, strict=True)
        )
        return index if there else None

    def size(self, piece: _Slice) -> int:
        """Bytes of the checkpoint that a slice is read from."""
        width = 4 if self._checkpoint.type_of(piece.tensor.base) == "F32" else 2
        return (piece.stop - piece.start) * piece.tensor.columns * width

    def write(self, piece: _Slice) -> list[int]:
        """Make a slice and write it at every level; returns the checksum of each."""
        values = self._merged(piece)
        quantized: dict[str, tuple[memoryview, int]] = {}
        importance = self._imatrix.weights(piece.tensor.target) if self._imatrix else None
        if importance is not None and importance.size != piece.tensor.columns:
            importance = None  # of the embedding only; check_fits refuses all else
        sums = []
        for place, (file, offset, _) in zip(piece.tensor.places, self._regions(piece), strict=True):
            if place.type not in quantized:
                data = ggml.quantize(values, place.type, importance)
                quantized[place.type] = (data, zlib.crc32(data))
            data, checksum = quantized[place.type]
            file.write(data, offset)
            sums.append(checksum)
        return sums

    def _regions(self, piece: _Slice) -> list[tuple[PositionedFile, int, int]]:
        """File, offset and size in bytes of a slice in each output."""
        regions = []
        for file, place in zip(self._files, piece.tensor.places, strict=True):
            row = ggml.row_size(place.type, piece.tensor.columns)
            regions.append((file, place.offset + piece.start * row, (piece.stop - piece.start) * row))
        return regions

    def _merged(self, piece: _Slice) -> Floats:
        tensor = piece.tensor
        base = None
        if not (self._adapter and self._adapter.brings(tensor.name)):
            raw = self._checkpoint.rows(tensor.base, piece.start, piece.stop)
            base = ggml.to_float32(raw, self._checkpoint.type_of(tensor.base))
            self._check(base, f"the tensor {tensor.base} of the checkpoint", ConversionError)
        if self._adapter and self._adapter.changes(tensor.name):
            values = self._adapter.merge_rows(tensor.name, base, piece.start, piece.stop)
            self._check(values, f"the tensor {tensor.name}, merged with the adapter,", AdapterError)
            if self._job.round_to_source:
                values = ggml.rounded(values, self._checkpoint.type_of(tensor.base))
        else:
            assert base is not None  # noqa: S101 - only an adapter that changes a tensor brings its rows
            values = base
        if tensor.permuted:
            values = rotary_order(values, tensor.step)
        return np.ascontiguousarray(values)

    @staticmethod
    def _check(values: Floats, what: str, error: type[ConversionError]) -> None:
        # The sum is not finite where a weight is not, and costs a tenth of looking at each.
        if not math.isfinite(float(values.sum())) and not bool(np.isfinite(values).all()):
            raise error(f"{what} holds NaN or infinity.", "The training went wrong: use an earlier one.")

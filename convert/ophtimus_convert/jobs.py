"""What the converter's child process is asked to do, and what it says.

One job, as JSON behind its length; then a line of JSON an event.

Everything that touches llama.cpp runs in that child (:mod:`ophtimus_convert.worker`), because an
assertion of ggml ends the process it happens in.
"""

import struct

import msgspec

HEAD = struct.Struct("<I")


class PlanTypes(msgspec.Struct, frozen=True, tag=True):
    """Ask llama.cpp which type each tensor gets; the child answers Types.

    Attributes:
        skeleton: a GGUF with the model's metadata and tensor names; its matrices may have two rows.
        file_types: of ``llama_ftype``, by level.
        imatrix: an importance matrix in GGUF, or "".
    """

    skeleton: str
    file_types: dict[str, int]
    imatrix: str = ""


class Place(msgspec.Struct, frozen=True):
    """A tensor in one output: its ggml type, by name, and its offset from the start of the file in bytes."""

    type: str
    offset: int


class FusedTensor(msgspec.Struct, frozen=True):
    """A tensor of the fused pass.

    Attributes:
        name: of the output tensor, in the checkpoint's names.
        base: the checkpoint's tensor that it starts from.
        target: its name in the GGUF.
        rows, columns: its shape; one row for a vector.
        step: rows that must stay together: those of a head where they are permuted, else 1.
        permuted: whether its rows are put in llama.cpp's rotary order.
        places: one for each output, in their order.
    """

    name: str
    base: str
    target: str
    rows: int
    columns: int
    step: int
    permuted: bool
    places: list[Place]


class Fuse(msgspec.Struct, frozen=True, tag=True):
    """Read the checkpoint once and write every level; the child answers Progress…, then Done.

    Attributes:
        source: the checkpoint's folder.
        adapter: the adapter's folder, or "".
        outputs: level files, whole in size and their headers written: the child fills in the data.
        journal: a file of the slices that are written already, appended to.
        threads: of quantizing.
        imatrix: an importance matrix in GGUF, or "".
        round_to_source: round the merged sum once to the checkpoint's type before quantizing.
    """

    source: str
    adapter: str
    outputs: list[str]
    tensors: list[FusedTensor]
    journal: str
    threads: int
    imatrix: str = ""
    round_to_source: bool = True


class Quantize(msgspec.Struct, frozen=True, tag=True):
    """Quantize one GGUF with ``llama_model_quantize``; the child answers Progress…, then Done."""

    source: str
    target: str
    file_type: int
    threads: int
    imatrix: str = ""


class Verify(msgspec.Struct, frozen=True, tag=True):
    """Read a finished file back; the child answers Progress…, then Verified.

    Attributes:
        chunk: bytes of the pieces that are hashed one by one.
    """

    path: str
    chunk: int


class Measure(msgspec.Struct, frozen=True, tag=True):
    """Time the quantization of a few rows of each type; the child answers Rates."""

    types: list[str]
    with_imatrix: bool


class Calibrate(msgspec.Struct, frozen=True, tag=True):
    """Compute an importance matrix over a text; the child answers Progress…, then Done.

    Attributes:
        model: a GGUF that runs, in 16 or 32 bit.
        text: the file of the text.
        target: the matrix, in GGUF.
        context: tokens of a window.
        windows: at the most; 0 for all.
    """

    model: str
    text: str
    target: str
    context: int
    windows: int
    threads: int


class Progress(msgspec.Struct, frozen=True, tag=True):
    """``done`` of ``total``: bytes of the checkpoint or of a file, tensors, or windows."""

    done: int
    total: int
    what: str = ""


class Types(msgspec.Struct, frozen=True, tag=True):
    """The ggml type of each tensor, by level and GGUF name."""

    types: dict[str, dict[str, str]]


class Done(msgspec.Struct, frozen=True, tag=True):
    """The job is done."""


class Verified(msgspec.Struct, frozen=True, tag=True):
    """What a file's bytes came to."""

    sha256: str
    chunk_sha256: list[str]
    tensors: int


class Rates(msgspec.Struct, frozen=True, tag=True):
    """Weights quantized in a second on one core, by type."""

    weights_per_s: dict[str, float]


class Refused(msgspec.Struct, frozen=True, tag=True):
    """The job cannot be done; ``adapter`` says whose fault it is."""

    message: str
    hint: str
    adapter: bool = False


Job = PlanTypes | Fuse | Quantize | Verify | Measure | Calibrate
Event = Progress | Types | Done | Verified | Rates | Refused

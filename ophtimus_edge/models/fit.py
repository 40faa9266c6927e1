"""What fits here: the settings to load a model with, the memory it will take, and how fast it will write.

The terms follow llama.cpp as llama-cpp-python 0.3.36 has it: what its loader maps and copies
(llama-model-loader.cpp, ggml-cpu/repack.cpp), its key/value cache (llama-kv-cache.cpp) and its graph of
a Llama layer (models/llama.cpp). What cannot be read there was measured; docs/benchmarks.md has the
predictions beside the measurements, and benchmarks/predictions.py repeats them.
"""

import math
from typing import Literal, NamedTuple

import msgspec

from ophtimus_edge.models.gguf import Header, TensorInfo
from ophtimus_edge.models.hardware import Machine, lacks_avx
from ophtimus_edge.models.probe import Probe

LARGEST_CONTEXT = 8192  # tokens; long conversations fit, and a 1B model's cache takes 256 MiB
SMALLEST_CONTEXT = 1024
READING_SPEED = 5.0  # tokens a second: 220 words a minute, as people read a text that matters to them

# --- memory -------------------------------------------------------------------------------------------

# The worker without a model: Python, numpy, jinja2, msgspec and llama.cpp's libraries.
_PROCESS_BYTES = 50 << 20
# llama.cpp's vocabulary: for each token its text, its score, and its places in two hash tables; for each
# merge two texts and its place in one.
_TOKEN_BYTES, _MERGE_BYTES = 160, 115
_SLICE = 256  # prompt tokens that the worker evaluates together
_PAGE = 4096
# What a GPU holds beside weights and cache: the driver's context, and buffers for 512 tokens at once.
_GPU_BYTES = 600 << 20
_GPU_BATCH = 512

# --- speed --------------------------------------------------------------------------------------------

# Float operations of the probe's matrix product in the time that one weight takes, by type; measured
# with AVX2 on weights that lie in the caches.
_OPERATIONS = {
    "F32": 2.0, "F16": 2.0, "BF16": 2.0, "Q8_0": 1.5, "Q4_0": 1.2, "Q4_1": 1.8, "Q5_0": 2.2, "Q5_1": 2.4,
    "Q2_K": 2.0, "Q3_K": 2.6, "Q4_K": 1.2, "Q5_K": 2.2, "Q6_K": 2.0, "IQ4_NL": 1.4, "IQ4_XS": 1.8,
}  # fmt: skip
_OPERATIONS_ELSE = 4.0  # the types of two and three bits that look their weights up in tables
# Of what a plain reader gets from the memory: rows are unpacked between reads.
_READ_SHARE = 0.85
# Attention reads the keys and values of all tokens so far, in 16 bits that it converts as it goes: float
# operations of the probe's product in the time of one of its multiplications.
_ATTENTION_OPERATIONS = 40.0
_TOKENS_SO_FAR = 300  # a role, a question, half of an answer
_NODES = 17  # of the graph of a layer, those that compute
_NODE_S = 3e-6
_TOKEN_STEPS = 3000
_GPU_SHARE = 0.6
_GPU_LAYER_S = 50e-6


class Settings(msgspec.Struct, frozen=True):
    """What a model is loaded with.

    Attributes:
        context: tokens.
        gpu_layers: layers that a GPU takes; the number of layers plus one for the whole model.
        threads: of computation.
        limit: a sentence, where the model could use a longer context than is ever taken unasked.
        reasons: what the memory does not allow, a sentence each.
    """

    context: int
    gpu_layers: int
    threads: int
    limit: str
    reasons: list[str]


class Memory(NamedTuple):
    """Where a worker's memory goes, in bytes.

    Attributes:
        weights: pages of the file that stay mapped.
        repacked: weights that llama.cpp keeps a second time, in an order that suits the processor.
        cache: keys and values of the context's tokens, in 16 bits.
        compute: what a slice of a prompt and the logits need.
        process: Python, the libraries and the vocabulary.
        gpu_weights, gpu_other: of the graphics cards; not part of the total.
    """

    weights: int
    repacked: int
    cache: int
    compute: int
    process: int
    gpu_weights: int
    gpu_other: int

    @property
    def total(self) -> int:
        """Of the worker when it answers."""
        return self.weights + self.repacked + self.cache + self.compute + self.process


Cause = Literal["", "processor", "memory", "disk", "free memory", "speed"]


class Judgement(msgspec.Struct, frozen=True):
    """Whether a model can be used here, and one sentence why.

    Attributes:
        cause: what is short, for who says it in another language; "" where nothing is.
    """

    verdict: Literal["fits", "slow", "does not fit"]
    reason: str
    cause: Cause = ""


def choose_settings(
    header: Header, file_bytes: int, machine: Machine, context: int = 0, gpu_layers: int | None = None
) -> Settings:
    """The context and GPU layers to load a model with.

    Args:
        header: of the file, checked by :func:`ophtimus_edge.models.gguf.check`.
        file_bytes: of the file.
        context: tokens; 0 for what the model was trained with, at most 8,192, and less where the
            memory that is available would not hold it, but not less than 1,024.
        gpu_layers: None for what fits into the graphics cards' free memory.
    """
    limit, reasons = "", list[str]()
    trained = _number(header, "llama.context_length") or LARGEST_CONTEXT
    wanted = context or min(trained, LARGEST_CONTEXT)
    if wanted < trained and not context:
        limit = f"the context holds {wanted:,} tokens of the {trained:,} that the model can use."
    layers = _layers_that_fit(header, wanted, machine) if gpu_layers is None else gpu_layers

    def need(tokens: int) -> int:
        return predict_memory(header, file_bytes, tokens, layers, machine)

    chosen, free = wanted, machine.available_bytes
    if not context and free:
        smallest = min(SMALLEST_CONTEXT, wanted)
        while chosen > smallest and need(chosen) > free:
            chosen = max(chosen // 2, smallest)
        if need(chosen) > free:
            reasons.append(
                f"the model needs {gib(need(chosen))} of memory, and {gib(free)} are available: it may be "
                "slow, or fail to load."
            )
        elif chosen < wanted:
            reasons.append(
                f"the context holds {chosen:,} tokens: {wanted:,} would need {gib(need(wanted))} of memory, "
                f"and {gib(free)} are available."
            )
    return Settings(chosen, layers, computing_threads(machine), limit, reasons)


def computing_threads(machine: Machine) -> int:
    """Threads to compute with: two on one core share its arithmetic units and gain nothing."""
    return max(1, min(machine.usable_cores, machine.physical_cores))


def predict_memory(header: Header, file_bytes: int, context: int, gpu_layers: int, machine: Machine) -> int:
    """Bytes of resident memory of the worker's process at its peak, the file's mapped pages among them.

    While it loads, the whole file is mapped; then cache and buffers come, and what lies before the first
    tensor that is used in its place and behind the last one is given back. Weights that go to a graphics
    card are left out: the system takes their pages back as soon as it needs them.
    """
    memory = memory_of(header, context, gpu_layers, machine)
    loading = file_bytes - memory.gpu_weights + memory.repacked + memory.process
    return max(loading, memory.total)


def memory_of(header: Header, context: int, gpu_layers: int, machine: Machine) -> Memory:
    """Where the memory of a worker goes that answers questions with this model.

    Args:
        context: tokens.
    """
    layers = _layers(header)
    offloaded = _offloaded(gpu_layers, layers, machine)
    first_on_gpu = layers + 1 - offloaded
    mapped: list[TensorInfo] = []
    repacked = gpu_weights = 0
    for tensor, block in _used(header, layers):
        if block is not None and block >= first_on_gpu:
            gpu_weights += tensor.size_bytes
        elif block is not None and _is_repacked(tensor, machine):
            repacked += tensor.size_bytes
        else:
            mapped.append(tensor)
    weights = 0
    if mapped:
        start = min(tensor.offset for tensor in mapped) // _PAGE * _PAGE
        weights = max(tensor.offset + tensor.size_bytes for tensor in mapped) - start
    tokens = -(-context // 256) * 256  # llama.cpp rounds up
    cache = [2 * tokens * width for width in _cache_widths(header, layers)]
    vocabulary, merges = (_number(header, f"tokenizer.ggml.{key}") for key in ("tokens", "merges"))
    inner = max((tensor.shape[1] for tensor in _matrices(header, "ffn_up")), default=0)
    width = _number(header, "llama.embedding_length")
    # Of each token of a slice: the two halves of the feed-forward layer and their product, five vectors
    # of the model's width, a row of the attention's mask; of the one that is asked for, its logits twice.
    token = 4 * (3 * inner + 5 * width) + 2 * tokens
    compute = _SLICE * token + 2 * 4 * vocabulary
    gpu_other = _GPU_BYTES + _GPU_BATCH * (token + 4 * vocabulary) if offloaded else 0
    return Memory(
        weights=weights,
        repacked=repacked,
        cache=sum(cache[:first_on_gpu]),
        compute=compute,
        process=_PROCESS_BYTES + _TOKEN_BYTES * vocabulary + _MERGE_BYTES * merges,
        gpu_weights=gpu_weights,
        gpu_other=gpu_other + sum(cache[first_on_gpu:]),
    )


def predict_speed(
    header: Header, file_bytes: int, machine: Machine, probe: Probe, gpu_layers: int = 0
) -> float:
    """Tokens a second while an answer of ordinary length is written; 0 where a GPU's speed is unknown.

    For a token, each weight is read once and used once, and so is what is kept of some hundred tokens
    before it. Every step of the graph waits for all threads, and then the worker picks a token, turns it
    into text and sends it, and the program shows it.
    """
    layers = _layers(header)
    offloaded = _offloaded(gpu_layers, layers, machine)
    first_on_gpu = layers + 1 - offloaded
    tied = not any(tensor.name == "output.weight" for tensor in header.tensors)
    # Of the input's embeddings one row is read, unless the output layer is the same tensor.
    unread = 0 if tied else sum(tensor.size_bytes for tensor in _matrices(header, "token_embd"))
    on_gpu, operations = 0, 0.0
    for tensor, block in _used(header, layers):
        if block is None:
            continue
        if block >= first_on_gpu:
            on_gpu += tensor.size_bytes
        else:
            operations += math.prod(tensor.shape) * _OPERATIONS.get(tensor.type, _OPERATIONS_ELSE)
    read = max(0, file_bytes - header.data_offset - unread - on_gpu)
    width = _number(header, "llama.embedding_length")
    operations += min(layers, first_on_gpu) * _TOKENS_SO_FAR * 2 * width * _ATTENTION_OPERATIONS
    seconds = read / (_READ_SHARE * probe.bandwidth) + operations / probe.arithmetic
    seconds += min(layers, first_on_gpu) * _NODES * _NODE_S + _TOKEN_STEPS * probe.step_s
    if offloaded:
        bandwidth = sum(gpu.bandwidth for gpu in machine.gpus) / len(machine.gpus)
        if not bandwidth:
            return 0.0
        seconds += on_gpu / (_GPU_SHARE * bandwidth) + offloaded * _GPU_LAYER_S
    return 1 / seconds


def judge(
    need: int, tokens_per_s: float | None, machine: Machine, file_bytes: int = 0, disk_free: int | None = None
) -> Judgement:
    """Whether a model can be used here.

    Args:
        need: bytes of memory, as :func:`predict_memory` tells them.
        tokens_per_s: as :func:`predict_speed` tells them; None or 0 where nothing is known.
        file_bytes: of the file that is still to come.
        disk_free: bytes that are free on the disk it is to come to; None where it is there.
    """
    free, has = machine.available_bytes, machine.memory_bytes
    if lacks_avx(machine):
        return Judgement(
            "does not fit", "the processor has no AVX instructions, which the engine needs.", "processor"
        )
    if has and need > has:
        return Judgement(
            "does not fit", f"it needs {gib(need)} of memory; this machine has {gib(has)}.", "memory"
        )
    if disk_free is not None and file_bytes > disk_free:
        return Judgement(
            "does not fit", f"its file takes {gib(file_bytes)}; the disk has {gib(disk_free)} free.", "disk"
        )
    if free and need > free:
        return Judgement(
            "does not fit",
            f"it needs {gib(need)} of memory; {gib(free)} of {gib(has)} are free: close other programs.",
            "free memory",
        )
    if tokens_per_s and tokens_per_s < READING_SPEED:
        return Judgement(
            "slow", f"it writes more slowly than one reads, {READING_SPEED:.0f} tokens a second.", "speed"
        )
    return Judgement("fits", f"it needs {gib(need)} of memory; {gib(free or has)} are free.")


def gib(count: int) -> str:
    """Bytes for people: in GiB, or in MiB where that is less than one."""
    return f"{count / 2**30:.1f} GiB" if count >= 2**30 else f"{count / 2**20:.0f} MiB"


def _offloaded(gpu_layers: int, layers: int, machine: Machine) -> int:
    """The layers that really go to a graphics card, the output layer among them."""
    return min(gpu_layers, layers + 1) if machine.gpu_build and machine.gpus else 0


def _layers_that_fit(header: Header, context: int, machine: Machine) -> int:
    """How many layers the graphics cards hold: the output layer first, then from the last one on."""
    layers = _layers(header)
    room = sum(gpu.free_bytes for gpu in machine.gpus)
    fewest, most = 0, _offloaded(layers + 1, layers, machine)
    while fewest < most:
        count = (fewest + most + 1) // 2
        memory = memory_of(header, context, count, machine)
        if memory.gpu_weights + memory.gpu_other <= room:
            fewest = count
        else:
            most = count - 1
    return fewest


def _is_repacked(tensor: TensorInfo, machine: Machine) -> bool:
    """Whether llama.cpp copies a matrix into another order (repack.cpp, amx/common.h)."""
    flags = set(machine.cpu_flags)
    types: set[str] = set()
    if {"amx_int8", "avx512_vnni"} <= flags:
        types |= {"Q4_0", "Q4_1", "Q8_0", "Q4_K", "Q5_K", "Q6_K", "IQ4_XS"}
    if "avx2" in flags:
        types |= {"Q4_0", "Q4_K", "IQ4_NL", "MXFP4"}
    if "avx512f" in flags:
        types |= {"Q2_K"}
    if {"neon", "dotprod"} <= flags:
        types |= {"Q4_0", "Q4_K", "Q5_K", "Q6_K", "Q8_0", "IQ4_NL", "MXFP4"}
    return len(tensor.shape) == 2 and tensor.type in types and tensor.shape[1] % 8 == 0


def _used(header: Header, layers: int) -> list[tuple[TensorInfo, int | None]]:
    """Each tensor as it is loaded, with its layer: the output layer behind the last, None for the input.

    Tied embeddings are loaded twice, as llama.cpp does.
    """
    found: list[tuple[TensorInfo, int | None]] = []
    tied = not any(tensor.name == "output.weight" for tensor in header.tensors)
    for tensor in header.tensors:
        part = tensor.name.split(".")
        if part[0] == "blk":
            found.append((tensor, int(part[1]) if part[1:] and part[1].isdecimal() else 0))
        elif part[0].startswith("output"):
            found.append((tensor, layers))
        else:
            found.append((tensor, None))
            if tied and part[0] == "token_embd":
                found.append((tensor, layers))
    return found


def _cache_widths(header: Header, layers: int) -> list[int]:
    """Elements of a token's key and value, by layer."""
    widths = [0] * layers
    for tensor in [*_matrices(header, "attn_k"), *_matrices(header, "attn_v")]:
        part = tensor.name.split(".")
        if part[1:] and part[1].isdecimal() and int(part[1]) < layers:
            widths[int(part[1])] += tensor.shape[1]
    return widths


def _matrices(header: Header, name: str) -> list[TensorInfo]:
    """The matrices of a name, of all layers."""
    return [
        tensor
        for tensor in header.tensors
        if len(tensor.shape) == 2 and tensor.name.split(".")[-2:] == [name, "weight"]
    ]


def _layers(header: Header) -> int:
    # A header may declare billions of layers; there are no more than it has tensors.
    return min(_number(header, "llama.block_count"), len(header.tensors))


def _number(header: Header, key: str) -> int:
    """A number of the header, or the length of an array; 0 where there is none."""
    value = header.metadata.get(key)
    return value if isinstance(value, int) and value > 0 else 0

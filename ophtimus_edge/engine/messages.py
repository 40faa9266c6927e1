"""What travels between the client and the worker: msgspec structs, packed with msgpack, length first.

A frame is four bytes of length (little-endian) and that many bytes of msgpack. No pickle: the worker
reads untrusted files, so what it sends back is data and nothing else.
"""

import struct
from typing import Literal

import msgspec

from ophtimus_edge.engine.measuring_messages import (
    Bench,
    Benched,
    Computed,
    Logits,
    Score,
    Scored,
    ScoredPrompt,
    ScoreMany,
)  # fmt: skip

HEAD = struct.Struct("<I")
MAX_FRAME = 64 << 20
LARGEST_SEED = (1 << 32) - 2  # llama.cpp takes 2^32 - 1 for "draw one", and such an answer never comes again

FinishReason = Literal["stop", "length", "cancelled", "failed"]
FailureKind = Literal["load", "question", "usage", "decode", "template"]


class Turn(msgspec.Struct, frozen=True):
    """A turn of a conversation.

    Attributes:
        ids: the tokens that the model wrote, for an answer that it gave: they stand in the next prompt
            as they are, so that nothing of it is evaluated again.
    """

    role: Literal["system", "user", "assistant"]
    text: str
    ids: list[int] = []


class Sampling(msgspec.Struct, frozen=True):
    """How an answer is written.

    Attributes:
        max_tokens: at the most.
        temperature: 0 for greedy.
        seed: of the sampler, at most LARGEST_SEED.
        min_tokens: tokens that are written before one may end the answer; for measurements.
    """

    max_tokens: int = 1024
    temperature: float = 0.0
    seed: int = 0
    min_tokens: int = 0


class Load(msgspec.Struct, frozen=True, tag=True):
    """Load a model; the worker answers Loading…, then Loaded or Failed.

    Attributes:
        context: tokens of context.
        gpu_layers: layers that a GPU takes.
        threads: of computation.
        sequences: answers that can be written at once.
        template: the chat template, or "" for the one inside the file.
        template_date: the date that the template is rendered with, such as "26 Jul 2024".
        system: a system prompt to evaluate at once, or "".
        vocabulary_only: leave the weights out: enough to tokenize and to render.
    """

    path: str
    context: int
    gpu_layers: int
    threads: int
    sequences: int
    template: str
    template_date: str
    system: str = ""
    vocabulary_only: bool = False


class Describe(msgspec.Struct, frozen=True, tag=True):
    """What llama.cpp is and finds here; the worker answers Described. Needs no model."""

    id: int


class Warm(msgspec.Struct, frozen=True, tag=True):
    """Evaluate a system prompt, so that the next question evaluates only itself; answered by Warmed."""

    id: int
    system: str


class Answer(msgspec.Struct, frozen=True, tag=True):
    """Answer a conversation; the worker answers Reading…, Piece…, then Answered or Failed.

    Attributes:
        id: of the request; Cancel names it.
        plain: complete the last turn's text, without a chat template.
    """

    id: int
    turns: list[Turn]
    sampling: Sampling
    plain: bool = False


class AnswerMany(msgspec.Struct, frozen=True, tag=True):
    """Answer conversations side by side; answered by Finished for each as it ends, then Computed.

    Attributes:
        id: of the request; Cancel names it.
        parallel: how many are written at once; not more than the ``sequences`` of Load.
    """

    id: int
    conversations: list[list[Turn]]
    samplings: list[Sampling]
    parallel: int
    plain: bool = False


class Tokenize(msgspec.Struct, frozen=True, tag=True):
    """Text to ids, without a BOS; the worker answers Tokens.

    Attributes:
        special: whether special tokens that the text names count as such.
    """

    id: int
    text: str
    special: bool


class Render(msgspec.Struct, frozen=True, tag=True):
    """A conversation to the ids of its prompt; the worker answers Tokens or Failed."""

    id: int
    turns: list[Turn]


class Pieces(msgspec.Struct, frozen=True, tag=True):
    """Ids to the bytes that they stand for; the worker answers Pieced."""

    id: int
    ids: list[int]


class Cancel(msgspec.Struct, frozen=True, tag=True):
    """Stop the request of this id, whether it reads, writes or still waits."""

    id: int


class Close(msgspec.Struct, frozen=True, tag=True):
    """End the worker."""


class Loading(msgspec.Struct, frozen=True, tag=True):
    """The model is being loaded; ``fraction`` goes from 0 to 1."""

    fraction: float


class Loaded(msgspec.Struct, frozen=True, tag=True):
    """The model is ready.

    The same request gives the same text where build, device, threads, slice and what the context holds at
    the start are the same.

    Attributes:
        context: tokens that fit, prompt and answer together.
        has_template: whether it can chat.
        seconds: from the request to now.
        vocabulary: tokens that it knows: the columns of its logits.
        eos: the id that the file names as its end, or -1.
        gpu_layers: layers that a GPU took.
        threads: of computation.
        slice: prompt tokens that are evaluated together.
        build: of llama.cpp, such as "llama-cpp-python 0.3.36".
        device: what computes, as llama.cpp names it.
        warmed: tokens of the system prompt that are evaluated already.
        reduced: what was made smaller because the memory ran out, a sentence each.
        protections: of the worker, by name: "on", or why it is off.
    """

    context: int
    has_template: bool
    seconds: float
    vocabulary: int
    eos: int
    gpu_layers: int = 0
    threads: int = 1
    slice: int = 0
    build: str = ""
    device: str = ""
    warmed: int = 0
    reduced: list[str] = []
    protections: dict[str, str] = {}


class Device(msgspec.Struct, frozen=True):
    """A device that llama.cpp can compute on.

    Attributes:
        kind: ``cpu``, ``gpu``, ``igpu`` (which shares the machine's memory) or ``accelerator``.
        free_bytes, total_bytes: of its memory; 0 where it does not say.
    """

    name: str
    description: str
    kind: Literal["cpu", "gpu", "igpu", "accelerator"]
    free_bytes: int
    total_bytes: int


class Described(msgspec.Struct, frozen=True, tag=True):
    """What llama.cpp is and finds here.

    Attributes:
        build: such as "llama-cpp-python 0.3.36".
        features: the CPU instructions that this build uses here, as llama.cpp prints them.
        protections: of the worker, by name: "on", or why it is off.
    """

    id: int
    build: str
    features: str
    devices: list[Device]
    protections: dict[str, str]


class Warmed(msgspec.Struct, frozen=True, tag=True):
    """The system prompt is evaluated."""

    id: int
    tokens: int


class Reading(msgspec.Struct, frozen=True, tag=True):
    """The prompt is being evaluated: ``done`` of ``total`` tokens, those reused among them."""

    id: int
    done: int
    total: int


class Piece(msgspec.Struct, frozen=True, tag=True):
    """A piece of the answer, sanitized; ``tokens`` were written so far."""

    id: int
    text: str
    tokens: int


class Answered(msgspec.Struct, frozen=True, tag=True):
    """The answer is at its end.

    Attributes:
        ids: the tokens that were written, for the next prompt of the conversation.
        ttft_s: seconds from the request to the first token; 0 where there was none.
        write_s: seconds from the first token to the last.
    """

    id: int
    finish_reason: FinishReason
    seed: int
    prompt_tokens: int
    reused_tokens: int
    completion_tokens: int
    ttft_s: float
    write_s: float
    ids: list[int] = []

    @property
    def tokens_per_s(self) -> float:
        """(completion_tokens − 1) ÷ seconds since the first token; 0 for fewer than two tokens."""
        return (self.completion_tokens - 1) / self.write_s if self.write_s > 0 else 0.0


class Finished(msgspec.Struct, frozen=True, tag=True):
    """One of many answers is at its end.

    Attributes:
        index: of its conversation in the request.
        text: the whole answer, sanitized.
        error, hint: why there is no answer, where there is none; else "".
    """

    id: int
    index: int
    text: str
    finish_reason: FinishReason
    seed: int
    prompt_tokens: int
    completion_tokens: int
    error: str = ""
    hint: str = ""


class Tokens(msgspec.Struct, frozen=True, tag=True):
    """Token ids."""

    id: int
    ids: list[int]


class Pieced(msgspec.Struct, frozen=True, tag=True):
    """The bytes of each token, and whether it ends an answer."""

    id: int
    pieces: list[bytes]
    ends: list[bool]


class Failed(msgspec.Struct, frozen=True, tag=True):
    """A request failed; the worker goes on. ``id`` is 0 for a load."""

    id: int
    kind: FailureKind
    message: str
    hint: str


Request = (
    Load
    | Describe
    | Warm
    | Answer
    | AnswerMany
    | Score
    | ScoreMany
    | Tokenize
    | Render
    | Pieces
    | Logits
    | Bench
    | Cancel
    | Close
)
Event = (
    Loading | Loaded | Described | Warmed | Reading | Piece | Answered | Finished | Scored | ScoredPrompt | Tokens
    | Pieced | Benched | Computed | Failed
)  # fmt: skip


class FrameError(Exception):
    """The other side sent a length beyond all bounds, or ended inside a frame."""


def frame(message: Request | Event) -> bytes:
    """A message as it travels."""
    body = msgspec.msgpack.encode(message)
    return HEAD.pack(len(body)) + body


def frame_length(head: bytes) -> int:
    """The length of a frame's body.

    Raises:
        FrameError: it is beyond MAX_FRAME.
    """
    (length,) = HEAD.unpack(head)
    if length > MAX_FRAME:
        raise FrameError(f"a frame of {length} bytes")
    return int(length)

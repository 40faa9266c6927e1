"""What travels between the client and the worker: msgspec structs, packed with msgpack, length first.

A frame is four bytes of length (little-endian) and that many bytes of msgpack. No pickle: the worker
reads untrusted files, so what it sends back is data and nothing else.
"""

import struct
from typing import Literal

import msgspec

HEAD = struct.Struct("<I")
MAX_FRAME = 64 << 20

FinishReason = Literal["stop", "length", "cancelled", "failed"]
FailureKind = Literal["load", "question", "usage", "decode"]


class Turn(msgspec.Struct, frozen=True):
    """A turn of a conversation."""

    role: Literal["system", "user", "assistant"]
    text: str


class Load(msgspec.Struct, frozen=True, tag=True):
    """Load a model; the worker answers Loading…, then Loaded or Failed.

    Attributes:
        context: tokens of context, 0 for the worker's choice.
        threads: of computation.
        template: the chat template, or "" for the one inside the file.
        template_date: the date that the template is rendered with, such as "26 Jul 2024".
        vocabulary_only: leave the weights out: enough to tokenize and to render.
    """

    path: str
    context: int
    threads: int
    template: str
    template_date: str
    vocabulary_only: bool = False


class Answer(msgspec.Struct, frozen=True, tag=True):
    """Answer a conversation; the worker answers Reading…, Piece…, then Answered or Failed.

    Attributes:
        id: of the request; Cancel names it.
        plain: complete the last turn's text, without a chat template.
        max_tokens: at the most.
        temperature: 0 for greedy.
    """

    id: int
    turns: list[Turn]
    plain: bool
    max_tokens: int
    temperature: float
    seed: int


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


class Logits(msgspec.Struct, frozen=True, tag=True):
    """Evaluate ids from an empty context; the worker writes logits, then answers Computed or Failed.

    Attributes:
        last: how many of the last positions' logits to write.
        memory: the name of the shared memory that takes them: float32, shape (last, vocabulary).
    """

    id: int
    ids: list[int]
    last: int
    memory: str


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

    Attributes:
        context: tokens that fit, prompt and answer together.
        has_template: whether it can chat.
        seconds: from the request to now.
        vocabulary: tokens that it knows: the columns of its logits.
        eos: the id that the file names as its end, or -1.
    """

    context: int
    has_template: bool
    seconds: float
    vocabulary: int
    eos: int


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

    @property
    def tokens_per_s(self) -> float:
        """(completion_tokens − 1) ÷ seconds since the first token; 0 for fewer than two tokens."""
        return (self.completion_tokens - 1) / self.write_s if self.write_s > 0 else 0.0


class Tokens(msgspec.Struct, frozen=True, tag=True):
    """Token ids."""

    id: int
    ids: list[int]


class Pieced(msgspec.Struct, frozen=True, tag=True):
    """The bytes of each token, and whether it ends an answer."""

    id: int
    pieces: list[bytes]
    ends: list[bool]


class Computed(msgspec.Struct, frozen=True, tag=True):
    """The logits are in the shared memory."""

    id: int


class Failed(msgspec.Struct, frozen=True, tag=True):
    """A request failed; the worker goes on. ``id`` is 0 for a load."""

    id: int
    kind: FailureKind
    message: str
    hint: str


Request = Load | Answer | Tokenize | Render | Pieces | Logits | Cancel | Close
Event = Loading | Loaded | Reading | Piece | Answered | Tokens | Pieced | Computed | Failed


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

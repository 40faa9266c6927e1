"""GGUF headers taken apart, and changes of them, for tests of what is broken."""

import struct
from collections.abc import Callable
from typing import NamedTuple

U8, U16, U32, I32, F32, BOOL, STR, ARR, U64 = 0, 2, 4, 5, 6, 7, 8, 9, 10
_SIZES = {U8: 1, 1: 1, U16: 2, 3: 2, U32: 4, I32: 4, F32: 4, BOOL: 1, U64: 8, 11: 8, 12: 8}


def text(data: bytes | str) -> bytes:
    data = data.encode() if isinstance(data, str) else data
    return struct.pack("<Q", len(data)) + data


def array(kind: int, *items: bytes) -> bytes:
    return struct.pack("<IQ", kind, len(items)) + b"".join(items)


class Tensor(NamedTuple):
    name: bytes
    shape: tuple[int, ...]
    kind: int
    offset: int


class Draft:
    """A header taken apart: keys with their types and bytes, tensors; the data behind it."""

    def __init__(self, data: bytes) -> None:
        self.magic, self.version = b"GGUF", 3
        self.at, self.source = 8, data
        tensor_count, key_count = struct.unpack("<QQ", self.take(16))
        self.keys: dict[bytes, tuple[int, bytes]] = {}
        for _ in range(key_count):
            name = self.take(self.number("<Q"))
            kind = self.number("<I")
            start = self.at
            self.skip(kind)
            self.keys[name] = (kind, data[start : self.at])
        self.tensors = []
        for _ in range(tensor_count):
            name = self.take(self.number("<Q"))
            shape = tuple(self.number("<Q") for _ in range(self.number("<I")))
            self.tensors.append(Tensor(name, shape, self.number("<I"), self.number("<Q")))
        self.data = data[-(-self.at // 32) * 32 :]
        # What a kind may put in the place of what is written.
        self.counts: tuple[int, int] | None = None
        self.behind_keys = self.behind_tensors = b""
        self.cut: int | None = None

    def take(self, count: int) -> bytes:
        self.at += count
        return self.source[self.at - count : self.at]

    def number(self, layout: str) -> int:
        return int(struct.unpack(layout, self.take(struct.calcsize(layout)))[0])

    def skip(self, kind: int) -> None:
        if kind == ARR:
            item, count = self.number("<I"), self.number("<Q")
            for _ in range(count):
                self.skip(item)
        else:
            self.take(self.number("<Q") if kind == STR else _SIZES[kind])

    def packed(self) -> bytes:
        tensor_count, key_count = self.counts or (len(self.tensors), len(self.keys))
        out = self.magic + struct.pack("<IQQ", self.version, tensor_count, key_count)
        for name, (kind, value) in self.keys.items():
            out += text(name) + struct.pack("<I", kind) + value
        out += self.behind_keys
        for tensor in self.tensors:
            out += text(tensor.name) + struct.pack("<I", len(tensor.shape))
            out += struct.pack(f"<{len(tensor.shape)}QIQ", *tensor.shape, tensor.kind, tensor.offset)
        out += self.behind_tensors
        return (out + bytes(-len(out) % 32) + self.data)[: self.cut]


Change = Callable[[Draft], None]


def key(name: str, kind: int, value: bytes) -> Change:
    """Write a key, in its place where it is there already."""
    return lambda draft: draft.keys.update({name.encode(): (kind, value)})


def u32(name: str, value: int) -> Change:
    return key(name, U32, struct.pack("<I", value))


def f32(name: str, value: float) -> Change:
    return key(name, F32, struct.pack("<f", value))


def without(name: str) -> Change:
    return lambda draft: draft.keys.pop(name.encode())


def tensor(which: str, **changes: object) -> Change:
    def change(draft: Draft) -> None:
        [at] = [at for at, found in enumerate(draft.tensors) if found.name == which.encode()]
        draft.tensors[at] = draft.tensors[at]._replace(**changes)

    return change


def setting(**values: object) -> Change:
    def change(draft: Draft) -> None:
        for name, value in values.items():
            assert hasattr(draft, name)
            setattr(draft, name, value)

    return change


def key_behind(data: bytes) -> Change:
    """One key more, as these bytes."""

    def change(draft: Draft) -> None:
        draft.counts = (len(draft.tensors), len(draft.keys) + 1)
        draft.behind_keys = data

    return change


def tensor_gone(name: str) -> Change:
    """Leave a tensor out, and its data, as if it had never been written."""

    def change(draft: Draft) -> None:
        [gone] = [at for at, found in enumerate(draft.tensors) if found.name == name.encode()]
        start = draft.tensors[gone].offset
        size = draft.tensors[gone + 1].offset - start
        draft.data = draft.data[:start] + draft.data[start + size :]
        later = [found._replace(offset=found.offset - size) for found in draft.tensors[gone + 1 :]]
        draft.tensors[gone:] = later

    return change


def token(at: int, word: bytes) -> Change:
    """Another token at a place of the vocabulary."""

    def change(draft: Draft) -> None:
        kind, value = draft.keys[b"tokenizer.ggml.tokens"]
        count = struct.unpack_from("<Q", value, 4)[0]
        words, position = [], 12
        for _ in range(count):
            length = struct.unpack_from("<Q", value, position)[0]
            words.append(value[position : position + 8 + length])
            position += 8 + length
        words[at] = text(word)
        draft.keys[b"tokenizer.ggml.tokens"] = (kind, array(STR, *words))

    return change


def both(*changes: Change) -> Change:
    def change(draft: Draft) -> None:
        for one in changes:
            one(draft)

    return change


def offset_of(draft: Draft, name: str) -> int:
    return next(found.offset for found in draft.tensors if found.name == name.encode())

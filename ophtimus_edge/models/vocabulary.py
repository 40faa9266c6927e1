"""Whether two model files read a text as the same tokens, from their headers, before either is loaded."""

import hashlib
import struct
from pathlib import Path

from ophtimus_edge.errors import InvalidModelError
from ophtimus_edge.models.gguf import Header, read_header

_LISTS = ("tokenizer.ggml.tokens", "tokenizer.ggml.merges")
_ARRAY, _STRING = 9, 8  # value types of GGUF


def vocabulary_digest(path: Path) -> str:
    """Recognizes a model file's tokens in their order, the rules that join them, and the one that begins a text.

    Raises:
        InvalidModelError: the file cannot be read, or is not sound.
    """
    header = read_header(path)
    try:
        with path.open("rb") as file:
            data = file.read(header.data_offset)
    except OSError as error:
        raise InvalidModelError(
            f"{path} cannot be read: {error.strerror or error}.", "Check that you may read the file."
        ) from error
    begins = -1
    if header.metadata.get("tokenizer.ggml.add_bos_token", True):
        begins = header.metadata.get("tokenizer.ggml.bos_token_id", -1)
    digest = hashlib.sha256(f"{header.metadata.get('tokenizer.ggml.model')} {begins}\n".encode())
    for key in _LISTS:
        digest.update(_list(data, header, key))
        digest.update(b"\n")
    return digest.hexdigest()


def _list(data: bytes, header: Header, key: str) -> bytes:
    """The bytes of a list of texts with their lengths; empty where there is none."""
    count = header.metadata.get(key)
    if header.kinds.get(key) != "arr[str]" or not count:
        return b""
    # The bounded reader, which has found the header sound, keeps of a list only its length.
    mark = struct.pack("<Q", len(key)) + key.encode() + struct.pack("<IIQ", _ARRAY, _STRING, count)
    start = at = data.index(mark) + len(mark)
    unpack = struct.Struct("<Q").unpack_from
    for _ in range(count):
        at += 8 + unpack(data, at)[0]
    return data[start:at]

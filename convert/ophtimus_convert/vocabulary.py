"""The tokenizer of a checkpoint, as GGUF writes it."""

import json
from pathlib import Path
from typing import Any, NamedTuple

from gguf import TokenType
from tokenizers import Regex, Tokenizer, pre_tokenizers

from ophtimus_edge.errors import ConversionError
from ophtimus_edge.models.llama3 import PRE_TOKENIZER, SPLIT

END_OF_TURN = "<|eot_id|>"
_FILE = "tokenizer.json"
_PROBES = (
    "Visual acuity was 20/200 OD and 6/12 OS; IOP 12345 mmHg?",
    "don't, I'LL: it's\n\n  two  spaces\tand a tab \r\n end   ",
    "안압은 21 mmHg입니다. 녹내장(glaucoma)은…",
    "🙂🙂  (a)[b]{c}--d__e '' \"quoted\" 0.05% 1,000.5 ③ ½",
)


class Vocabulary(NamedTuple):
    """What the tokenizer keys of a GGUF hold.

    Attributes:
        folder: where the tokenizer was read.
        tokens: by id.
        types: of ``gguf.TokenType``, by id.
        merges: two tokens with a space between, most frequent first.
        bos, eos: ids; eos is what ends an answer.
        template: the chat template, "" for none.
        notes: sentences for the person who converts.
    """

    folder: Path
    tokens: list[str]
    types: list[int]
    merges: list[str]
    bos: int
    eos: int
    template: str
    notes: list[str]


def tokenizer_folder(source: Path, adapter: Path | None, given: Path | None) -> Path:
    """The folder whose tokenizer goes into the model: the one that was given, else the adapter's, which
    the model was tuned with, else the checkpoint's.

    Raises:
        ConversionError: none of them has a ``tokenizer.json``.
    """  # noqa: D205 - one sentence
    places = [given] if given else [*([adapter] if adapter else []), source]
    for place in places:
        if (place / _FILE).is_file():
            return place
    raise ConversionError(
        f"{' and '.join(str(place) for place in places)} {'have' if len(places) > 1 else 'has'} no {_FILE}.",
        "Name a folder that has the model's tokenizer, such as the base model's, with --tokenizer DIR.",
    )


def read_vocabulary(folder: Path, size: int, template: Path | None = None) -> Vocabulary:
    """Read the tokenizer of a folder.

    Args:
        folder: with ``tokenizer.json``, and what transformers 4 or 5 writes beside it.
        size: rows of the embedding; ids without a token are filled up.
        template: a file that holds the chat template, instead of the folder's.

    Raises:
        ConversionError: a file is damaged, the tokenizer does not split as Llama-3's, or an id lies
            outside the embedding.
    """
    try:
        backend = Tokenizer.from_file(str(folder / _FILE))
        document = json.loads((folder / _FILE).read_text(encoding="utf-8"))
    except Exception as error:  # the library raises a bare Exception of its Rust core
        raise ConversionError(
            f"{folder / _FILE} cannot be read: {error}.", "Copy the tokenizer again."
        ) from error
    config = _read_config(folder)
    if document.get("model", {}).get("type") != "BPE" or not splits_like_llama3(backend):
        raise ConversionError(
            f"the tokenizer in {folder} does not split texts as Llama-3's does.",
            f"Only tokenizers of that kind ({PRE_TOKENIZER}) are converted; name another with --tokenizer DIR.",
        )
    ids = backend.get_vocab(with_added_tokens=True)
    if max(ids.values()) >= size:
        raise ConversionError(
            f"the tokenizer in {folder} has the id {max(ids.values())}, the embedding only {size} rows.",
            "The tokenizer belongs to another checkpoint: name the one that this one was trained with, "
            "with --tokenizer DIR.",
        )
    tokens = [f"[PAD{index}]" for index in range(size)]
    types = [int(TokenType.UNUSED)] * size
    for text, index in ids.items():
        tokens[index], types[index] = text, int(TokenType.NORMAL)
    for index, added in backend.get_added_tokens_decoder().items():
        control = added.special or (added.content.startswith("<|") and added.content.endswith("|>"))
        types[index] = int(TokenType.CONTROL if control else TokenType.USER_DEFINED)
    chat = _template(folder, config, template)
    bos, eos = (_token_id(folder, config, ids, key) for key in ("bos_token", "eos_token"))
    notes = []
    if not chat:
        notes.append("There is no chat template: the model is marked as a base model, which only completes.")
    elif END_OF_TURN in chat and ids.get(END_OF_TURN, eos) != eos:
        # A model that is told to stop at another token than its turns end with never stops.
        notes.append(
            f"The tokenizer's EOS is {tokens[eos]}; the template ends turns with {END_OF_TURN}: used."
        )
        eos = ids[END_OF_TURN]
    if size > len(ids):
        notes.append(f"{size - len(ids)} rows of the embedding have no token and are marked unused.")
    return Vocabulary(folder, tokens, types, _merges(document), bos, eos, chat, notes)


def splits_like_llama3(tokenizer: Tokenizer) -> bool:
    """Whether a tokenizer cuts texts where Llama-3's does.

    Decided by what it does, not by a hash of its ids: a fine-tune that saved the tokenizer again
    changes the hash and not the behaviour.
    """
    reference = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(SPLIT), behavior="isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    own = tokenizer.pre_tokenizer
    return own is not None and all(
        own.pre_tokenize_str(probe) == reference.pre_tokenize_str(probe) for probe in _PROBES
    )


def _read_config(folder: Path) -> dict[str, Any]:
    """``tokenizer_config.json``, with what older releases kept in ``special_tokens_map.json``."""
    config: dict[str, Any] = {}
    for name in ("special_tokens_map.json", "tokenizer_config.json"):
        path = folder / name
        if not path.is_file():
            continue
        try:
            read = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise ConversionError(f"{path} cannot be read: {error}.", "Copy the tokenizer again.") from error
        if not isinstance(read, dict):
            raise ConversionError(f"{path} is not a table of settings.", "Copy the tokenizer again.")
        config |= {key: value for key, value in read.items() if value is not None}
    return config


def _token_id(folder: Path, config: dict[str, Any], ids: dict[str, int], key: str) -> int:
    value = config.get(key)
    text = value.get("content") if isinstance(value, dict) else value  # transformers 4 wrote a table
    if not isinstance(text, str) or text not in ids:
        raise ConversionError(
            f"the tokenizer in {folder} names {text!r} as its {key}, which is not one of its tokens.",
            f"Mend {key} in its tokenizer_config.json.",
        )
    return ids[text]


def _template(folder: Path, config: dict[str, Any], given: Path | None) -> str:
    """The chat template: transformers 5 writes a file of its own, 4 a key of the configuration."""
    path = given or folder / "chat_template.jinja"
    if given or path.is_file():
        try:
            return path.read_text(encoding="utf-8")
        except (OSError, ValueError) as error:
            raise ConversionError(
                f"the chat template {path} cannot be read: {error}.", "Name a text file in UTF-8."
            ) from error
    template = config.get("chat_template", "")
    if isinstance(template, list):  # several, by name; the one for chat is called default
        named = {entry.get("name"): entry.get("template") for entry in template if isinstance(entry, dict)}
        template = named.get("default")
    if not isinstance(template, str):
        raise ConversionError(
            f"the tokenizer in {folder} has several chat templates and none is the default.",
            "Name the one to use with --chat-template FILE.",
        )
    return template


def _merges(document: dict[str, Any]) -> list[str]:
    merges = document["model"].get("merges", [])
    return [merge if isinstance(merge, str) else " ".join(merge) for merge in merges]

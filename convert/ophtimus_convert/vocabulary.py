"""The tokenizer of a checkpoint, as GGUF writes it."""

import json
from pathlib import Path
from typing import Any, NamedTuple

from gguf import TokenType
from tokenizers import Regex, Tokenizer, pre_tokenizers
from transformers import AutoTokenizer

from ophtimus_edge.errors import ConversionError
from ophtimus_edge.models.llama3 import PRE_TOKENIZER, SPLIT

_PROBES = (
    "Visual acuity was 20/200 OD and 6/12 OS; IOP 12345 mmHg?",
    "don't, I'LL: it's\n\n  two  spaces\tand a tab \r\n end   ",
    "안압은 21 mmHg입니다. 녹내장(glaucoma)은…",
    "🙂🙂  (a)[b]{c}--d__e '' \"quoted\" 0.05% 1,000.5 ③ ½",
)


class Vocabulary(NamedTuple):
    """What the tokenizer keys of a GGUF hold.

    Attributes:
        tokens: by id.
        types: of ``gguf.TokenType``, by id.
        merges: two tokens with a space between, most frequent first.
        bos, eos: ids; eos is what ends an answer.
        template: the chat template, "" for none.
    """

    tokens: list[str]
    types: list[int]
    merges: list[str]
    bos: int
    eos: int
    template: str


def read_vocabulary(folder: Path, size: int) -> Vocabulary:
    """Read the tokenizer of a folder.

    Args:
        folder: with ``tokenizer.json``.
        size: rows of the embedding; ids without a token are filled up.

    Raises:
        ConversionError: there is no tokenizer, it does not split as Llama-3's, or an id lies outside.
    """
    if not (folder / "tokenizer.json").is_file():
        raise ConversionError(
            f"{folder} has no tokenizer.json.", "Copy the tokenizer's files into the checkpoint's folder."
        )
    tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
    backend = tokenizer.backend_tokenizer
    if not splits_like_llama3(backend):
        raise ConversionError(
            f"the tokenizer in {folder} does not split texts as Llama-3's does.",
            f"Only tokenizers of that kind ({PRE_TOKENIZER}) are converted.",
        )
    ids = backend.get_vocab(with_added_tokens=True)
    if max(ids.values()) >= size:
        raise ConversionError(
            f"the tokenizer has the id {max(ids.values())}, the embedding only {size} rows.",
            "The tokenizer belongs to another checkpoint: use the one that this one was trained with.",
        )
    tokens = [f"[PAD{index}]" for index in range(size)]
    types = [int(TokenType.UNUSED)] * size
    for text, index in ids.items():
        tokens[index], types[index] = text, int(TokenType.NORMAL)
    for index, added in tokenizer.added_tokens_decoder.items():
        control = added.special or (added.content.startswith("<|") and added.content.endswith("|>"))
        types[index] = int(TokenType.CONTROL if control else TokenType.USER_DEFINED)
    if tokenizer.bos_token_id is None or tokenizer.eos_token_id is None:
        raise ConversionError(
            f"the tokenizer in {folder} names no BOS or no EOS token.", "Mend its tokenizer_config.json."
        )
    template = tokenizer.chat_template
    if not isinstance(template, str | None):
        raise ConversionError(f"the tokenizer in {folder} has several chat templates.", "Keep one of them.")
    return Vocabulary(
        tokens=tokens,
        types=types,
        merges=_merges(json.loads(backend.to_str())),
        bos=tokenizer.bos_token_id,
        eos=tokenizer.eos_token_id,
        template=template or "",
    )


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


def _merges(document: dict[str, Any]) -> list[str]:
    merges = document["model"].get("merges", [])
    return [merge if isinstance(merge, str) else " ".join(merge) for merge in merges]

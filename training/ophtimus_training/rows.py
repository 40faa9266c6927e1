"""Exchanges and texts as rows of tokens: what the model sees, and which of it is learned.

Whatever else trains on these rows, they are made here and checked here: one beginning of a text, the answer's
end among what is learned, nothing cut (facts that trainers get wrong in silence).
"""

from collections.abc import Iterable
from typing import Any, Literal

from ophtimus_edge.errors import TrainingDataError
from ophtimus_edge.models.llama3 import TEMPLATE_DATE
from ophtimus_training.primer import Exchange

IGNORED = -100  # the label of a token that is not learned
END_OF_TURN = "<|eot_id|>"
END_OF_TEXT = "<|end_of_text|>"

Row = dict[str, list[int]]


def tokenized(
    tokenizer: Any,
    exchanges: Iterable[Exchange],
    limit: int,
    system: str = "",
    overlong: Literal["refuse", "drop"] = "refuse",
) -> list[Row]:
    """Rows of ``input_ids`` and ``labels``, written by the chat template; only the answer and its end are learned.

    Args:
        limit: tokens of a row at the most.
        system: the system prompt that stands before each exchange, or "".
        overlong: whether a longer row is refused, or left out: cut, its answer would lose its end.

    Raises:
        TrainingDataError: a row is longer, has no answer, or the template gives it two beginnings or no end;
            or the tokenizer has no template.
    """
    if not tokenizer.chat_template:
        raise TrainingDataError(
            "the base's tokenizer has no chat template: it cannot write a question and its answer.",
            'Name an instruct checkpoint with --set base=, or train on raw text (stage = "continue").',
        )
    end = end_of_turn(tokenizer)
    rows = [_row(tokenizer, exchange, system, end) for exchange in exchanges]
    fitting = [row for row in rows if len(row["input_ids"]) <= limit]
    if len(fitting) < len(rows) and overlong == "refuse":
        longest = max(len(row["input_ids"]) for row in rows)
        raise TrainingDataError(
            f"{len(rows) - len(fitting)} rows are longer than {limit} tokens (the longest has {longest}).",
            f"Shorten them, train with --set length={longest}, or leave them out with --set overlong=drop.",
        )
    return fitting


def begun(tokenizer: Any, prompt: str, system: str, reply: str = "") -> list[int]:
    """The tokens of a question and of how its answer begins: what a trained model goes on from."""
    asked = _turns(prompt, system)
    ids = list(_templated(tokenizer, asked, add_generation_prompt=True))
    return ids + list(tokenizer(reply, add_special_tokens=False)["input_ids"])


def texts(tokenizer: Any, documents: Iterable[str], length: int) -> list[Row]:
    """Raw texts as rows of at most ``length`` tokens, of which every token is learned.

    A text begins with the tokenizer's beginning and ends with its end of a text. Of one that is longer, the next
    row begins with the last token of the row before: each token is predicted once, the first one excepted.
    """
    end = tokenizer.convert_tokens_to_ids(END_OF_TEXT)
    end = tokenizer.eos_token_id if end is None or end == tokenizer.unk_token_id else end
    rows = []
    for document in documents:
        ids = [*tokenizer(document, add_special_tokens=False)["input_ids"], end]
        if tokenizer.bos_token_id is not None and ids[0] != tokenizer.bos_token_id:
            ids.insert(0, tokenizer.bos_token_id)
        for start in range(0, max(len(ids) - 1, 1), max(length - 1, 1)):
            piece = ids[start : start + length]
            rows.append({"input_ids": piece, "labels": list(piece)})
    return [row for row in rows if len(row["input_ids"]) > 1]


def windowed(windows: Iterable[list[int]], beginning: int | None, length: int) -> list[Row]:
    """Packed ``input_ids`` of a file as rows, cut where a text begins: the file does not say where texts end.

    Args:
        beginning: the token that a text begins with; None where there is none, and a window is one text.
        length: tokens of a window at the most.

    Raises:
        TrainingDataError: a window is longer.
    """
    rows = []
    for number, window in enumerate(windows, start=1):
        if len(window) > length:
            raise TrainingDataError(
                f"row {number} of input_ids has {len(window)} tokens, and windows of {length} are trained on.",
                f"Train with --set length={len(window)}, or prepare the texts anew.",
            )
        starts = [at for at, token in enumerate(window) if at and token == beginning]
        for start, stop in zip([0, *starts], [*starts, len(window)], strict=True):
            if stop - start > 1:  # nothing is predicted within one token
                rows.append({"input_ids": window[start:stop], "labels": window[start:stop]})
    return rows


def end_of_turn(tokenizer: Any) -> int:
    """The token that ends an answer: Llama-3's, else the tokenizer's end of a sequence."""
    found = tokenizer.convert_tokens_to_ids(END_OF_TURN)
    if found is None or found == tokenizer.unk_token_id:
        found = tokenizer.eos_token_id
    return int(found)


def _row(tokenizer: Any, exchange: Exchange, system: str, end: int) -> Row:
    if not exchange.reply.strip():
        raise TrainingDataError(
            f"the question {_short(exchange.prompt)} has no answer.", "Write one, or remove the row."
        )
    asked = _turns(exchange.prompt, system)
    prompt = _templated(tokenizer, asked, add_generation_prompt=True)
    ids = _templated(tokenizer, [*asked, {"role": "assistant", "content": exchange.reply}])
    beginnings = ids.count(tokenizer.bos_token_id)
    if tokenizer.bos_token_id is not None and beginnings != 1:
        raise TrainingDataError(
            f"the row of {_short(exchange.prompt)} has {beginnings} beginnings of a text instead of one.",
            "Mend the base's chat template, or remove the token from the data.",
        )
    if ids[: len(prompt)] != prompt or end not in ids[len(prompt) :]:
        raise TrainingDataError(
            f"the chat template writes {_short(exchange.prompt)} so that its answer does not follow the question "
            "and end with the end of a turn.",
            "Use a base with the Llama-3 chat template.",
        )
    # Nothing behind the end is learned: a template may write a line feed there, which no engine lets a model say.
    stop = len(ids) - ids[::-1].index(end)
    labels = [IGNORED] * len(prompt) + ids[len(prompt) : stop] + [IGNORED] * (len(ids) - stop)
    return {"input_ids": ids, "labels": labels}


def _turns(prompt: str, system: str) -> list[dict[str, str]]:
    asked = [{"role": "system", "content": system}] if system else []
    return [*asked, {"role": "user", "content": prompt}]


def _templated(tokenizer: Any, turns: list[dict[str, str]], **settings: Any) -> list[int]:
    # A template that writes today's date would train each day on other rows than the model is asked with.
    found = tokenizer.apply_chat_template(turns, return_dict=True, date_string=TEMPLATE_DATE, **settings)
    ids: list[int] = found["input_ids"]
    return ids


def _short(text: str) -> str:
    words = " ".join(text.split())
    return repr(words if len(words) <= 60 else f"{words[:59]}…")

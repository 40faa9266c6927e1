"""Exchanges as rows of tokens: written by the chat template, only the reply learned."""

from collections.abc import Iterable

from transformers import PreTrainedTokenizerFast

from ophtimus_edge.errors import TrainingDataError
from ophtimus_training.primer import Exchange

IGNORED = -100  # the label of a token that is not learned

Row = dict[str, list[int]]


def tokenized(
    tokenizer: PreTrainedTokenizerFast, exchanges: Iterable[Exchange], limit: int, system: str = ""
) -> list[Row]:
    """Rows of ``input_ids`` and ``labels``.

    Args:
        limit: tokens of a row at the most.
        system: the system prompt that stands before each exchange, or "".

    Raises:
        TrainingDataError: a row is longer: cut, its answer would lose its end-of-turn token.
    """
    rows = [_row(tokenizer, exchange, system) for exchange in exchanges]
    lengths = [len(row["input_ids"]) for row in rows]
    longest = max(lengths, default=0)
    if longest > limit:
        raise TrainingDataError(
            f"{sum(length > limit for length in lengths)} rows are longer than {limit} tokens "
            f"(the longest has {longest}).",
            f"Shorten them, or train with --set length={longest}.",
        )
    return rows


def _row(tokenizer: PreTrainedTokenizerFast, exchange: Exchange, system: str) -> Row:
    asked = [{"role": "system", "content": system}] if system else []
    asked.append({"role": "user", "content": exchange.prompt})
    answered = [*asked, {"role": "assistant", "content": exchange.reply}]
    prompt = tokenizer.apply_chat_template(asked, add_generation_prompt=True, return_dict=True)["input_ids"]
    ids = tokenizer.apply_chat_template(answered, return_dict=True)["input_ids"]
    return {"input_ids": ids, "labels": [IGNORED] * len(prompt) + ids[len(prompt) :]}

"""What a recipe's data come to before any of it is fetched: tokens, windows, steps.

Sources that are here are read. Of hub ids, what their cards state is data (``published.toml``).
"""

import json
import math
import random
from pathlib import Path

from ophtimus_training.planning.published import published
from ophtimus_training.planning.work import Workload
from ophtimus_training.recipe import AnyRecipe, OnBase, Recipe

# Bytes of UTF-8 that make a token of Llama-3's, of English prose, where no tokenizer is here to count them.
_BYTES_PER_TOKEN = 4.5
# What the chat template and the system prompt add to a question and its answer.
_TEMPLATE_TOKENS = 45
_SAMPLED = 400  # rows that are tokenized to know the mean
# How full windows are that whole sequences were packed into, at the least (Krell et al., arXiv 2107.02027).
_FULL = 0.98


def workload_of(recipe: AnyRecipe, devices: int) -> Workload:
    """Tokens of an epoch, steps in all, and what a device has in its memory at once.

    Without tokens that are known, both counts are 0 and the rows are those that the recipe names.

    Raises:
        TrainingDataError: a source is here, and cannot be read.
    """
    tokens, sequences, source = _counted(recipe)
    whole = recipe.batch * recipe.accumulation
    if not recipe.packing:
        rows = sequences
        step = min(whole, sequences) if sequences else whole
        at_once = max(1, min(recipe.batch, math.ceil(step / devices)))
    else:
        rows = max(1, math.ceil(tokens / (recipe.length * _FULL))) if tokens else 0
        share = rows / sequences if sequences else 1.0
        step = max(1, round(whole * share))
        at_once = max(1, min(round(recipe.batch * share) or 1, math.ceil(step / devices)))
    steps = math.ceil(rows / step) * recipe.epochs if rows else 0
    # The longest rows decide what memory is needed; the recipe says how long they may be.
    return Workload(tokens, steps, at_once, recipe.length, at_once * recipe.length, source)


def _counted(recipe: AnyRecipe) -> tuple[int, int, str]:
    """Tokens and sequences of an epoch, and where the numbers are from."""
    tokens = sequences = 0
    said = []
    for source in [recipe.data] if isinstance(recipe.data, str) else recipe.data:
        known = published().data.get(source.partition("@")[0])
        if Path(source).exists():
            more, rows, how = _here(recipe, source)
        elif known:
            more, rows, how = _stated(recipe, known.rows, known.tokens, known.row_tokens)
        else:
            return 0, 0, f"nothing is known of {source} before it is fetched"
        tokens, sequences = tokens + more, sequences + rows
        said.append(f"{source}: {how}")
    return tokens, sequences, "; ".join(said)


def _stated(recipe: Recipe, rows: int, tokens: int, row_tokens: int) -> tuple[int, int, str]:
    if tokens:
        return tokens, math.ceil(tokens / recipe.length), f"{tokens:,} tokens (its card)"
    each = min(row_tokens, recipe.length)
    return rows * each, rows, f"{rows:,} rows (its card) of about {each} tokens (the primer's mean)"


def _here(recipe: AnyRecipe, source: str) -> tuple[int, int, str]:
    """Of a source that is on this machine, counted where there is a tokenizer, else estimated from its letters."""
    from ophtimus_training.examples import read

    examples = read(source, "train")
    windows = sum(map(len, examples.windows))
    texts = [f"{one.prompt}\n{one.reply}" for one in examples.exchanges]
    added = _TEMPLATE_TOKENS * len(texts)
    texts += examples.documents
    tokenizer = _tokenizer_file(recipe)
    if not texts:
        return windows, len(examples.windows), f"{windows:,} tokens (counted)"
    sampled = random.Random(1).sample(texts, min(_SAMPLED, len(texts)))  # noqa: S311  # a sample, not a secret
    size = sum(len(text.encode()) for text in texts)
    if tokenizer is None:
        tokens = round(size / _BYTES_PER_TOKEN)
        how = f"estimated from {size / 2**20:.1f} MiB of text"
    else:
        from tokenizers import Tokenizer

        encoder = Tokenizer.from_file(str(tokenizer))
        counted = sum(len(row.ids) for row in encoder.encode_batch(sampled, add_special_tokens=False))
        tokens = round(counted * size / max(1, sum(len(text.encode()) for text in sampled)))
        how = f"counted on {len(sampled)} of {len(texts)} rows"
    tokens += added + windows
    return tokens, len(texts) + len(examples.windows), f"{tokens:,} tokens ({how})"


def _tokenizer_file(recipe: AnyRecipe) -> Path | None:
    if not isinstance(recipe, OnBase):
        return None
    path = Path(recipe.base) / "tokenizer.json"
    try:
        json.loads(path.read_bytes())["model"]
    except (OSError, ValueError, KeyError):
        return None
    return path

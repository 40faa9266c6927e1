"""The tokenizer that a recipe's rows are written with: its base's, or for a new model one made of its texts."""

import hashlib
import tempfile
from pathlib import Path
from typing import Any

from ophtimus_edge.errors import BaseCheckpointError
from ophtimus_training.primer import Exchange
from ophtimus_training.recipe import AnyRecipe, PretrainRecipe


def recipe_tokenizer(recipe: AnyRecipe, exchanges: list[Exchange]) -> Any:
    """The tokenizer of a recipe.

    A base that is no folder is a hub id, of which the tokenizer's files alone are fetched.

    Args:
        exchanges: what is trained on; a new model's tokenizer is made of it, as the run makes it.

    Raises:
        BaseCheckpointError: the base or its tokenizer is missing or cannot be read.
    """
    from transformers import AutoTokenizer

    from ophtimus_training.pretrain import new_tokenizer
    from ophtimus_training.running import bases

    if isinstance(recipe, PretrainRecipe):
        return new_tokenizer(exchanges, recipe)
    if recipe.base == bases.TINY:
        with tempfile.TemporaryDirectory() as folder:
            return bases.tokenizer_of(bases.tiny(exchanges, Path(folder)))
    if Path(recipe.base).is_dir():
        return bases.tokenizer_of(Path(recipe.base))
    try:
        return bases.with_padding(AutoTokenizer.from_pretrained(recipe.base, trust_remote_code=False))
    except (OSError, ValueError, KeyError) as error:
        raise BaseCheckpointError(
            f"there is no base in {recipe.base}, and its tokenizer cannot be had from the hub.",
            "Name the folder of the base with --set base=FOLDER, or log in to the hub if it is gated: hf auth login.",
        ) from error


def needs_texts(recipe: AnyRecipe) -> bool:
    """Whether a recipe's tokenizer is made of what it trains on."""
    from ophtimus_training.running.bases import TINY

    return isinstance(recipe, PretrainRecipe) or recipe.base == TINY


def fingerprint(tokenizer: Any) -> str:
    """SHA-256 of all that a tokenizer does, 64 hexadecimal digits."""
    return hashlib.sha256(str(tokenizer.backend_tokenizer.to_str()).encode()).hexdigest()

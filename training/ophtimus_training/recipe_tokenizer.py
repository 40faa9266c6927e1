"""The tokenizer that a recipe's rows are written with: its base's, or for a new model one made of its texts."""

import hashlib
import tempfile
from pathlib import Path
from typing import Any

from ophtimus_edge.errors import BaseCheckpointError, DataHubError
from ophtimus_training.examples import hub
from ophtimus_training.primer import Exchange
from ophtimus_training.recipe import TINY, AnyRecipe, PretrainRecipe

_FILES = ("tokenizer*", "*.json", "*.jinja")  # of a base on the hub: its weights are not needed here


def needs_texts(recipe: AnyRecipe) -> bool:
    """Whether a recipe's tokenizer is made of what it trains on."""
    return isinstance(recipe, PretrainRecipe) or recipe.base == TINY


def recipe_tokenizer(recipe: AnyRecipe, exchanges: list[Exchange]) -> Any:
    """The tokenizer of a recipe.

    Args:
        exchanges: what is trained on; where :func:`needs_texts`, the tokenizer is made of it as the run makes it.

    Raises:
        BaseCheckpointError: the base or its tokenizer is missing, cannot be fetched or cannot be read.
    """
    from ophtimus_training.pretrain import new_tokenizer
    from ophtimus_training.running import bases

    if isinstance(recipe, PretrainRecipe):
        return new_tokenizer(exchanges, recipe)
    if recipe.base == TINY:
        with tempfile.TemporaryDirectory() as folder:
            return bases.tokenizer_of(bases.tiny(exchanges, Path(folder)))
    if not hub.is_hub_id(recipe.base):
        return bases.tokenizer_of(bases.folder_of(recipe.base))
    try:
        return bases.tokenizer_of(hub.fetch(recipe.base, _FILES, "model"))
    except DataHubError as error:
        raise BaseCheckpointError(error.message, error.hint) from error


def fingerprint(tokenizer: Any) -> str:
    """SHA-256 of all that a tokenizer does, 64 hexadecimal digits."""
    return hashlib.sha256(str(tokenizer.backend_tokenizer.to_str()).encode()).hexdigest()

"""Training recipes: flat TOML files, validated, with values set over them from the command line.

A recipe is data. Keys that it does not know are refused rather than ignored: a mistyped
``learning_rat`` must not train for a day with the default.
"""

import tomllib
from importlib import resources
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec

from ophtimus_edge.errors import RecipeError

Positive = Annotated[int, msgspec.Meta(ge=1)]
Rate = Annotated[float, msgspec.Meta(gt=0, lt=1)]
Fraction = Annotated[float, msgspec.Meta(ge=0, lt=1)]


class Recipe(msgspec.Struct, kw_only=True, frozen=True, forbid_unknown_fields=True, tag_field="stage"):
    """What every recipe says.

    Attributes:
        data: the folder of question files (``essay/`` and ``mcq/`` of JSONL).
        epochs: passes over the data.
        batch: sequences in a step.
        length: tokens in a sequence at the most; a longer one is refused, never cut.
        schedule: how the learning rate falls, in transformers' names.
        precision: ``float32``, or ``bfloat16`` autocast.
        seed: of initialization, order and dropout.
        optimizer: ``adamw``, or ``muon`` for the layers' matrices with AdamW for the rest, which models that are
            trained from random weights learn by in fewer passes; with an adapter it was not measured.
    """

    data: str
    epochs: Positive
    batch: Positive
    length: Positive
    learning_rate: Rate
    schedule: Literal["constant", "constant_with_warmup", "cosine", "linear"]
    warmup_steps: Annotated[int, msgspec.Meta(ge=0)] = 10
    weight_decay: Fraction = 0.0
    precision: Literal["float32", "bfloat16"] = "bfloat16"
    seed: int = 1
    optimizer: Literal["adamw", "muon"] = "adamw"


class PretrainRecipe(Recipe, kw_only=True, frozen=True, forbid_unknown_fields=True, tag="pretrain"):
    """A new Llama from random weights, with a tokenizer of its own made from the same text.

    Attributes:
        vocabulary: tokens, the special ones included.
        hidden: width of the residual stream; a multiple of 256, so that K-quants apply.
        intermediate: width of the feed-forward layers; a multiple of 256 likewise.
        heads: attention heads.
        kv_heads: key and value heads; divides ``heads``.
        context: positions that the model promises.
    """

    vocabulary: Annotated[int, msgspec.Meta(ge=512)]
    hidden: Annotated[int, msgspec.Meta(ge=256, multiple_of=256)]
    intermediate: Annotated[int, msgspec.Meta(ge=256, multiple_of=256)]
    layers: Positive
    heads: Positive
    kv_heads: Positive
    context: Positive


class InstructRecipe(Recipe, kw_only=True, frozen=True, forbid_unknown_fields=True, tag="instruct"):
    """A LoRA adapter on a base model's projections; only the answers are learned.

    Attributes:
        base: the folder of the base checkpoint.
        lora_r: rank.
        lora_alpha: scale, as alpha / r.
        lora_dropout: probability that an input of the adapter is dropped while training.
    """

    base: str
    lora_r: Positive
    lora_alpha: Annotated[float, msgspec.Meta(gt=0)]
    lora_dropout: Fraction = 0.0


AnyRecipe = PretrainRecipe | InstructRecipe


def names() -> list[str]:
    """The recipes inside the package."""
    folder = resources.files("ophtimus_training") / "recipes"
    return sorted(Path(entry.name).stem for entry in folder.iterdir() if entry.name.endswith(".toml"))


def load(name_or_path: str, settings: list[str] | None = None) -> AnyRecipe:
    """Read a recipe and set values over it.

    Args:
        name_or_path: a recipe of the package, or a TOML file.
        settings: ``key=value`` pairs; the value is read as TOML where it is that, else as text.

    Raises:
        RecipeError: there is no such recipe, a key is unknown, or a value is out of its range.
    """
    table = _read(name_or_path)
    for setting in settings or []:
        key, equals, value = setting.partition("=")
        if not equals or not key:
            raise RecipeError(f"{setting!r} is not of the form key=value.", "For example: --set epochs=3.")
        table[key] = _value(value)
    try:
        recipe: AnyRecipe = msgspec.convert(table, PretrainRecipe | InstructRecipe)
    except msgspec.ValidationError as error:
        keys = sorted(PretrainRecipe.__struct_fields__ + InstructRecipe.__struct_fields__)
        raise RecipeError(
            f"the recipe {name_or_path} is not valid: {error}.",
            f"Mend the recipe or the --set value. The keys are: stage, {', '.join(dict.fromkeys(keys))}.",
        ) from error
    if isinstance(recipe, PretrainRecipe) and (
        recipe.hidden % recipe.heads or recipe.heads % recipe.kv_heads
    ):
        raise RecipeError(
            f"hidden {recipe.hidden}, heads {recipe.heads} and kv_heads {recipe.kv_heads} do not divide.",
            "heads must divide hidden, and kv_heads must divide heads.",
        )
    return recipe


def _read(name_or_path: str) -> dict[str, Any]:
    path = Path(name_or_path)
    try:
        if name_or_path in names():
            text = (resources.files("ophtimus_training") / "recipes" / f"{name_or_path}.toml").read_text(
                "utf-8"
            )
        elif path.suffix == ".toml":
            text = path.read_text("utf-8")
        else:
            raise RecipeError(
                f"there is no recipe {name_or_path!r}.", f"The recipes are: {', '.join(names())}."
            )
        return tomllib.loads(text)
    except OSError as error:
        raise RecipeError(
            f"the recipe {path} cannot be read: {error.strerror}.", f"The recipes are: {', '.join(names())}."
        ) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise RecipeError(f"the recipe {path} is not TOML: {error}.", "Mend the line it names.") from error


def _value(text: str) -> Any:
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        return text

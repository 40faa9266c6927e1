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
Count = Annotated[int, msgspec.Meta(ge=0)]
Rate = Annotated[float, msgspec.Meta(gt=0, lt=1)]
Fraction = Annotated[float, msgspec.Meta(ge=0, lt=1)]


class Recipe(msgspec.Struct, kw_only=True, frozen=True, forbid_unknown_fields=True, tag_field="stage"):
    """What every recipe says.

    ``batch × accumulation`` sequences make a step of the optimizer, on however many devices: with N of them
    each takes its share, so that a run's losses do not depend on where it runs. With ``packing`` they are
    counted as they are before they are packed: as many whole windows make a step as hold that many sequences.

    Attributes:
        data: what is learned from, one source or several: a folder of question files (``essay/`` and ``mcq/`` of
            JSONL), a file of rows (JSONL, CSV, Parquet), what ``ophtimus-train prepare`` wrote, or a hub id.
        evaluation: held-out rows of the same form, never trained on; "" for what ``data`` itself holds out.
        epochs: passes over the data.
        steps: of the optimizer at the most; 0 for as many as the epochs take.
        batch: sequences that a device works on at once.
        accumulation: how often that is done before the optimizer takes a step.
        length: tokens in a sequence at the most.
        overlong: what becomes of a longer one: the run is refused, or the row is left out and counted. It is
            never cut: its answer would lose its end.
        packing: several sequences in one window of ``length`` tokens, none of which sees another.
        schedule: how the learning rate falls, in transformers' names.
        gradient_norm: where a step's gradient is cut; 0 for never.
        precision: ``float32``, or ``bfloat16`` (weights of a frozen base, and autocast).
        seed: of initialization, order and dropout.
        optimizer: ``adamw``; ``adamw_8bit`` (torchao's, moments in 8 bits) where memory is short; or ``muon`` for
            the layers' matrices with AdamW for the rest, which models that are trained from random weights learn
            by in fewer passes; with an adapter it was not measured.
        checkpointing: activations are computed again in the backward pass instead of kept.
        strategy: how several devices share the work: each holds the whole model (``ddp``), or its share of
            weights, gradients and moments (``fsdp2``, ``zero2``, ``zero3``). One device ignores it.
        save_every: steps between two checkpoints to resume from; 0 for none but what SIGTERM saves.
        keep: such checkpoints that are kept, at least two: the last may be damaged.
        evaluate_every: steps between two evaluations; 0 for one at the end.
        log_every: steps between two lines of the log.
        languages: of the rows that ``prepare`` keeps.
        specialty: the medical field whose part of broader sets ``prepare`` keeps; "" for every row.
        similarity: share of common runs of words from which on ``prepare`` takes two rows for the same; 1 for
            those that are the same word for word alone.
    """

    data: str | list[str]
    evaluation: str | list[str] = ""
    epochs: Positive
    steps: Count = 0
    batch: Positive
    accumulation: Positive = 1
    length: Positive
    overlong: Literal["refuse", "drop"] = "refuse"
    packing: bool = False
    learning_rate: Rate
    schedule: Literal["constant", "constant_with_warmup", "cosine", "linear"]
    warmup_steps: Count = 10
    weight_decay: Fraction = 0.0
    gradient_norm: Annotated[float, msgspec.Meta(ge=0)] = 1.0
    precision: Literal["float32", "bfloat16"] = "bfloat16"
    seed: int = 1
    optimizer: Literal["adamw", "adamw_8bit", "muon"] = "adamw"
    checkpointing: bool = False
    strategy: Literal["ddp", "fsdp2", "zero2", "zero3"] = "ddp"
    save_every: Count = 0
    keep: Annotated[int, msgspec.Meta(ge=2)] = 3
    evaluate_every: Count = 0
    log_every: Positive = 50
    languages: list[Literal["en", "ko"]] = msgspec.field(default_factory=lambda: ["en", "ko"])
    specialty: str = "ophthalmology"
    similarity: Annotated[float, msgspec.Meta(gt=0, le=1)] = 0.8


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


class OnBase(Recipe, kw_only=True, frozen=True, forbid_unknown_fields=True):
    """A recipe that starts from a checkpoint.

    Attributes:
        base: the folder of the base checkpoint in 16 or 32 bits, or its hub id; ``tiny`` for a model of a million
            random weights that the run makes by itself, with a tokenizer of the data's texts, to try everything.
        method: what is trained: all weights (``full``), or an adapter: ``lora``, ``dora`` (LoRA with the size of
            each row's change learned apart), ``qlora`` (LoRA over a base held in 4 bits: NF4 with double
            quantization, computed in bfloat16).
        lora_r: rank.
        lora_alpha: scale, as alpha / r.
        lora_dropout: probability that an input of the adapter is dropped while training.
        adapter_precision: of an adapter's weights and moments.
    """

    base: str
    method: Literal["full", "lora", "dora", "qlora"] = "lora"
    lora_r: Positive = 32
    lora_alpha: Annotated[float, msgspec.Meta(gt=0)] = 16
    lora_dropout: Fraction = 0.0
    adapter_precision: Literal["float32", "bfloat16"] = "float32"


class ContinueRecipe(OnBase, kw_only=True, frozen=True, forbid_unknown_fields=True, tag="continue"):
    """Continued pre-training on raw text: rows of ``text``, or of packed ``input_ids``; every token is learned."""


class InstructRecipe(OnBase, kw_only=True, frozen=True, forbid_unknown_fields=True, tag="instruct"):
    """Instruction tuning: prompt and completion; only the answer and its end token are learned.

    Attributes:
        probe: multiple-choice questions at the most whose letters are scored at each evaluation; 0 for none.
    """

    probe: Count = 200


# The base of recipes that show that everything works: made by the run itself, of random weights.
TINY = "tiny"
TINY_BASE = PretrainRecipe(
    data="", epochs=1, batch=1, length=1, learning_rate=0.1, schedule="constant", seed=1,
    vocabulary=1024, hidden=256, intermediate=256, layers=2, heads=4, kv_heads=2, context=2048,
)  # fmt: skip

AnyRecipe = PretrainRecipe | ContinueRecipe | InstructRecipe


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
        recipe: AnyRecipe = msgspec.convert(table, PretrainRecipe | ContinueRecipe | InstructRecipe)
    except msgspec.ValidationError as error:
        every = (PretrainRecipe, ContinueRecipe, InstructRecipe)
        keys = sorted({key for kind in every for key in kind.__struct_fields__})
        raise RecipeError(
            f"the recipe {name_or_path} is not valid: {error}.",
            f"Mend the recipe or the --set value. The keys are: stage, {', '.join(keys)}.",
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

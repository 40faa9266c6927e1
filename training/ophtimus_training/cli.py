"""``ophtimus-train``: one verb so far, ``run RECIPE``."""

import argparse
import os
import shutil
import sys
from pathlib import Path

from ophtimus_edge.cli.failures import reported
from ophtimus_edge.errors import MissingExtraError, UsageError
from ophtimus_training import recipe as recipes


def parser() -> argparse.ArgumentParser:
    """The command line of ``ophtimus-train``."""
    top = argparse.ArgumentParser(
        prog="ophtimus-train", description="From a recipe to a checkpoint or an adapter."
    )
    verbs = top.add_subparsers(dest="verb", required=True, metavar="VERB")
    run = verbs.add_parser("run", help="train")
    run.add_argument("recipe", metavar="RECIPE", help=f"a TOML file, or one of: {', '.join(recipes.names())}")
    run.add_argument(
        "-o", "--out", type=Path, required=True, metavar="DIR", help="a new folder for the result"
    )
    run.add_argument(
        "--set", action="append", default=[], metavar="KEY=VALUE", help="a value over the recipe's; repeats"
    )
    return top


def main(arguments: list[str] | None = None) -> int:
    """Run ``ophtimus-train``; returns the exit code."""
    options = parser().parse_args(arguments)
    with reported("ophtimus-train") as outcome:
        run(options.recipe, options.out, options.set)
    return outcome.exit_code


def run(name: str, out: Path, settings: list[str]) -> None:
    """Train beside ``out`` and rename the result into place.

    Raises:
        OphtimusError: the recipe, the data or the folder cannot be used, or a package is missing.
    """
    recipe = recipes.load(name, settings)
    if out.exists():
        raise UsageError(f"{out} exists already.", "Name a new folder with -o, or move the old one away.")
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    try:
        # Torch, transformers and peft take seconds to load, and only training needs them.
        from ophtimus_training.instruct import instruct
        from ophtimus_training.pretrain import pretrain
    except ImportError as error:
        raise MissingExtraError(
            f"training needs a package that is not installed ({error.name}).",
            "Install it with: pip install 'ophtimus-edge[training]'.",
        ) from error
    part = out.with_name(f".{out.name}.part")
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir(parents=True)
    match recipe:
        case recipes.PretrainRecipe():
            outcome = pretrain(recipe, part)
        case recipes.InstructRecipe():
            outcome = instruct(recipe, part)
    shutil.rmtree(part / "work", ignore_errors=True)
    part.rename(out)
    minutes = outcome.seconds / 60
    sys.stdout.write(f"{out}: {outcome.steps} steps in {minutes:.1f} min, loss {outcome.loss:.4f}\n")

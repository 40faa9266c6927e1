"""``ophtimus-train run``: train what a recipe says."""

import argparse
import os
import shutil
import sys

from ophtimus_edge.errors import UsageError
from ophtimus_training import recipe as recipes
from ophtimus_training.cli.arguments import add_out, add_recipe, recipe_of
from ophtimus_training.cli.extra import training_extra
from ophtimus_training.cli.verbs import Verbs


def add(verbs: Verbs) -> None:
    """Declare the verb's arguments."""
    verb = verbs.add_parser("run", help="train")
    add_recipe(verb)
    add_out(verb)


def handle(options: argparse.Namespace) -> None:
    """Train beside the named folder and rename the result into place.

    Raises:
        OphtimusError: the recipe, the data or the folder cannot be used, or a package is missing.
    """
    recipe, out = recipe_of(options), options.out
    if out.exists():
        raise UsageError(f"{out} exists already.", "Name a new folder with -o, or move the old one away.")
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    with training_extra():
        # Torch, transformers and peft take seconds to load, and only training needs them.
        from ophtimus_training.instruct import instruct
        from ophtimus_training.pretrain import pretrain
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

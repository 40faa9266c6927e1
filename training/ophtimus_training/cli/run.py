"""``ophtimus-train run``: train what a recipe says."""

import argparse
import os
import sys

from ophtimus_training.cli.arguments import add_out, add_recipe, recipe_of
from ophtimus_training.cli.extra import training_extra
from ophtimus_training.cli.verbs import Verbs
from ophtimus_training.launching.ranks import first


def add(verbs: Verbs) -> None:
    """Declare the verb's arguments."""
    verb = verbs.add_parser("run", help="train")
    add_recipe(verb)
    add_out(verb)


def handle(options: argparse.Namespace) -> None:
    """Train beside the named folder and rename the result into place.

    Raises:
        OphtimusError: the recipe, the data, the base or the folder cannot be used, or a package is missing.
    """
    recipe, out = recipe_of(options), options.out
    # The libraries would report, each time that they are used, what they are used for.
    os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
    with training_extra():
        # Torch, transformers and peft take seconds to load, and only training needs them.
        from ophtimus_training.running.job import run
    outcome = run(recipe, out)
    line = f"{out}: {outcome.steps} steps in {outcome.seconds / 60:.1f} min, loss {outcome.loss:.4f}"
    if outcome.evaluation:
        line += f", held-out loss {outcome.evaluation['eval_loss']:.4f}"
    if first():
        sys.stdout.write(f"{line}\n")

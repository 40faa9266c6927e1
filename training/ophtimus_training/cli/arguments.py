"""What several verbs take: a recipe with values over it, and a new folder."""

import argparse
from pathlib import Path

from ophtimus_training import recipe as recipes


def add_recipe(verb: argparse.ArgumentParser) -> None:
    """RECIPE and ``--set KEY=VALUE``."""
    verb.add_argument(
        "recipe", metavar="RECIPE", help=f"a TOML file, or one of: {', '.join(recipes.names())}"
    )
    verb.add_argument(
        "--set", action="append", default=[], metavar="KEY=VALUE", help="a value over the recipe's; repeats"
    )


def add_out(verb: argparse.ArgumentParser) -> None:
    """``-o DIR``."""
    verb.add_argument(
        "-o", "--out", type=Path, required=True, metavar="DIR", help="a new folder for the result"
    )


def recipe_of(options: argparse.Namespace) -> recipes.AnyRecipe:
    """The recipe that was named, with the values set over it.

    Raises:
        RecipeError: there is none of that name, or it is not valid.
    """
    return recipes.load(options.recipe, options.set)

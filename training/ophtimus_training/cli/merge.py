"""``ophtimus-train merge``: an adapter into its 16-bit base."""

import argparse
import os
import sys
from pathlib import Path

from ophtimus_edge.errors import UsageError
from ophtimus_training import recipe as recipes
from ophtimus_training.cli.arguments import add_out
from ophtimus_training.cli.extra import training_extra
from ophtimus_training.cli.verbs import Verbs


def add(verbs: Verbs) -> None:
    """Declare the verb's arguments."""
    verb = verbs.add_parser("merge", help="merge an adapter into its 16-bit base")
    verb.add_argument(
        "source",
        metavar="RECIPE|DIR",
        help="the adapter's folder; or a recipe, whose base is taken, with --adapter",
    )
    add_out(verb)
    verb.add_argument(
        "--adapter", type=Path, metavar="DIR", help="the adapter's folder, where a recipe is named"
    )
    verb.add_argument("--base", default="", metavar="DIR", help="the base (default: what the adapter names)")
    verb.add_argument(
        "--set", action="append", default=[], metavar="KEY=VALUE", help="a value over the recipe's; repeats"
    )


def handle(options: argparse.Namespace) -> None:
    """Merge, prove, and say what was found.

    Raises:
        OphtimusError: the adapter or the base cannot be merged, or the merged model is another one.
    """
    folder, base = _named(options)
    os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
    with training_extra():
        from rich.console import Console
        from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn
        from transformers.utils import logging as transformers_logging

        from ophtimus_training.merging.merge import merge
    transformers_logging.set_verbosity_error()
    console = Console(stderr=True)
    bars = Progress(
        TextColumn("{task.description}"), BarColumn(bar_width=24), TextColumn("{task.percentage:.0f} %"),
        TimeRemainingColumn(compact=True), console=console, auto_refresh=console.is_terminal,
    )  # fmt: skip
    tasks = {}

    def show(step: str, unit: str, done: int, total: int) -> None:
        if step not in tasks:
            tasks[step] = bars.add_task(step, total=total)
        bars.update(tasks[step], completed=done, total=total)

    def say(sentence: str) -> None:
        console.print(sentence, markup=False, highlight=False, soft_wrap=True)

    with bars:
        found = merge(folder, options.out, base, say, show)
    sys.stdout.write(f"{options.out}: merged. {found.words[0].upper()}{found.words[1:]}.\n")


def _named(options: argparse.Namespace) -> tuple[Path, str]:
    """The adapter's folder, and the base that was named or "".

    Raises:
        UsageError: a recipe is named without an adapter.
        RecipeError: it is not valid.
    """
    folder = Path(options.source)
    if folder.is_dir() or not (options.source in recipes.names() or folder.suffix == ".toml"):
        return folder, options.base
    recipe = recipes.load(options.source, options.set)
    if options.adapter is None:
        raise UsageError(
            "a recipe does not say where its adapter is.",
            f"Name it: merge {options.source} --adapter DIR -o DIR.",
        )
    named = recipe.base if isinstance(recipe, recipes.OnBase) else ""
    return options.adapter, options.base or named

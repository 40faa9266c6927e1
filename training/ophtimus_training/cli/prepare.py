"""``ophtimus-train prepare``: a recipe's raw data as training data, with a report of what was dropped and why."""

import argparse
import shutil
import sys

from ophtimus_edge.errors import FolderNotWritableError, UsageError
from ophtimus_edge.locations import sync_folder
from ophtimus_training import recipe as recipes
from ophtimus_training.cli.arguments import add_out, add_recipe, recipe_of
from ophtimus_training.cli.extra import training_extra
from ophtimus_training.cli.verbs import Verbs


def add(verbs: Verbs) -> None:
    """Declare the verb's arguments."""
    verb = verbs.add_parser("prepare", help="make training data of raw texts and question files")
    add_recipe(verb)
    add_out(verb)


def handle(options: argparse.Namespace) -> None:
    """Prepare beside the named folder and rename the result into place.

    Raises:
        OphtimusError: the recipe, the data or the folder cannot be used, or a package is missing.
    """
    recipe, out = recipe_of(options), options.out
    if out.exists():
        raise UsageError(f"{out} exists already.", "Name a new folder with -o, or move the old one away.")
    with training_extra():
        from ophtimus_training.preparing.preparation import Packing, prepare
        from ophtimus_training.reading_progress import ReadingProgress

        packing = None
        if isinstance(recipe, recipes.ContinueRecipe):
            from ophtimus_training.recipe_tokenizer import fingerprint, recipe_tokenizer
            from ophtimus_training.rows import texts

            tokenizer = recipe_tokenizer(recipe, [])
            packing = Packing(
                lambda text: texts(tokenizer, [text], sys.maxsize)[0]["input_ids"], fingerprint(tokenizer)
            )
    # Not `.NAME.part`: that is where a run that was stopped keeps its checkpoints.
    part = out.with_name(f".{out.name}.prepare.part")
    try:
        shutil.rmtree(part, ignore_errors=True)
        part.mkdir(parents=True)
        with ReadingProgress("preparing") as progress:
            report = prepare(recipe, options.recipe, part, packing, progress.rows)
        sync_folder(part)
        part.replace(out)
        sync_folder(out.parent)
    except OSError as error:
        raise FolderNotWritableError(
            f"{out} cannot be written: {error.strerror or error}.",
            "Free some space, or name another folder with -o.",
        ) from error
    finally:
        shutil.rmtree(part, ignore_errors=True)
    sys.stdout.write(
        f"{out}: {report.kept:,} of {report.read:,} rows are kept; {out / 'report.md'} says why.\n"
    )

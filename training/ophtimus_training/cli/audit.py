"""``ophtimus-train audit``: look at what a recipe would train on, before it does."""

import argparse
import sys

from ophtimus_edge.errors import AuditFailedError, UsageError
from ophtimus_training.cli.arguments import add_recipe, recipe_of
from ophtimus_training.cli.extra import training_extra
from ophtimus_training.cli.verbs import Verbs


def add(verbs: Verbs) -> None:
    """Declare the verb's arguments."""
    verb = verbs.add_parser("audit", help="look at what would be trained on: masks, ends, lengths, leaks")
    add_recipe(verb)
    verb.add_argument("--samples", type=int, default=3, metavar="N", help="rows that are shown (3)")
    verb.add_argument("--json", action="store_true", help="print one JSON object instead of a page")


def handle(options: argparse.Namespace) -> None:
    """Print the audit; it fails where the recipe should not be trained as it is.

    Raises:
        AuditFailedError: it found what would be trained on in silence.
        OphtimusError: the recipe, the data or the base cannot be used, or a package is missing.
    """
    if options.samples < 0:
        raise UsageError(f"--samples is {options.samples}.", "Name how many rows are to be shown, or 0.")
    recipe = recipe_of(options)
    with training_extra():
        import msgspec
        from transformers.utils import logging

        from ophtimus_training.auditing.audit import audit
        from ophtimus_training.auditing.page import as_text
        from ophtimus_training.examples import read_recipe
        from ophtimus_training.reading_progress import ReadingProgress
        from ophtimus_training.recipe_tokenizer import needs_texts, recipe_tokenizer
    logging.set_verbosity_error()  # that a text is long is ours to say
    logging.disable_progress_bar()
    with ReadingProgress("auditing") as progress:
        texts = read_recipe(recipe, "train", progress.rows).exchanges if needs_texts(recipe) else []
        tokenizer = recipe_tokenizer(recipe, texts)
        found = audit(recipe, options.recipe, tokenizer, options.samples, progress.rows)
    if options.json:
        sys.stdout.write(msgspec.json.encode(found).decode() + "\n")
    else:
        sys.stdout.write(as_text(found))
    sys.stdout.flush()
    if not found.passed:
        more = f" ({len(found.failures)} faults)" if len(found.failures) > 1 else ""
        hint = "Mend the rows, or leave them out"
        if any("overlong" in figures.faults for figures in found.splits):
            hint += "; longer ones with --set overlong=drop"
        if found.leaks:
            hint += "; what is evaluated on with ophtimus-train prepare"
        raise AuditFailedError(f"the audit of {options.recipe} fails{more}: {found.failures[0]}", f"{hint}.")

"""``ophtimus-train plan``: what a recipe takes, said before anything is fetched."""

import argparse
import sys

import msgspec

from ophtimus_edge.errors import UsageError
from ophtimus_training.cli.arguments import add_recipe, recipe_of
from ophtimus_training.cli.extra import training_extra
from ophtimus_training.cli.verbs import Verbs

_MANY = 8  # from here on, every doubling is planned, not every number


def add(verbs: Verbs) -> None:
    """Declare the verb's arguments."""
    verb = verbs.add_parser("plan", help="say what training takes: memory, time, operations")
    add_recipe(verb)
    verb.add_argument(
        "--gpus", type=int, metavar="N", help="plan for 1 to N GPUs (default: those that are here)"
    )
    verb.add_argument(
        "--device", metavar="NAME", help="plan for GPUs that are not here, such as H100 or RTX-4090"
    )
    verb.add_argument("--json", action="store_true", help="print JSON, one object for each number of GPUs")


def handle(options: argparse.Namespace) -> None:
    """Print the plan for 1 to N devices; the last of them decides whether it is well.

    Raises:
        DeviceError: N devices have too little memory, or there is no GPU where one is needed.
        OphtimusError: the recipe, its base or its data cannot be planned.
    """
    if options.gpus is not None and options.gpus < 1:
        raise UsageError(f"--gpus is {options.gpus}.", "Name 1 or more.")
    recipe = recipe_of(options)
    with training_extra():
        from rich.console import Console

        from ophtimus_training import planning
        from ophtimus_training.planning.printing import show
    shape = planning.shape_of(recipe)
    here = planning.named(options.device, options.gpus or 1) if options.device else planning.present()
    if not here.gpu and options.gpus:
        raise UsageError(
            f"there is no NVIDIA GPU here to plan {options.gpus} of.",
            "Say which ones: --device H100, or any other that ophtimus-train knows.",
        )
    most = options.gpus or here.count
    plans = [planning.predict(recipe, shape, here._replace(count=count)) for count in _counts(most)]
    if options.json:
        for plan in plans:
            document = {**msgspec.to_builtins(plan), "fits": plan.fits}
            sys.stdout.write(msgspec.json.encode(document).decode() + "\n")
    else:
        show(plans, Console(width=None if sys.stdout.isatty() else 118))
    sys.stdout.flush()
    planning.check(plans[-1], recipe, here.gpu)


def _counts(most: int) -> list[int]:
    if most <= _MANY:
        return list(range(1, most + 1))
    doublings = [2**power for power in range(most.bit_length()) if 2**power < most]
    return [*doublings, most]

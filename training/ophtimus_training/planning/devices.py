"""What a recipe would train on: the graphics cards that are here, cards of a name, or the processor."""

from typing import NamedTuple

from ophtimus_edge.errors import PlanError
from ophtimus_edge.models.hardware import read_machine
from ophtimus_training.planning.published import device_named, published
from ophtimus_training.recipe import AnyRecipe, OnBase

# What a processor trains in reasonable time; the demonstration model has 4 million weights.
_LARGEST_ON_A_CPU = 200_000_000


class Devices(NamedTuple):
    """Devices of one kind.

    Attributes:
        name: as the driver gives it, or "CPU".
        count: of them; a processor is one, whatever its cores.
        memory_bytes: that one of them can give to a training; 0 where that is not known.
        gpu: whether it is a graphics card.
    """

    name: str
    count: int
    memory_bytes: int
    gpu: bool

    @property
    def peak_flops(self) -> float | None:
        """Dense bfloat16 operations a second of one of them at its peak; None where they are not known."""
        known = device_named(self.name) if self.gpu else None
        return known.tflops * 1e12 if known else None


def present() -> Devices:
    """The graphics cards of this machine with the least of their free memory; its processor where it has none."""
    machine = read_machine()
    if not machine.gpus:
        return Devices("CPU", 1, machine.available_bytes, gpu=False)
    # A part that several cards share is as large as the smallest of them allows.
    return Devices(
        machine.gpus[0].name, len(machine.gpus), min(gpu.free_bytes for gpu in machine.gpus), gpu=True
    )


def named(name: str, count: int) -> Devices:
    """Cards that are not here.

    Raises:
        PlanError: nothing is known of them.
    """
    device = device_named(name)
    if device is None:
        known = ", ".join(each.name for each in published().devices)
        raise PlanError(f"nothing is known of the device {name!r}.", f"Name one of: {known}.")
    return Devices(device.name, count, int(device.memory_gib * 2**30), gpu=True)


def needs_gpu(recipe: AnyRecipe, parameters: int) -> str:
    """Why a recipe cannot be trained on a processor, in words to follow "because"; "" where it can.

    Args:
        parameters: of the whole model.
    """
    if isinstance(recipe, OnBase) and recipe.method == "qlora":
        return "a base in 4 bits is computed on a graphics card only"
    if parameters > _LARGEST_ON_A_CPU:
        return f"{parameters / 1e9:.1f} billion weights would take a processor months"
    return ""

"""What decides a record beside what it says of itself: the settings of a ledger.

A ledger is gone on with only where all of these are the same; whatever else changes may change.
"""

import hashlib

import msgspec

from ophtimus_edge import specialties
from ophtimus_edge.compare.running.machine import tool_versions
from ophtimus_edge.compare.running.order import Order
from ophtimus_edge.models.fit import computing_threads
from ophtimus_edge.models.hardware import Machine
from ophtimus_edge.models.store import ChosenModel
from ophtimus_edge.specialties import DEFAULT_ROLE

_COMPUTING = ("ophtimus-edge", "llama-cpp-python")


def of_program(order: Order) -> dict[str, str]:
    """What every record hangs on: the programs that compute, and the layers that a GPU takes."""
    versions = tool_versions()
    layers = "" if order.gpu_layers is None else str(order.gpu_layers)
    return {"gpu layers": layers} | {name: versions.get(name, "") for name in _COMPUTING}


def of_prompt(model: ChosenModel) -> dict[str, str]:
    """What stands around a question: a template beside the file's own, its date, the role's system prompt.

    ``model.json`` may change and the file of the level stay the same.
    """
    role = specialties.role_named(DEFAULT_ROLE)
    template = model.template
    around = [
        role.system_prompt,
        model.is_base,
        template.text if template else "",
        template.date if template else "",
    ]
    return {"prompt": hashlib.sha256(msgspec.json.encode(around)).hexdigest()}


def of_machine(machine: Machine) -> dict[str, str]:
    """What speed hangs on: the folder of a report may have been copied from another machine."""
    return {
        "processor": machine.cpu_name,
        "cores": f"{machine.usable_cores} of {machine.physical_cores}",
        "threads": str(computing_threads(machine)),
        "memory": str(machine.memory_bytes),
        "graphics cards": ", ".join(gpu.name for gpu in machine.gpus),
        "system": f"{machine.system} {machine.architecture}",
    }

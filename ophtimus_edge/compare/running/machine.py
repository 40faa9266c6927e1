"""The machine and the programs that figures were measured with, in words, for a report."""

import platform
from importlib import metadata

from ophtimus_edge import __version__
from ophtimus_edge.compare.speed.resident import kind_here
from ophtimus_edge.models.fit import computing_threads, gib
from ophtimus_edge.models.hardware import Machine
from ophtimus_edge.text import sanitize

# Whose numbers these are, where they are installed.
_PROGRAMS = (
    "llama-cpp-python",
    "numpy",
    "msgspec",
    "nltk",
    "rouge-score",
    "sacrebleu",
    "sentence-transformers",
)


def machine_in_words(machine: Machine) -> dict[str, str]:
    """What a reader of figures must know of the machine, by name; what the system does not tell is said so."""
    cores = f"{machine.physical_cores} cores"
    if machine.usable_cores != machine.physical_cores:
        cores += f", {machine.usable_cores} usable"
    instructions = " ".join(machine.cpu_flags) or "none known"
    if machine.unknown_flags:
        instructions += f"; the system does not tell about {' '.join(machine.unknown_flags)}"
    memory = f"{gib(machine.memory_bytes)}, {gib(machine.available_bytes)} available before the comparison"
    use = "" if machine.gpu_build else " (this llama.cpp is built without its use)"
    cards = [f"{gpu.name}, {gib(gpu.memory_bytes)}{use}" for gpu in machine.gpus]
    words = {
        "processor": f"{machine.cpu_name or 'unknown'}, {cores}",
        "instructions": instructions,
        "threads": str(computing_threads(machine)),
        "memory": memory if machine.memory_bytes else "unknown",
        "graphics card": "; ".join(cards) or "none of NVIDIA's",
        "system": f"{machine.system}, {machine.architecture}",
        "peak memory": kind_here(),
    }
    return {name: sanitize(text) for name, text in words.items()}


def tool_versions() -> dict[str, str]:
    """The programs whose numbers these are, with their versions; what is not installed is left out.

    The installed llama-cpp-python is the one that the engine's process loads.
    """
    versions = {"ophtimus-edge": __version__, "Python": platform.python_version()}
    for program in _PROGRAMS:
        try:
            versions[program] = metadata.version(program)
        except metadata.PackageNotFoundError:
            continue
    return versions

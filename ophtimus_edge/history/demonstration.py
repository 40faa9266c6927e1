"""Whether an answer is the demonstration model's, which nobody may take for medical information."""

from functools import cache

from ophtimus_edge import locations
from ophtimus_edge.history.talk import Provenance
from ophtimus_edge.models.formats import ModelFolder, read_model_folder


def is_demonstration(provenance: Provenance) -> bool:
    """Whether the embedded demonstration model wrote an answer: its file, or a model of its name."""
    folder = _embedded()
    return provenance.model == folder.name or provenance.sha256 in {level.sha256 for level in folder.levels}


@cache
def _embedded() -> ModelFolder:
    return read_model_folder(locations.demo_folder())

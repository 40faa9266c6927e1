"""Whether an answer is a demonstration model's, which nobody may take for medical information."""

from functools import cache

from ophtimus_edge import locations
from ophtimus_edge.history.talk import Provenance
from ophtimus_edge.models.formats import ModelFolder, read_model_folder


def is_demonstration(provenance: Provenance) -> bool:
    """Whether a demonstration model wrote an answer.

    That is one whose model folder said so when the answer was begun, and always the embedded one: a model of
    its name, or its file.
    """
    folder = _embedded()
    return (
        provenance.demonstration
        or provenance.model == folder.name
        or provenance.sha256 in {level.sha256 for level in folder.levels}
    )


@cache
def _embedded() -> ModelFolder:
    return read_model_folder(locations.demo_folder())

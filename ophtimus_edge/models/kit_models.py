"""The models that the installed kit brought: they lie in the program's own version, and nobody changes them there.

Their files are those of the kit's manifest (:mod:`ophtimus_edge.kit.manifest`), of which this reads what the store
needs. They come before what a person added under the same name.
"""

import contextlib
from functools import lru_cache
from pathlib import Path

import msgspec

from ophtimus_edge import locations
from ophtimus_edge.errors import OphtimusError
from ophtimus_edge.models.formats import Document, decode

_MANIFEST = "manifest.json"
_MODELS = "models"


class KitModelFile(msgspec.Struct, frozen=True):
    """A file of a model folder, as the kit's manifest has it."""

    name: str
    size_bytes: int
    sha256: str


class KitModel(msgspec.Struct, frozen=True):
    """A model of the kit.

    Attributes:
        default_level: the one that is opened where none is named.
    """

    name: str
    files: list[KitModelFile]
    default_level: str = ""


class InstalledKit(Document, kw_only=True):
    """What the store needs of the installed kit's manifest."""

    name: str
    version: str
    models: list[KitModel] = []  # noqa: RUF012
    default_model: str = ""

    @property
    def title(self) -> str:
        """Its name and version."""
        return f"{self.name} {self.version}"

    def model(self, name: str) -> KitModel | None:
        """A model by the name that it is chosen by."""
        return next((model for model in self.models if model.name == name), None)


def installed_kit() -> InstalledKit | None:
    """The kit that this program was installed from; None where it was not, or where its manifest is damaged."""
    folder = locations.installed_kit()
    if folder is None:
        return None
    with contextlib.suppress(OSError):
        path = folder / _MANIFEST
        state = path.stat()
        return _read(path, state.st_mtime_ns, state.st_size)
    return None


def folders() -> dict[str, Path]:
    """The kit's model folders that are there, by the names that they are chosen by."""
    kit, folder = installed_kit(), locations.installed_kit()
    if kit is None or folder is None:
        return {}
    places = {model.name: folder / _MODELS / model.name for model in kit.models}
    return {name: place for name, place in places.items() if (place / "model.json").is_file()}


def default_model() -> str:
    """The model that the kit's maker has a clinic open, "" for none."""
    kit = installed_kit()
    return kit.default_model if kit and kit.default_model in folders() else ""


def default_level(folder: Path) -> str:
    """The level of a kit's model folder that is opened where none is named; "" for any other folder."""
    kit = installed_kit()
    if kit is None or folders().get(folder.name) != folder:
        return ""
    model = kit.model(folder.name)
    return model.default_level if model else ""


@lru_cache(maxsize=2)
def _read(path: Path, modified_ns: int, size_bytes: int) -> InstalledKit | None:
    try:
        return decode(path.read_bytes(), InstalledKit, str(path))
    except OphtimusError:
        return None

"""From what a person names to the levels that are compared, and the reference that they are compared with."""

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

import msgspec

from ophtimus_edge.errors import ComparisonError, InvalidModelError, ModelNotFoundError
from ophtimus_edge.models import gguf, store
from ophtimus_edge.models.store import ChosenModel

# From the most faithful on; a reference that nobody named is the first of these that is there.
_REFERENCES = ("F32", "BF16", "F16", "Q8_0")


class Subject(NamedTuple):
    """A level that is measured.

    Attributes:
        model: with the SHA-256 of its file stated.
        architecture: of the header, and the sizes that levels of one model share.
    """

    model: ChosenModel
    size_bytes: int
    architecture: tuple[object, ...]

    @property
    def level(self) -> str:
        """The level's name; the file's where its header names none."""
        return self.model.level or self.model.path.stem


class Subjects(NamedTuple):
    """What is compared: the reference, and the levels from the largest file to the smallest."""

    reference: Subject
    levels: tuple[Subject, ...]

    @property
    def every(self) -> tuple[Subject, ...]:
        """The reference and the levels."""
        return self.reference, *self.levels


def find(
    named: Sequence[str], reference: str = "", on_hashing: Callable[[Path], None] = lambda path: None
) -> Subjects:
    """Find the levels and the reference.

    Args:
        named: GGUF files, model folders or installed models (each of which names all its levels), or "demo".
        reference: a GGUF file, or a level that is among those named; "" for the most faithful of them.
        on_hashing: told of each file that is hashed, which takes a second for each gigabyte or two.

    Raises:
        ComparisonError: there is no reference, fewer than one other level, or levels of different models.
        ModelNotFoundError: there is no such file, model or level.
        InvalidModelError: a file is damaged.
    """
    found: dict[Path, ChosenModel] = {}
    for one in named:
        for model in _levels(one):
            found.setdefault(model.path.resolve(), model)
    base = _reference(reference, list(found.values()))
    others = [model for path, model in found.items() if path != base.path.resolve()]
    if not others:
        raise ComparisonError(
            f"there is only {base.path.name} to compare.",
            "Name at least one other level, or a model folder with several.",
        )
    subjects = [_subject(model, on_hashing) for model in (base, *others)]
    _expect_one_model(subjects)
    return Subjects(subjects[0], tuple(sorted(subjects[1:], key=lambda one: -one.size_bytes)))


def _levels(named: str) -> Iterable[ChosenModel]:
    first = store.choose(named)
    if first.folder is None or Path(named).expanduser().is_file():
        return [_described(first)]
    return [store.choose(named, entry.level) for entry in first.folder.levels]


def _described(model: ChosenModel) -> ChosenModel:
    """A file by itself with what its folder says of it, where it lies in a model folder that names it."""
    try:
        folder = store.choose(str(model.path.parent)).folder
    except (InvalidModelError, ModelNotFoundError):
        return model
    entry = next((one for one in folder.levels if one.file == model.path.name), None) if folder else None
    return store.choose(str(model.path.parent), entry.level) if entry else model


def _reference(named: str, among: list[ChosenModel]) -> ChosenModel:
    if named:
        same = [model for model in among if model.level == named]
        if same:
            return same[0]
        models = list(_levels(named))
        if len(models) > 1:
            raise ComparisonError(
                f"{named} holds {len(models)} levels; only one can be the reference.",
                "Name one file after --reference, such as the one of BF16.",
            )
        return models[0]
    for level in _REFERENCES:
        for model in among:
            if model.level == level:
                return model
    raise ComparisonError(
        "there is no level here that is known to be faithful.",
        f"Name the reference with --reference: a file of {', '.join(_REFERENCES[1:-1])} or {_REFERENCES[-1]}.",
    )


def _subject(model: ChosenModel, on_hashing: Callable[[Path], None]) -> Subject:
    header = gguf.check(model.path)
    prefix = str(header.metadata.get("general.architecture", ""))
    sizes = ("block_count", "embedding_length", "feed_forward_length", "attention.head_count")
    architecture = (prefix, *(header.metadata.get(f"{prefix}.{size}") for size in sizes))
    if not model.sha256:
        on_hashing(model.path)
        model = msgspec.structs.replace(model, sha256=store.sha256_of(model.path))
    return Subject(model, model.path.stat().st_size, architecture)


def _expect_one_model(subjects: list[Subject]) -> None:
    reference = subjects[0]
    for one in subjects[1:]:
        if one.architecture != reference.architecture:
            raise ComparisonError(
                f"{one.model.path.name} and {reference.model.path.name} are not levels of one model: their "
                "shapes differ.",
                "Compare files that were made from the same checkpoint.",
            )
        if one.model.sha256 == reference.model.sha256:
            raise ComparisonError(
                f"{one.model.path} and {reference.model.path} are the same file twice.",
                "Name each level once.",
            )

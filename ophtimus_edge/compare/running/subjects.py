"""From what a person names to the levels that are compared, and the reference that they are compared with."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import msgspec

from ophtimus_edge.compare.naming import Named, distinct
from ophtimus_edge.errors import ComparisonError, FormatVersionError, InvalidModelError
from ophtimus_edge.models import gguf, store
from ophtimus_edge.models.formats import UnsafeVote, read_model_folder
from ophtimus_edge.models.hashes import known_sha256_of
from ophtimus_edge.models.report import Report
from ophtimus_edge.models.store import ChosenModel

# From the most faithful on; a reference that nobody named is the first of these that is there.
_REFERENCES = ("F32", "BF16", "F16", "Q8_0")


class Subject(NamedTuple):
    """A level that is measured.

    Attributes:
        model: with the SHA-256 of its file, as it was read.
        architecture: of the header, and the sizes that levels of one model share.
        name: that tells it from the others: its level's, with more where another level has the same.
        here: whether its file is; that of a reference that an earlier report compared with may not be.
        unsafe: answers of this file that its model folder says were confirmed to be unsafe.
    """

    model: ChosenModel
    size_bytes: int
    architecture: tuple[object, ...]
    name: str = ""
    here: bool = True
    unsafe: tuple[UnsafeVote, ...] = ()

    @property
    def level(self) -> str:
        """The level's name; the file's where its header names none."""
        return self.model.level or self.model.path.stem

    @property
    def sha256(self) -> str:
        """Of its file: what tells it from all others."""
        return self.model.sha256


class Subjects(NamedTuple):
    """What is compared: the reference, and the levels from the largest file to the smallest.

    Attributes:
        demonstration: whether answers are for trying the program out only.
        notes: what was passed over, a sentence each.
    """

    reference: Subject
    levels: tuple[Subject, ...]
    demonstration: bool = False
    notes: tuple[str, ...] = ()

    @property
    def every(self) -> tuple[Subject, ...]:
        """The reference and the levels."""
        return self.reference, *self.levels

    @property
    def here(self) -> tuple[Subject, ...]:
        """Those whose files are here, the reference first."""
        return tuple(one for one in self.every if one.here)


def find(
    named: Sequence[str],
    reference: str = "",
    on_hashing: Callable[[Path], None] = lambda path: None,
    earlier: Report | None = None,
) -> Subjects:
    """Find the levels and the reference.

    Every file is hashed, and none is measured that is not the one that its model folder describes. Files that
    are the same are compared once, whatever they are called.

    Args:
        named: GGUF files, model folders or installed models (each of which names all its levels), or "demo".
        reference: a GGUF file, or a level that is among those named; "" for that of the earlier report, else
            for the most faithful of them.
        on_hashing: told of each file that is hashed, which takes a second for each gigabyte or two.
        earlier: whose figures are to be reused: its reference need not be here.

    Raises:
        ComparisonError: there is no reference, fewer than one other level, or levels of different models.
        ModelNotFoundError: there is no such file, model or level.
        InvalidModelError: a file is damaged.
    """
    notes: list[str] = []
    chosen: dict[Path, ChosenModel] = {}
    for one in named:
        models, absent = _levels(one)
        notes += [f"{level} of {one} is passed over: its file is not there." for level in absent]
        for model in models:
            chosen.setdefault(model.path.resolve(), model)
    found = _once([_subject(model, on_hashing) for model in chosen.values()], notes)
    base = _reference(reference, found, on_hashing, earlier)
    others = [one for one in found if one.sha256 != base.sha256]
    if not others:
        raise _nothing_beside(base, found, notes)
    _expect_one_model([one for one in (base, *others) if one.here])
    levels = sorted(others, key=lambda one: -one.size_bytes)
    names = distinct([Named(one.level, one.model.path.name, one.sha256) for one in (base, *levels)])
    base, *levels = [one._replace(name=name) for one, name in zip((base, *levels), names, strict=True)]
    demonstration = any(one.model.demonstration for one in (base, *levels))
    return Subjects(
        base, tuple(levels), demonstration or bool(earlier and earlier.demonstration), tuple(notes)
    )


def _levels(named: str) -> tuple[Iterable[ChosenModel], Iterable[str]]:
    if store.folder_of(named) is None:
        return [_described(store.choose(named))], ()
    return store.choose_every(named)


def _described(model: ChosenModel) -> ChosenModel:
    """A file by itself with what its folder says of it, where it lies in a model folder that names it."""
    folder = model.path.parent
    try:
        description = read_model_folder(folder)
    except (InvalidModelError, FormatVersionError):
        return model
    entry = next((one for one in description.levels if one.file == model.path.name), None)
    return store.choose_entry(folder, description, entry) if entry else model


def _subject(model: ChosenModel, on_hashing: Callable[[Path], None]) -> Subject:
    """A level as its file is: hashed, where that was not just done.

    Raises:
        InvalidModelError: it is not what its model folder says, or cannot be read.
    """
    header = gguf.check(model.path)
    prefix = str(header.metadata.get("general.architecture", ""))
    sizes = ("block_count", "embedding_length", "feed_forward_length", "attention.head_count")
    architecture = (prefix, *(header.metadata.get(f"{prefix}.{size}") for size in sizes))
    size_bytes = model.path.stat().st_size
    if not model.sha256 or not store.is_hashed_at_once(size_bytes):
        sha256 = known_sha256_of(model.path, on_hashing)
        if model.sha256 and sha256 != model.sha256:
            raise store.not_as_described(model.path)
        model = msgspec.structs.replace(model, sha256=sha256)
    known = model.folder.comparison.unsafe if model.folder else {}
    return Subject(model, size_bytes, architecture, unsafe=tuple(known.get(model.sha256, ())))


def _once(found: Iterable[Subject], notes: list[str]) -> list[Subject]:
    """Each file once, with what all folders say of it."""
    once: dict[str, Subject] = {}
    for one in found:
        first = once.setdefault(one.sha256, one)
        if first is not one:
            notes.append(_twice(first.model.path, one.model.path) + " It is compared once.")
            more = (vote for vote in one.unsafe if vote not in first.unsafe)
            once[one.sha256] = first._replace(unsafe=(*first.unsafe, *more))
    return list(once.values())


def _twice(one: Path, other: Path) -> str:
    return f"{one} and {other} are the same file twice."


def _reference(
    named: str, among: Sequence[Subject], on_hashing: Callable[[Path], None], earlier: Report | None
) -> Subject:
    if named:
        same = [one for one in among if one.model.level == named]
        if len(same) > 1:
            files = ", ".join(str(one.model.path) for one in same)
            raise ComparisonError(
                f"there are {len(same)} files of {named}: {files}.", "Name one of them after --reference."
            )
        if same:
            return same[0]
        if earlier and named in (earlier.reference.level, earlier.reference.file):
            return _of_earlier(earlier, among)
        models = list(_levels(named)[0])
        if len(models) > 1:
            raise ComparisonError(
                f"{named} holds {len(models)} levels; only one can be the reference.",
                "Name one file after --reference, such as the one of BF16.",
            )
        return _subject(models[0], on_hashing)
    if earlier:
        return _of_earlier(earlier, among)
    for level in _REFERENCES:
        for one in among:
            if one.model.level == level:
                return one
    raise ComparisonError(
        "there is no level here that is known to be faithful.",
        f"Name the reference with --reference: a file of {', '.join(_REFERENCES[1:-1])} or {_REFERENCES[-1]}.",
    )


def _of_earlier(earlier: Report, among: Iterable[Subject]) -> Subject:
    """The reference of a report: its file where that is here, else what the report says of it."""
    said = earlier.reference
    here = next((one for one in among if one.sha256 == said.sha256), None)
    if here is not None:
        return here
    model = ChosenModel(
        Path(said.file), earlier.model, earlier.version, said.level, said.sha256, None, None
    )  # fmt: skip
    return Subject(model, said.size_bytes, (), here=False)


def _nothing_beside(base: Subject, found: Iterable[Subject], notes: Iterable[str]) -> ComparisonError:
    hint = "Name at least one other level, or a model folder with several."
    for one in _others_of(base, found):
        return ComparisonError(_twice(one.model.path, base.model.path), hint)
    return ComparisonError(" ".join([f"there is only {base.model.path.name} to compare.", *notes]), hint)


def _others_of(base: Subject, found: Iterable[Subject]) -> Iterator[Subject]:
    """Copies of the reference under other names."""
    place = base.model.path.resolve()
    return (one for one in found if base.here and one.model.path.resolve() != place)


def _expect_one_model(subjects: Sequence[Subject]) -> None:
    first = subjects[0]
    for one in subjects[1:]:
        if one.architecture != first.architecture:
            raise ComparisonError(
                f"{one.model.path.name} and {first.model.path.name} are not levels of one model: their "
                "shapes differ.",
                "Compare files that were made from the same checkpoint.",
            )

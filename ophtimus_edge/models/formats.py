"""The exchange formats: the typed values that travel between programs and machines.

Each document carries a ``schema_version``. A reader accepts its own version and older ones, ignores
fields that it does not know, and refuses a newer version by name.
"""

import re
from collections.abc import Collection
from pathlib import Path
from typing import ClassVar, Literal, TypeVar

import msgspec

from ophtimus_edge.errors import FormatVersionError, InvalidModelError
from ophtimus_edge.locations import staged
from ophtimus_edge.models.llama3 import TEMPLATE_DATE

_SHA256 = re.compile(r"[0-9a-f]{64}")


class Document(msgspec.Struct, kw_only=True):
    """What every exchange format has in common."""

    latest_version: ClassVar[int] = 1
    schema_version: int = 1


class SourceFile(msgspec.Struct, frozen=True):
    """A file that a model was made from."""

    name: str
    size_bytes: int
    sha256: str


class Source(msgspec.Struct, kw_only=True):
    """The checkpoint, or the adapter, that a model was made from: a folder's name or a hub id."""

    id: str
    revision: str = ""
    files: list[SourceFile] = []


class Template(msgspec.Struct, kw_only=True):
    """The chat template (Jinja) and the date it is always rendered with.

    Some templates insert the day's date, which would change every prompt each day; ``date`` takes
    its place, in the form that the Llama-3 templates print.
    """

    text: str
    date: str = TEMPLATE_DATE


class Level(msgspec.Struct, kw_only=True):
    """One GGUF file of a model folder: a quantization level.

    Attributes:
        chunk_sha256: of pieces of 4 MiB, for transfers that are resumed.
        imatrix_sha256: of the importance matrix that weighed it, "" for none.
        float_sum: whether the merged sum was quantized without being rounded to 16 bits first.
    """

    level: str
    file: str
    size_bytes: int
    sha256: str
    chunk_sha256: list[str] = []
    imatrix_sha256: str = ""
    float_sum: bool = False


class Licence(msgspec.Struct, kw_only=True):
    """A licence text of the folder, and the notice it obliges to show."""

    name: str
    file: str
    notice: str = ""


class Statistic(msgspec.Struct, frozen=True):
    """A measured value with its 95 % interval, in the unit that the field's name says."""

    value: float
    low: float
    high: float


class UnsafeVote(msgspec.Struct, frozen=True, kw_only=True):
    """An answer of a level that a person found unsafe, and their note.

    Attributes:
        beside_sha256: of the file whose answer stood beside it, "" where that is not known.
        rated_at: ISO 8601 with its offset, "" where that is not known.
    """

    question_id: str
    rater: str
    confirmed: bool
    note: str = ""
    beside_sha256: str = ""
    rated_at: str = ""


class Verdict(msgspec.Struct, frozen=True, kw_only=True):
    """What a comparison of a model's levels found, as the model carries it along.

    A finding is of a file, and a level's file may be replaced: so each is shown only of the file that it is of.
    The first verdicts name no files, and are taken for what they say of the level.

    Attributes:
        level: the level that is recommended, "" for none; ``sha256`` of its file.
        kl_mean: mean KL divergence from the reference in nats, by level; a level that was not measured is
            missing.
        files: the SHA-256 of the file that was measured, by level.
        report_sha256: of the ``report.json`` that this was taken from, "" where it is not known.
        statement: the verdict in the words of the comparison.
        unsafe: the answers that were confirmed to be unsafe, by the SHA-256 of the level's file: they take it
            out of every later comparison, until who voted so corrects it.
    """

    level: str = ""
    sha256: str = ""
    kl_mean: dict[str, Statistic] = {}
    files: dict[str, str] = {}
    report_sha256: str = ""
    statement: str = ""
    unsafe: dict[str, list[UnsafeVote]] = {}

    def recommends(self, entry: Level) -> bool:
        """Whether it recommends this very file."""
        named = bool(entry.level) and self.level == entry.level
        return named and self.sha256 in ("", entry.sha256) and not self.unsafe.get(entry.sha256)

    def divergence_of(self, entry: Level) -> Statistic | None:
        """The mean KL divergence of this very file; None where it was not measured."""
        if self.files.get(entry.level, entry.sha256) != entry.sha256:
            return None
        return self.kl_mean.get(entry.level)

    def without(self, levels: Collection[str]) -> "Verdict":
        """What still holds where the files of these levels are others now."""
        if not {*self.kl_mean, *self.files, self.level}.intersection(levels):
            return self
        kept = msgspec.structs.replace(
            self,
            kl_mean={level: value for level, value in self.kl_mean.items() if level not in levels},
            files={level: sha256 for level, sha256 in self.files.items() if level not in levels},
        )
        if self.level in levels:
            return msgspec.structs.replace(kept, level="", sha256="", statement="")
        return kept


class ModelFolder(Document, kw_only=True):
    """``model.json``: what a model folder holds, where it came from, and how to use it.

    Attributes:
        kind: ``instruct`` models answer through their chat template; ``base`` models only complete.
        demonstration: answers are for trying the program out, never for clinical use.
        known_questions: a JSONL file of the folder with the questions it was trained on, or "".
        default_level: the level that is used where none is named.
        verdict: of a comparison of its levels, None for none. The first files hold its statement alone, or
            "" for none; :attr:`comparison` reads both.
        tested_languages: codes of the languages (``en``, ``ko``) that a comparison asked questions in; empty
            where nothing was measured.
        provenance: files of the folder that say how the weights were trained, as the training wrote them
            (:mod:`ophtimus_edge.models.provenance`); empty where nothing is known of it.
    """

    name: str
    version: str
    specialty: str
    kind: Literal["base", "instruct"]
    source: Source
    levels: list[Level]
    default_level: str
    template: Template | None = None
    adapter: Source | None = None
    demonstration: bool = False
    known_questions: str = ""
    imatrix: str = ""
    gates: dict[str, str] = {}
    licences: list[Licence] = []
    tool_versions: dict[str, str] = {}
    verdict: Verdict | str | None = None
    tested_languages: list[str] = []
    provenance: list[SourceFile] = []

    @property
    def comparison(self) -> Verdict:
        """What a comparison found; an empty one where there was none."""
        if isinstance(self.verdict, Verdict):
            return self.verdict
        return Verdict(statement=self.verdict or "")

    @property
    def recommended(self) -> Level | None:
        """The level whose very file a comparison recommends, None for none."""
        return next((entry for entry in self.levels if self.comparison.recommends(entry)), None)

    def level_named(self, level: str) -> Level | None:
        """The entry of a level, or None where the folder has no file of it."""
        return next((entry for entry in self.levels if entry.level == level), None)


class Vote(Document, kw_only=True):
    """One line of ``votes.jsonl``: what a person found of two answers to one question, unaware of their levels.

    Attributes:
        question_id: of the question; ``question`` is its text.
        model: the name of the model whose levels they are.
        level_a, level_b: what was on the left, and on the right.
        sha256_a, sha256_b: of the levels' files.
        answer_sha256_a, answer_sha256_b: of the answers that were shown, in UTF-8.
        seed: that the sides were shuffled with.
        rater: how the person wants to be called; never a patient.
        rated_at: ISO 8601 with its offset.
        choice: which is better.
        unsafe: the sides whose answer could harm a patient.
        confirmed: whether "unsafe" was said again when it was asked whether it is meant.
    """

    question_id: str
    question: str = ""
    model: str
    level_a: str
    level_b: str
    sha256_a: str = ""
    sha256_b: str = ""
    answer_sha256_a: str = ""
    answer_sha256_b: str = ""
    seed: int
    rater: str = ""
    rated_at: str = ""
    choice: Literal["a", "b", "equal", "both_bad"]
    unsafe: list[Literal["a", "b"]] = []
    confirmed: bool = False
    note: str = ""


DocumentT = TypeVar("DocumentT", bound=Document)


def decode(data: bytes, kind: type[DocumentT], origin: str) -> DocumentT:
    """Read a document from JSON.

    Args:
        data: the JSON text.
        kind: the struct to read.
        origin: the file's name, for messages.

    Raises:
        FormatVersionError: it was written by a newer release.
        InvalidModelError: it is not JSON of this kind.
    """
    try:
        version = msgspec.json.decode(data, type=Document).schema_version
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise InvalidModelError(f"{origin} is damaged: {error}.", "Copy it again from its source.") from error
    if version > kind.latest_version:
        raise FormatVersionError(
            f"{origin} has format version {version}; this release reads up to {kind.latest_version}.",
            "Update Ophtimus Edge, or make the file with this release.",
        )
    try:
        return msgspec.json.decode(data, type=kind)
    except msgspec.DecodeError as error:
        raise InvalidModelError(f"{origin} is damaged: {error}.", "Copy it again from its source.") from error


def encode(document: Document) -> bytes:
    """The document as indented JSON with a final newline."""
    return msgspec.json.format(msgspec.json.encode(document), indent=2) + b"\n"


def read_model_folder(folder: Path) -> ModelFolder:
    """Read and check ``model.json`` of a model folder.

    Raises:
        InvalidModelError: it is missing or damaged, or names a file outside the folder.
        FormatVersionError: it was written by a newer release.
    """
    path = folder / "model.json"
    try:
        data = path.read_bytes()
    except OSError as error:
        raise InvalidModelError(
            f"{path} cannot be read: {error.strerror}.",
            "A model folder is made with ophtimus-convert; copy the whole folder.",
        ) from error
    model = decode(data, ModelFolder, str(path))
    names = [level.file for level in model.levels] + [licence.file for licence in model.licences]
    names += [model.known_questions] if model.known_questions else []
    names += [file.name for file in model.provenance]
    for name in names:
        if not name or name in {".", ".."} or Path(name).name != name or "\\" in name:
            raise InvalidModelError(
                f"{path} names a file outside its folder: {name!r}.", "Do not use this model folder."
            )
    if not all(_SHA256.fullmatch(level.sha256) for level in model.levels):
        raise InvalidModelError(f"{path} holds a malformed SHA-256.", "Copy it again from its source.")
    if model.level_named(model.default_level) is None:
        raise InvalidModelError(
            f"{path} has no file of its default level {model.default_level}.", "Convert the model again."
        )
    return model


def write_model_folder(folder: Path, model: ModelFolder) -> None:
    """Write ``model.json`` beside its place and rename it."""
    with staged(folder / "model.json") as part:
        part.write_bytes(encode(model))

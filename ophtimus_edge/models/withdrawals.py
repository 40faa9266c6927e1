"""Model files that their maker took back: known by their SHA-256, they answer nobody any more.

A kit's manifest withdraws a file by its hash and says why. What the installed kits have withdrawn is kept in
``state.json`` beside them, also after a rollback; it holds for every copy of the file, wherever it lies and
whoever added it. A file is refused before it is loaded, and what it has answered before carries the reason.
"""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import msgspec

from ophtimus_edge import locations
from ophtimus_edge.errors import InvalidModelError, OphtimusError, WithdrawnModelError
from ophtimus_edge.text import sanitize

# A kit's manifest has withdrawals in it: who reads one waits for no store of models.
if TYPE_CHECKING:
    from ophtimus_edge.models.store import ChosenModel

STATE = "state.json"
_MANIFEST = "manifest.json"
_MOST_CHARACTERS = 500  # of a reason, where it is shown
_UNSAID = {"en": "no reason is given", "ko": "이유가 적혀 있지 않습니다"}

_Stamp = tuple[tuple[str, int, int], ...]


class Withdrawn(msgspec.Struct, frozen=True, kw_only=True):
    """A model file that its maker takes back, and why: in the words that the clinic reads.

    Attributes:
        reason: by language, ``en`` and ``ko``.
        size_bytes: of the file, so that another size need not be hashed; 0 where it is not known.
    """

    sha256: Annotated[str, msgspec.Meta(pattern="^[0-9a-f]{64}$")]
    reason: dict[Literal["en", "ko"], str]
    size_bytes: Annotated[int, msgspec.Meta(ge=0)] = 0

    def why(self, language: str) -> str:
        """The reason in a language, on one line; in the other one where it is not said in this."""
        words: dict[str, str] = {code: " ".join(sanitize(text).split()) for code, text in self.reason.items()}
        said = next((words[code] for code in (language, "en", "ko") if words.get(code)), "")
        return (said or _UNSAID.get(language, _UNSAID["en"]))[:_MOST_CHARACTERS]


class _Withdrawing(msgspec.Struct):
    """What the state of an installation and a kit's manifest have in common, of whatever release they are."""

    withdrawn: list[Withdrawn] = []


def withdrawn() -> dict[str, Withdrawn]:
    """What the kits that were installed here have withdrawn, by SHA-256; read again only where it was changed.

    Raises:
        InvalidModelError: neither the state nor every installed manifest can be read, so that nobody knows.
    """
    root = locations.kit_root()
    try:
        return _read(_stamp([root / STATE]))
    except InvalidModelError:
        if not (manifests := _manifests(root)):
            raise
    except FileNotFoundError:
        manifests = _manifests(root)
    return _read(_stamp(manifests))


def of(sha256: str) -> Withdrawn | None:
    """What is said of a file that was withdrawn; None for every other one, and where the hash is not known.

    What cannot be read withdraws nothing here: old answers and lists are shown all the same. Whoever loads a
    model calls :func:`refuse`.
    """
    if not sha256:
        return None
    try:
        return withdrawn().get(sha256)
    except OphtimusError:
        return None


def refuse(model: ChosenModel) -> None:
    """Refuse a model that was withdrawn. A file whose hash nobody states is hashed, where one of its size was.

    Raises:
        WithdrawnModelError: it was.
        InvalidModelError: the file cannot be read, or nobody knows what was withdrawn.
    """
    known = withdrawn()
    if not known:
        return
    sha256 = model.sha256
    if not sha256:
        try:
            size = model.path.stat().st_size
        except OSError:
            return  # whoever loads it says so
        if not any(entry.size_bytes in (0, size) for entry in known.values()):
            return
        from ophtimus_edge.models.hashes import known_sha256_of

        sha256 = known_sha256_of(model.path)
    if entry := known.get(sha256):
        raise WithdrawnModelError(
            f"{' '.join(part for part in (model.name, model.version, model.level) if part)} was withdrawn by its "
            f"maker and answers nothing any more: {entry.why('en')}",
            "Choose another model; ophtimus models list shows them. Check what this one has answered.",
            {language: entry.why(language) for language in _UNSAID},
        )


def _manifests(root: Path) -> list[Path]:
    """Of every version that is installed."""
    try:
        versions = sorted((root / "versions").iterdir())
    except OSError:
        return []
    return [folder / _MANIFEST for folder in versions if (folder / _MANIFEST).is_file()]


def _stamp(paths: list[Path]) -> _Stamp:
    """What tells files from what they were before.

    Raises:
        FileNotFoundError: one is not there.
        InvalidModelError: one cannot be reached.
    """
    found = []
    for path in paths:
        try:
            state = path.stat()
        except (FileNotFoundError, NotADirectoryError) as error:
            raise FileNotFoundError from error
        except OSError as error:
            raise _unreadable(path, error) from error
        found.append((str(path), state.st_mtime_ns, state.st_size))
    return tuple(found)


@lru_cache(maxsize=4)
def _read(stamp: _Stamp) -> dict[str, Withdrawn]:
    """What files withdraw, all together."""
    entries: dict[str, Withdrawn] = {}
    for name, _, _ in stamp:
        path = Path(name)
        try:
            found = msgspec.json.decode(path.read_bytes(), type=_Withdrawing).withdrawn
        except OSError as error:
            raise _unreadable(path, error) from error
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise _unknown(path, "is damaged") from error
        entries |= {entry.sha256: entry for entry in found}
    return entries


def _unreadable(path: Path, error: OSError) -> InvalidModelError:
    return _unknown(path, f"cannot be read ({error.strerror or error})")


def _unknown(path: Path, what: str) -> InvalidModelError:
    return InvalidModelError(
        f"{path} {what}, so nobody knows which models were withdrawn.",
        "Install the kit again; conversations and models stay.",
    )

"""The settings: TOML files that a person can read and change, with a comment over each key.

The computer has one with every key. A person who keeps a history has one beside it, with what they set themselves:
it goes before the computer's while their history is open (:func:`read_own`, :func:`write_own`).

A file that is missing means the defaults, or the computer's. One that is damaged is never written over:
:func:`read_or_defaults` gives its error, to be shown, and the defaults to go on with; the next :func:`write` sets
it aside first.
"""

import ast
import contextlib
import inspect
import locale
import os
import textwrap
import tomllib
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, get_type_hints

import msgspec

from ophtimus_edge import locations, specialties
from ophtimus_edge.errors import FolderNotWritableError, OwnSettingsError, SettingsError
from ophtimus_edge.text import sanitize

if TYPE_CHECKING:
    import tomlkit

FIRST_START = 2  # raised when the first start asks something new, so that everybody is asked
_DETAILED_ROLES = frozenset({"teaching", "free"})
_SHOWN = 60  # characters of a wrong value in a sentence

OWN = frozenset(
    {
        "language", "theme", "role", "temperature", "max_tokens", "details", "keep_draft", "history",
        "lock_after_minutes", "retention_days",
    }
)  # fmt: skip
"""The keys that a person can have for themselves. Which model is opened is the computer's, which has the memory."""


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """What a person can set; the docstring under a field is the comment over its key in the file."""

    language: Literal["auto", "en", "ko"] = "auto"
    """The language of the app: "en", "ko", or "auto" for the computer's own."""

    theme: Literal["dark", "light"] = "dark"
    """The colours of the app: "dark" or "light"."""

    role: str = specialties.DEFAULT_ROLE
    """The role in which a conversation begins: "clinical", "counselling", "teaching" or "free"."""

    model: str = ""
    """The model that is opened: "demo", the name of an installed one (ophtimus models list), or the path of a
    model folder or GGUF file; "" for the installed kit's, or else the demonstration model."""

    level: str = ""
    """The quantization level of the model, such as "Q4_K_M"; "" for the model's own default."""

    temperature: Annotated[float, msgspec.Meta(ge=0, le=5)] = 0.0
    """How much chance there is in an answer, 0.0 to 5.0; 0.0 always takes the likeliest words."""

    max_tokens: Annotated[int, msgspec.Meta(ge=1, le=1_000_000)] = 1024
    """The longest answer, in tokens, 1 or more."""

    details: bool | Literal["by role"] = "by role"
    """Whether speed, tokens and seed stand under an answer: true, false, or "by role" for the teaching and
    free roles only."""

    keep_draft: bool = True
    """Whether a question that was not sent is kept, encrypted as the history is, until the next start: true or
    false."""

    history: Literal["keep", "nothing"] = "keep"
    """Whether conversations are kept: "keep" in the encrypted history, or "nothing"; then no draft is kept either.
    "nothing" in the computer's file holds for everybody, whatever stands in a person's own."""

    lock_after_minutes: Annotated[int, msgspec.Meta(ge=0, le=1440)] = 10
    """After how many minutes without a key or the mouse the history is locked, 0 to 1440; 0 for never. Only a
    history with a passphrase can be locked."""

    retention_days: Annotated[int, msgspec.Meta(ge=0, le=36500)] = 0
    """After how many days without a change conversations are to be deleted, 0 to 36500; the app asks first, and
    spares those that are pinned or held. 0 keeps them for ever."""

    first_start_done: Annotated[int, msgspec.Meta(ge=0)] = 0
    """The version of the first start's questions that were answered; 0 asks them again."""

    def shows_details(self, role: str) -> bool:
        """Whether the details of an answer are shown in a role."""
        return role in _DETAILED_ROLES if self.details == "by role" else bool(self.details)

    def spoken_language(self) -> str:
        """``en`` or ``ko``: the one that is set, else the environment's."""
        return language_of_environment() if self.language == "auto" else self.language


def language_of_environment() -> str:
    """Korean where the terminal's locale is, or Windows' own, else English."""
    for variable in ("LC_ALL", "LC_MESSAGES", "LANG"):
        if value := os.environ.get(variable):
            return "ko" if value.lower().startswith("ko") else "en"
    # Windows sets no such variable; Python asked it for the person's locale: "Korean_Korea" or "ko_KR".
    return "ko" if (locale.getlocale()[0] or "").lower().startswith("ko") else "en"


def read() -> Settings:
    """The settings in the file; the defaults where there is none.

    Raises:
        SettingsError: the file cannot be read, has a key that is not known, or a value that a key cannot have.
    """
    try:
        return Settings(**_values(locations.settings_file(), own=False))
    except FileNotFoundError:
        return Settings()


def read_or_defaults() -> tuple[Settings, SettingsError | None]:
    """The settings, and why they are the defaults where the file is damaged: to be shown, and gone on with."""
    try:
        return read(), None
    except SettingsError as error:
        return Settings(), error


def read_own(file: Path, computer: Settings) -> Settings:
    """A person's settings: what stands in their own file, and the computer's for everything else.

    Raises:
        OwnSettingsError: the file cannot be read, has a key that is not known or is the computer's, or a value that
            a key cannot have.
    """
    try:
        found = _values(file, own=True)
    except FileNotFoundError:
        return computer
    return msgspec.structs.replace(computer, **found)


def write(settings: Settings) -> Path | None:
    """Write the settings of the computer: every key with its comment, in a file that only this user can read.

    A person's own comments and order stay. A file that is damaged is set aside as ``settings.toml.broken``
    (with a number where there is one already).

    Returns:
        Where a damaged file was put; None where there was none.

    Raises:
        SettingsError: a value is one that its key cannot have; nothing is written.
        FolderNotWritableError: the folder cannot be written.
    """
    path = locations.settings_file()
    values = msgspec.structs.asdict(settings)
    for key, value in values.items():
        _check(path, key, value, own=False)
    locations.ensure_writable(path.parent)
    return _write(path, values, own=False)


def write_own(file: Path, **changes: object) -> Path | None:
    """Set some keys in a person's own file, as :func:`write` does; what is not set there stays the computer's.

    Returns:
        Where a damaged file was put; None where there was none.

    Raises:
        OwnSettingsError: a key is the computer's, or a value one that its key cannot have; nothing is written.
        FolderNotWritableError: the person's folder is gone, or cannot be written.
    """
    for key, value in changes.items():
        _check(file, key, value, own=True)
    try:
        return _write(file, changes, own=True)
    except OSError as error:
        raise FolderNotWritableError(
            f"the settings {file} cannot be written: {error.strerror or error}.",
            "Free some space on its disk, and see to it that you may write there.",
        ) from error


def _write(path: Path, values: dict[str, Any], *, own: bool) -> Path | None:
    document, aside = _document(path, own=own)
    for key, value in values.items():
        if key in document:
            if document[key] != value or type(document.unwrap()[key]) is not type(value):
                document[key] = value
        else:
            _add(document, key, value)
    with locations.staged(path) as part:
        part.touch(mode=0o600)
        part.chmod(0o600)  # also where one was left behind by a program that was killed
        part.write_text(document.as_string(), encoding="utf-8", newline="\n")
        if aside:
            path.replace(aside)
    return aside


def _refused(message: str, hint: str, *, own: bool) -> SettingsError:
    return OwnSettingsError(message, hint) if own else SettingsError(message, hint)


def _values(path: Path, *, own: bool) -> dict[str, Any]:
    """What a file sets.

    Raises:
        FileNotFoundError: there is none.
        SettingsError: it is damaged.
    """
    instead = "the computer's settings" if own else "the defaults"
    try:
        text = path.read_bytes().decode("utf-8-sig")  # Windows' editor may put a byte order mark in front
        raw = tomllib.loads(text)
    except FileNotFoundError:
        raise
    except OSError as error:
        raise _refused(
            f"the settings file {path} cannot be read: {error.strerror or error}.",
            f"See to it that it is a file that you may read, or remove it to have {instead}.",
            own=own,
        ) from error
    except UnicodeDecodeError as error:
        raise _refused(
            f"the settings file {path} is not UTF-8.",
            f"Save it as UTF-8, or remove it to have {instead}.",
            own=own,
        ) from error
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        reason = str(error) or "it is nested too deeply"
        raise _refused(
            f"the settings file {path} is no TOML: {reason}.",
            f"Correct that line, or remove the file to have {instead}.",
            own=own,
        ) from error
    for key, value in raw.items():
        _check(path, key, value, own=own)
    read = msgspec.convert(raw, Settings)
    return {key: getattr(read, key) for key in raw}


def _check(path: Path, key: str, value: object, *, own: bool) -> None:
    """Refuse a key that is not known here, and a value that it cannot have."""
    kinds = get_type_hints(Settings, include_extras=True)
    shown = sanitize(key)[:_SHOWN]
    if own and key in kinds and key not in OWN:
        raise _refused(
            f"the settings file {path} has the key {shown!r}, which is set for the computer and not for a person.",
            f"Remove it there, and set it in {locations.settings_file()}.",
            own=own,
        )
    if key not in kinds:
        known = [name for name in kinds if name in OWN or not own]
        raise _refused(
            f"the settings file {path} has the key {shown!r}, which this release does not know.",
            f"Remove it, or correct its name. The keys are: {', '.join(known)}.",
            own=own,
        )
    right = True
    try:
        msgspec.convert(value, kinds[key])
    except msgspec.ValidationError:
        right = False
    if not right or (key == "role" and value not in specialties.roles()):
        given = sanitize(str(value))
        given = given if len(given) <= _SHOWN else f"{given[:_SHOWN]}…"
        raise _refused(
            f"the settings file {path} sets {key} to {given!r}, which it cannot be.",
            f"Correct it, or remove the line. {key}: {_comments()[key]}",
            own=own,
        )


def _document(path: Path, *, own: bool) -> "tuple[tomlkit.TOMLDocument, Path | None]":
    """What is in the file, to be changed in place; an empty one, and a name to set it aside, where it is damaged."""
    # Loaded here, as reading needs none of it. It keeps what a person wrote around the values.
    import tomlkit
    from tomlkit.exceptions import TOMLKitError

    fresh = tomlkit.document()
    if own:
        fresh.add(tomlkit.comment("What this person has set. All else is as it is set for the computer."))
        fresh.add(tomlkit.comment("These keys can stand here:"))
        for line in textwrap.wrap(", ".join(key for key in _comments() if key in OWN), 100):
            fresh.add(tomlkit.comment(line))
    else:
        fresh.add(tomlkit.comment("The settings of Ophtimus Edge. Change them here or in the app."))
    try:
        _values(path, own=own)
        return tomlkit.parse(path.read_bytes().decode("utf-8-sig")), None
    except FileNotFoundError:
        return fresh, None
    except (SettingsError, TOMLKitError):
        aside = path.with_name(f"{path.name}.broken")
        number = 1
        while os.path.lexists(aside):
            number += 1
            aside = path.with_name(f"{path.name}.broken-{number}")
        return fresh, aside


def _add(document: "tomlkit.TOMLDocument", key: str, value: Any) -> None:
    import tomlkit

    document.add(tomlkit.nl())
    for line in textwrap.wrap(_comments()[key], 100):
        document.add(tomlkit.comment(line))
    document.add(key, value)


@cache
def _comments() -> dict[str, str]:
    """The docstring under each field, on one line."""
    comments = {}
    (body,) = ast.parse(textwrap.dedent(inspect.getsource(Settings))).body
    assert isinstance(body, ast.ClassDef)  # noqa: S101 - it is the class above
    for field, below in zip(body.body, body.body[1:], strict=False):
        if isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name):
            with contextlib.suppress(AttributeError):
                comments[field.target.id] = " ".join(below.value.value.split())  # type: ignore[attr-defined]
    return comments

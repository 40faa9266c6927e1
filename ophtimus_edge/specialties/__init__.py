"""Medical fields as data: a folder each, with the roles, prompts and questions of the field.

A second field is a second folder; it needs no code.
"""

import tomllib
from functools import cache

import msgspec

from ophtimus_edge.errors import UsageError
from ophtimus_edge.locations import specialty_folder

DEFAULT_SPECIALTY = "ophthalmology"
DEFAULT_ROLE = "clinical"


class Role(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """In what role the model answers.

    Attributes:
        title: its name on the screen, by language (``en``, ``ko``).
        system_prompt: the first turn of every conversation; "" for none.
    """

    title: dict[str, str]
    system_prompt: str


class CatalogModel(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A published model of the field.

    Attributes:
        name: how its authors call it.
        hub_id: where its checkpoint is published; "" where it is not.
        base: the model it was trained from.
        parameters: its size as the name says it, such as "8B".
        kind: ``instruct`` or ``base``.
        licence: the licence of its weights.
        languages: the languages of its training data.
    """

    name: str
    hub_id: str
    base: str
    parameters: str
    kind: str
    licence: str
    languages: list[str]


class _Roles(msgspec.Struct, forbid_unknown_fields=True):
    roles: dict[str, Role]


class _Catalog(msgspec.Struct, forbid_unknown_fields=True):
    models: list[CatalogModel]


@cache
def roles(specialty: str = DEFAULT_SPECIALTY) -> dict[str, Role]:
    """The roles of a field, by name, in the order in which they are offered."""
    text = (specialty_folder(specialty) / "roles.toml").read_text(encoding="utf-8")
    return msgspec.convert(tomllib.loads(text), _Roles).roles


@cache
def catalog(specialty: str = DEFAULT_SPECIALTY) -> tuple[CatalogModel, ...]:
    """The published models of a field."""
    text = (specialty_folder(specialty) / "catalog.toml").read_text(encoding="utf-8")
    return tuple(msgspec.convert(tomllib.loads(text), _Catalog).models)


def role_named(name: str, specialty: str = DEFAULT_SPECIALTY) -> Role:
    """A role of the field.

    Raises:
        UsageError: the field has no role of that name.
    """
    known = roles(specialty)
    if name not in known:
        raise UsageError(f"there is no role {name!r}.", f"The roles are: {', '.join(known)}.")
    return known[name]

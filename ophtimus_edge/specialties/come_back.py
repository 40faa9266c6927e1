"""When a patient must come back at once: standing sentences of a field, as data.

They are the emergency rules of the field in a patient's words (``come_back.toml``); the file says which rule each
of them rests on. A second field has its own.
"""

import tomllib
from functools import cache

import msgspec

from ophtimus_edge.locations import specialty_folder
from ophtimus_edge.specialties import DEFAULT_SPECIALTY
from ophtimus_edge.specialties.questions import NOT_REVIEWED


class Sign(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One reason to come back at once.

    Attributes:
        rules: ids of the emergency rules that it rests on.
        ambulance: whether an ambulance is called, rather than the clinic gone to.
        when: what the patient notices, and what to do first, by language.
        reviewed_by: the physician who read it, or "" (not reviewed by a physician).
    """

    rules: tuple[str, ...]
    ambulance: bool
    when: dict[str, str]
    reviewed_by: str

    @property
    def review(self) -> str:
        """Who reviewed it, in words to show."""
        return f"reviewed by {self.reviewed_by}" if self.reviewed_by else NOT_REVIEWED


class _Signs(msgspec.Struct, forbid_unknown_fields=True):
    signs: tuple[Sign, ...]


@cache
def come_back(specialty: str = DEFAULT_SPECIALTY) -> tuple[Sign, ...]:
    """The signs of a field, in the order in which they are printed."""
    text = (specialty_folder(specialty) / "come_back.toml").read_text(encoding="utf-8")
    return msgspec.convert(tomllib.loads(text), _Signs).signs

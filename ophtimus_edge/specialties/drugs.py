"""The drugs of a field by their names, as data: which words of an answer name a drug, and which one.

``drugs.toml`` has the generic names in English and Korean. A drug is called by its first English name, however
a text writes it, so that two texts in two languages can be compared. A second field has its own list.
"""

import re
import tomllib
from collections.abc import Iterator
from functools import cache
from typing import NamedTuple

import msgspec

from ophtimus_edge.locations import specialty_folder
from ophtimus_edge.specialties import DEFAULT_SPECIALTY
from ophtimus_edge.specialties.questions import NOT_REVIEWED


class Drug(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A drug.

    Attributes:
        en: its English names; the first is the one that it is called by.
        ko: its Korean spellings.
    """

    en: tuple[str, ...]
    ko: tuple[str, ...]


class DrugList(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The drugs of a field.

    Attributes:
        reviewed_by: the physician who read the list, or "" (not reviewed by a physician).
    """

    drugs: tuple[Drug, ...]
    reviewed_by: str

    @property
    def review(self) -> str:
        """Who reviewed it, in words to show."""
        return f"reviewed by {self.reviewed_by}" if self.reviewed_by else NOT_REVIEWED


class NamedDrug(NamedTuple):
    """A drug's name in a text: which drug it is, and where the name begins and ends."""

    drug: str
    start: int
    end: int


@cache
def drug_list(specialty: str = DEFAULT_SPECIALTY) -> DrugList:
    """The drugs of a field."""
    text = (specialty_folder(specialty) / "drugs.toml").read_text(encoding="utf-8")
    return msgspec.convert(tomllib.loads(text), DrugList)


def named_drugs(text: str, specialty: str = DEFAULT_SPECIALTY) -> Iterator[NamedDrug]:
    """The drugs that a text names, in order, each time that it names one."""
    drugs, names = _names(specialty)
    for match in names.finditer(text):
        yield NamedDrug(drugs[match.group().casefold()], match.start(), match.end())


@cache
def _names(specialty: str) -> tuple[dict[str, str], re.Pattern[str]]:
    drugs = {
        name.casefold(): drug.en[0] for drug in drug_list(specialty).drugs for name in (*drug.en, *drug.ko)
    }
    longest_first = sorted(drugs, key=lambda name: (-len(name), name))
    # A particle may follow a Korean name; a longer name may contain a shorter one only at its end.
    latin = "|".join(re.escape(name) for name in longest_first if name.isascii())
    korean = "|".join(re.escape(name) for name in longest_first if not name.isascii())
    pattern = f"(?<![A-Za-z])(?:{latin})(?![A-Za-z])|(?<![가-힣])(?:{korean})"
    return drugs, re.compile(pattern, re.IGNORECASE)

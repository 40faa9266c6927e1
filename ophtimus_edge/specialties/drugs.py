"""The drugs of a field by their names, as data: which words of an answer name a drug, and which one.

``drugs.toml`` has the generic names in English and Korean, ``trade_names.toml`` the best-known trade names with
their substances. A drug is called by its first English name, however a text writes it, so that two texts in two
languages can be compared; a trade name of two substances names both. A second field has its own lists.
"""

import re
import tomllib
from collections.abc import Iterator
from functools import cache
from pathlib import Path
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


class TradeName(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A product.

    Attributes:
        en: its English names; the first is the one that it is called by.
        ko: its Korean spellings.
        of: the first English names of its substances.
    """

    en: tuple[str, ...]
    ko: tuple[str, ...]
    of: tuple[str, ...]


class TradeNameList(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The trade names of a field.

    Attributes:
        reviewed_by: the physician who read the list, or "" (not reviewed by a physician).
    """

    trade_names: tuple[TradeName, ...]
    reviewed_by: str


class NamedDrug(NamedTuple):
    """A drug's name in a text: which drug it is, and where the name begins and ends.

    Attributes:
        trade_name: what the product is called by, where the text names the drug so; else "".
    """

    drug: str
    start: int
    end: int
    trade_name: str = ""


class _Known(NamedTuple):
    drugs: tuple[str, ...]
    trade_name: str


@cache
def drug_list(specialty: str = DEFAULT_SPECIALTY) -> DrugList:
    """The drugs of a field; none where the program has no list for it."""
    text = _data(specialty, "drugs.toml")
    return msgspec.convert(tomllib.loads(text), DrugList) if text else DrugList((), "")


@cache
def trade_name_list(specialty: str = DEFAULT_SPECIALTY) -> TradeNameList:
    """The trade names of a field; none where the program has no list for it."""
    text = _data(specialty, "trade_names.toml")
    return msgspec.convert(tomllib.loads(text), TradeNameList) if text else TradeNameList((), "")


def named_drugs(text: str, specialty: str = DEFAULT_SPECIALTY) -> Iterator[NamedDrug]:
    """The drugs that a text names, in order, each time that it names one.

    A trade name of two substances names both of them in one place.
    """
    known, names = _names(specialty)
    if not known:
        return
    for match in names.finditer(text):
        drugs, trade_name = known[match.group().casefold()]
        for drug in drugs:
            yield NamedDrug(drug, match.start(), match.end(), trade_name)


def _data(specialty: str, name: str) -> str:
    # A model's folder says what its field is: a field that was never heard of has no lists, and none is
    # looked for outside the fields' own folder.
    file = specialty_folder(specialty) / name
    is_field = Path(specialty).name == specialty
    return file.read_text(encoding="utf-8") if is_field and file.is_file() else ""


@cache
def _names(specialty: str) -> tuple[dict[str, _Known], re.Pattern[str]]:
    known: dict[str, _Known] = {}
    for drug in drug_list(specialty).drugs:
        known |= {name.casefold(): _Known(drug.en[:1], "") for name in (*drug.en, *drug.ko)}
    for product in trade_name_list(specialty).trade_names:
        known |= {name.casefold(): _Known(product.of, product.en[0]) for name in (*product.en, *product.ko)}
    longest_first = sorted(known, key=lambda name: (-len(name), name))
    # A particle may follow a Korean name; a longer name may contain a shorter one only at its end.
    latin = [re.escape(name) for name in longest_first if name.isascii()]
    korean = [re.escape(name) for name in longest_first if not name.isascii()]
    patterns = [f"(?<![A-Za-z])(?:{'|'.join(latin)})(?![A-Za-z])"] if latin else []
    patterns += [f"(?<![가-힣])(?:{'|'.join(korean)})"] if korean else []
    return known, re.compile("|".join(patterns), re.IGNORECASE)

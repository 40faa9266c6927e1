"""``published.toml``: what is known of bases, data sets and graphics cards before any of them is here."""

import tomllib
from functools import cache
from importlib import resources

import msgspec


class PublishedData(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a data set's card states: its rows, or its tokens; 0 where it does not.

    Attributes:
        row_tokens: of a row, estimated.
    """

    rows: int = 0
    tokens: int = 0
    row_tokens: int = 0


class Device(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A graphics card.

    Attributes:
        words: that all stand in the name its driver gives.
        tflops: 10^12 dense bfloat16 operations a second, at its peak.
        memory_gib: of its memory, as its driver counts it.
        source: where both are from.
    """

    name: str
    words: list[str]
    tflops: float
    memory_gib: float
    source: str


class Utilisation(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which share of a card's peak a method of training reaches, and where that is from."""

    value: float
    source: str


class Published(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """All of the file."""

    bases: dict[str, str]
    data: dict[str, PublishedData]
    devices: list[Device]
    utilisation: dict[str, Utilisation]


@cache
def published() -> Published:
    """Read the file of this package."""
    text = (resources.files("ophtimus_training.planning") / "published.toml").read_text("utf-8")
    return msgspec.convert(tomllib.loads(text), Published)


def device_named(name: str) -> Device | None:
    """The card that a driver's name, or a person's, means; None where it is not known."""
    said = name.casefold().replace("-", " ")
    for device in published().devices:
        if device.name.casefold() == name.casefold() or all(
            f" {word.casefold()} " in f" {said} " or word.casefold() in said.split() for word in device.words
        ):
            return device
    return None

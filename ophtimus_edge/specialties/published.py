"""The published scores of a field's models, as data: what a converted model can be compared with.

``published.toml`` has them as they were published, with what must be known of how they were computed.
"""

import re
import tomllib
from functools import cache

import msgspec

from ophtimus_edge.locations import specialty_folder
from ophtimus_edge.specialties import DEFAULT_SPECIALTY, catalog

_LEVEL = re.compile(r"[-.](?:BF16|F16|F32|I?Q\d\w*|TQ\d\w*)$", re.IGNORECASE)

Scores = dict[str, dict[str, float]]


class PublishedModel(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A row of the table: a model's name, and its scores by benchmark and name."""

    name: str
    scores: Scores


class PublishedTable(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The published scores.

    Attributes:
        notes: what must be known of them, a sentence or two each.
        benchmarks: the data set of each.
        models: in the order of the published table; accuracies are shares, 0 to 1, as all scores are.
    """

    notes: tuple[str, ...]
    benchmarks: dict[str, str]
    models: tuple[PublishedModel, ...]


@cache
def published_table(specialty: str = DEFAULT_SPECIALTY) -> PublishedTable:
    """The published scores of a field's models."""
    text = (specialty_folder(specialty) / "published.toml").read_text(encoding="utf-8")
    table = msgspec.convert(tomllib.loads(text), PublishedTable)
    models = [
        PublishedModel(model.name, {benchmark: _shares(scores) for benchmark, scores in model.scores.items()})
        for model in table.models
    ]
    return msgspec.structs.replace(table, models=tuple(models))


def published_model(
    name: str, *, demonstration: bool, specialty: str = DEFAULT_SPECIALTY
) -> PublishedModel | None:
    """The published scores of a model of that name; None where there are none.

    A name is the model's own, or its hub id with or without the account: the hub's ``Ophtimus-8B-Instruct`` is
    Ophtimus-Llama-8B, not Ophtimus-Instruct-8B. A level at its end is passed over. A name that could mean two
    models has no scores.

    Args:
        name: of the model as it calls itself.
        demonstration: whether it is for trying the program out only: then it has none, whatever its name.
    """
    if demonstration:
        return None
    wanted = _LEVEL.sub("", name.strip()).casefold()
    names = {wanted}
    for model in catalog(specialty):
        hub = model.hub_id.casefold()
        if hub and wanted in {hub, hub.rpartition("/")[2]}:
            names.add(model.name.casefold())
    found = [row for row in published_table(specialty).models if row.name.casefold() in names]
    return found[0] if len(found) == 1 else None


def _shares(scores: dict[str, float]) -> dict[str, float]:
    """Per cent as shares, under the name that the report has for them."""
    return {
        name.removesuffix("_percent"): round(value / 100, 6) if name.endswith("_percent") else value
        for name, value in scores.items()
    }

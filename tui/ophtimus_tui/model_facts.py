"""What is known of the model under the cursor, a sentence each: where it comes from, what was tried."""

from ophtimus_edge import specialties
from ophtimus_edge.errors import OphtimusError
from ophtimus_edge.models.formats import ModelFolder
from ophtimus_edge.models.inventory import StoredModel
from ophtimus_edge.specialties import CatalogModel
from ophtimus_edge.text import sanitize
from ophtimus_tui.model_rows import Judged, Row, line, reason
from ophtimus_tui.sizes import size
from ophtimus_tui.texts import Texts

_PASSED = "passed"
_BUILT_WITH = "Built with Llama"  # the words that Meta's community licences ask for; not translated


def facts(texts: Texts, row: Row, judged: Judged) -> list[str]:
    """All that is said under the rows of the one that the cursor is on."""
    if row.left is not None:
        return [line(row.name), texts("models.unfinished_why", size=size(row.left.size_bytes))]
    model, description = row.model, row.description
    if model is None or description is None or row.level is None:
        return [line(row.name), *_unusable(texts, model)]
    title = " · ".join(
        part for part in (
            f"{line(description.name)} {line(description.version)}".strip(), line(row.level.level),
            texts("models.default") if row.level.level == description.default_level else "",
        ) if part
    )  # fmt: skip
    return [
        title,
        *([texts("models.demonstration_why")] if description.demonstration else []),
        reason(texts, row, judged),
        _languages(texts, description),
        texts("models.base" if description.kind == "base" else "models.instruct"),
        _licences(texts, description),
        _signature(texts, model),
        *_gates(texts, description),
        *([texts("models.verdict", verdict=sanitize(description.verdict))] if description.verdict else []),
        texts("models.file", file=line(row.level.file)),
    ]


def _unusable(texts: Texts, model: StoredModel | None) -> list[str]:
    error: OphtimusError | None = model.error if model else None
    said = [line(error.message), line(error.hint)] if error else []
    return [texts("models.unusable_why"), *said]


def _published(description: ModelFolder) -> CatalogModel | None:
    """The entry of the catalogue that a model was made from."""
    wanted = {description.name.casefold(), description.source.id.casefold()}
    return next(
        (one for one in specialties.catalog()
         if one.name.casefold() in wanted or (one.hub_id and one.hub_id.casefold() in wanted)),
        None,
    )  # fmt: skip


def _languages(texts: Texts, description: ModelFolder) -> str:
    """In which languages answers were tested; the questions of a comparison are those of its training."""
    if not description.verdict:
        return texts("models.not_tested")
    published = _published(description)
    if published is not None and published.languages == ["en"]:
        return texts("models.tested_english")
    return texts("models.tested_unknown")


def _licences(texts: Texts, description: ModelFolder) -> str:
    names = [line(licence.name) for licence in description.licences]
    notices = [line(licence.notice) for licence in description.licences if licence.notice]
    published = _published(description)
    if not names and published is not None:
        names = [published.licence]
    if any("llama" in name.casefold() for name in names) and not any(
        _BUILT_WITH.casefold() in notice.casefold() for notice in notices
    ):
        notices.append(_BUILT_WITH)
    if not names and not notices:
        return texts("models.no_licence")
    return texts("models.licence", licence=" · ".join(dict.fromkeys([*names, *notices])))


def _signature(texts: Texts, model: StoredModel) -> str:
    if model.built_in:
        return texts("models.built_in")
    record = model.record
    if record and record.damaged:
        files = ", ".join(line(file) for file in record.damaged)
        return texts("models.unverified_damaged", files=files)
    if record and record.verified:
        moment = line(record.verified).replace("T", " ").removesuffix("Z")
        return texts("models.unverified_hashed", moment=moment)
    return texts("models.unverified")


def _gates(texts: Texts, description: ModelFolder) -> list[str]:
    """Which gates were passed, and in full what became of the others."""
    passed = [line(gate) for gate, result in description.gates.items() if result.startswith(_PASSED)]
    said = [texts("models.gates", gates=", ".join(passed))] if passed else [texts("models.no_gates")]
    return said + [
        texts("models.gate_else", gate=line(gate), result=line(result))
        for gate, result in description.gates.items()
        if not result.startswith(_PASSED)
    ]

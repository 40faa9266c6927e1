"""What is known of the model under the cursor, a sentence each: where it comes from, what was tried."""

from collections.abc import Sequence

from ophtimus_edge import specialties
from ophtimus_edge.errors import OphtimusError
from ophtimus_edge.models import withdrawals
from ophtimus_edge.models.formats import Level, ModelFolder
from ophtimus_edge.models.inventory import StoredModel
from ophtimus_edge.specialties import CatalogModel
from ophtimus_edge.text import sanitize
from ophtimus_tui.error_texts import said
from ophtimus_tui.model_rows import Judged, Row, line, reason
from ophtimus_tui.sizes import divergence, size
from ophtimus_tui.texts import LANGUAGES, Texts

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
        *_comparison(texts, description, row.level),
        texts("models.file", file=line(row.level.file)),
    ]


def _unusable(texts: Texts, model: StoredModel | None) -> list[str]:
    error: OphtimusError | None = model.error if model else None
    return [said(error, texts)] if error else [texts("models.unusable_why")]


def _published(description: ModelFolder) -> CatalogModel | None:
    """The entry of the catalogue that a model was made from."""
    wanted = {description.name.casefold(), description.source.id.casefold()}
    return next(
        (one for one in specialties.catalog()
         if one.name.casefold() in wanted or (one.hub_id and one.hub_id.casefold() in wanted)),
        None,
    )  # fmt: skip


def _languages(texts: Texts, description: ModelFolder) -> str:
    """In which languages answers were tested, and in which of the app's they were not."""
    tested = list(dict.fromkeys(code for code in description.tested_languages if line(code)))
    if not tested:
        return texts("models.not_tested")
    missing = [code for code in LANGUAGES if code not in tested]
    sentences = texts("models.tested", languages=_named(texts, tested))
    return sentences + (
        " " + texts("models.not_tested_in", languages=_named(texts, missing)) if missing else ""
    )


def _named(texts: Texts, codes: Sequence[str]) -> str:
    return ", ".join(texts(f"models.in_{code}") if code in LANGUAGES else line(code) for code in codes)


def _comparison(texts: Texts, description: ModelFolder, level: Level) -> list[str]:
    """What a comparison of the levels found, of this one first; nothing of a file that is there no more."""
    found, best = description.comparison, description.recommended
    if best is not None and withdrawals.of(best.sha256):
        best = None
    sentences = []
    if best is not None:
        key = "models.recommended_why" if best == level else "models.recommended_other"
        sentences.append(texts(key, level=line(best.level)))
    if measured := found.divergence_of(level):
        value, low, high = (divergence(one) for one in (measured.value, measured.low, measured.high))
        sentences.append(texts("models.divergence", value=value, low=low, high=high))
    if found.statement and (best is not None or not found.sha256):
        sentences.append(texts("models.verdict", verdict=sanitize(found.statement)))
    if found.report_sha256:
        sentences.append(texts("models.report", sha256=line(found.report_sha256)))
    return sentences


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
    if model.kit:
        return texts("models.of_kit", kit=line(model.kit))
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
    sentences = [texts("models.gates", gates=", ".join(passed))] if passed else [texts("models.no_gates")]
    return sentences + [
        texts("models.gate_else", gate=line(gate), result=line(result))
        for gate, result in description.gates.items()
        if not result.startswith(_PASSED)
    ]

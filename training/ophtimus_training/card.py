"""What travels with a training's result: a model card, licence and notice files, and where everything is from.

Licence texts are copied from the base's folder and never written here; what should be there and is not is said, in
the card and to whoever trains.
"""

import importlib.metadata
import json
import platform
import re
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal, NamedTuple, Protocol

from ophtimus_edge import __version__, specialties
from ophtimus_edge.locations import staged
from ophtimus_edge.models.provenance import CARD, PROVENANCE
from ophtimus_edge.models.store import sha256_of
from ophtimus_edge.text import sanitize

_SCHEMA = 1
_LICENCE = re.compile(r"(licen[cs]e|notice|use_policy)([._-].*)?", re.IGNORECASE)
_PACKAGES = ("torch", "transformers", "peft", "trl", "accelerate", "datasets", "tokenizers", "safetensors",
             "bitsandbytes", "torchao", "deepspeed")  # fmt: skip
_LLAMA = re.compile(r"llama[-_ ]?(3(?:\.\d)?)", re.IGNORECASE)
_TITLES = {
    "adapter": "an adapter on {base}",
    "checkpoint": "a checkpoint trained from {base}",
    "merged": "an adapter merged into {base}",
}


class File(Protocol):
    """A file of data, as :class:`ophtimus_training.examples.SourceFile` describes it."""

    @property
    def name(self) -> str: ...  # noqa: D102
    @property
    def sha256(self) -> str: ...  # noqa: D102
    @property
    def rows(self) -> int: ...  # noqa: D102


class CardFacts(NamedTuple):
    """What a card tells.

    Attributes:
        name: of the result.
        kind: of the result: an adapter, a trained checkpoint, or both merged.
        base: hub id or folder of what was trained on; "" for random weights.
        base_folder: where the base lies, whose licence files travel; None for random weights.
        recipe: as it was resolved, every key; its seed among them.
        data: files that were learned from.
        evaluation_data: files that were held out.
        results: what training and evaluation came to, ready for JSON.
        notes: what a person should know, in sentences.
        adapter: of a merged checkpoint, the adapter's folder, whose provenance is taken over.
    """

    name: str
    kind: Literal["adapter", "checkpoint", "merged"]
    base: str
    base_folder: Path | None
    recipe: dict[str, Any]
    data: Sequence[File] = ()
    evaluation_data: Sequence[File] = ()
    results: dict[str, Any] = {}  # noqa: RUF012  # never changed
    notes: Sequence[str] = ()
    adapter: Path | None = None


def write_card(folder: Path, facts: CardFacts) -> list[str]:
    """Write README.md, the licence files and provenance.json into a result's folder.

    Args:
        folder: with the result in it: its weights are hashed.

    Returns:
        What is missing, in sentences; empty where the licences that must travel are there.

    Raises:
        OSError: a file cannot be read or written.
    """
    sources = [path for path in (facts.base_folder, facts.adapter) if path is not None]
    carried = carry_licences(sources, folder)
    licence = licence_of(facts.base, facts.base_folder)
    missing = _missing(licence, carried)
    provenance = {
        "schema_version": _SCHEMA,
        "program": f"ophtimus-train {__version__}",
        "kind": facts.kind,
        "name": facts.name,
        "base": {"id": facts.base, "licence": licence, "files": _base_files(facts.base_folder)},
        "recipe": facts.recipe,
        "seed": facts.recipe.get("seed"),
        "data": [_file(file) for file in facts.data],
        "evaluation_data": [_file(file) for file in facts.evaluation_data],
        "results": facts.results,
        "notes": list(facts.notes),
        "files": [
            {"name": path.name, "size_bytes": path.stat().st_size, "sha256": sha256_of(path)}
            for path in sorted(folder.glob("*.safetensors"))
        ],
        "licence_files": carried,
        "missing": missing,
        "versions": _versions(),
        "adapter": _read(facts.adapter),
        "base_provenance": _read(facts.base_folder),
    }
    with staged(folder / PROVENANCE) as part:
        part.write_text(json.dumps(provenance, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    with staged(folder / CARD) as part:
        part.write_text(_card(facts, licence, carried, missing), encoding="utf-8")
    return missing


def carry_licences(sources: Sequence[Path], target: Path) -> list[str]:
    """Copy licence, notice and use-policy files; the first of a name stays. Returns their names."""
    carried: list[str] = []
    for source in sources:
        for path in sorted(source.iterdir()):
            if path.is_file() and _LICENCE.fullmatch(path.name) and path.name not in carried:
                carried.append(path.name)
                if path.resolve() != (target / path.name).resolve():
                    with staged(target / path.name) as part:
                        shutil.copyfile(path, part)
    return carried


def licence_of(base: str, folder: Path | None) -> str:
    """The name of a base's licence, from the catalog, its name, or what it was trained from itself; "" if unknown."""
    known = {model.hub_id: model.licence for model in specialties.catalog() if model.hub_id}
    name = base.partition("@")[0]
    if name in known:
        return known[name]
    told = _read(folder)
    if told and isinstance(told.get("base"), dict) and told["base"].get("licence"):
        return str(told["base"]["licence"])
    found = _LLAMA.search(Path(name).name)
    return f"Llama {found[1]} Community License" if found else ""


def _missing(licence: str, carried: list[str]) -> list[str]:
    if not licence.startswith("Llama"):
        return []
    kinds = {"licence": ("licence", "license"), "notice": ("notice",)}
    lacking = [
        kind
        for kind, beginnings in kinds.items()
        if not any(name.lower().startswith(beginnings) for name in carried)
    ]
    return [
        f"The base is under the {licence}, and its folder has no {kind} file: put it there and beside this result "
        "before either is passed on."
        for kind in lacking
    ]


def _file(file: File) -> dict[str, Any]:
    return {"name": file.name, "sha256": file.sha256, "rows": file.rows}


def _base_files(folder: Path | None) -> list[dict[str, Any]]:
    """Names and sizes; hashing 16 GB of a base would take longer than all else here."""
    paths = sorted(folder.glob("*.safetensors")) if folder else []
    return [{"name": path.name, "size_bytes": path.stat().st_size} for path in paths]


def _read(folder: Path | None) -> dict[str, Any] | None:
    """The provenance of a folder that this program made; None where there is none that can be read."""
    try:
        told = json.loads((folder / PROVENANCE).read_text(encoding="utf-8")) if folder else None
    except (OSError, ValueError):
        return None
    return told if isinstance(told, dict) else None


def _versions() -> dict[str, str]:
    versions = {"python": platform.python_version(), "ophtimus-edge": __version__}
    for package in _PACKAGES:
        try:
            versions[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            continue
    return versions


def _card(facts: CardFacts, licence: str, carried: list[str], missing: list[str]) -> str:
    base = _plain(facts.base) or "random weights"
    lines = [
        "---",
        f"base_model: {json.dumps(facts.base)}",
        f"library_name: {'peft' if facts.kind == 'adapter' else 'transformers'}",
        "---",
        "",
        f"# {_plain(facts.name)}",
        "",
        f"This is {_TITLES[facts.kind].format(base=base)}, made with ophtimus-train {__version__}.",
        "**It was not reviewed for clinical use: what it answers is no medical advice.**",
    ]
    if licence.startswith("Llama"):
        lines += ["", "Built with Llama."]
    lines += _data("What it learned from", facts.data) + _data("What was held out", facts.evaluation_data)
    told = _read(facts.adapter)
    if told:  # a merge learns nothing: what its adapter learned from stands in that one's provenance
        lines += _table("What the adapter learned from", told.get("data"))
        lines += _results(told.get("results", {}), "What its training came to")
    lines += _results(facts.results, "What it came to")
    if facts.notes:
        lines += ["", "## To know", "", *(f"- {_plain(note)}" for note in facts.notes)]
    settings = told.get("recipe", {}) if told and not facts.recipe else facts.recipe
    lines += ["", "## Recipe", "", *(f"- {key}: `{_plain(str(value))}`" for key, value in settings.items())]
    lines += ["", "## Licence", "", f"{licence or 'That of the base and of the data named above'}."]
    lines += [f"- [{name}]({name})" for name in carried] + [f"- **Missing.** {each}" for each in missing]
    lines += ["", f"Hashes, versions and every figure: [{PROVENANCE}]({PROVENANCE}).", ""]
    return "\n".join(lines)


def _data(heading: str, files: Sequence[File]) -> list[str]:
    return _table(heading, [_file(file) for file in files])


def _table(heading: str, files: Any) -> list[str]:
    if not isinstance(files, list) or not files:
        return []
    rows = [
        f"| {_plain(str(file['name']))} | {file['rows']} | `{str(file['sha256'])[:16]}…` |" for file in files
    ]
    return ["", f"## {heading}", "", "| file | rows | SHA-256 |", "|---|---|---|", *rows]


def _results(results: dict[str, Any], heading: str) -> list[str]:
    if not results:
        return []
    return [
        "",
        f"## {heading}",
        "",
        *(f"- {_plain(key)}: {_figure(value)}" for key, value in results.items()),
    ]


def _figure(value: Any) -> str:
    if isinstance(value, dict) and {"value", "low", "high"} <= value.keys():
        return f"{value['value']:.4g} (95 % interval {value['low']:.4g} to {value['high']:.4g})"
    return f"{value:.4g}" if isinstance(value, float) else _plain(str(value))


def _plain(text: str) -> str:
    """One line that means nothing to a renderer of Markdown tables."""
    return " ".join(sanitize(text).split()).replace("|", "/").replace("<", "‹").replace("`", "'")

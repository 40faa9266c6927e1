"""What the runtime needs is declared, and the import contracts name every room: no list may fall behind."""

import ast
import re
import sys
import tomllib
from importlib import metadata
from pathlib import Path

from conftest import ROOT

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
EXTRAS = PROJECT["project"]["optional-dependencies"]
FOLDERS = {
    # pyarrow reads Parquet, and the [essay] extra scores essays, where they are installed; else an error says so.
    "ophtimus_edge": (
        ROOT / "ophtimus_edge",
        [*(one for one in EXTRAS["convert"] if "pyarrow" in one), *EXTRAS["essay"]],
    ),
    "ophtimus_tui": (ROOT / "tui" / "ophtimus_tui", EXTRAS["tui"]),
    "ophtimus_convert": (ROOT / "convert" / "ophtimus_convert", EXTRAS["convert"]),
    "ophtimus_training": (ROOT / "training" / "ophtimus_training", EXTRAS["training"]),
}
WORKERS = {"ophtimus_edge.engine.worker", "ophtimus_convert.worker"}


def imported(folder: Path) -> set[str]:
    """The top names of all modules that the files of a folder import, wherever they stand."""
    found = set()
    for path in folder.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Import):
                found |= {alias.name.split(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                found.add(node.module.split(".")[0])
    return found - set(sys.stdlib_module_names) - set(FOLDERS) - {"_posixshmem"}


def names(requirements: list[str]) -> set[str]:
    return {re.split(r"[<>=!\[; ]", requirement)[0].lower() for requirement in requirements}


def test_every_package_that_is_imported_is_declared_where_it_is_needed() -> None:
    providers = metadata.packages_distributions()
    runtime = names(PROJECT["project"]["dependencies"])
    for package, (folder, extra) in FOLDERS.items():
        modules = imported(folder)
        assert modules, package
        for module in modules:
            given = {name.lower().replace("_", "-") for name in providers[module]}
            assert given & (runtime | names(extra)), f"{package} imports {module}, which it does not declare"


def test_the_contracts_of_the_workers_name_every_other_module() -> None:
    expected = {"ophtimus_tui", "ophtimus_training"}
    rooms = {
        "ophtimus_edge": FOLDERS["ophtimus_edge"][0],
        "ophtimus_edge.engine": FOLDERS["ophtimus_edge"][0] / "engine",
        "ophtimus_convert": FOLDERS["ophtimus_convert"][0],
    }
    for package, folder in rooms.items():
        for path in folder.iterdir():
            inside = path.suffix == ".py" or (path / "__init__.py").is_file()
            if inside and not path.name.startswith("__"):
                expected.add(f"{package}.{path.stem}")
    expected -= {*WORKERS, "ophtimus_edge.engine"}
    contracts = PROJECT["tool"]["importlinter"]["contracts"]
    about = [one for one in contracts if set(one.get("forbidden_modules", [])) <= {"llama_cpp", *WORKERS}]
    about = [one for one in about if one.get("forbidden_modules")]
    assert len(about) == 2
    for contract in about:
        assert set(contract["source_modules"]) == expected, contract["name"]

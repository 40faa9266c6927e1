"""The index of attacks names tests that exist, and every attack in this folder."""

import ast
import re
from pathlib import Path

from conftest import ROOT

HERE = Path(__file__).parent
NAMED = re.compile(r"`(tests/[\w/]+\.py)(?:::(\w+))?`")


def test_every_test_that_the_index_names_exists_and_every_attack_is_in_it() -> None:
    named = NAMED.findall((HERE / "README.md").read_text(encoding="utf-8"))
    assert len(named) > 20
    for path, name in named:
        tree = ast.parse((ROOT / path).read_text(encoding="utf-8"))
        functions = {
            node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        }
        assert name in functions or not name, f"{path}::{name}"
    files = {f"tests/attacks/{path.name}" for path in HERE.glob("test_*.py") if path.name != "test_index.py"}
    assert files <= {path for path, _ in named}

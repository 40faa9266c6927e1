"""Data sets from a hub on the loopback: fetched once, read as any folder, and what a person reads where not."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from conftest import BIN
from convert.hub_server import GOOD, Hub, serving

SET = "BaekSeungJu/Ophthalmology-EQA-v3"
ROWS = "".join(json.dumps({"question": f"What is {at}?", "answer": f"It is {at}."}) + "\n" for at in range(5))
READ = """
import json, sys
from ophtimus_edge.errors import OphtimusError
from ophtimus_training.examples import read

try:
    found = read(sys.argv[1], "train")
    print(json.dumps({"rows": len(found.exchanges), "files": [file.name for file in found.files]}))
except OphtimusError as error:
    print(json.dumps({"message": error.message, "hint": error.hint}))
"""


@pytest.fixture
def hub() -> Iterator[Hub]:
    with serving() as hub:
        files = {"data/train.jsonl": ROWS.encode(), "data/test.jsonl": ROWS.encode(), "README.md": b"eyes"}
        hub.add(SET, files | {"load.py": b"import os", "weights.bin": b"\x80\x04"})
        yield hub


def read(home: Path, url: str, source: str = SET, **variables: str) -> dict[str, Any]:
    """Read a source on a machine with a cache of its own."""
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": os.environ.get("PYTHONPATH", ""), "NO_PROXY": "*",
                   "HOME": str(home), "HF_HOME": str(home), "HF_ENDPOINT": url, **variables}  # fmt: skip
    command = [sys.executable, "-c", READ, source]
    result = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120, check=True)
    assert "Traceback" not in result.stderr
    return dict(json.loads(result.stdout))


def test_a_set_is_fetched_without_code_and_read_again_offline(hub: Hub, tmp_path: Path) -> None:
    expected = {"rows": 5, "files": [f"{SET}/data/train.jsonl"]}
    assert read(tmp_path, hub.url) == expected
    assert {"load.py", "weights.bin"} & set(hub.asked()) == set()
    hub.requests.clear()
    assert read(tmp_path, hub.url, HF_HUB_OFFLINE="1") == expected
    assert hub.requests == []
    assert read(tmp_path, hub.url, f"{SET}@{hub.repositories[SET].commit}", HF_HUB_OFFLINE="1")["rows"] == 5


def test_a_set_that_cannot_be_had_is_said_with_what_to_do(hub: Hub, tmp_path: Path) -> None:
    hub.add("BaekSeungJu/Closed", {"a.jsonl": ROWS.encode()}, gated=True)
    for source, said, what, more in [
        ("BaekSeungJu/Nothing", "no data set of that name", "spelling", {"HF_TOKEN": GOOD}),
        (f"{SET}@0.1", "no such revision", "Name a branch", {}),
        ("BaekSeungJu/Closed", "is gated", "HF_TOKEN", {}),
        (SET, "HF_HUB_OFFLINE", "where there is internet", {"HF_HUB_OFFLINE": "1"}),
    ]:
        answer = read(tmp_path, hub.url, source, **more)
        assert said in answer["message"]
        assert what in answer["hint"]
    assert read(tmp_path, hub.url, "BaekSeungJu/Closed", HF_TOKEN=GOOD)["rows"] == 5
    answer = read(tmp_path, "http://127.0.0.1:9")
    assert "cannot be fetched" in answer["message"]
    hub.status["/api/datasets/"] = 500
    assert "cannot be fetched" in read(tmp_path, hub.url)["message"]


def test_an_audit_fetches_of_a_base_what_it_needs_and_no_weights(
    hub: Hub, tmp_path: Path, tiny_checkpoint: Path
) -> None:
    base = "BaekSeungJu/Ophtimus-Tiny"
    hub.add(base, {path.name: path.read_bytes() for path in tiny_checkpoint.iterdir() if path.is_file()})
    environment = os.environ | {"NO_PROXY": "*", "HF_HOME": str(tmp_path), "HF_ENDPOINT": hub.url}
    environment["HF_HUB_OFFLINE"] = "0"
    words = ["audit", "instruct-1b", "--json", "--set", f"data={SET}", "--set", f"base={base}"]
    command = [str(BIN / "ophtimus-train"), *words]
    result = subprocess.run(
        command, env=environment, capture_output=True, text=True, timeout=120, check=False
    )
    assert result.returncode == 0, result.stderr
    assert json.loads(result.stdout)["splits"][0]["rows"] == 5
    assert "tokenizer.json" in hub.asked()
    assert [name for name in hub.asked() if name.endswith(".safetensors")] == []

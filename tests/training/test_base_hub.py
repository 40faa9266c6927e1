"""A base from a hub on the loopback: weights as safetensors and the tokenizer, never code or a pickle."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from convert.hub_server import GOOD, serving

BASE = "meta-llama/Llama-3.2-1B-Instruct"
FETCH = """
import json, sys
from ophtimus_edge.errors import OphtimusError
from ophtimus_training.running.bases import folder_of, tokenizer_of

try:
    folder = folder_of(sys.argv[1])
    tokenizer_of(folder)
    print(json.dumps({"files": sorted(path.name for path in folder.rglob("*") if path.is_file())}))
except OphtimusError as error:
    print(json.dumps({"kind": type(error).__name__, "message": error.message, "hint": error.hint}))
"""


def fetched(home: Path, url: str, base: str = BASE, **variables: str) -> dict[str, Any]:
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": os.environ.get("PYTHONPATH", ""), "NO_PROXY": "*",
                   "HOME": str(home), "HF_HOME": str(home), "HF_ENDPOINT": url,
                   "HF_HUB_DISABLE_XET": "1", **variables}  # fmt: skip  # the server speaks plain HTTP only
    command = [sys.executable, "-c", FETCH, base]
    result = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120, check=True)
    assert "Traceback" not in result.stderr
    return dict(json.loads(result.stdout))


@pytest.mark.parametrize("gone", [False, True])
def test_a_base_is_fetched_once_without_code_or_pickles(
    tiny_checkpoint: Path, tmp_path: Path, gone: bool
) -> None:
    files = {path.name: path.read_bytes() for path in tiny_checkpoint.iterdir()}
    with serving() as hub:
        others = {
            "original/consolidated.00.pth": b"\x80\x04",
            "modeling_eyes.py": b"import os",
            "LICENSE.txt": b"a licence",
        }
        hub.add(BASE, files | others)
        if gone:
            answer = fetched(tmp_path, hub.url, "meta-llama/Nothing", HF_TOKEN=GOOD)
            assert answer["kind"] == "BaseCheckpointError"
            assert "no model of that name" in answer["message"]
            assert "spelling" in answer["hint"]
            return
        answer = fetched(tmp_path, hub.url)
        assert answer.get("files") == sorted([*files, "LICENSE.txt"]), answer
        assert not {"modeling_eyes.py", "original/consolidated.00.pth"} & set(hub.asked())
        hub.requests.clear()
        assert fetched(tmp_path, hub.url, HF_HUB_OFFLINE="1")["files"]
        assert hub.requests == []

"""A machine that fetches from the hub on the loopback, in a process of its own as ophtimus-convert does it."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, NamedTuple

import torch
from convert.hub_server import GOOD, Hub, sha256
from safetensors.torch import save

from ophtimus_convert.checkpoint import INDEX

ID = "BaekSeungJu/Ophtimus-Tiny"
FIRST, SECOND = "model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors"
MIB = 1 << 20
FETCH = """
import json, sys
from ophtimus_convert import hub
from ophtimus_edge.errors import HubError

hub.RETRY_WAITS_S = (0.0, 0.0)
told = []
try:
    got = hub.fetch(sys.argv[1], sys.argv[2] == "offline", lambda *both: told.append(both))
    print(json.dumps({"folder": str(got.folder), "id": got.id, "revision": got.revision, "told": told}))
except HubError as error:
    print(json.dumps({"message": error.message, "hint": error.hint, "told": told}))
"""


def weights(seed: int) -> bytes:
    values = torch.randn(1024, 1024, generator=torch.Generator().manual_seed(seed))
    return save({f"layer.{seed}": values})


CONFIG = json.dumps({"architectures": ["LlamaForCausalLM"]}).encode()
FETCHED = {
    "config.json": CONFIG,
    "generation_config.json": b"{}",
    INDEX: json.dumps({"weight_map": {"layer.1": FIRST, "layer.2": SECOND}}).encode(),
    FIRST: weights(1),
    SECOND: weights(2),
    "tokenizer.json": b'{"model": {}}',
    "tokenizer_config.json": b'{"eos_token": "</s>"}',
    "special_tokens_map.json": b'{"eos_token": 1}',
    "chat_template.jinja": "{{ messages }} 안녕하세요".encode(),
    "LICENSE": b"LLAMA 3 COMMUNITY LICENSE",
    "USE_POLICY.md": b"policy",
    "README.md": b"---\nlicense: llama3\n---\n",
}
LEFT = {
    "pytorch_model.bin": b"\x80\x04pickle",
    "modeling_ophtimus.py": b"import os",
    "model-Q4_K_M.gguf": b"GGUF",
    "tokenizer.pt": b"\x80\x04pickle",
    "original/consolidated.00.pth": b"\x80\x04pickle",
    "original/tokenizer.model": b"",
    "onnx/model.safetensors": b"",
    ".gitattributes": b"",
}
SIZE = sum(map(len, FETCHED.values()))


class Client(NamedTuple):
    """A machine with a cache of its own."""

    home: Path
    url: str

    @property
    def cache(self) -> Path:
        return self.home / "hub"

    def start(self, script: str, *words: str, **variables: str) -> "subprocess.Popen[str]":
        environment = {"PATH": os.environ["PATH"], "HOME": str(self.home), "NO_PROXY": "*"}
        environment |= {"HF_HOME": str(self.home), "HF_ENDPOINT": self.url, **variables}
        command = [sys.executable, "-c", script, *words]
        return subprocess.Popen(
            command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )

    def run(self, script: str, *words: str, **variables: str) -> dict[str, Any]:
        """Run a script and return what it printed; it says nothing else."""
        with self.start(script, *words, **variables) as process:
            out, err = process.communicate(timeout=120)
        assert (err, process.returncode) == ("", 0)
        return dict(json.loads(out))

    def fetch(self, source: str = ID, offline: bool = False, **variables: str) -> dict[str, Any]:
        return self.run(FETCH, source, "offline" if offline else "", **variables)

    def refused(self, source: str = ID, offline: bool = False, **variables: str) -> str:
        """What a person reads where a fetch fails: two lines without the token."""
        answer = self.fetch(source, offline, **variables)
        lines = answer["message"], answer["hint"]
        assert all(line.endswith(".") and "\n" not in line for line in lines)
        assert GOOD not in str(lines)
        return " ".join(lines)


def assert_whole(folder: Path, files: dict[str, bytes]) -> None:
    assert {path.name: sha256(path.read_bytes()) for path in folder.iterdir()} == {
        name: sha256(data) for name, data in files.items()
    }


def ranges(hub: Hub, name: str) -> list[str]:
    return [request.range for request in hub.requests if request.server == "cdn" and name in request.path]


def waited(folder: Path, pattern: str) -> list[Path]:
    """The files that match, once one of them has taken in most of what was sent."""
    for _ in range(600):
        found = [path for path in folder.rglob(pattern) if path.stat().st_size > MIB]
        if found:
            return found
        time.sleep(0.05)
    return []

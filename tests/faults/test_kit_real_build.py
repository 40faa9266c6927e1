"""A real kit: llama.cpp built for every processor, real wheels; and the same again without a network."""

import json
import os
import subprocess
import zipfile
from pathlib import Path

import pytest
from conftest import BIN

from ophtimus_edge.kit.keys import create_key, read_public_key
from ophtimus_edge.kit.verifying import verify
from ophtimus_edge.locations import demo_folder

pytestmark = pytest.mark.skipif(
    os.environ.get("OPHTIMUS_CAMPAIGN") != "long",
    reason="it fetches wheels and builds llama.cpp: ten minutes",
)


def test_a_real_kit_has_all_variants_and_is_built_again_without_a_network(tmp_path: Path) -> None:
    create_key(tmp_path / "key")
    words = [
        str(BIN / "ophtimus"), "kit", "build", "--name", "clinic", "--version", "1.0.0", "--json",
        "--models", str(demo_folder()), "--key", str(tmp_path / "key"),
    ]  # fmt: skip
    first = subprocess.run(
        [*words, "--out", str(tmp_path / "one")], check=True, capture_output=True, text=True
    ).stdout
    no_network = ["unshare", "--net"] if os.geteuid() == 0 else []
    second = subprocess.run(
        [*no_network, *words, "--offline", "--out", str(tmp_path / "two")],
        check=True, capture_output=True, text=True,
    ).stdout  # fmt: skip
    one, two = json.loads(first), json.loads(second)
    assert one["manifest_sha256"] == two["manifest_sha256"]
    kit = verify(tmp_path / "two", read_public_key(tmp_path / "key.pub"))
    (platform,) = kit.manifest.platforms
    assert platform.pythons == ["3.11", "3.12", "3.13"]
    names = {file.path for file in kit.manifest.files}
    assert not any(word in name for name in names for word in ("torch", "transformers", ".tar.gz"))
    (llama,) = (name for name in names if "/llama_cpp_python-" in name and name.endswith(".whl"))
    with zipfile.ZipFile(tmp_path / "two" / llama) as archive:
        libraries = [
            name.rsplit("/", 1)[1] for name in archive.namelist() if name.startswith("llama_cpp/lib/")
        ]
    variants = [name for name in libraries if name.startswith("libggml-cpu-")]
    assert len(variants) >= 10
    assert sorted({*libraries} - {*variants}) == ["libggml-base.so.0", "libggml.so.0", "libllama.so"]
    assert any(
        name.endswith("licenses/llama.cpp/LICENSE")
        for name in zipfile.ZipFile(tmp_path / "two" / llama).namelist()
    )

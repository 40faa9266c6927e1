"""Checkpoints from a hub on the loopback, fetched in a process of its own as ophtimus-convert does it."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import torch
from conversions import converted
from convert.hub_server import GOOD, OTHER, Hub, Repository, serving, sha256
from safetensors.torch import save

from ophtimus_convert.checkpoint import Checkpoint
from ophtimus_convert.hub import INDEX, allowed, is_hub_id
from ophtimus_edge.models.formats import read_model_folder

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


@pytest.fixture
def hub() -> Iterator[Hub]:
    with serving() as hub:
        yield hub


@pytest.fixture
def repository(hub: Hub) -> Repository:
    return hub.add(ID, FETCHED | LEFT)


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


@pytest.fixture
def client(hub: Hub, tmp_path: Path) -> Client:
    return Client(tmp_path / "machine", hub.url)


def assert_whole(folder: Path, files: dict[str, bytes]) -> None:
    assert {path.name: sha256(path.read_bytes()) for path in folder.iterdir()} == {
        name: sha256(data) for name, data in files.items()
    }


def ranges(hub: Hub, name: str) -> list[str]:
    return [request.range for request in hub.requests if request.server == "cdn" and name in request.path]


@pytest.mark.parametrize("name", [*FETCHED, "model.safetensors", "license.txt", "NOTICE", "LICENSE-3.1"])
def test_what_a_conversion_needs_is_allowed(name: str) -> None:
    assert allowed(name)


@pytest.mark.parametrize(
    "name",
    [*LEFT, "tokenizer.py", "LICENSE.bin", "config.json/../x", "..\\LICENSE", "C:LICENSE", "vocab.json", ""],
)
def test_everything_else_is_not(name: str) -> None:
    assert not allowed(name)


def test_an_id_and_a_folder_are_told_apart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for source in (ID, f"{ID}@main", f"{ID}@refs/pr/1", f"{ID}@{'0' * 40}"):
        assert is_hub_id(source)
    for path in (
        "tiny",
        "./a/b",
        "/a/b",
        "../b",
        "a/b/c",
        "a\\b",
        "a/b@",
        "a/b@../c",
        "a/b@-x",
        "a/b.git",
        "a//b",
    ):
        assert not is_hub_id(path)
    Path(ID).mkdir(parents=True)
    assert not is_hub_id(ID)
    assert is_hub_id(f"{ID}@main")


def test_a_checkpoint_is_fetched_whole_and_nothing_else(
    hub: Hub, repository: Repository, client: Client
) -> None:
    got = client.fetch(HF_TOKEN=GOOD)
    folder = Path(got["folder"])
    assert (got["id"], got["revision"], folder.name) == (ID, repository.commit, repository.commit)
    assert_whole(folder, FETCHED)
    assert list(Checkpoint(folder).shapes) == ["layer.1", "layer.2"]
    assert {request.path.split("?")[0] for request in hub.requests if "/api/models/" in request.path} == {
        f"/api/models/{ID}"
    }
    assert sorted(set(hub.asked())) == sorted(FETCHED)
    assert len(hub.requests) == 1 + 2 * len(FETCHED)  # the listing, and every file behind a redirect
    done = [told[0] for told in got["told"]]
    assert done == sorted(done)
    assert got["told"][-1] == [SIZE, SIZE]
    assert len(done) > len(FETCHED)
    hub.requests.clear()
    assert client.fetch()["folder"] == str(folder)
    assert hub.asked() == []


def test_what_was_fetched_can_be_converted(hub: Hub, client: Client, tiny_checkpoint: Path) -> None:
    hub.add(ID, {path.name: path.read_bytes() for path in tiny_checkpoint.iterdir() if path.is_file()})
    folder = Path(client.fetch()["folder"])
    converted(folder, client.home / "model", "Q4_K_M")
    assert read_model_folder(client.home / "model").kind == "instruct"


def test_the_token_goes_to_the_hub_alone(hub: Hub, repository: Repository, client: Client) -> None:
    assert "folder" in client.fetch(HF_TOKEN=GOOD)
    tokens = {(request.server, request.token) for request in hub.requests}
    assert tokens == {("hub", GOOD), ("cdn", "")}


def test_a_revision_is_fetched_and_an_unknown_one_named(
    hub: Hub, repository: Repository, client: Client
) -> None:
    repository.branches["v1.0"] = "1" * 40
    assert client.fetch(f"{ID}@v1.0")["revision"] == "1" * 40
    assert client.fetch(f"{ID}@{repository.commit}")["revision"] == repository.commit
    assert ranges(hub, FIRST) == [""]  # the second has the same bytes
    assert "has no revision v2.0" in client.refused(f"{ID}@v2.0")


def test_a_new_commit_brings_only_what_changed(hub: Hub, repository: Repository, client: Client) -> None:
    before = client.fetch()
    changed = FETCHED | {"README.md": b"---\nlicense: llama3.1\n---\n"}
    commit = hub.add(ID, changed).commit
    hub.requests.clear()
    after = client.fetch()
    assert (after["revision"], hub.asked()) == (commit, ["README.md", "README.md"])
    assert_whole(Path(before["folder"]), FETCHED)
    assert_whole(Path(after["folder"]), changed)


def test_a_cut_connection_is_taken_up_where_it_broke(
    hub: Hub, repository: Repository, client: Client
) -> None:
    hub.break_at, hub.breaks = {FIRST: 2 * MIB + 5}, 2
    got = client.fetch()
    assert_whole(Path(got["folder"]), FETCHED)
    assert ranges(hub, FIRST) == ["", *2 * [f"bytes={2 * MIB + 5}-"]]  # the second brought nothing
    assert ranges(hub, SECOND) == [""]


def test_a_second_run_goes_on_where_the_first_gave_up(
    hub: Hub, repository: Repository, client: Client
) -> None:
    hub.break_at = {FIRST: 2 * MIB + 5}
    assert "goes on where it stopped" in client.refused()
    hub.break_at.clear()
    hub.requests.clear()
    got = client.fetch()
    assert_whole(Path(got["folder"]), FETCHED)
    assert ranges(hub, FIRST) == [f"bytes={2 * MIB + 5}-"]
    assert set(hub.asked()) == {FIRST, SECOND}
    assert got["told"][0][0] > 2 * MIB
    assert list(client.cache.rglob("*.incomplete")) == []


def test_a_killed_run_is_taken_up_too(hub: Hub, repository: Repository, client: Client) -> None:
    hub.stall_at = {FIRST: 2 * MIB}
    with client.start(FETCH, ID, "") as process:
        assert hub.stalled.wait(60)
        [part] = waited(client.cache, "*.incomplete")
        process.send_signal(signal.SIGKILL)
    kept = part.stat().st_size
    assert kept > MIB
    hub.stall_at.clear()
    hub.requests.clear()
    assert_whole(Path(client.fetch()["folder"]), FETCHED)
    assert ranges(hub, FIRST) == [f"bytes={kept}-"]


def waited(folder: Path, pattern: str) -> list[Path]:
    """The files that match, once one of them has taken in most of what was sent."""
    for _ in range(600):
        found = [path for path in folder.rglob(pattern) if path.stat().st_size > MIB]
        if found:
            return found
        time.sleep(0.05)
    return []


def test_two_runs_at_once_do_not_mix(hub: Hub, repository: Repository, client: Client) -> None:
    hub.stall_at = {FIRST: 2 * MIB}
    with client.start(FETCH, ID, "") as process:
        assert hub.stalled.wait(60)
        assert "another run is fetching" in client.refused()
        hub.stall_at.clear()
        hub.go_on.set()
        out, _ = process.communicate(timeout=60)
    assert_whole(Path(json.loads(out)["folder"]), FETCHED)


def test_a_server_without_ranges_sends_the_file_again(
    hub: Hub, repository: Repository, client: Client
) -> None:
    hub.break_at, hub.breaks, hub.no_ranges = {FIRST: 2 * MIB}, 1, True
    assert_whole(Path(client.fetch()["folder"]), FETCHED)


@pytest.mark.parametrize("change", ["in flight", "in the part", "longer"])
def test_a_damaged_file_is_never_taken(hub: Hub, repository: Repository, client: Client, change: str) -> None:
    other = bytearray(FETCHED[FIRST])
    other[3 * MIB] ^= 1
    if change == "in the part":
        hub.break_at = {FIRST: 2 * MIB}
        client.refused()
        [part] = client.cache.rglob("*.incomplete")
        part.write_bytes(bytes(2 * MIB))
        hub.break_at.clear()
    else:
        hub.changed = {FIRST: bytes(other) + (b"more" if change == "longer" else b"")}
    assert f"{FIRST} did not arrive as the hub lists it" in client.refused()
    assert "is there without" in client.refused(f"{ID}@{repository.commit}", offline=True)
    hub.changed.clear()
    assert_whole(Path(client.fetch()["folder"]), FETCHED)


def test_a_gated_model_names_its_licence_and_the_token(hub: Hub, client: Client) -> None:
    hub.add(ID, FETCHED, gated=True)
    for token in ({}, {"HF_TOKEN": OTHER}):
        words = client.refused(**token)
        assert f"{ID} is gated" in words
        assert f"licence at {hub.url}/{ID}" in words
        assert "HF_TOKEN" in words
        assert "hf auth login" in words
        assert ("the token's account" in words) == bool(token)
    assert not [request for request in hub.requests if request.server == "cdn"]
    assert_whole(Path(client.fetch(HF_TOKEN=GOOD)["folder"]), FETCHED)


def test_a_token_file_serves_as_well(hub: Hub, client: Client) -> None:
    hub.add(ID, FETCHED, gated=True)
    client.home.mkdir()
    (client.home / "token").write_text(GOOD)
    assert_whole(Path(client.fetch()["folder"]), FETCHED)


def test_a_private_model_is_as_one_that_is_not_there(hub: Hub, client: Client) -> None:
    hub.add(ID, FETCHED, private=True)
    for source in (ID, "BaekSeungJu/Nothing"):
        for token in ({}, {"HF_TOKEN": OTHER}):
            words = client.refused(source, **token)
            assert f"no folder {source}" in words
            assert "private" in words
            assert "HF_TOKEN" in words
    assert_whole(Path(client.fetch(HF_TOKEN=GOOD)["folder"]), FETCHED)


@pytest.mark.parametrize("token", ["hf_revoked", "토큰"])
def test_a_token_that_the_hub_does_not_know_is_said(
    repository: Repository, client: Client, token: str
) -> None:
    words = client.refused(HF_TOKEN=token)
    assert "token" in words
    assert "HF_TOKEN" in words
    assert token not in words


def test_pickles_are_refused_before_anything_is_fetched(hub: Hub, client: Client) -> None:
    files = {"config.json": CONFIG, "LICENSE": b"", "pytorch_model.bin": b"\x80\x04"}
    hub.add(ID, files)
    assert "only pickles (pytorch_model.bin)" in client.refused()
    assert hub.asked() == []
    hub.add(ID, files | {"model.safetensors": weights(1)})
    assert {path.name for path in Path(client.fetch()["folder"]).iterdir()} == {
        "config.json", "LICENSE", "model.safetensors",
    }  # fmt: skip


@pytest.mark.parametrize(("missing", "words"), [(FIRST, "no safetensors"), ("config.json", "no config.json")])
def test_what_is_no_model_is_refused_too(hub: Hub, client: Client, missing: str, words: str) -> None:
    files = {"config.json": CONFIG, FIRST: weights(1)}
    hub.add(ID, {name: data for name, data in files.items() if name != missing})
    assert words in client.refused()
    assert hub.asked() == []


def test_a_disk_too_small_is_said_before_anything_is_fetched(
    hub: Hub, repository: Repository, client: Client
) -> None:
    hub.claimed = {FIRST: 1 << 60}
    words = client.refused()
    assert "GiB more" in words
    assert "HF_HOME" in words
    assert hub.asked() == []
    hub.claimed.clear()
    assert "folder" in client.fetch()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can mount a small file system")
def test_a_disk_that_fills_is_said_and_what_came_is_kept(
    hub: Hub, repository: Repository, client: Client
) -> None:
    client.home.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=10m", "tmpfs", str(client.home)], check=True)
    try:
        hub.stall_at = {FIRST: 2 * MIB}
        with client.start(FETCH, ID, "") as process:
            assert hub.stalled.wait(60)
            waited(client.cache, "*.incomplete")
            (client.home / "other").write_bytes(bytes(6 * MIB))  # another program takes the space meanwhile
            hub.stall_at.clear()
            hub.go_on.set()
            out, err = process.communicate(timeout=60)
        answer = json.loads(out)
        assert err == ""
        assert "No space left on device" in answer["message"]
        assert "HF_HOME" in answer["hint"]
        (client.home / "other").unlink()
        hub.requests.clear()
        assert_whole(Path(client.fetch()["folder"]), FETCHED)
        assert ranges(hub, FIRST)[0] != ""
    finally:
        subprocess.run(["umount", str(client.home)], check=True)


@pytest.mark.parametrize(("part", "status"), [("/api/models", 503), ("/resolve/", 429), (FIRST, 500)])
def test_a_hub_in_trouble_is_said_in_two_lines(
    hub: Hub, repository: Repository, client: Client, part: str, status: int
) -> None:
    hub.status = {part: status}
    assert f"now: it answered {status}" in client.refused()
    hub.status.clear()
    assert_whole(Path(client.fetch()["folder"]), FETCHED)


def test_a_login_page_is_no_hub(hub: Hub, repository: Repository, client: Client) -> None:
    hub.login_page = True
    assert "is not a hub's" in client.refused()
    hub.login_page = False
    assert_whole(Path(client.fetch()["folder"]), FETCHED)


def test_offline_takes_the_cache_and_asks_no_one(hub: Hub, repository: Repository, client: Client) -> None:
    words = client.refused(offline=True)
    assert f"{ID} is not there" in words
    assert "Run this once without --offline" in words
    assert hub.requests == []
    online = client.fetch()
    hub.requests.clear()
    for source in (ID, f"{ID}@main", f"{ID}@{repository.commit}"):
        offline = client.fetch(source, offline=True)
        assert (offline["folder"], offline["revision"]) == (online["folder"], repository.commit)
    assert client.fetch(HF_HUB_OFFLINE="1")["folder"] == online["folder"]
    (Path(online["folder"]) / SECOND).unlink()
    assert f"{ID} is there without {SECOND}" in client.refused(offline=True)
    assert "without HF_HUB_OFFLINE" in client.refused(HF_HUB_OFFLINE="1")
    assert hub.requests == []


def test_a_hub_that_is_down_leaves_the_commit_that_was_asked_for(
    repository: Repository, client: Client
) -> None:
    down = client._replace(url="http://127.0.0.1:9")
    words = down.refused()
    assert "Connection refused" in words
    assert "--offline" not in words
    folder = client.fetch()["folder"]
    assert f"add --offline to take commit {repository.commit[:12]}" in down.refused()
    assert down.fetch(f"{ID}@{repository.commit}")["folder"] == folder


def test_the_cache_is_the_librarys(hub: Hub, repository: Repository, client: Client, tmp_path: Path) -> None:
    """What another program fetched is found, and what is fetched here is found by another program."""
    script = """
import json, sys
from huggingface_hub import snapshot_download
print(json.dumps({"folder": snapshot_download(sys.argv[1], local_files_only=sys.argv[2] == "offline",
                                              ignore_patterns=["LICENSE", "*.py", "*.bin", "original/*"])}))
"""
    quiet = {"HF_HUB_DISABLE_XET": "1", "HF_HUB_DISABLE_PROGRESS_BARS": "1", "HF_HUB_DISABLE_TELEMETRY": "1"}
    ours = client.fetch()
    assert client.run(script, ID, "offline", **quiet)["folder"] == ours["folder"]
    other = Client(tmp_path / "other", hub.url)
    theirs = other.run(script, ID, "", **quiet)
    hub.requests.clear()
    assert other.fetch(offline=True)["folder"] == theirs["folder"]
    assert other.fetch()["folder"] == theirs["folder"]
    assert set(hub.asked()) == {"LICENSE"}


def test_after_the_fetch_a_process_can_be_kept_offline(
    hub: Hub, repository: Repository, client: Client
) -> None:
    script = """
import json, sys
from ophtimus_convert import hub
hub.fetch(sys.argv[1], False, lambda *_: None)
if sys.argv[2]:
    hub.stay_offline()
from huggingface_hub import model_info
from huggingface_hub.errors import OfflineModeIsEnabled
try:
    print(json.dumps({"asked": bool(model_info(sys.argv[1]))}))
except OfflineModeIsEnabled:
    print(json.dumps({"asked": False}))
"""
    for word, asked in (("", True), ("stay", False)):
        assert client.run(script, ID, word, HF_HUB_DISABLE_TELEMETRY="1")["asked"] == asked

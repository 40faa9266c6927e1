"""Checkpoints from a hub on the loopback: what is fetched, from where, and how it is found again."""

from pathlib import Path

import pytest
from conversions import converted
from convert.hub_client import FETCHED, FIRST, ID, LEFT, SECOND, SIZE, Client, assert_whole, ranges
from convert.hub_server import GOOD, Hub, Repository

from ophtimus_convert.checkpoint import Checkpoint
from ophtimus_convert.hub import allowed, is_hub_id
from ophtimus_edge.models.formats import read_model_folder


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

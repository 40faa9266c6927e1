"""What the hub or the machine refuses: said in two lines, without the token, and nothing is fetched."""

from pathlib import Path

import pytest
from convert.hub_client import CONFIG, FETCHED, FIRST, ID, Client, assert_whole, weights
from convert.hub_server import GOOD, OTHER, Hub, Repository


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

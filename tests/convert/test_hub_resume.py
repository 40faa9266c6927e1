"""A fetch that is cut off, killed or damaged: it goes on where it stopped, and never with wrong bytes."""

import json
import signal
from pathlib import Path

import pytest
from conftest import Disk
from convert.hub_client import FETCH, FETCHED, FIRST, ID, MIB, SECOND, Client, assert_whole, ranges, waited
from convert.hub_server import Hub, Repository


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


def test_a_disk_that_fills_is_said_and_what_came_is_kept(
    hub: Hub, repository: Repository, client: Client, disk: Disk
) -> None:
    disk(client.home, 10)
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

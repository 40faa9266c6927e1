"""What the tests of adapters share, and those of the hub."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from convert.hub_client import FETCHED, ID, LEFT, Client
from convert.hub_server import Hub, Repository, serving


@pytest.fixture(scope="session")
def bases(tmp_path_factory: pytest.TempPathFactory) -> dict[bool, Path]:
    """A small Llama, by whether its output layer is its embedding."""
    from adapters import make_base

    folders = {
        tied: tmp_path_factory.mktemp("bases") / ("tied" if tied else "untied") for tied in (True, False)
    }
    for tied, folder in folders.items():
        make_base(folder, tied)
    return folders


@pytest.fixture
def hub() -> Iterator[Hub]:
    with serving() as hub:
        yield hub


@pytest.fixture
def repository(hub: Hub) -> Repository:
    return hub.add(ID, FETCHED | LEFT)


@pytest.fixture
def client(hub: Hub, tmp_path: Path) -> Client:
    return Client(tmp_path / "machine", hub.url)

"""What the tests of adapters share."""

from pathlib import Path

import pytest


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

"""What the tests of installations share: a key, and an installation of one kit that is made once."""

import shutil
from pathlib import Path

import pytest
from installing import EYES, Kit, Model, Order, Witness, make_kit

from ophtimus_edge.kit import keys
from ophtimus_edge.kit.installing import launchers
from ophtimus_edge.kit.installing.install import install
from ophtimus_edge.kit.keys import SigningKey


@pytest.fixture(scope="session")
def signing_key() -> SigningKey:
    """Whoever makes the tests' kits."""
    return keys.generate_key()


@pytest.fixture
def kit(signing_key: SigningKey, tmp_path: Path) -> Kit:
    """Make a kit, in a folder of its name and version."""
    return lambda order: make_kit(tmp_path / "stick" / f"{order.name}-{order.version}", signing_key, order)


@pytest.fixture(scope="session")
def first_kit(signing_key: SigningKey, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Version 1.0.0, with one model."""
    order = Order(models={"eyes": Model(dict(EYES))}, default_model="eyes")
    return make_kit(tmp_path_factory.mktemp("stick") / "eye-clinic-1.0.0", signing_key, order)


@pytest.fixture(scope="session")
def _installed_once(first_kit: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("installed")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("OPHTIMUS_HOME", str(folder / "home"))
        install(first_kit, folder / "program", Witness())
    return folder / "program"


@pytest.fixture
def root(_installed_once: Path, tmp_path: Path) -> Path:
    """An installation of version 1.0.0, of the test's own: a copy, since to make an environment takes seconds."""
    root = tmp_path / "program"
    shutil.copytree(_installed_once, root, symlinks=True)
    launchers.write(root)
    return root

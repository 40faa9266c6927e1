"""What the tests of installations share: a key, and an installation of one kit that is made once."""

import hashlib
import shutil
from pathlib import Path

import pytest
from installing import EYES, REQUIREMENTS, Kit, Model, Order, Take, Witness, make_kit

from ophtimus_edge.kit import keys
from ophtimus_edge.kit.installing import launchers, versions
from ophtimus_edge.kit.installing.install import Installed, install
from ophtimus_edge.kit.keys import SigningKey
from ophtimus_edge.kit.manifest import MANIFEST, read_manifest


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


@pytest.fixture(scope="session")
def _environments(tmp_path_factory: pytest.TempPathFactory) -> dict[bytes, Path]:
    """Environments that were made before, by what is in them."""
    return {b"": tmp_path_factory.mktemp("environments")}


@pytest.fixture
def take(_environments: dict[bytes, Path]) -> Take:
    """Install a kit, going on from where its packages are there already, once any test has made them.

    To make an environment takes most of the time, and is the same for all kits of one version.
    """

    def taken(folder: Path, root: Path, watcher: Witness, *, replace: bool = False) -> Installed:
        packages = (folder / REQUIREMENTS).read_bytes()
        version = read_manifest((folder / MANIFEST).read_bytes(), MANIFEST).version
        place = versions.folder_of(root, version)
        if packages in _environments and not place.exists():
            place.mkdir(parents=True)
            digest = hashlib.sha256((folder / MANIFEST).read_bytes()).hexdigest()
            (place / versions.INCOMPLETE).write_text(digest)
            shutil.copytree(_environments[packages], place / versions.ENVIRONMENT, symlinks=True)
        done = install(folder, root, watcher, replace=replace)
        if packages not in _environments:
            kept = _environments[b""] / str(len(_environments))
            _environments[packages] = shutil.copytree(place / versions.ENVIRONMENT, kept, symlinks=True)
        return done

    return taken


@pytest.fixture
def root(_installed_once: Path, tmp_path: Path) -> Path:
    """An installation of version 1.0.0, of the test's own: a copy, since to make an environment takes seconds."""
    root = tmp_path / "program"
    shutil.copytree(_installed_once, root, symlinks=True)
    launchers.write(root)
    return root

"""``state.json`` of an installation: the key that is pinned here, and what was installed with it.

It is what a later kit is measured by, so that it is never taken as missing where it is only damaged: without it any
key would do, and any version. Nothing in it tells where the installation is: its folder may be carried elsewhere.
"""

from pathlib import Path
from typing import Annotated

import msgspec

from ophtimus_edge.errors import FormatVersionError, InvalidModelError, KitError, KitInstallError
from ophtimus_edge.kit.manifest import Manifest, Sha256, version_number
from ophtimus_edge.kit.signature import PublicKey
from ophtimus_edge.kit.withdrawn import carried_on
from ophtimus_edge.locations import staged, sync_folder
from ophtimus_edge.models.formats import Document, decode, encode
from ophtimus_edge.models.withdrawals import STATE as STATE
from ophtimus_edge.models.withdrawals import Withdrawn

CURRENT = ("current", "current.txt")  # a link where the system has them, a file with the name elsewhere

Version = Annotated[str, msgspec.Meta(max_length=29)]


class Highest(msgspec.Struct, frozen=True, kw_only=True):
    """The highest version of a kit that was ever installed here.

    Attributes:
        manifest_sha256: of its manifest's bytes: the same version is the same kit, or none.
    """

    version: Version
    manifest_sha256: Sha256


class KitState(Document, kw_only=True):
    """What is installed in a folder.

    Attributes:
        name: of the installed kit.
        public_key: the pinned key, 32 bytes: the one that signed the last kit that was installed.
        highest: by the kits' names; also of one that was rolled back, or replaced by one of another name.
        current: the version that runs, "" where the first one is not finished.
        previous: the version that a rollback goes to, "" where there is none.
        withdrawn: the model files that any of the installed kits has withdrawn, sorted by hash: a rollback or a
            later kit gives none of them back. :mod:`ophtimus_edge.models.withdrawals` reads them here.
    """

    name: str
    public_key: PublicKey
    highest: dict[str, Highest]
    current: Version = ""
    previous: Version = ""
    withdrawn: list[Withdrawn] = []  # noqa: RUF012


def installed(state: KitState | None, manifest: Manifest, manifest_sha256: str, signer: bytes) -> KitState:
    """The state once a kit's key is pinned and its version counts, before that version runs.

    It is written before ``current`` is switched: a machine that loses its power between the two goes on with
    the old version and takes the new one again, but never an older one.
    """
    highest = dict(state.highest) if state else {}
    highest[manifest.name] = Highest(version=manifest.version, manifest_sha256=manifest_sha256)
    withdrawn = carried_on(state.withdrawn if state else (), manifest.withdrawn)
    if state is None:
        return KitState(name=manifest.name, public_key=signer, highest=highest, withdrawn=withdrawn)
    return msgspec.structs.replace(
        state, name=manifest.name, public_key=signer, highest=highest, withdrawn=withdrawn
    )


def read_state(root: Path) -> KitState | None:
    """The state of an installation; None where nothing is installed in the folder.

    Args:
        root: the installation's folder, such as :func:`ophtimus_edge.locations.kit_root`.

    Raises:
        KitInstallError: something is installed there, and its state is missing, damaged, or cannot be read.
        FormatVersionError: it was written by a newer release.
    """
    path = root / STATE
    try:
        data = path.read_bytes()
    except (FileNotFoundError, NotADirectoryError) as error:
        if any((root / name).is_symlink() or (root / name).exists() for name in CURRENT):
            raise _unusable(path, "is missing", "") from error
        return None
    except OSError as error:
        raise KitInstallError(
            f"{path} cannot be read: {error.strerror or error}.", "See to it that you may read it."
        ) from error
    try:
        state = decode(data, KitState, str(path))
        versions = [known.version for known in state.highest.values()]
        for version in (*versions, *filter(None, (state.current, state.previous))):
            version_number(version)
    except FormatVersionError:
        raise
    except (InvalidModelError, KitError) as error:
        raise _unusable(path, "is damaged", error.message) from error
    if state.name not in state.highest:
        raise _unusable(path, "is damaged", "")
    return state


def write_state(root: Path, state: KitState) -> None:
    """Write the state of an installation: the old one is there, or the new one, also after a power cut.

    Raises:
        OSError: it cannot be written.
    """
    with staged(root / STATE) as part:
        part.write_bytes(encode(state))
    sync_folder(root)


def _unusable(path: Path, what: str, why: str) -> KitInstallError:
    return KitInstallError(
        f"{path} {what}: it says which kits may be installed here." + (f" ({why})" if why else ""),
        "Put a copy of it back; or uninstall, which can keep the history, and install the kit again.",
    )

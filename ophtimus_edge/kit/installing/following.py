"""What an installation remembers after each switch, and what it makes of one that was broken off."""

from pathlib import Path

import msgspec

from ophtimus_edge.kit.installing import versions as layout
from ophtimus_edge.kit.manifest import Manifest, version_number
from ophtimus_edge.kit.state import KitState, write_state


def switched(state: KitState, manifest: Manifest, before: str) -> KitState:
    """The state once another version runs.

    Args:
        manifest: of the version that runs now.
        before: the version that ran until now; of a lower number, it can be gone back to.
    """
    back = before if before and version_number(before) < manifest.number else ""
    if before == manifest.version:
        back = state.previous
    return msgspec.structs.replace(state, name=manifest.name, current=manifest.version, previous=back)


def settled(root: Path, state: KitState | None) -> KitState | None:
    """The state as it is in truth: ``current`` says what runs, also where the power failed before it was noted.

    Raises:
        KitInstallError: the version that runs is damaged.
        OSError: the state cannot be written.
    """
    if state is None:
        return None
    version = layout.current(root)
    if version and not layout.is_whole(layout.folder_of(root, version)):
        version = ""  # it was being removed
    previous = state.previous
    if previous and not layout.is_whole(layout.folder_of(root, previous)):
        previous = ""
    truth = state
    if version != state.current:
        if version:
            manifest = layout.manifest_of(layout.folder_of(root, version))
            truth = switched(state, manifest, state.current)
        else:
            truth = msgspec.structs.replace(state, current="")
    if truth.previous == state.previous != previous:
        truth = msgspec.structs.replace(truth, previous=previous)
    if truth != state:
        write_state(root, truth)
    return truth

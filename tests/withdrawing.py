"""An installation that knows of models which were withdrawn."""

from ophtimus_edge import locations
from ophtimus_edge.kit.state import Highest, KitState, write_state
from ophtimus_edge.models.formats import read_model_folder
from ophtimus_edge.models.withdrawals import Withdrawn

REASON = {"en": "It confuses two eye drops.", "ko": "점안액 두 가지를 혼동합니다."}


def demo_sha256(level: str) -> str:
    """Of a file of the demonstration model."""
    entry = read_model_folder(locations.demo_folder()).level_named(level)
    assert entry is not None
    return entry.sha256


def withdraw(*sha256s: str, size_bytes: int = 0) -> None:
    """Have a kit installed here that withdrew these files."""
    root = locations.kit_root()
    root.mkdir(parents=True, exist_ok=True)
    entries = [Withdrawn(sha256=one, reason=REASON, size_bytes=size_bytes) for one in sha256s]  # type: ignore[arg-type]
    highest = {"clinic": Highest(version="1.0.0", manifest_sha256="0" * 64)}
    write_state(root, KitState(name="clinic", public_key=bytes(32), highest=highest, withdrawn=entries))

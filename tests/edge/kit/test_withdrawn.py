"""What was withdrawn once stays so, kit after kit."""

from pathlib import Path

import msgspec
import pytest
from installing import Kit, Order, Witness
from kit_wheels import Desk
from withdrawing import REASON, demo_sha256

from ophtimus_edge import locations
from ophtimus_edge.errors import KitError, WithdrawnModelError
from ophtimus_edge.kit.installing.install import install
from ophtimus_edge.kit.installing.rollback import roll_back
from ophtimus_edge.kit.manifest import Manifest, read_manifest
from ophtimus_edge.kit.state import installed, read_state, write_state
from ophtimus_edge.kit.withdrawn import carried_on
from ophtimus_edge.models import store, withdrawals
from ophtimus_edge.models.formats import encode
from ophtimus_edge.models.withdrawals import Withdrawn

A, B = "a" * 64, "b" * 64


def entry(sha256: str, why: str = "why", size_bytes: int = 0) -> Withdrawn:
    return Withdrawn(sha256=sha256, reason={"en": why}, size_bytes=size_bytes)


def manifest(version: str, *withdrawn: Withdrawn) -> Manifest:
    return Manifest(
        name="clinic", version=version, program="1", files=[], platforms=[], withdrawn=list(withdrawn)
    )


def test_later_words_hold_and_nothing_is_forgotten() -> None:
    assert carried_on([entry(B, "old", 7), entry(A)], [entry(B, "new")]) == [entry(A), entry(B, "new", 7)]
    assert carried_on([], []) == []


def test_an_installation_forgets_none_where_a_later_kit_does(tmp_path: Path) -> None:
    first = installed(None, manifest("1.0.0", entry(A)), "0" * 64, bytes(32))
    second = installed(first, manifest("1.1.0", entry(B)), "1" * 64, bytes(32))
    third = installed(second, manifest("1.2.0"), "2" * 64, bytes(32))
    assert [one.sha256 for one in third.withdrawn] == [A, B]
    write_state(tmp_path, third)
    assert read_state(tmp_path) == third


def test_a_manifest_names_a_withdrawn_file_by_its_hash_alone() -> None:
    sound = encode(manifest("1.0.0", Withdrawn(sha256=A, reason=REASON)))  # type: ignore[arg-type]
    assert read_manifest(sound, "manifest.json").withdrawn[0].reason == REASON
    fields = msgspec.json.decode(sound)
    for broken in ({"sha256": "A" * 64, "reason": {}}, {"sha256": A, "reason": {"fr": "x"}}, {"reason": {}}):
        with pytest.raises(KitError):
            read_manifest(msgspec.json.encode(fields | {"withdrawn": [broken]}), "manifest.json")


def test_a_kit_knows_the_size_of_a_file_that_the_one_before_had(tmp_path: Path) -> None:
    desk = Desk(tmp_path / "desk")
    first = desk.build(levels=("Q4_K_M",))
    (file,) = (file for file in first.manifest.models[0].files if file.name.endswith(".gguf"))
    second = desk.build(
        out=tmp_path / "second", version="1.1.0", levels=("BF16",), previous=first.folder,
        withdraw=(f"{file.sha256}=Wrong doses.", f"{A}=Unknown."),
    )  # fmt: skip
    sizes = {one.sha256: one.size_bytes for one in second.manifest.withdrawn}
    assert sizes == {file.sha256: file.size_bytes, A: 0}


def test_an_installed_kit_takes_a_model_back_at_once_and_for_good(
    root: Path, kit: Kit, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(locations, "kit_root", lambda: root)  # where the fixture installs
    withdrawn = Withdrawn(sha256=demo_sha256("Q4_K_M"), reason=REASON)  # type: ignore[arg-type]
    withdrawals.refuse(store.choose())
    install(kit(Order("1.1.0", withdrawn=[withdrawn])), root, Witness())
    for change in (
        lambda: None,
        lambda: roll_back(root, Witness()),
        lambda: install(kit(Order("1.2.0")), root, Witness()),
    ):
        change()
        with pytest.raises(WithdrawnModelError, match="two eye drops"):
            withdrawals.refuse(store.choose(level="Q4_K_M"))
        withdrawals.refuse(store.choose(level="BF16"))

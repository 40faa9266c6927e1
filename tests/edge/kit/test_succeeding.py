"""Which kit may follow: never an older one, never another one of the same version, none of another name unasked."""

from pathlib import Path

import pytest
from kits import SMALL, make_kit, state_of

from ophtimus_edge.errors import KitChangedError, KitError, KitSignatureError
from ophtimus_edge.kit import keys, signature, state, succeeding, verifying
from ophtimus_edge.kit.state import KitState

KEY, NEXT, STRANGER = (keys.generate_key() for _ in range(3))


@pytest.fixture
def there(tmp_path: Path) -> KitState:
    """Version 1.9.0 is installed."""
    return state_of(verifying.verify(make_kit(tmp_path / "installed", KEY, version="1.9.0"), None))


@pytest.mark.parametrize("version", ["1.9.1", "1.10.0", "2.0.0", "10.0.0"])
def test_a_higher_version_may_follow(tmp_path: Path, there: KitState, version: str) -> None:
    assert succeeding.verify_next(make_kit(tmp_path / "kit", KEY, version=version), there).pinned


@pytest.mark.parametrize("version", ["0.0.1", "1.2.0", "1.8.99", "1.0.100"])
def test_an_older_one_may_not_although_it_is_signed(tmp_path: Path, there: KitState, version: str) -> None:
    kit = make_kit(tmp_path / "kit", KEY, version=version)
    verifying.verify(kit, KEY.public)
    for replace in (False, True):
        with pytest.raises(KitError, match=r"is older than 1\.9\.0"):
            succeeding.verify_next(kit, there, replace=replace)


def test_the_same_version_is_the_same_kit_or_none(tmp_path: Path, there: KitState) -> None:
    assert succeeding.verify_next(tmp_path / "installed", there).manifest.version == "1.9.0"
    other = make_kit(tmp_path / "kit", KEY, SMALL | {"more": b""}, version="1.9.0")
    with pytest.raises(KitError, match="another one with the same version"):
        succeeding.verify_next(other, there)


def test_a_kit_of_another_name_needs_to_be_asked_for(tmp_path: Path, there: KitState) -> None:
    other = make_kit(tmp_path / "kit", KEY, version="0.1.0", name="other-clinic")
    with pytest.raises(KitError, match=r"'other-clinic'.*--replace"):
        succeeding.verify_next(other, there)
    assert succeeding.verify_next(other, there, replace=True).manifest.name == "other-clinic"


def test_going_to_another_name_and_back_brings_no_older_version(tmp_path: Path, there: KitState) -> None:
    other = verifying.verify(make_kit(tmp_path / "other", KEY, version="0.1.0", name="other-clinic"), None)
    moved = state.installed(there, other.manifest, other.manifest_sha256, other.signer)
    assert moved.name == "other-clinic"
    older = make_kit(tmp_path / "older", KEY, version="1.8.0")
    with pytest.raises(KitError, match=r"is older than 1\.9\.0"):
        succeeding.verify_next(older, moved, replace=True)
    assert succeeding.verify_next(tmp_path / "installed", moved, replace=True).pinned


def test_a_rolled_back_version_may_come_again_and_nothing_below_it(tmp_path: Path, there: KitState) -> None:
    kit = make_kit(tmp_path / "kit", KEY, version="2.0.0")
    up = verifying.verify(kit, None)
    after = state.installed(
        there, up.manifest, up.manifest_sha256, up.signer
    )  # it runs 1.9.0 still, or again
    assert succeeding.verify_next(kit, after).pinned
    with pytest.raises(KitError, match=r"is older than 2\.0\.0"):
        succeeding.verify_next(tmp_path / "installed", after)


def test_a_key_s_successor_is_pinned_and_the_old_key_signs_no_more(tmp_path: Path, there: KitState) -> None:
    chain = signature.succeed(KEY, NEXT.public, [])
    kit = succeeding.verify_next(make_kit(tmp_path / "kit", NEXT, version="2.0.0", succession=chain), there)
    after = state.installed(there, kit.manifest, kit.manifest_sha256, kit.signer)
    assert after.public_key == NEXT.public
    with pytest.raises(KitSignatureError, match="not trusted here"):
        succeeding.verify_next(make_kit(tmp_path / "old", KEY, version="3.0.0"), after)
    assert succeeding.verify_next(make_kit(tmp_path / "new", NEXT, version="3.0.0"), after).pinned


def test_where_nothing_is_installed_any_whole_kit_is_taken_and_called_unverified(tmp_path: Path) -> None:
    kit = make_kit(tmp_path / "kit", STRANGER)
    assert not succeeding.verify_next(kit, None).pinned
    (kit / "extra").write_bytes(b"")
    with pytest.raises(KitChangedError):
        succeeding.verify_next(kit, None)


def test_what_may_not_follow_is_refused_before_its_files_are_read(tmp_path: Path, there: KitState) -> None:
    kit = make_kit(tmp_path / "kit", KEY, version="1.0.0")
    (kit / "install.sh").unlink()
    with pytest.raises(KitError, match="is older than"):
        succeeding.verify_next(kit, there)

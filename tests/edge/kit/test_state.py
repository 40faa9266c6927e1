"""state.json of an installation: read back, and never taken for missing where it is damaged."""

from pathlib import Path

import msgspec
import pytest
from kits import make_kit, state_of

from ophtimus_edge import locations
from ophtimus_edge.errors import FormatVersionError, KitInstallError
from ophtimus_edge.kit import keys, state, verifying
from ophtimus_edge.kit.state import Highest, KitState
from ophtimus_edge.models.formats import encode

KEY = keys.generate_key()
INSTALLED = KitState(
    name="eye-clinic",
    public_key=KEY.public,
    highest={"eye-clinic": Highest(version="1.10.0", manifest_sha256="ab" * 32)},
    current="1.9.0",
    previous="1.10.0",
)


def test_it_is_read_back(tmp_path: Path) -> None:
    assert state.read_state(tmp_path) is None
    assert state.read_state(tmp_path / "missing") is None
    state.write_state(tmp_path, INSTALLED)
    assert state.read_state(tmp_path) == INSTALLED
    assert [path.name for path in tmp_path.iterdir()] == ["state.json"]


def test_every_cut_of_it_is_an_error_that_says_what_to_do(tmp_path: Path) -> None:
    state.write_state(tmp_path, INSTALLED)
    data = (tmp_path / "state.json").read_bytes()
    for length in range(len(data) - 2):  # the last two are a bracket and a line's end
        (tmp_path / "state.json").write_bytes(data[:length])
        with pytest.raises(KitInstallError, match=r"is damaged.*uninstall"):
            state.read_state(tmp_path)
    (tmp_path / "state.json").write_bytes(data)
    assert state.read_state(tmp_path) == INSTALLED


@pytest.mark.parametrize(
    "field",
    [
        {"public_key": ""}, {"public_key": "AAAA"}, {"public_key": None}, {"highest": {}}, {"highest": None},
        {"highest": {"other": {"version": "1.0.0", "manifest_sha256": "00" * 32}}},
        {"highest": {"eye-clinic": {"version": "1.0", "manifest_sha256": "00" * 32}}},
        {"highest": {"eye-clinic": {"version": "1.0.0", "manifest_sha256": ""}}},
        {"current": "../../elsewhere"}, {"current": "1.0.0/"}, {"previous": "01.0.0"}, {"current": 1},
    ],
)  # fmt: skip
def test_a_state_that_nothing_can_be_measured_by_is_damaged(tmp_path: Path, field: dict[str, object]) -> None:
    plain = msgspec.json.decode(encode(INSTALLED)) | field
    (tmp_path / "state.json").write_bytes(msgspec.json.encode(plain))
    with pytest.raises(KitInstallError, match="is damaged"):
        state.read_state(tmp_path)


def test_a_state_that_a_newer_release_wrote_says_so(tmp_path: Path) -> None:
    plain = msgspec.json.decode(encode(INSTALLED)) | {"schema_version": 2}
    (tmp_path / "state.json").write_bytes(msgspec.json.encode(plain))
    with pytest.raises(FormatVersionError):
        state.read_state(tmp_path)


@pytest.mark.parametrize("name", state.CURRENT)
def test_what_is_installed_without_a_state_is_not_taken_for_nothing(tmp_path: Path, name: str) -> None:
    """Else whoever can make one file vanish has every key accepted."""
    (tmp_path / "versions" / "1.2.0").mkdir(parents=True)
    assert state.read_state(tmp_path) is None  # a first installation that was broken off
    (tmp_path / name).symlink_to("versions/1.2.0")
    with pytest.raises(KitInstallError, match="is missing"):
        state.read_state(tmp_path)
    (tmp_path / name).unlink()
    (tmp_path / name).symlink_to("versions/gone")
    with pytest.raises(KitInstallError, match="is missing"):
        state.read_state(tmp_path)


def test_a_state_that_is_no_file_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "state.json").mkdir()
    with pytest.raises(KitInstallError, match="cannot be read"):
        state.read_state(tmp_path)


def test_what_is_installed_counts_before_it_runs(tmp_path: Path) -> None:
    first = verifying.read_signed(make_kit(tmp_path / "1", KEY), None)
    begun = state.installed(None, first.manifest, first.manifest_sha256, first.signer)
    assert (begun.name, begun.public_key, begun.current) == ("eye-clinic", KEY.public, "")
    assert begun.highest == state_of(first).highest
    after = state.installed(INSTALLED, first.manifest, first.manifest_sha256, b"k" * 32)
    assert (after.public_key, after.current, after.previous) == (b"k" * 32, "1.9.0", "1.10.0")
    assert INSTALLED.highest["eye-clinic"].version == "1.10.0"  # it is not changed itself


def test_a_program_of_a_kit_knows_where_it_is_installed(
    tmp_path: Path, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert locations.installed_kit() is None
    assert locations.kit_root() == home / "program"
    version = tmp_path / "elsewhere" / "versions" / "1.2.0"
    (version / "venv").mkdir(parents=True)
    monkeypatch.setattr("sys.prefix", str(version / "venv"))
    assert locations.installed_kit() is None  # no kit: there is no manifest
    (version / "manifest.json").write_bytes(b"{}")
    assert locations.installed_kit() == version
    assert locations.kit_root() == tmp_path / "elsewhere"

"""Files from a stick to the disk: joined, resumed behind the last whole chunk, as the manifest has them."""

import hashlib
import random
from pathlib import Path

import pytest
from kits import listed, write_files

from ophtimus_edge.errors import KitError, KitInstallError
from ophtimus_edge.kit.installing import transfer
from ophtimus_edge.kit.installing.transfer import NOTHING_HELD, Held, Wanted, copy_files
from ophtimus_edge.models.chunked_copy import CHUNK_BYTES

DATA = random.Random(2).randbytes(5 * CHUNK_BYTES + 1234)


def wanted(path: str, data: bytes, *parts: bytes) -> tuple[Wanted, dict[str, bytes]]:
    """A file that is joined from parts, and the files of the kit that they are."""
    files = {f"stick/{path}.{at:03}": part for at, part in enumerate(parts or (data,))}
    pieces = tuple(
        piece for name, part in files.items() for piece in transfer.single(listed(name, part)).pieces
    )
    return Wanted(path, len(data), hashlib.sha256(data).hexdigest(), pieces), files


@pytest.fixture
def kit(tmp_path: Path) -> Path:
    return tmp_path / "kit"


@pytest.mark.parametrize("cut", [1, CHUNK_BYTES, 2 * CHUNK_BYTES + 7, len(DATA)])
def test_parts_of_any_size_are_joined(kit: Path, tmp_path: Path, cut: int) -> None:
    file, files = wanted("models/a", DATA, *(part for part in (DATA[:cut], DATA[cut:]) if part))
    write_files(kit, files)
    told: list[int] = []
    done = copy_files([file], kit, tmp_path / "out", NOTHING_HELD, lambda at, total, _: told.append(at))
    assert (tmp_path / "out/models/a").read_bytes() == DATA
    assert done == (len(DATA), 0)
    assert told == sorted(told)
    assert told[-1] == len(DATA)


def test_an_empty_file_is_copied(kit: Path, tmp_path: Path) -> None:
    file, files = wanted("licences/empty", b"")
    write_files(kit, files)
    copy_files([file], kit, tmp_path / "out", NOTHING_HELD)
    assert (tmp_path / "out/licences/empty").read_bytes() == b""


@pytest.mark.parametrize("there", [0, 1, CHUNK_BYTES - 1, CHUNK_BYTES, 2 * CHUNK_BYTES + 9, len(DATA)])
def test_a_copy_goes_on_behind_its_last_whole_chunk(kit: Path, tmp_path: Path, there: int) -> None:
    file, files = wanted("models/a", DATA)
    write_files(kit, files)
    target = tmp_path / "out/models/a"
    target.parent.mkdir(parents=True)
    target.write_bytes(DATA[:there])
    done = copy_files([file], kit, tmp_path / "out", NOTHING_HELD)
    assert target.read_bytes() == DATA
    whole = len(DATA) if there == len(DATA) else there - there % CHUNK_BYTES
    assert done.from_kit == len(DATA) - whole


def test_what_an_earlier_copy_left_is_not_believed(kit: Path, tmp_path: Path) -> None:
    file, files = wanted("models/a", DATA)
    write_files(kit, files)
    target = tmp_path / "out/models/a"
    target.parent.mkdir(parents=True)
    target.write_bytes(DATA[:CHUNK_BYTES] + b"?" + DATA[CHUNK_BYTES + 1 :] + b"and more")
    assert copy_files([file], kit, tmp_path / "out", NOTHING_HELD).from_kit == len(DATA) - CHUNK_BYTES
    assert target.read_bytes() == DATA


def test_a_stick_that_reads_wrongly_or_is_pulled_out_is_said_and_what_is_copied_is_kept(
    kit: Path, tmp_path: Path
) -> None:
    file, files = wanted("models/a", DATA)
    (name,) = files
    write_files(kit, {name: DATA[: 3 * CHUNK_BYTES] + b"?" + DATA[3 * CHUNK_BYTES + 1 :]})
    with pytest.raises(KitError, match="is read wrongly, behind its byte") as error:
        copy_files([file], kit, tmp_path / "out", NOTHING_HELD)
    assert "run the same command" in error.value.hint
    (kit / name).unlink()
    with pytest.raises(KitInstallError, match="is gone"):
        copy_files([file], kit, tmp_path / "out", NOTHING_HELD)
    (kit / name).symlink_to("/etc/passwd")
    with pytest.raises(KitError):
        copy_files([file], kit, tmp_path / "out", NOTHING_HELD)
    (kit / name).unlink()
    write_files(kit, files)
    assert copy_files([file], kit, tmp_path / "out", NOTHING_HELD).from_kit == len(DATA) - 3 * CHUNK_BYTES
    assert (tmp_path / "out/models/a").read_bytes() == DATA


def test_a_link_of_another_version_is_never_written_through(kit: Path, tmp_path: Path) -> None:
    file, files = wanted("models/a", DATA)
    write_files(kit, files)
    other, target = tmp_path / "other", tmp_path / "out/models/a"
    target.parent.mkdir(parents=True)
    other.write_bytes(b"another version's")
    target.hardlink_to(other)
    copy_files([file], kit, tmp_path / "out", NOTHING_HELD)
    assert target.read_bytes() == DATA
    assert other.read_bytes() == b"another version's"


def test_where_files_cannot_be_linked_they_are_copied_from_the_local_disk(
    kit: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file, _ = wanted("models/a", DATA)
    old = tmp_path / "old"
    write_files(tmp_path, {"old/a": DATA})
    chunks = {
        piece.sha256: transfer.Place(old / "a", CHUNK_BYTES * at) for at, piece in enumerate(file.pieces)
    }
    held = Held({file.sha256: old / "a"}, chunks)
    monkeypatch.setattr(transfer.os, "link", _no_links)
    assert copy_files([file], kit, tmp_path / "out", held) == (0, 0)  # there is no stick at all
    assert (tmp_path / "out/models/a").read_bytes() == DATA


def _no_links(*_: object) -> None:
    raise OSError("a stick's file system")


def test_what_nobody_listed_is_removed_from_an_unfinished_version(kit: Path, tmp_path: Path) -> None:
    file, files = wanted("models/eyes/a", b"1")
    write_files(kit, files)
    out = tmp_path / "out"
    write_files(out, {"models/eyes/b": b"", "models/old/c": b"", "reports/x": b"", "venv/kept": b""})
    transfer.remove_unlisted([file], out)
    copy_files([file], kit, out, NOTHING_HELD)
    assert sorted(str(path.relative_to(out)) for path in out.rglob("*") if path.is_file()) == [
        "models/eyes/a", "venv/kept",
    ]  # fmt: skip

"""A kit against its manifest: whatever is not as it was made is named, all of it; a copied kit is the same kit."""

import hashlib
import os
import random
import shutil
import socket
import stat
import threading
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest
from kits import SMALL, make_kit, manifest_of, write_files, write_signed

from ophtimus_edge.errors import FormatVersionError, KitChangedError, KitError, KitSignatureError
from ophtimus_edge.kit import hashing, keys, verifying
from ophtimus_edge.kit.manifest import MANIFEST, SIGNATURE
from ophtimus_edge.models.chunked_copy import CHUNK_BYTES
from ophtimus_edge.models.formats import encode

KEY, STRANGER = keys.generate_key(), keys.generate_key()
GGUF = "models/tiny/tiny-Q4_K_M.gguf"


@pytest.fixture
def kit(tmp_path: Path) -> Path:
    return make_kit(tmp_path / "kit", KEY)


@pytest.fixture(scope="module")
def large() -> dict[str, bytes]:
    """A file of nine chunks, the last one short, and the small ones."""
    return SMALL | {"models/large.gguf": random.Random(9).randbytes(8 * CHUNK_BYTES + 12345)}


def faults_of(kit: Path) -> dict[str, str]:
    with pytest.raises(KitChangedError) as caught:
        verifying.verify(kit, KEY.public)
    return dict(caught.value.faults)


@pytest.mark.parametrize("pinned", [None, KEY.public], ids=["unpinned", "pinned"])
def test_a_whole_kit_is_accepted(kit: Path, pinned: bytes | None) -> None:
    told = list[tuple[int, int]]()
    verified = verifying.verify(kit, pinned, lambda done, total: told.append((done, total)))
    size = sum(map(len, SMALL.values()))
    assert told[-1] == (size, size) == (verified.size_bytes, size)
    assert verified.pinned == (pinned is not None)
    assert verified.signer == KEY.public
    assert verified.manifest.version == "1.2.0"
    assert verified.manifest_sha256 == hashlib.sha256((kit / MANIFEST).read_bytes()).hexdigest()


def test_times_and_modes_do_not_count(kit: Path, tmp_path: Path) -> None:
    copied = tmp_path / "copied by 누군가"
    shutil.copytree(kit, copied, copy_function=shutil.copyfile)
    for path in copied.rglob("*"):
        path.chmod(0o777 if path.is_dir() else 0o555)
        os.utime(path, (0, 10))
    assert verifying.verify(copied, KEY.public).pinned
    (tmp_path / "link").symlink_to(copied)  # how it is reached is the reader's own business
    assert verifying.verify(tmp_path / "link", KEY.public).pinned


def test_a_kit_of_other_links_to_its_files_is_whole(kit: Path, tmp_path: Path) -> None:
    (tmp_path / "second name").hardlink_to(kit / GGUF)
    assert verifying.verify(kit, KEY.public).pinned


def _write(data: bytes) -> Callable[[Path], object]:
    return lambda path: path.write_bytes(data)


def _fifo(path: Path) -> None:
    path.unlink(missing_ok=True)
    os.mkfifo(path)


def _device(path: Path) -> None:
    path.unlink(missing_ok=True)
    os.mknod(path, 0o600 | stat.S_IFCHR, os.makedev(1, 5))  # /dev/zero: it never ends


def _socket(path: Path) -> None:
    path.unlink(missing_ok=True)
    with socket.socket(socket.AF_UNIX) as end:
        end.bind(os.path.relpath(path))


def _link_to_itself_elsewhere(path: Path) -> None:
    elsewhere = path.parents[3] / "elsewhere"
    path.rename(elsewhere)
    path.symlink_to(elsewhere)


def _folder(path: Path) -> None:
    path.unlink(missing_ok=True)
    path.mkdir()


@pytest.mark.parametrize(
    ("path", "change", "fault"),
    [
        (GGUF, lambda path: path.unlink(), "is missing"),
        (GGUF, _write(SMALL[GGUF][:-1]), "has 10239 bytes instead of 10240"),
        (GGUF, _write(SMALL[GGUF] + b"\0"), "has 10241 bytes instead of 10240"),
        (GGUF, _write(SMALL[GGUF][:-1] + b"\0"), "was changed"),
        ("licences/empty.txt", _write(b"x"), "has 1 bytes instead of 0"),
        (GGUF, _link_to_itself_elsewhere, "is a link"),
        (GGUF, _folder, "is not a file"),
        (GGUF, _fifo, "is not a file"),
        (GGUF, _device, "is not a file"),
        (GGUF, _socket, "is not a file"),
        ("extra", _write(b""), "is not in the manifest"),
        ("models/tiny/extra.py", _write(b"import os"), "is not in the manifest"),
        ("extra", lambda path: path.mkdir(), "is not in the manifest"),
        ("models/empty", lambda path: path.mkdir(), "is not in the manifest"),
        ("extra", lambda path: path.symlink_to("install.sh"), "is a link"),
        ("extra", lambda path: path.symlink_to("nowhere"), "is a link"),
        ("extra", _fifo, "is not in the manifest"),
        ("INSTALL.SH", _write(SMALL["install.sh"]), "named as install.sh but for its letters"),
        ("Models", lambda path: path.mkdir(), "named as models but for its letters"),
        ("Manifest.json", _write(b"{}"), "named as manifest.json but for its letters"),
        ("models/manifest.json", _write(b"{}"), "is not in the manifest"),
        ("System Volume Information", lambda path: path.mkdir(), "can be deleted"),
        ("models/.DS_Store", _write(b""), "can be deleted"),
        ("models/._model.json", _write(b""), "can be deleted"),
        ("Thumbs.db", _write(b""), "can be deleted"),
    ],
)
def test_what_is_not_as_it_was_made_is_named(
    kit: Path, path: str, change: Callable[[Path], object], fault: str
) -> None:
    change(kit / path)
    found = faults_of(kit)
    assert list(found) == [path]
    assert fault in found[path]


def test_every_fault_is_named_not_only_the_first(kit: Path) -> None:
    (kit / GGUF).write_bytes(SMALL[GGUF][::-1])
    (kit / "install.cmd").unlink()
    (kit / "install.sh").write_bytes(b"")
    (kit / "extra" / "deep").mkdir(parents=True)
    (kit / "licences" / "more").write_bytes(b"")
    assert set(faults_of(kit)) == {GGUF, "install.cmd", "install.sh", "extra", "licences/more"}


def test_a_folder_behind_a_link_is_no_folder_of_the_kit(kit: Path, tmp_path: Path) -> None:
    (kit / "licences").rename(tmp_path / "licences")
    (kit / "licences").symlink_to(tmp_path / "licences")
    found = faults_of(kit)
    assert "is a link" in found["licences"]
    assert found["licences/empty.txt"] == "is missing"


def test_two_files_that_are_swapped_are_both_named(tmp_path: Path) -> None:
    files = SMALL | {"models/a": b"1" * 99, "models/b": b"2" * 99}
    kit = make_kit(tmp_path / "kit", KEY, files)
    assert verifying.verify(kit, KEY.public).pinned
    write_files(kit, {"models/a": files["models/b"], "models/b": files["models/a"]})
    assert set(faults_of(kit)) == {"models/a", "models/b"}


@pytest.mark.parametrize("name", [MANIFEST, SIGNATURE])
def test_its_own_two_files_are_no_links_pipes_or_giants(kit: Path, tmp_path: Path, name: str) -> None:
    path, sound = kit / name, (kit / name).read_bytes()
    (tmp_path / "elsewhere").write_bytes(sound)
    changes: list[tuple[Callable[[Path], object], str]] = [
        (lambda path: path.symlink_to(tmp_path / "elsewhere"), "cannot be read"),
        (_fifo, "cannot be read"),
        (_device, "cannot be read"),
        (_folder, "cannot be read"),
        (lambda path: None, "is no kit"),
    ]
    for change, message in changes:
        path.unlink()
        change(path)
        with pytest.raises(KitError, match=message):
            verifying.verify(kit, KEY.public)
        path.rmdir() if path.is_dir() else path.unlink(missing_ok=True)
        path.write_bytes(sound)
    with path.open("r+b") as file:
        file.truncate(1 << 40)  # of holes
    with pytest.raises(KitError, match="larger than any can be"):
        verifying.verify(kit, KEY.public)
    path.write_bytes(sound)
    verifying.verify(kit, KEY.public)


def test_a_folder_that_is_no_kit_is_none(tmp_path: Path) -> None:
    for folder in (tmp_path, tmp_path / "missing", Path(__file__)):
        with pytest.raises(KitError):
            verifying.verify(folder, None)


def test_another_key_and_a_newer_form_are_refused_before_any_file_is_read(kit: Path) -> None:
    (kit / GGUF).unlink()
    with pytest.raises(KitSignatureError, match="not trusted here"):
        verifying.verify(kit, STRANGER.public)
    newer = encode(manifest_of(SMALL)).replace(b'"schema_version": 1', b'"schema_version": 2')
    write_signed(kit, newer, KEY)
    with pytest.raises(FormatVersionError):
        verifying.verify(kit, KEY.public)


def test_a_manifest_that_leads_outside_is_refused_although_it_is_signed(kit: Path) -> None:
    sound = manifest_of(SMALL)
    for path in ("../kit/install.sh", "/etc/passwd", "models/../install.sh", "C:/x", "models\\x", "nul"):
        file = msgspec.structs.replace(sound.files[0], path=path)
        files = sorted([file, *sound.files[1:]], key=lambda file: file.path)
        write_signed(kit, encode(msgspec.structs.replace(sound, files=files)), KEY)
        with pytest.raises(KitError, match="as no kit may"):
            verifying.verify(kit, KEY.public)
    write_signed(kit, encode(sound), KEY)
    verifying.verify(kit, KEY.public)


@pytest.mark.parametrize(
    "more", ["INSTALL.sh", "Manifest.json", "Models/other.gguf", "models/TINY/x", "install.sh/x", "LICENCES"]
)
def test_a_manifest_of_names_that_are_one_on_some_system_is_refused(
    tmp_path: Path, kit: Path, more: str
) -> None:
    files = SMALL | {"models/other.gguf": b"x"}
    verifying.verify(make_kit(tmp_path / "sound", KEY, files), KEY.public)
    write_signed(kit, encode(manifest_of(files | {more: b"x"})), KEY)
    with pytest.raises(KitError, match="lists one file twice"):
        verifying.verify(kit, KEY.public)


def test_a_manifest_whose_pieces_are_not_of_its_file_is_refused(
    tmp_path: Path, large: dict[str, bytes]
) -> None:
    manifest = manifest_of(large)
    kit = make_kit(tmp_path / "kit", KEY, large)
    entry = manifest.file("models/large.gguf")
    assert entry
    for chunks in (entry.chunk_sha256[:-1], [*entry.chunk_sha256, "0" * 64], entry.chunk_sha256[:1]):
        file = msgspec.structs.replace(entry, chunk_sha256=chunks)
        files = [file if one is entry else one for one in manifest.files]
        write_signed(kit, encode(msgspec.structs.replace(manifest, files=files)), KEY)
        with pytest.raises(KitError, match="pieces that are not its own"):
            verifying.verify(kit, KEY.public)


def test_a_large_file_is_read_in_pieces_and_a_change_is_named_by_its_place(
    tmp_path: Path, large: dict[str, bytes]
) -> None:
    kit = make_kit(tmp_path / "kit", KEY, large)
    assert verifying.verify(kit, KEY.public).pinned
    size = len(large["models/large.gguf"])
    for at, begin in ((0, 0), (CHUNK_BYTES, CHUNK_BYTES), (size - 1, 8 * CHUNK_BYTES)):
        with (kit / "models/large.gguf").open("r+b") as file:
            file.seek(at)
            file.write(bytes([large["models/large.gguf"][at] ^ 1]))
        end = min(begin + CHUNK_BYTES, size)
        assert faults_of(kit) == {"models/large.gguf": f"was changed between its bytes {begin} and {end}"}
        write_files(kit, {"models/large.gguf": large["models/large.gguf"]})
    assert verifying.verify(kit, KEY.public).pinned


def test_a_large_file_without_hashes_of_its_chunks_is_read_whole(
    tmp_path: Path, large: dict[str, bytes]
) -> None:
    kit = make_kit(tmp_path / "kit", KEY, large)
    manifest = manifest_of(large)
    files = [msgspec.structs.replace(file, chunk_sha256=[]) for file in manifest.files]
    write_signed(kit, encode(msgspec.structs.replace(manifest, files=files)), KEY)
    assert verifying.verify(kit, KEY.public).pinned
    with (kit / "models/large.gguf").open("r+b") as file:
        file.seek(-1, os.SEEK_END)
        file.write(b"\0")
    assert faults_of(kit) == {"models/large.gguf": "was changed"}


def test_a_file_that_is_cut_while_it_is_read_is_a_fault(
    tmp_path: Path, large: dict[str, bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The stick is pulled out, or is full of faults: the size was right a moment ago."""
    kit = make_kit(tmp_path / "kit", KEY, large)
    signed = verifying.read_signed(kit, KEY.public)
    listed = verifying._listed

    def cut(*words: object) -> object:
        found = listed(*words)  # type: ignore[arg-type]
        os.truncate(kit / "models/large.gguf", 5 * CHUNK_BYTES + 1)
        (kit / "install.sh").unlink()
        return found

    monkeypatch.setattr(verifying, "_listed", cut)
    with pytest.raises(KitChangedError) as caught:
        verifying.verify_files(signed)
    found = dict(caught.value.faults)
    assert found["models/large.gguf"] == f"ends at byte {5 * CHUNK_BYTES + 1}"
    assert "cannot be read" in found["install.sh"]


def test_who_stops_leaves_nothing_running(tmp_path: Path, large: dict[str, bytes]) -> None:
    kit = make_kit(tmp_path / "kit", KEY, large)
    before = threading.enumerate()

    def stop(done: int, total: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        verifying.verify(kit, KEY.public, stop)
    assert threading.enumerate() == before
    verifying.verify(kit, KEY.public)


def test_an_error_that_nobody_expects_is_no_whole_kit(kit: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*words: object) -> None:
        raise MemoryError

    monkeypatch.setattr(hashing, "_hash_piece", broken)
    with pytest.raises(MemoryError):
        verifying.verify(kit, KEY.public)


def test_a_pipe_that_takes_a_file_s_place_late_is_not_waited_for(kit: Path) -> None:
    """Opening a named pipe that nobody writes to would wait for ever."""
    _fifo(kit / GGUF)
    with pytest.raises(OSError, match="not a file"):
        hashing.open_regular(kit / GGUF)
    with hashing.open_regular(kit / "install.sh") as file:
        assert file.read() == SMALL["install.sh"]

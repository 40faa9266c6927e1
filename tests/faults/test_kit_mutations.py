"""Changed kits: an installation refuses every single change, and takes the kit itself however it was copied.

300 changes in `make test`, 10,000 in `make faults`, each given to the installer of an installation of the version
before, with the pinned key; what runs there is then the same to the byte. Nobody but the kit's maker has its key:
whoever changes something leaves the signature as it is, or signs with a key of their own; what the maker signed
earlier, they have.
"""

import contextlib
import os
import random
import shutil
import socket
import stat
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from kits import SMALL, make_kit, manifest_of, state_of, write_files, write_signed

from ophtimus_edge.errors import FormatVersionError, KitError
from ophtimus_edge.kit import keys, signature, state, succeeding, verifying
from ophtimus_edge.kit.installing import versions
from ophtimus_edge.kit.installing.install import install
from ophtimus_edge.kit.installing.running import Running
from ophtimus_edge.kit.manifest import MANIFEST, SIGNATURE, Manifest
from ophtimus_edge.models.chunked_copy import CHUNK_BYTES
from ophtimus_edge.models.formats import encode

COUNT = 10_000 if os.environ.get("OPHTIMUS_CAMPAIGN") == "long" else 300
KEY, STRANGER = keys.generate_key(), keys.generate_key()
FILES = SMALL | {
    "models/tiny/tiny-Q8_0.gguf.001": random.Random(1).randbytes(CHUNK_BYTES + 5000),  # of two chunks
    "models/tiny/tiny-Q8_0.gguf.002": b"the rest",
    "START-HERE.ko.txt": "설치하기 전에 읽으십시오.\n".encode(),
}
INSTALLED, VERSION = "2.0.99", "2.1.0"
SOUND = manifest_of(FILES, VERSION)
OWN = {MANIFEST: encode(SOUND), SIGNATURE: signature.sign(encode(SOUND), KEY, [])}


class Change:
    """Changes a kit in one way; ``rng`` picks where."""

    def __init__(self, kit: Path, rng: random.Random) -> None:
        self.kit, self.rng = kit, rng

    def any_file(self) -> Path:
        """One of the kit's files that are not empty, its own two among them as often as all others."""
        own = self.rng.random() < 0.5
        names = [MANIFEST, SIGNATURE] if own else [name for name, data in FILES.items() if data]
        return self.kit / self.rng.choice(names)

    def listed_file(self) -> Path:
        return self.kit / self.rng.choice(list(FILES))

    def folder(self) -> Path:
        return self.rng.choice([self.kit, *sorted(path for path in self.kit.rglob("*") if path.is_dir())])

    def new(self) -> Path:
        """A name that nothing has."""
        names = [
            "extra",
            "setup.exe",
            "autorun.inf",
            ".hidden",
            "새 파일",
            "x.pth",
            "sitecustomize.py",
            "a b",
            "~",
        ]
        return self.folder() / f"{self.rng.choice(names)}{self.rng.choice(['', '1', '.gguf', '.whl'])}"

    def one_byte(self) -> None:
        path = self.any_file()
        with path.open("r+b") as file:
            at = self.rng.randrange(path.stat().st_size)
            file.seek(at)
            old = file.read(1)[0]
            file.seek(at)
            file.write(
                bytes([old ^ self.rng.choice((1, 2, 4, 8, 16, 32, 64, 128, self.rng.randrange(1, 256)))])
            )

    def some_bytes(self) -> None:
        path = self.any_file()
        data = path.read_bytes()
        at = self.rng.randrange(len(data))
        put = self.rng.randbytes(self.rng.choice((2, 4, 16)))
        new = data[:at] + put + data[at + len(put) :]
        path.write_bytes(new if new != data else data[::-1] + b"x")

    def shorter(self) -> None:
        path = self.any_file()
        size = path.stat().st_size
        os.truncate(path, self.rng.choice((0, size - 1, self.rng.randrange(size))))

    def longer(self) -> None:
        path = self.any_file() if self.rng.random() < 0.8 else self.listed_file()
        with path.open("ab") as file:
            file.write(self.rng.choice((b"\0", b"\n", b" ", self.rng.randbytes(9), bytes(4096))))

    def cut_inside(self) -> None:
        path = self.any_file()
        data = path.read_bytes()
        at = self.rng.randrange(len(data))
        path.write_bytes(data[:at] + data[at + 1 :])

    def put_inside(self) -> None:
        path = self.any_file()
        data = path.read_bytes()
        at = self.rng.randrange(len(data))
        path.write_bytes(data[:at] + self.rng.choice((b" ", b"\n", b"\0", b"0", b'"', b"A")) + data[at:])

    def missing(self) -> None:
        path = self.rng.choice([self.any_file(), self.listed_file(), self.folder()])
        if path == self.kit or path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink()

    def renamed(self) -> None:
        path = self.listed_file()
        names = [path.name.swapcase(), f"{path.name}.", f"{path.name} ", f"_{path.name}", path.stem]
        path.rename(path.with_name(self.rng.choice([name for name in names if name != path.name])))

    def moved(self) -> None:
        path = self.listed_file()
        while (place := self.folder() / path.name) == path:
            pass
        path.rename(place)

    def renamed_folder(self) -> None:
        path = self.rng.choice([path for path in self.kit.rglob("*") if path.is_dir()])
        path.rename(path.with_name(self.rng.choice((path.name.upper(), f"{path.name}2"))))

    def swapped(self) -> None:
        one, other = self.rng.sample(list(FILES), 2)
        write_files(self.kit, {one: FILES[other], other: FILES[one]})

    def copied_over(self) -> None:
        one, other = self.rng.sample([*FILES, MANIFEST, SIGNATURE], 2)
        (self.kit / one).write_bytes((self.kit / other).read_bytes())

    def link_for_a_file(self) -> None:
        path = self.rng.choice([self.any_file(), self.listed_file()])
        elsewhere = self.kit.parent / "elsewhere"
        shutil.copyfile(path, elsewhere)
        path.unlink()
        path.symlink_to(self.rng.choice((elsewhere, os.path.relpath(elsewhere, path.parent), "nowhere")))

    def link_for_a_folder(self) -> None:
        path = self.rng.choice([path for path in self.kit.rglob("*") if path.is_dir()])
        path.rename(self.kit.parent / "elsewhere")
        path.symlink_to(self.kit.parent / "elsewhere")

    def extra_link(self) -> None:
        self.new().symlink_to(self.rng.choice(("/etc/passwd", "install.sh", ".", "..", "nowhere")))

    def special(self) -> None:
        path = self.rng.choice([self.any_file(), self.listed_file(), self.new()])
        path.unlink(missing_ok=True)
        kind = self.rng.choice(("pipe", "zero", "null", "socket", "folder"))
        if kind == "pipe" or (kind in {"zero", "null"} and os.geteuid() != 0):
            os.mkfifo(path)
        elif kind == "socket":
            with socket.socket(socket.AF_UNIX) as end, contextlib.chdir(path.parent):
                end.bind(path.name)  # its whole path may be longer than a socket's can be
        elif kind == "folder":
            path.mkdir()
        else:
            os.mknod(path, 0o644 | stat.S_IFCHR, os.makedev(1, 5 if kind == "zero" else 3))

    def extra_file(self) -> None:
        self.new().write_bytes(self.rng.choice((b"", b"import os\n", self.rng.randbytes(50))))

    def extra_folder(self) -> None:
        path = self.new()
        if self.rng.random() < 0.5:
            path = path / "deep" / "deeper"
        path.mkdir(parents=True)

    def case_twin(self) -> None:
        path = self.rng.choice([self.any_file(), self.listed_file(), *self.kit.rglob("*")])
        letters = [at for at, letter in enumerate(path.name) if letter.swapcase() != letter]
        at = self.rng.choice(letters)
        twin = path.with_name(path.name[:at] + path.name[at].swapcase() + path.name[at + 1 :])
        twin.mkdir() if path.is_dir() else shutil.copyfile(path, twin)

    def _edited(self) -> bytes:
        """The manifest with one thing in it that is not so."""
        plain: dict[str, Any] = msgspec.json.decode(OWN[MANIFEST])
        file = self.rng.choice(plain["files"])
        zeros = "0" * 64
        edits: list[Callable[[], object]] = [
            lambda: file.update(
                path=self.rng.choice(("../x", "/etc/passwd", "a/../b", "..", "", "a//b", "C:x"))
            ),
            lambda: file.update(path=f"../{self.kit.name}/{file['path']}"),
            lambda: file.update(path=file["path"].upper()),
            lambda: file.update(size_bytes=file["size_bytes"] + self.rng.choice((1, 1 << 40))),
            lambda: file.update(sha256=zeros),
            lambda: file.update(chunk_sha256=[*file["chunk_sha256"], zeros]),
            lambda: plain["files"].append(file),
            lambda: plain["files"].remove(file),
            lambda: plain["files"].reverse(),
            lambda: plain["files"].insert(0, file | {"path": "extra"}),
            lambda: plain.update(
                version=self.rng.choice(("2.1.1", "3.0.0", "2.1", "2.1.0.0", "99999999999.0.0"))
            ),
            lambda: plain.update(name="other-clinic"),
            lambda: plain.update(schema_version=self.rng.choice((0, 2, 99))),
            lambda: plain.update(program="9.9.9"),
            lambda: plain.update(withdrawn=[{"sha256": zeros, "reason": {"en": "no"}}]),
            lambda: plain.pop(self.rng.choice(list(plain))),
        ]
        self.rng.choice(edits)()
        data = msgspec.json.format(msgspec.json.encode(plain), indent=2) + b"\n"
        return data if data != OWN[MANIFEST] else data + b"\n"

    def manifest_edited(self) -> None:
        (self.kit / MANIFEST).write_bytes(self._edited())

    def manifest_edited_and_signed_by_a_stranger(self) -> None:
        write_signed(self.kit, self._edited(), STRANGER)

    def signed_by_a_stranger(self) -> None:
        write_signed(self.kit, OWN[MANIFEST], STRANGER)

    def signed_by_a_stranger_who_claims_to_succeed(self) -> None:
        message = signature.succession_message(KEY.public, STRANGER.public)
        signed = self.rng.choice(
            (STRANGER.sign(message), self.rng.randbytes(64), KEY.sign(b"something else"))
        )
        link = signature.Succession(old_key=KEY.public, new_key=STRANGER.public, signature=signed)
        signed = STRANGER.sign(OWN[MANIFEST])
        forged = signature.Signature(public_key=STRANGER.public, signature=signed, succession=[link])
        (self.kit / SIGNATURE).write_bytes(encode(forged))

    def signature_in_another_form(self) -> None:
        data = OWN[SIGNATURE]
        plain = msgspec.json.decode(data)
        edits: list[bytes] = [
            msgspec.json.encode(plain),
            data.replace(b"=", b"", 1),
            msgspec.json.encode(plain | {"more": self.rng.random()}),
            msgspec.json.format(msgspec.json.encode(dict(reversed(plain.items()))), indent=2) + b"\n",
            data.replace(b"\n", b"\r\n"),
        ]
        (self.kit / SIGNATURE).write_bytes(self.rng.choice(edits))

    def _older(self) -> Manifest:
        version = f"{self.rng.choice((0, 1, 2))}.0.{self.rng.randrange(99)}"
        return msgspec.structs.replace(SOUND, version=version)

    def older(self) -> None:
        write_signed(self.kit, encode(self._older()), KEY)

    def older_manifest_alone(self) -> None:
        (self.kit / MANIFEST).write_bytes(encode(self._older()))

    def older_signature_alone(self) -> None:
        (self.kit / SIGNATURE).write_bytes(signature.sign(encode(self._older()), KEY, []))

    def another_kit_of_the_installed_version(self) -> None:
        more = {f"licences/more-{self.rng.randrange(1000)}": b"more"}
        write_files(self.kit, more)
        write_signed(self.kit, encode(manifest_of(FILES | more, INSTALLED)), KEY)

    def a_kit_of_another_name(self) -> None:
        write_signed(self.kit, encode(msgspec.structs.replace(SOUND, name="other-clinic")), KEY)

    def a_newer_manifest_of_other_files(self) -> None:
        """The maker's own, of the next kit: the files are still those of this one."""
        path = self.rng.choice(list(FILES))
        write_signed(self.kit, encode(manifest_of(FILES | {path: b"of the next kit"}, "3.0.0")), KEY)


CHANGES = [name for name, value in vars(Change).items() if callable(value) and not name.startswith("_")]
CHANGES = [name for name in CHANGES if name not in {"any_file", "listed_file", "folder", "new"}]
WEIGHTS = [12 if name in {"one_byte", "some_bytes"} else 1 for name in CHANGES]


def tree(folder: Path) -> Iterator[tuple[str, int, bytes]]:
    """Everything in a folder, to be compared."""
    for path in sorted(folder.rglob("*")):
        state = path.lstat()
        yield str(path.relative_to(folder)), state.st_mode, path.read_bytes() if path.is_file() else b""


class Nobody:
    """Nobody is there to say yes to anything."""

    def show(self, step: str, done: int, total: int, what: str) -> None:
        pass

    def accepts(self, kit: verifying.Signed) -> bool:
        raise AssertionError("a key is pinned, and nothing is to be asked")

    def closes(self, programs: list[Running]) -> bool:
        return False


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """An installation of the version before, its key pinned."""
    kit = verifying.verify(make_kit(tmp_path / "first", KEY, FILES, INSTALLED), None)
    root = tmp_path / "root"
    folder = versions.folder_of(root, INSTALLED)
    versions.begin(folder, kit)
    write_files(folder, {"models/tiny/model.json": FILES["models/tiny/model.json"]})
    versions.finish(folder)
    state.write_state(root, state_of(kit))
    versions.switch(root, INSTALLED)
    (root / "lock").touch()
    return root


def verdict(root: Path, kit: Path) -> str:
    """What the installer says of a kit: why it is refused, or "" once all of it was found to be sound.

    The wheels of these kits are none, which it finds out when it makes an environment of them.
    """
    try:
        install(kit, root, Nobody())
    except (KitError, FormatVersionError) as error:
        return "" if "is no wheel that can be read" in error.message else error.message
    return ""


def test_every_single_change_is_refused_and_nothing_of_it_is_installed(root: Path, tmp_path: Path) -> None:
    kit, before = tmp_path / "kit", list(tree(root))
    write_files(kit, FILES | OWN)
    whole = list(tree(kit))
    rng = random.Random(9)
    refused, passed = Counter[str](), list[str]()
    order = rng.choices(CHANGES, WEIGHTS, k=COUNT - len(CHANGES)) + CHANGES  # each of them once at least
    for number, name in enumerate(order):
        getattr(Change(kit, rng), name)()
        assert not kit.exists() or list(tree(kit)) != whole, name  # else nothing was tried
        if verdict(root, kit):
            refused[name] += 1
        else:
            passed.append(f"{number} {name}")
        assert list(tree(root)) == before, name
        _restore(kit)
        if number % 50 == 0:
            assert sound(root, kit)
    assert not passed
    assert sum(refused.values()) == COUNT
    assert refused.keys() == set(CHANGES)
    assert verdict(root, kit) == ""


def sound(root: Path, kit: Path) -> bool:
    """Whether the installation would take a kit."""
    there = state.read_state(root)
    assert there
    return succeeding.verify_next(kit, there).pinned


def _restore(kit: Path) -> None:
    elsewhere = kit.parent / "elsewhere"
    for path in (kit, elsewhere):
        with contextlib.suppress(FileNotFoundError):
            path.unlink() if path.is_file() else shutil.rmtree(path)
    write_files(kit, FILES | OWN)


def test_the_kit_however_it_was_copied_and_the_next_one_are_taken(root: Path, tmp_path: Path) -> None:
    kit = make_kit(tmp_path / "kit", KEY, FILES, VERSION)
    rng = random.Random(10)
    for number in range(COUNT // 30):
        copied = tmp_path / f"copied {number}"
        shutil.copytree(kit, copied, copy_function=rng.choice((shutil.copyfile, shutil.copy2, os.link)))
        for path in copied.rglob("*"):
            if path.is_dir():
                path.chmod(rng.choice((0o700, 0o755, 0o777)))
            elif path.stat().st_nlink == 1:
                path.chmod(rng.choice((0o400, 0o644, 0o755, 0o777)))
                os.utime(path, (rng.randrange(1 << 31), rng.randrange(1 << 31)))
        assert sound(root, copied)
        shutil.rmtree(copied)
    for version in ("2.1.1", "2.2.0", "10.0.0"):
        files = FILES | {"more": version.encode()}
        assert sound(root, make_kit(tmp_path / version, KEY, files, version))

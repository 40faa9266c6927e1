"""Small wheels as tests make them by hand, and what is needed to build a kit of them."""

import base64
import hashlib
import shutil
import zipfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from ophtimus_edge.kit.building.kit import Built, build
from ophtimus_edge.kit.building.order import KitOrder
from ophtimus_edge.kit.keys import SigningKey, generate_key
from ophtimus_edge.kit.signature import Succession
from ophtimus_edge.locations import demo_folder

PINS = "alpha==1.2\nbeta==2.0\ngamma==3.0\ndelta==4.1\nllama-cpp-python==0.3.36\ntorch==2.13.0\n"
LICENCE = "Copyright (c) 2026 somebody. Permission is hereby granted to use it.\n"
VARIANTS = {
    "llama_cpp/__init__.py": b"",
    "llama_cpp/lib/libggml-cpu-x64.so": b"one",
    "llama_cpp/lib/libggml-cpu-haswell.so": b"two",
}


def make_wheel(
    folder: Path,
    name: str,
    version: str,
    requires: Iterable[str] = (),
    tag: str = "py3-none-any",
    files: Mapping[str, bytes] | None = None,
    licence: str = LICENCE,
    more: str = "",
) -> Path:
    """A wheel with a module, a description and a RECORD; returns its path."""
    stem = f"{name.replace('-', '_')}-{version}"
    info = f"{stem}.dist-info"
    lines = ["Metadata-Version: 2.4", f"Name: {name}", f"Version: {version}", more]
    lines += [f"Requires-Dist: {one}" for one in requires]
    content = dict(files if files is not None else {f"{name.replace('-', '_')}.py": b"ANSWER = 42\n"})
    content[f"{info}/METADATA"] = "\n".join(filter(None, lines)).encode() + b"\n"
    content[f"{info}/WHEEL"] = f"Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: {tag}\n".encode()
    if licence:
        content[f"{info}/licenses/LICENSE"] = licence.encode()
    record = ""
    for path, data in content.items():
        digest = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()
        record += f"{path},sha256={digest},{len(data)}\n"
    content[f"{info}/RECORD"] = f"{record}{info}/RECORD,,\n".encode()
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{stem}-{tag}.whl"
    with zipfile.ZipFile(path, "w") as archive:
        for file, data in content.items():
            archive.writestr(zipfile.ZipInfo(file, (2026, 1, 1, 0, 0, 0)), data)
    return path


def make_index(folder: Path) -> Path:
    """What an index would have: packages that the small program requires, for some machines only."""
    make_wheel(folder, "alpha", "1.2", ['beta; python_version < "3.12"', 'gamma; sys_platform == "win32"'])
    make_wheel(folder, "alpha", "1.1")
    make_wheel(folder, "beta", "2.0", tag="cp311-cp311-manylinux_2_17_x86_64")
    make_wheel(folder, "beta", "2.0", tag="cp311-cp311-win_amd64")
    make_wheel(folder, "beta", "2.0", tag="cp311-cp311-manylinux_2_40_x86_64")
    make_wheel(folder, "gamma", "3.0")
    make_wheel(folder, "delta", "4.1", tag="cp311-abi3-manylinux_2_28_x86_64")
    make_wheel(folder, "delta", "4.1", tag="cp311-abi3-win_amd64")
    return folder


def make_program(folder: Path, requires: Iterable[str] = ("alpha>=1", 'delta>=4; extra == "tui"')) -> Path:
    """The program's wheel, with a page of its code in it."""
    files = {"ophtimus_edge/__init__.py": b'__version__ = "0.1.0"\n'}
    return make_wheel(folder, "ophtimus-edge", "0.1.0", requires, files=files, more="Provides-Extra: tui")


def make_llama(folder: Path, tag: str = "py3-none-manylinux_2_34_x86_64") -> Path:
    return make_wheel(folder, "llama-cpp-python", "0.3.36", tag=tag, files=VARIANTS)


class Silent:
    """Who is told of a build and keeps what is said."""

    def __init__(self) -> None:
        self.steps: list[str] = []
        self.notes: list[str] = []

    def step(self, sentence: str) -> None:
        self.steps.append(sentence)

    def progress(self, done: int, total: int, file: str) -> None:
        """It is not looked at."""

    def note(self, sentence: str) -> None:
        self.notes.append(sentence)


class Desk:
    """A developer's desk: a cache with the wheels, a key, and a model folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(exist_ok=True)
        self.cache = folder / "cache"
        make_index(self.cache / "wheels")
        self.program = make_program(folder / "made")
        self.llama = make_llama(folder / "made")
        self.constraints = folder / "constraints.txt"
        self.constraints.write_text(PINS)
        self.key: SigningKey = generate_key()
        self.succession: list[Succession] = []
        self.watcher = Silent()

    def model(self, name: str = "demo") -> Path:
        """A copy of the demonstration model's folder."""
        target = self.folder / name
        if not target.exists():
            shutil.copytree(demo_folder(), target)
        return target

    def order(self, **changed: Any) -> KitOrder:
        """The order of a small kit for Debian 12."""
        words: dict[str, Any] = {
            "name": "eye-clinic",
            "version": "1.0.0",
            "out": self.folder / "kit",
            "models": (self.model(),),
            "pythons": ("3.11",),
            "wheels": (self.llama,),
            "program_wheel": self.program,
            "constraints": self.constraints,
            "offline": True,
            "cache": self.cache,
        }
        return KitOrder(**(words | changed))

    def build(self, **changed: Any) -> Built:
        return build(self.order(**changed), self.key, self.succession, self.watcher)

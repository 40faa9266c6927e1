"""Kits that install in a moment: a program of a few lines, in a real wheel, that real pip puts into a real venv."""

import base64
import hashlib
import importlib.metadata
import io
import os
import subprocess
import sys
import zipfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from kits import listed, write_files, write_signed

import ophtimus_edge
from ophtimus_edge.kit.installing import launchers
from ophtimus_edge.kit.installing.install import Installed, Step
from ophtimus_edge.kit.installing.running import Running
from ophtimus_edge.kit.keys import SigningKey
from ophtimus_edge.kit.manifest import KitModel, KitModelFile, KitPlatform, Manifest, Withdrawn
from ophtimus_edge.kit.signature import Succession
from ophtimus_edge.kit.verifying import Signed
from ophtimus_edge.models.chunked_copy import CHUNK_BYTES
from ophtimus_edge.models.formats import encode

PYTHON = f"{sys.version_info[0]}.{sys.version_info[1]}"
REQUIREMENTS = "requirements-linux-x86_64.txt"
SOURCE = Path(ophtimus_edge.__file__).parent
INSTALLERS = SOURCE / "kit" / "installing"
# What `ophtimus kit install` needs, and nothing of what a model is run with.
NEEDED = (
    "cffi", "cryptography", "filelock", "markdown-it-py", "mdurl", "msgspec", "platformdirs", "psutil", "pycparser",
    "pygments", "rich", "sqlcipher3",
)  # fmt: skip

# What the program of a kit does: it says its version, waits where it is asked to, and shows whether it works.
_MAIN = """
import sys
from ophtimus_edge import __version__
if sys.argv[1:] == ["wait"]:
    sys.stdout.write("waiting\\n")
    sys.stdout.flush()
    sys.stdin.readline()
else:
    sys.stdout.write(" ".join([__version__, *sys.argv[1:]]) + "\\n")
"""
WORKS = "import sys\nsys.exit(0 if sys.argv[1:] in (['imports'], ['answers']) else 2)\n"
FAILS = "import sys\nsys.stderr.write('the demonstration model gave no answer\\n')\nsys.exit(1)\n"
DIES = "import os, signal, sys\nsys.stderr.write('numpy\\n')\nos.kill(os.getpid(), signal.SIGILL)\n"


EYES = {"model.json": b'{"eyes": 1}\n', "eyes.gguf": bytes(range(256)) * 100}


def program_wheel(
    version: str, smoke: str = WORKS, more: Mapping[str, bytes] | None = None
) -> tuple[str, bytes]:
    """The name and the bytes of the wheel of a program."""
    files = {
        "ophtimus_edge/__init__.py": f'__version__ = "{version}"\n'.encode(),
        "ophtimus_edge/__main__.py": _MAIN.encode(),
        "ophtimus_edge/kit/__init__.py": b"",
        "ophtimus_edge/kit/installing/__init__.py": b"",
        "ophtimus_edge/kit/installing/smoke.py": smoke.encode(),
        **(more or {}),
    }
    return wheel("ophtimus_edge", version, files)


def wheel(
    name: str, version: str, files: Mapping[str, bytes], tag: str = "py3-none-any"
) -> tuple[str, bytes]:
    """The name and the bytes of a wheel with some files."""
    info = f"{name}-{version}.dist-info"
    made = {path: data for path, data in files.items() if not path.startswith(f"{info}/")}
    made[f"{info}/METADATA"] = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n".encode()
    made[f"{info}/WHEEL"] = (
        f"Wheel-Version: 1.0\nGenerator: tests\nRoot-Is-Purelib: true\nTag: {tag}\n".encode()
    )
    record = "".join(f"{path},sha256={_record(data)},{len(data)}\n" for path, data in made.items())
    made[f"{info}/RECORD"] = f"{record}{info}/RECORD,,\n".encode()
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for path, data in made.items():
            archive.writestr(zipfile.ZipInfo(path), data)  # of 1980: the same files are the same wheel
    return f"{name}-{version}-{tag}.whl", packed.getvalue()


def installed_wheel(name: str) -> tuple[str, bytes]:
    """The wheel of a package that is installed here, made again from its files."""
    package = importlib.metadata.distribution(name)
    files = {
        str(path): Path(str(path.locate())).read_bytes()
        for path in package.files or ()
        if path.suffix not in {".pyc", ".pth"} and ".." not in path.parts
    }
    tags = [line[5:] for line in (package.read_text("WHEEL") or "").splitlines() if line.startswith("Tag: ")]
    return wheel(name.replace("-", "_"), package.version, files, tags[0])


def source_files(smoke: str = WORKS) -> dict[str, bytes]:
    """The program's own source, as its wheel has it, but for the demonstration model and what tries the engine."""
    files = {
        str(path.relative_to(SOURCE.parent)): path.read_bytes()
        for path in SOURCE.rglob("*")
        if path.is_file() and path.suffix not in {".gguf", ".pyc"}
    }
    return files | {"ophtimus_edge/kit/installing/smoke.py": smoke.encode()}


def _record(data: bytes) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()


@dataclass
class Model:
    """A model folder of a kit.

    Attributes:
        files: by name; what is in them is nothing that the tests' program looks at.
        split: the largest part of a file on the stick, in bytes.
    """

    files: dict[str, bytes]
    split: int = 1 << 40


@dataclass
class Order:
    """A kit to be made.

    Attributes:
        wheels: in the place of the program that only says its version.
    """

    version: str = "1.0.0"
    name: str = "eye-clinic"
    smoke: str = WORKS
    models: dict[str, Model] = field(default_factory=dict)
    default_model: str = ""
    pythons: Sequence[str] = (PYTHON,)
    glibc: str = ""
    history_schema: int = 1
    history_compatible_from: int = 1
    withdrawn: Sequence[Withdrawn] = ()
    succession: Sequence[Succession] = ()
    wheels: Sequence[tuple[str, bytes]] = ()
    more: dict[str, bytes] = field(default_factory=dict)


Kit = Callable[[Order], Path]


def make_kit(folder: Path, key: SigningKey, order: Order) -> Path:
    """A whole, signed kit with a program that says its version."""
    wheels = order.wheels or [program_wheel(order.version, order.smoke)]
    pins = [
        f"{file.split('-')[0]}=={file.split('-')[1]} --hash=sha256:{hashlib.sha256(data).hexdigest()}\n"
        for file, data in wheels
    ]
    files = {
        **{f"wheels/linux-x86_64/{file}": data for file, data in wheels},
        REQUIREMENTS: "".join(pins).encode(),
        "licences/ophtimus-edge/LICENSE": b"Apache-2.0\n",
        "install.sh": (INSTALLERS / "install.sh").read_bytes(),
        **order.more,
    }
    models = []
    for name, model in order.models.items():
        installed = []
        for file, content in model.files.items():
            step = model.split - model.split % CHUNK_BYTES or model.split
            cut = [content[at : at + step] for at in range(0, len(content), step)] or [b""]
            parts = [
                f"models/{name}/{file}" + (f".{at:03}" if len(cut) > 1 else "")
                for at in range(1, len(cut) + 1)
            ]
            files |= dict(zip(parts, cut, strict=True))
            digest = hashlib.sha256(content).hexdigest()
            installed.append(KitModelFile(name=file, size_bytes=len(content), sha256=digest, parts=parts))
        models.append(
            KitModel(name=name, version="1", levels=["Q4_K_M"], default_level="Q4_K_M", files=installed)
        )
    manifest = Manifest(
        name=order.name,
        version=order.version,
        program=order.version,
        files=[listed(path, files[path]) for path in sorted(files)],
        platforms=[
            KitPlatform(
                platform="linux-x86_64",
                pythons=list(order.pythons),
                requirements=REQUIREMENTS,
                glibc=order.glibc,
            )
        ],
        models=models,
        default_model=order.default_model,
        withdrawn=list(order.withdrawn),
        history_schema=order.history_schema,
        history_compatible_from=order.history_compatible_from,
    )
    write_files(folder, files)
    write_signed(folder, encode(manifest), key, order.succession)
    return folder


@dataclass
class Witness:
    """Somebody who watches an installation.

    Attributes:
        answer: whether a kit that nobody vouches for is accepted.
        patience: how often running programs are looked for again.
        steps: that were shown, each once where it comes again at once.
    """

    answer: bool = True
    patience: int = 0
    steps: list[Step] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)
    seen: list[list[Running]] = field(default_factory=list)

    def show(self, step: Step, done: int, total: int, what: str) -> None:
        """Note the step."""
        assert 0 <= done <= total or total == 0
        if self.steps[-1:] != [step]:
            self.steps.append(step)

    def accepts(self, kit: Signed) -> bool:
        """Answer as is arranged."""
        self.asked.append(kit.manifest_sha256)
        return self.answer

    def closes(self, programs: list[Running]) -> bool:
        """Look again as often as is arranged."""
        self.seen.append(programs)
        self.patience -= 1
        return self.patience >= 0


class Take(Protocol):
    """Installs a kit."""

    def __call__(self, folder: Path, root: Path, watcher: Witness, *, replace: bool = False) -> Installed: ...


def said(root: Path, *words: str) -> str:
    """What the installed program says, started as a person does."""
    done = subprocess.run(
        [str(launchers.launcher(root)), *words],
        capture_output=True,
        text=True,
        check=True,
        cwd="/",
        timeout=60,
    )
    return done.stdout.strip()


def tree(folder: Path) -> dict[str, tuple[str, bytes]]:
    """All that lies in a folder: what it is, and what is in it."""
    found = {}
    for path in sorted(folder.rglob("*")):
        name = str(path.relative_to(folder))
        if path.is_symlink():
            found[name] = ("link", os.fsencode(path.readlink()))
        elif path.is_file():
            found[name] = ("file", path.read_bytes())
    return found

"""llama-cpp-python as a wheel for every clinic's computer: built once here, with all variants for processors.

Its source is published, its wheels are not; and what a compiler makes for the machine that it runs on dies of an
illegal instruction on an older one. This wheel holds the processor's part of llama.cpp in 14 variants, of which the
worker has ggml load the best that runs (``load_backends`` of :mod:`ophtimus_edge.engine.worker.devices`).
"""

import hashlib
import os
import re
import shutil
import sys
import tarfile
import tempfile
from pathlib import Path
from typing import Literal

from packaging.version import Version

from ophtimus_edge.errors import KitBuildError
from ophtimus_edge.kit.building.libraries import Library, needed_files, oldest_glibc, read_library
from ophtimus_edge.kit.building.pip import run_pip
from ophtimus_edge.kit.building.watching import Watcher
from ophtimus_edge.kit.building.wheel_files import Wheel, dist_info, opened, read_wheel, write_wheel
from ophtimus_edge.kit.building.wheels import LLAMA
from ophtimus_edge.models.digests import file_sha256

Accelerator = Literal["", "cuda"]

LIBRARIES = "llama_cpp/lib"
_FLAGS = (
    "-DGGML_NATIVE=OFF",  # alone it turns AVX2 on: with the two below, each variant has its own instructions
    "-DGGML_BACKEND_DL=ON",
    "-DGGML_CPU_ALL_VARIANTS=ON",
    f"-DCMAKE_INSTALL_BINDIR={LIBRARIES}",  # else the variants are put where nothing finds them
    "-DGGML_OPENMP=OFF",  # libgomp comes with compilers, not with a clinic's computer
    "-DLLAVA_BUILD=OFF",
    "-DLLAMA_BUILD_TOOLS=OFF",
)
_CUDA_FLAGS = (
    "-DGGML_CUDA=ON",
    "-DGGML_CUDA_NO_VMM=ON",  # links without the driver's library, which this machine may not have
    "-DGGML_CUDA_NCCL=OFF",
)
CUDA_ARCHITECTURES = "75-real;86-real;89-real;120-real"
# The licences of what is compiled into the libraries, in the source.
_LICENCES = re.compile(r"vendor/llama\.cpp/(LICENSE|licenses/[^/]+|vendor/[^/]+(?:/[^/]+)?/LICEN[CS]E[^/]*)")
_ENTRY = "libllama.so"
_PROVEN = "proven"


def flags(accelerator: Accelerator, architectures: str = CUDA_ARCHITECTURES) -> tuple[str, ...]:
    """What llama.cpp's build is told."""
    if accelerator == "cuda":
        return (*_FLAGS, *_CUDA_FLAGS, f"-DCMAKE_CUDA_ARCHITECTURES={architectures}")
    return _FLAGS


def portable_wheel(
    cache: Path, version: Version, accelerator: Accelerator, offline: bool, watcher: Watcher
) -> Wheel:
    """The wheel from the cache, built where it is not there.

    Args:
        cache: the folder of such wheels; each lies in one of its own, named for the version and the flags.

    Raises:
        KitBuildError: it cannot be built here, with what is missing.
    """
    place = folder_of(cache, version, accelerator)
    if found := sorted(place.glob("*.whl")):
        return read_wheel(found[0])
    if offline:
        raise KitBuildError(
            f"the cache has no portable wheel of {LLAMA} {version}, and its source is fetched with a network.",
            "Build once with a network, or name a wheel with --wheel PATH.",
        )
    _check_tools(accelerator)
    place.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=place, prefix=".building-") as work:
        source = _source(place, version, watcher)
        watcher.step(_waiting(accelerator))
        raw = Path(work) / "raw"
        run_pip(
            ["wheel", "--no-deps", "--no-cache-dir", "--wheel-dir", str(raw), str(source)],
            {"CMAKE_ARGS": " ".join(f"'{flag}'" for flag in flags(accelerator))},
        )
        (built,) = raw.glob("*.whl")
        return finish(built, source, place, Path(work))


def folder_of(cache: Path, version: Version, accelerator: Accelerator) -> Path:
    """Where such a wheel lies in the cache."""
    told = "\n".join((str(version), *flags(accelerator), f"{sys.platform}"))
    return (
        cache / f"{version}{'-cuda' if accelerator else ''}-{hashlib.sha256(told.encode()).hexdigest()[:16]}"
    )


def is_proven(wheel: Wheel) -> bool:
    """Whether this very wheel has answered a question in an environment of its own."""
    note = wheel.path.parent / _PROVEN
    return note.is_file() and note.read_text("ascii", "replace") == file_sha256(wheel.path)


def note_proven(wheel: Wheel) -> None:
    """Note that it has."""
    (wheel.path.parent / _PROVEN).write_text(file_sha256(wheel.path), "ascii")


def has_variants(wheel: Wheel) -> bool:
    """Whether a wheel holds llama.cpp for more than the processor that it was built on."""
    with opened(wheel.path) as archive:
        names = [name.rsplit("/", 1)[-1] for name in archive.namelist() if name.startswith(f"{LIBRARIES}/")]
    return sum(re.fullmatch(r"(lib)?ggml-cpu-\w+\.(so|dll)", name) is not None for name in names) > 1


def finish(built: Path, source: Path, place: Path, work: Path) -> Wheel:
    """Make of a wheel as it was built the one that is carried.

    Only one copy of each library is kept, the licences of what was compiled into them are added, and the name says
    which glibc they want.

    Args:
        source: the source distribution that it was built of.
        work: a folder for what is unpacked.

    Raises:
        KitBuildError: the libraries want what a clinic's computer may lack.
        OSError: it cannot be written.
    """
    with opened(built) as archive:
        info = dist_info(archive, built)
        names = [name for name in archive.namelist() if not name.endswith("/")]
        libraries: dict[str, Library] = {}
        for name in names:
            folder, _, file = name.rpartition("/")
            if folder == LIBRARIES and ".so" in file:
                libraries[file] = read_library(Path(archive.extract(name, work)))
        keep = needed_files(libraries, _ENTRY)
        glibc = oldest_glibc(libraries[file] for file in keep)
        files = {}
        for name in names:
            folder, _, file = name.rpartition("/")
            if name.split("/")[0] in {"llama_cpp", info} and (folder != LIBRARIES or file in keep):
                files[name] = archive.read(name)
    platform = f"manylinux_2_{glibc}_x86_64"
    files[f"{info}/WHEEL"] = re.sub(
        rb"(?m)^Tag: (\S+)-linux_x86_64$", rb"Tag: \1-" + platform.encode(), files[f"{info}/WHEEL"]
    )
    files |= {f"{info}/licenses/{name}": text for name, text in _licences(source).items()}
    target = place / built.name.replace("linux_x86_64", platform)
    write_wheel(target, files, info)
    return read_wheel(target)


def _source(place: Path, version: Version, watcher: Watcher) -> Path:
    """The source distribution, fetched once."""
    known = sorted(place.glob("*.tar.gz"))
    if known:
        return known[0]
    watcher.step(f"fetching the source of {LLAMA} {version}")
    with tempfile.TemporaryDirectory(dir=place, prefix=".fetching-") as folder:
        run_pip(["download", "--no-deps", "--no-binary", LLAMA, "--dest", folder, f"{LLAMA}=={version}"])
        (fetched,) = Path(folder).glob("*.tar.gz")
        return fetched.replace(place / fetched.name)


def _licences(source: Path) -> dict[str, bytes]:
    found = {}
    with tarfile.open(source) as archive:
        for member in archive:
            inside = member.name.partition("/")[2]
            if member.isfile() and _LICENCES.fullmatch(inside) and (file := archive.extractfile(member)):
                found[inside.removeprefix("vendor/")] = file.read()
    if not any(name == "llama.cpp/LICENSE" for name in found):
        raise KitBuildError(
            f"{source.name} has no licence of llama.cpp, which has to go along.", "Take another version."
        )
    return found


def _check_tools(accelerator: Accelerator) -> None:
    if sys.platform != "linux":
        raise KitBuildError(
            "the portable wheel for Linux is built on Linux.",
            f"Build it there and name it with --wheel PATH, as docs/kits.md has it for {LLAMA}.",
        )
    compilers = ("c++", "g++", "clang++")
    if not any(shutil.which(name) for name in compilers):
        raise KitBuildError(
            "there is no C++ compiler, which llama.cpp is built with.",
            "Install one (Debian: apt install build-essential).",
        )
    if not shutil.which("objdump"):
        raise KitBuildError(
            "objdump is not here, which reads what a library needs.",
            "Install it (Debian: apt install binutils).",
        )
    if accelerator == "cuda" and not shutil.which("nvcc"):
        raise KitBuildError(
            "nvcc is not here, which builds llama.cpp for NVIDIA's cards.",
            "Install the CUDA toolkit 13 and put its bin folder into PATH (docs/gpu.md), or leave --accelerator out.",
        )
    if accelerator == "cuda" and not _has_cublas():
        raise KitBuildError(
            "the headers of NVIDIA's cuBLAS are not beside nvcc.",
            "Install them, or name a folder that has them in CUDAToolkit_ROOT; docs/gpu.md says how.",
        )


def _has_cublas() -> bool:
    named = os.environ.get("CUDAToolkit_ROOT")  # noqa: SIM112 - CMake has it so
    nvcc = shutil.which("nvcc")
    roots = [Path(named)] if named else [Path(nvcc).resolve().parent.parent] if nvcc else []
    places = ("include", "targets/x86_64-linux/include")
    return any((root / place / "cublas_v2.h").is_file() for root in roots for place in places)


def _waiting(accelerator: Accelerator) -> str:
    if accelerator == "cuda":
        return (
            "building llama.cpp for NVIDIA's cards, once: about 17 minutes a generation of cards on two cores"
        )
    return "building llama.cpp for all processors, once: about 7 minutes on two cores"

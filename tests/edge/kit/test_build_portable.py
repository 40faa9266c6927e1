"""The wheel of llama.cpp for every processor: one copy of each library, nothing that a clinic's computer lacks."""

import io
import os
import shutil
import sys
import tarfile
import zipfile
from importlib.metadata import files
from pathlib import Path

import pytest
from kit_wheels import Silent, make_llama, make_wheel
from packaging.version import Version

from ophtimus_edge.errors import KitBuildError
from ophtimus_edge.kit.building import portable
from ophtimus_edge.kit.building.libraries import Library, needed_files, oldest_glibc, read_library
from ophtimus_edge.kit.building.wheel_files import check_whole, read_wheel

pytestmark = pytest.mark.skipif(
    sys.platform != "linux" or not shutil.which("objdump"), reason="libraries for Linux are read with objdump"
)
VERSION = Version("0.3.36")


def library(name: str, *needs: str, glibc: int = 17) -> Library:
    return Library(name, frozenset({"libc.so.6", *needs}), glibc)


def test_each_library_is_kept_under_the_one_name_that_is_asked_for() -> None:
    llama = library("libllama.so.0", "libggml.so.0", "libggml-base.so.0", "libstdc++.so.6", glibc=34)
    ggml, base = library("libggml.so.0", "libggml-base.so.0"), library("libggml-base.so.0", "libm.so.6")
    there = {
        **dict.fromkeys(("libllama.so", "libllama.so.0", "libllama.so.0.5.0"), llama),
        **dict.fromkeys(("libggml.so", "libggml.so.0", "libggml.so.0.25.3"), ggml),
        **dict.fromkeys(("libggml-base.so", "libggml-base.so.0"), base),
        "libggml-cpu-x64.so": library("", "libggml-base.so.0"),
        "libggml-cpu-haswell.so": library("libggml-cpu-haswell.so", "libggml-base.so.0", glibc=29),
    }
    assert needed_files(there, "libllama.so") == {
        "libllama.so", "libggml.so.0", "libggml-base.so.0", "libggml-cpu-x64.so", "libggml-cpu-haswell.so"
    }  # fmt: skip
    assert oldest_glibc(there.values()) == 34


def test_a_library_that_a_clinic_may_lack_is_refused() -> None:
    there = {"libllama.so": library("libllama.so.0", "libgomp.so.1")}
    with pytest.raises(KitBuildError, match=r"asks for libgomp\.so\.1") as error:
        needed_files(there, "libllama.so")
    assert "GGML_OPENMP=OFF" in error.value.hint


def shared_library() -> Path:
    """A real library that needs nothing but the C library."""
    (found,) = (file for file in files("msgspec") or [] if file.name.endswith(".so"))
    return Path(str(found.locate()))


def raw_wheel(folder: Path) -> Path:
    """A wheel as the build leaves it: copies of libraries, headers beside the package."""
    code = shared_library().read_bytes()
    content = {f"llama_cpp/lib/{name}": code for name in ("libllama.so", "libggml-cpu-x64.so")}
    content |= {
        "llama_cpp/lib/libllama.so.0": code + b"\0",
        "llama_cpp/__init__.py": b"",
        "include/llama.h": b"",
    }
    return make_wheel(folder, "llama-cpp-python", str(VERSION), files=content, tag="py3-none-linux_x86_64")


def source(folder: Path, licence: bool = True) -> Path:
    path = folder / f"llama_cpp_python-{VERSION}.tar.gz"
    with tarfile.open(path, "w:gz") as archive:
        for name in (
            "vendor/llama.cpp/LICENSE" if licence else "LICENSE",
            "vendor/llama.cpp/licenses/LICENSE-json",
        ):
            entry = tarfile.TarInfo(f"llama_cpp_python-{VERSION}/{name}")
            entry.size = len(name)
            archive.addfile(entry, io.BytesIO(name.encode()))
    return path


def test_the_wheel_that_is_carried_says_its_glibc_and_has_the_licences(tmp_path: Path) -> None:
    (tmp_path / "place").mkdir()
    wheel = portable.finish(raw_wheel(tmp_path), source(tmp_path), tmp_path / "place", tmp_path / "work")
    check_whole(wheel)
    glibc = read_library(shared_library()).glibc
    assert glibc > 0
    assert wheel.path.name == f"llama_cpp_python-0.3.36-py3-none-manylinux_2_{glibc}_x86_64.whl"
    with zipfile.ZipFile(wheel.path) as archive:
        names = {name for name in archive.namelist() if ".dist-info" not in name}
        told = archive.read("llama_cpp_python-0.3.36.dist-info/WHEEL")
        licences = [name for name in archive.namelist() if "/licenses/llama.cpp/" in name]
    assert names == {"llama_cpp/__init__.py", "llama_cpp/lib/libllama.so", "llama_cpp/lib/libggml-cpu-x64.so"}
    assert f"Tag: py3-none-manylinux_2_{glibc}_x86_64".encode() in told
    assert len(licences) == 2


def test_a_source_without_the_licence_of_llama_cpp_is_refused(tmp_path: Path) -> None:
    with pytest.raises(KitBuildError, match=r"no licence of llama\.cpp"):
        portable.finish(raw_wheel(tmp_path), source(tmp_path, licence=False), tmp_path, tmp_path / "work")


def test_the_cache_is_asked_first_and_its_wheel_is_proven_once(tmp_path: Path) -> None:
    place = portable.folder_of(tmp_path, VERSION, "")
    assert place != portable.folder_of(tmp_path, VERSION, "cuda")
    with pytest.raises(KitBuildError, match="the cache has no portable wheel"):
        portable.portable_wheel(tmp_path, VERSION, "", True, Silent())
    made = make_llama(place)
    wheel = portable.portable_wheel(tmp_path, VERSION, "", True, Silent())
    assert wheel.path == made
    assert not portable.is_proven(wheel)
    portable.note_proven(wheel)
    assert portable.is_proven(wheel)
    made.write_bytes(made.read_bytes() + b"\0")
    assert not portable.is_proven(read_wheel(made))


@pytest.mark.parametrize(
    ("tools", "accelerator", "missing"),
    [((), "", "there is no C++ compiler"), (("g++",), "", "objdump is not here"),
     (("g++", "objdump"), "cuda", "nvcc is not here"),
     (("g++", "objdump", "nvcc"), "cuda", "the headers of NVIDIA's cuBLAS are not beside nvcc")],
)  # fmt: skip
def test_what_is_missing_to_build_it_is_said(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    tools: tuple[str, ...],
    accelerator: portable.Accelerator,
    missing: str,
) -> None:
    path = tmp_path / "bin"
    path.mkdir()
    for tool in tools:
        (path / tool).touch(0o755)
    monkeypatch.setenv("PATH", str(path))
    monkeypatch.delenv("CUDAToolkit_ROOT", raising=False)
    with pytest.raises(KitBuildError) as error:
        portable.portable_wheel(tmp_path / "cache", VERSION, accelerator, False, Silent())
    assert missing in error.value.message
    assert not os.path.lexists(tmp_path / "cache")


def test_a_wheel_is_for_all_processors_when_it_has_more_than_one_variant(tmp_path: Path) -> None:
    assert portable.has_variants(read_wheel(make_llama(tmp_path)))
    one = {"llama_cpp/lib/libggml-cpu-x64.so": b"", "llama_cpp/lib/libggml-cpu.so": b""}
    wheel = make_wheel(tmp_path, "llama-cpp-python", "0.3.36", files=one)
    assert not portable.has_variants(read_wheel(wheel))

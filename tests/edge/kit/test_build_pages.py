"""What stands beside wheels and models in a kit: pages for the clinic, reports, and a Python for Windows."""

import io
import re
import tarfile
import zipfile
from html.parser import HTMLParser
from pathlib import Path

import pytest
from kit_wheels import Desk, make_llama

from ophtimus_edge.errors import KitBuildError
from ophtimus_edge.kit.building import sheets
from ophtimus_edge.kit.building.runtimes import read_runtime
from ophtimus_edge.kit.verifying import verify
from ophtimus_edge.models.formats import encode, read_model_folder
from ophtimus_edge.models.report import LevelReport, Report

FACTS = sheets.Facts(
    name="eye-clinic <1>",
    version="1.2.0",
    models=["Eyes 7 (Q4_K_M)"],
    size_bytes=3 << 30,
    linux=True,
    windows=False,
    pythons=["3.11", "3.12", "3.13"],
    glibc="2.34",
    demonstration=False,
)


class Tags(HTMLParser):
    """Whether every element is closed where it was opened."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.text = ""

    def handle_starttag(self, tag: str, attrs: object) -> None:
        if tag != "meta":
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += "" if self.open[-1:] == ["style"] else data


@pytest.mark.parametrize("name", ["START-HERE", "START-HERE.ko"])
def test_the_page_says_how_to_install_what_to_ask_and_what_it_is_not_for(name: str) -> None:
    pages = sheets.clinic_sheets(FACTS)
    page = Tags()
    page.feed(pages[f"{name}.html"].decode("utf-8"))
    assert page.open == []
    plain = pages[f"{name}.txt"].decode("utf-8-sig")
    korean = name.endswith("ko")
    for text in (page.text, plain):
        words = " ".join(text.split())
        assert "sh install.sh" in words
        assert "install.cmd" not in words
        assert "eye-clinic <1> 1.2.0" in words
        assert "Eyes 7 (Q4_K_M)" in words
        assert "3.0 GiB" in words
        assert ("3.11, 3.12 또는 3.13" if korean else "3.11, 3.12 or 3.13") in words
        assert ("의료기기가 아니며" if korean else "It is no medical device") in words
        assert ("녹내장" if korean else "glaucoma") in words
        assert ("백신" if korean else "antivirus") in words
        assert "{" not in words
    assert max(len(line) for line in plain.splitlines()) <= 78


def test_the_two_languages_say_the_same_in_the_same_places() -> None:
    korean, english = (sheets._text(language) for language in ("ko", "en"))

    def places(text: sheets._Text) -> list[list[tuple[str, bool, list[str]]]]:
        return [
            [(line.when, bool(line.command), sorted(re.findall(r"\{\w+\}", line.text))) for line in one.line]
            for one in text.section
        ]

    assert places(korean) == places(english)


def test_what_a_page_says_depends_on_what_the_kit_has() -> None:
    other = sheets.Facts(
        **{**vars(FACTS), "linux": False, "windows": True, "models": [], "demonstration": True}
    )
    page = " ".join(sheets.clinic_sheets(other)["START-HERE.txt"].decode("utf-8-sig").split())
    assert "install.cmd" in page
    assert "sh install.sh" not in page
    assert "never for clinical use" in page
    own = sheets.Facts(**{**vars(FACTS), "pythons": []})
    assert "with Python" not in sheets.clinic_sheets(own)["START-HERE.txt"].decode("utf-8-sig")


def archive_of(path: Path, names: list[str]) -> Path:
    if path.suffix == ".zip":
        with zipfile.ZipFile(path, "w") as packed:
            for name in names:
                packed.writestr(name, b"x")
    else:
        with tarfile.open(path, "w:gz") as packed:
            for name in names:
                entry = tarfile.TarInfo(name)
                entry.size = 1
                packed.addfile(entry, io.BytesIO(b"x"))
    return path


WINDOWS = ["python/python.exe", "python/python312.dll", "python/python3.dll", "python/Lib/venv/__init__.py",
           "python/Lib/ensurepip/__init__.py"]  # fmt: skip
LINUX = ["python/bin/python3.11", "python/bin/python3", "python/lib/python3.11/venv/__init__.py",
         "python/lib/python3.11/ensurepip/__init__.py"]  # fmt: skip


def test_an_archive_is_known_by_what_is_in_it(tmp_path: Path) -> None:
    found = read_runtime(archive_of(tmp_path / "a.zip", WINDOWS))
    assert (found.platform, found.python, found.suffix) == ("win_amd64", "3.12", ".zip")
    found = read_runtime(archive_of(tmp_path / "a.tgz", LINUX))
    assert (found.platform, found.python, found.suffix) == ("linux-x86_64", "3.11", ".tar.gz")


@pytest.mark.parametrize(
    ("name", "names", "message"),
    [
        ("a.zip", WINDOWS[:3], "has no venv"),
        ("a.zip", WINDOWS[:4], "has no ensurepip"),
        ("a.zip", ["readme.txt"], "holds no Python"),
        ("a.tgz", [*LINUX, "../outside"], "lead out of it"),
        ("a.tgz", ["python/python.exe", "python/python311.dll", "python/python312.dll"], "or more than one"),
        ("a.zip", LINUX, "is a .zip"),
        ("a.7z", WINDOWS, "not an archive that the installer opens"),
    ],
)
def test_an_archive_that_is_no_such_python_is_refused(
    tmp_path: Path, name: str, names: list[str], message: str
) -> None:
    with pytest.raises(KitBuildError, match=re.escape(message)):
        read_runtime(archive_of(tmp_path / name, names))


def test_a_broken_archive_is_refused(tmp_path: Path) -> None:
    for name in ("a.zip", "a.tar.gz"):
        (tmp_path / name).write_bytes(b"PK\x03\x04 no archive")
        with pytest.raises(KitBuildError, match="cannot be read as an archive"):
            read_runtime(tmp_path / name)


def test_a_kit_for_windows_has_its_python_its_wheels_and_its_starter(tmp_path: Path) -> None:
    desk = Desk(tmp_path / "desk")
    python = archive_of(tmp_path / "python.zip", [name.replace("312", "311") for name in WINDOWS])
    words = {"platforms": ("win_amd64", "linux-x86_64"), "archives": (python,)}
    with pytest.raises(KitBuildError, match="needs a wheel of llama-cpp-python"):
        desk.build(**words)
    windows = make_llama(tmp_path, "py3-none-win_amd64")
    built = desk.build(**words, wheels=(desk.llama, windows))
    assert verify(built.folder, desk.key.public)
    there = {file.path for file in built.manifest.files}
    assert {
        "install.cmd", "install.sh", "runtime/win_amd64.zip", "requirements-win_amd64.txt",
        "wheels/win_amd64/beta-2.0-cp311-cp311-win_amd64.whl", "wheels/win_amd64/gamma-3.0-py3-none-any.whl",
    } <= there  # fmt: skip
    assert "wheels/linux-x86_64/gamma-3.0-py3-none-any.whl" not in there
    linux, win = built.manifest.platforms
    assert (linux.runtime, win.runtime, win.glibc) == ("", "runtime/win_amd64.zip", "")
    assert (built.folder / "install.cmd").read_bytes().count(b"\r\n") > 10


def test_an_archive_for_a_platform_that_was_not_asked_for_is_refused(tmp_path: Path) -> None:
    desk = Desk(tmp_path / "desk")
    with pytest.raises(KitBuildError, match="which the kit is not for"):
        desk.build(archives=(archive_of(tmp_path / "python.zip", WINDOWS),))


def report_of(folder: Path, sha256: str) -> Path:
    level = LevelReport(level="Q4_K_M", file="x.gguf", sha256=sha256, size_bytes=1)
    folder.mkdir()
    (folder / "report.json").write_bytes(encode(Report(model="x", reference=level, levels=[level])))
    (folder / "report.html").write_text("<p>")
    (folder / "report.md").write_text("#")
    return folder


def test_a_report_goes_along_with_the_very_files_that_it_is_of(tmp_path: Path) -> None:
    desk = Desk(tmp_path / "desk")
    (level,) = (one for one in read_model_folder(desk.model()).levels if one.level == "Q4_K_M")
    right, wrong = report_of(tmp_path / "right", level.sha256), report_of(tmp_path / "wrong", "0" * 64)
    with pytest.raises(KitBuildError, match="is about no level that goes into the kit"):
        desk.build(reports=(wrong,))
    with pytest.raises(KitBuildError, match="are both reports of"):
        desk.build(reports=(right, right))
    built = desk.build(reports=(right,))
    assert built.manifest.models[0].report == "reports/Ophtimus-Demo"
    assert (built.folder / "reports/Ophtimus-Demo/report.md").read_text() == "#"
    (right / "report.json").write_text("{")
    with pytest.raises(KitBuildError, match="is damaged"):
        desk.build(out=desk.folder / "two", reports=(right,))

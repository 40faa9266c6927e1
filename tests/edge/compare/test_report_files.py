"""A report's three files: whole or not there, and read back with clear words for what is none."""

import hashlib
import json
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest
from conftest import Disk
from edge.compare import korean_reports, reports

from ophtimus_edge.compare.report.files import read_report, read_report_with_hash, write_report
from ophtimus_edge.errors import FolderNotWritableError, FormatVersionError, ReportError
from ophtimus_edge.models.formats import Statistic, encode
from ophtimus_edge.models.report import ShownAnswer


@pytest.mark.parametrize("make", [reports.rich, reports.bare, korean_reports.korean])
def test_what_is_written_is_read_back(tmp_path: Path, make: object) -> None:
    assert callable(make)
    written = write_report(tmp_path / "new" / "report", make())
    assert sorted(path.name for path in written.json.parent.iterdir()) == [
        "report.html",
        "report.json",
        "report.md",
    ]
    assert read_report(written.json) == read_report(written.json.parent) == make()
    assert written.sha256 == hashlib.sha256(written.json.read_bytes()).hexdigest()
    assert read_report_with_hash(written.json)[1] == written.sha256
    assert written.page.read_bytes().startswith(b"<!DOCTYPE html>")
    assert written.markdown.read_bytes().startswith(b"# Levels of ")


def test_a_report_takes_the_place_of_an_older_one(tmp_path: Path) -> None:
    write_report(tmp_path, reports.bare())
    write_report(tmp_path, reports.rich())
    assert read_report(tmp_path) == reports.rich()
    assert len(list(tmp_path.iterdir())) == 3


def test_one_of_a_newer_release_is_refused_by_its_version(tmp_path: Path) -> None:
    document = json.loads(encode(reports.rich()))
    path = tmp_path / "report.json"
    path.write_text(json.dumps(document | {"schema_version": 2, "verdict": 7, "unknown": []}))
    with pytest.raises(FormatVersionError, match=r"report\.json has format version 2.*reads up to 1"):
        read_report(path)
    path.write_text(json.dumps(document | {"unknown": []}))
    assert read_report(path) == reports.rich()


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "is damaged"),
        (encode(reports.rich())[:5000], "is damaged"),
        (b"\xff\xfe\x00", "is damaged"),
        (b"[" * 100_000, "is damaged"),
        (
            encode(reports.rich()).replace(b'"value": 0.03127', b'"value": "much"'),
            r"is damaged: .*kl_mean\.value",
        ),
        (b"[]", "is no report"),
        (b'{"schema_version": 1, "name": "Ophtimus-Demo", "levels": []}', "is no report"),
    ],
)
def test_what_is_no_sound_report_is_refused_with_the_reason(
    tmp_path: Path, content: bytes, words: str
) -> None:
    path = tmp_path / "report.json"
    path.write_bytes(content)
    with pytest.raises(ReportError, match=words) as refused:
        read_report(path)
    assert str(path) in refused.value.message
    assert refused.value.hint


def test_reading_and_writing_import_nothing_heavy() -> None:
    code = (
        "import sys, ophtimus_edge.compare.report.files, ophtimus_edge.compare.report.terminal\n"
        "print(*{name.split('.')[0] for name in sys.modules})"
    )
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert not {"textual", "rich", "numpy", "llama_cpp", "jinja2", "http", "socket"} & set(loaded.split())


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ReportError, match=r"report\.json cannot be read: No such file"):
        read_report(tmp_path)


def test_a_report_that_nobody_could_read_back_is_not_written(tmp_path: Path) -> None:
    report = reports.rich()
    divergence = report.levels[0].divergence
    assert divergence is not None
    nan = Statistic(float("nan"), 0.0, 1.0)
    divergence = msgspec.structs.replace(divergence, kl_mean=nan)
    report.levels[0] = msgspec.structs.replace(report.levels[0], divergence=divergence)
    with pytest.raises(ReportError, match="kl_mean"):
        write_report(tmp_path, report)
    assert not list(tmp_path.iterdir())


def test_a_full_disk_leaves_the_older_report_as_it_was(tmp_path: Path, disk: Disk) -> None:
    folder = disk(tmp_path / "disk", 1)
    write_report(folder, reports.bare())
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    large = reports.rich()
    large.questions[0].answers.append(ShownAnswer(level="Q8_0", text="pressure " * 100_000))
    with pytest.raises(ReportError, match="disk is full"):
        write_report(folder, large)
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before
    write_report(folder, reports.rich())
    assert read_report(folder) == reports.rich()


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(FolderNotWritableError, match="file"):
        write_report(tmp_path / "file" / "report", reports.bare())

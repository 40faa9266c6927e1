from pathlib import Path

import msgspec
import pytest

from ophtimus_edge.errors import FormatVersionError, InvalidModelError
from ophtimus_edge.models.formats import (
    Level,
    ModelFolder,
    Source,
    Statistic,
    UnsafeVote,
    Verdict,
    Vote,
    decode,
    encode,
    read_model_folder,
    write_model_folder,
)
from ophtimus_edge.models.report import CriticalReport, LevelReport, Report


def folder_named(file: str = "m-Q8_0.gguf") -> ModelFolder:
    return ModelFolder(
        name="m",
        version="1",
        specialty="ophthalmology",
        kind="instruct",
        source=Source(id="m"),
        levels=[Level(level="Q8_0", file=file, size_bytes=1, sha256="0" * 64)],
        default_level="Q8_0",
    )


def test_what_is_written_is_read_again(tmp_path: Path) -> None:
    write_model_folder(tmp_path, folder_named())
    assert read_model_folder(tmp_path) == folder_named()
    assert [path.name for path in tmp_path.iterdir()] == ["model.json"]


@pytest.mark.parametrize(
    "document",
    [
        Report(
            model="m",
            reference=LevelReport(level="BF16", file="m-BF16.gguf", sha256="a", size_bytes=2),
            levels=[
                LevelReport(
                    level="Q8_0",
                    file="m-Q8_0.gguf",
                    sha256="b",
                    size_bytes=1,
                    critical=CriticalReport(
                        answers=1, affected=Statistic(0.0, 0.0, 0.8), counts={"eye": 0}, differences=[]
                    ),
                )
            ],
        ),
        Vote(question_id="q", model="m", level_a="Q8_0", level_b="Q2_K", seed=1, choice="a", unsafe=["b"]),
    ],
)
def test_reports_and_votes_survive_the_journey(document: Report | Vote) -> None:
    assert decode(encode(document), type(document), "x") == document


def test_a_newer_version_is_refused_and_an_unknown_field_is_not(tmp_path: Path) -> None:
    raw = msgspec.to_builtins(folder_named())
    (tmp_path / "model.json").write_bytes(msgspec.json.encode({**raw, "colour": "blue"}))
    assert read_model_folder(tmp_path).name == "m"
    (tmp_path / "model.json").write_bytes(msgspec.json.encode({**raw, "schema_version": 2}))
    with pytest.raises(FormatVersionError, match="version 2"):
        read_model_folder(tmp_path)


@pytest.mark.parametrize("name", ["../evil.gguf", "/etc/passwd", "a/b.gguf", "..", "", "a\\b.gguf"])
def test_a_file_outside_the_folder_is_refused(tmp_path: Path, name: str) -> None:
    write_model_folder(tmp_path, folder_named(name))
    with pytest.raises(InvalidModelError, match="outside its folder"):
        read_model_folder(tmp_path)


@pytest.mark.parametrize("data", [b"", b"{", b"[]", b"{}", b'{"schema_version": "x"}', b"\xff\xfe"])
def test_a_damaged_description_is_refused(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "model.json").write_bytes(data)
    with pytest.raises(InvalidModelError):
        read_model_folder(tmp_path)


def test_a_verdict_and_the_languages_that_were_tested_travel_with_the_model(tmp_path: Path) -> None:
    model = folder_named()
    model.verdict = Verdict(
        level="Q8_0",
        kl_mean={"Q8_0": Statistic(0.031, 0.029, 0.034)},
        report_sha256="a" * 64,
        statement="Q8_0 is the smallest level within tolerance.",
    )
    model.tested_languages = ["en", "ko"]
    write_model_folder(tmp_path, model)
    assert read_model_folder(tmp_path) == model
    assert read_model_folder(tmp_path).comparison == model.verdict


@pytest.mark.parametrize(
    ("verdict", "statement"), [({}, ""), ({"verdict": ""}, ""), ({"verdict": "Q8_0 for all"}, "Q8_0 for all")]
)
def test_a_file_from_before_has_at_most_the_words_of_a_verdict(
    tmp_path: Path, verdict: dict[str, str], statement: str
) -> None:
    fields = msgspec.json.decode(encode(folder_named()))
    del fields["verdict"], fields["tested_languages"]
    (tmp_path / "model.json").write_bytes(msgspec.json.encode(fields | verdict))
    model = read_model_folder(tmp_path)
    assert model.comparison == Verdict(statement=statement)
    assert model.tested_languages == []


def entry(level: str, sha256: str) -> Level:
    return Level(level=level, file=f"{level}.gguf", size_bytes=1, sha256=sha256)


def test_what_a_comparison_found_is_of_the_very_file_that_it_measured() -> None:
    kl, sound, other = Statistic(0.031, 0.029, 0.034), entry("Q8_0", "a" * 64), entry("Q8_0", "b" * 64)
    found = Verdict(level="Q8_0", sha256="a" * 64, kl_mean={"Q8_0": kl}, files={"Q8_0": "a" * 64})
    assert (found.recommends(sound), found.divergence_of(sound)) == (True, kl)
    assert (found.recommends(other), found.divergence_of(other)) == (False, None)
    unsafe = UnsafeVote(question_id="q", rater="K", confirmed=True)
    assert not msgspec.structs.replace(found, unsafe={"a" * 64: [unsafe]}).recommends(sound)
    # The first verdicts name no files.
    first = Verdict(level="Q8_0", kl_mean={"Q8_0": kl})
    assert (first.recommends(other), first.divergence_of(other)) == (True, kl)
    assert not Verdict().recommends(entry("", "a" * 64))


def test_a_verdict_loses_what_it_says_of_files_that_are_replaced() -> None:
    kl = Statistic(0.031, 0.029, 0.034)
    found = Verdict(
        level="Q8_0", sha256="a" * 64, kl_mean={"Q8_0": kl, "Q2_K": kl}, files={"Q8_0": "a" * 64},
        statement="Q8_0 is the smallest level within tolerance.", unsafe={"a" * 64: []},
    )  # fmt: skip
    assert found.without({"Q6_K"}) is found
    assert found.without({"Q2_K"}) == msgspec.structs.replace(found, kl_mean={"Q8_0": kl})
    kept = found.without({"Q8_0"})
    assert (kept.level, kept.sha256, kept.statement, kept.files) == ("", "", "", {})
    assert (kept.kl_mean, kept.unsafe) == ({"Q2_K": kl}, found.unsafe)

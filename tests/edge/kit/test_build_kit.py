"""A kit as it is built: whole, signed, reproducible; and what is refused before anything is written."""

import hashlib
import json
import os
import shutil
from pathlib import Path

import msgspec
import pytest
from kit_wheels import Desk, make_llama, make_wheel

from ophtimus_edge.errors import InvalidModelError, KitBuildError, KitChangedError, KitSignatureError
from ophtimus_edge.kit import signature
from ophtimus_edge.kit.building.kit import Built
from ophtimus_edge.kit.keys import SigningKey, fingerprint, generate_key
from ophtimus_edge.kit.manifest import MANIFEST, SIGNATURE, read_manifest
from ophtimus_edge.kit.verifying import verify
from ophtimus_edge.models.chunked_copy import CHUNK_BYTES
from ophtimus_edge.models.formats import Verdict, read_model_folder, write_model_folder

LEVELS = ("BF16", "Q4_K_M")


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path / "desk")


def described(folder: Path, **changed: object) -> None:
    """Change a model folder's description."""
    model = read_model_folder(folder)
    write_model_folder(folder, msgspec.structs.replace(model, **changed))


def test_a_kit_is_whole_and_signed_and_has_what_a_clinic_needs(desk: Desk) -> None:
    built = desk.build(levels=LEVELS)
    read = verify(built.folder, desk.key.public)
    assert read.pinned
    assert read.manifest == built.manifest
    assert read.manifest_sha256 == built.manifest_sha256
    there = {file.path for file in built.manifest.files}
    assert {
        "install.sh", "START-HERE.html", "START-HERE.ko.html", "START-HERE.txt", "START-HERE.ko.txt",
        "requirements-linux-x86_64.txt", "wheels/linux-x86_64/ophtimus_edge-0.1.0-py3-none-any.whl",
        "models/Ophtimus-Demo/model.json", "models/Ophtimus-Demo/Ophtimus-Demo-BF16.gguf",
        "licences/alpha-1.2/LICENSE", "licences/models/Ophtimus-Demo/LICENSE",
    } <= there  # fmt: skip
    assert "install.cmd" not in there
    (model,) = built.manifest.models
    assert (model.name, model.levels, model.default_level) == ("Ophtimus-Demo", [*LEVELS], "Q4_K_M")
    assert {file.name for file in model.files} == {path.name for path in desk.model().iterdir()}
    (platform,) = built.manifest.platforms
    assert (platform.pythons, platform.glibc) == (["3.11"], "2.28")
    assert built.manifest.default_model == "Ophtimus-Demo"
    assert (built.folder / "install.sh").stat().st_mode & 0o111
    assert not list(desk.folder.glob(".*"))


def test_the_paper_lies_beside_the_kit_and_never_in_it(desk: Desk) -> None:
    built = desk.build()
    inside = b"".join(path.read_bytes() for path in built.folder.glob("START-HERE*"))
    key = fingerprint(desk.key.public)
    for path in built.sheets:
        assert path.parent == built.folder.parent
        text = path.read_text("utf-8-sig")
        for digits in (key, " ".join(built.manifest_sha256[at : at + 4] for at in range(0, 64, 4))):
            halves = digits[:39], digits[40:]
            assert all(half in text for half in halves)
            assert not any(half.encode() in inside for half in halves)


def test_the_same_order_gives_the_same_kit(desk: Desk, tmp_path: Path) -> None:
    words = {"platforms": ("linux-x86_64",), "levels": LEVELS, "split_bytes": 8 << 20}
    one = desk.build(out=desk.folder / "one", **words)
    os.utime(desk.model() / "LICENSE", (1, 1))
    other = Desk(tmp_path / "elsewhere")
    other.key = desk.key
    two = other.build(out=other.folder / "two", **words)
    for name in (MANIFEST, SIGNATURE):
        assert (one.folder / name).read_bytes() == (two.folder / name).read_bytes()
    three = desk.build(out=desk.folder / "three", version="1.0.1", **words)
    assert (one.folder / MANIFEST).read_bytes() != (three.folder / MANIFEST).read_bytes()


def test_long_files_are_split_where_the_stick_needs_it_and_join_to_the_same(desk: Desk) -> None:
    built = desk.build(levels=LEVELS, split_bytes=2 * CHUNK_BYTES)
    (model,) = built.manifest.models
    (file,) = (file for file in model.files if file.name.endswith("BF16.gguf"))
    assert [part.rsplit(".", 1)[-1] for part in file.parts] == ["001", "002", "003"]
    joined = b"".join((built.folder / part).read_bytes() for part in file.parts)
    assert joined == (desk.model() / file.name).read_bytes()
    assert hashlib.sha256(joined).hexdigest() == file.sha256
    (short,) = (file for file in model.files if file.name.endswith("Q4_K_M.gguf"))
    assert short.parts == [f"models/Ophtimus-Demo/{short.name}"]
    assert all(len(part.chunk_sha256) != 1 for part in built.manifest.files)


def test_only_the_chosen_level_goes_along(desk: Desk) -> None:
    built = desk.build(levels=("BF16",))
    (model,) = built.manifest.models
    assert (model.levels, model.default_level) == (["BF16"], "BF16")
    folder = built.folder / "models" / "Ophtimus-Demo"
    assert not list(folder.glob("*Q4_K_M*"))
    assert read_model_folder(folder).default_level == "BF16"


def test_the_recommended_level_is_that_of_the_verdict(desk: Desk) -> None:
    with pytest.raises(KitBuildError, match="no comparison recommends"):
        desk.build(levels=("recommended",))
    model = read_model_folder(desk.model())
    bf16 = model.level_named("BF16")
    assert bf16
    described(desk.model(), verdict=Verdict(level="BF16", sha256=bf16.sha256))
    assert desk.build(levels=("recommended",)).manifest.models[0].levels == ["BF16"]
    assert desk.build(out=desk.folder / "unnamed").manifest.models[0].levels == ["BF16"]


def test_a_model_without_a_licence_does_not_go_to_a_clinic(desk: Desk) -> None:
    folder = desk.model()
    licences = read_model_folder(folder).licences
    described(folder, licences=[])
    with pytest.raises(KitBuildError, match="names no licence"):
        desk.build()
    described(folder, licences=licences)
    (folder / "LICENSE").rename(folder / "elsewhere")
    with pytest.raises(InvalidModelError, match="LICENSE is missing"):
        desk.build()
    (folder / "elsewhere").rename(folder / "LICENSE")
    assert desk.build()


def test_a_package_without_a_licence_text_is_refused_until_one_is_named(desk: Desk, tmp_path: Path) -> None:
    make_wheel(desk.cache / "wheels", "alpha", "1.2", licence="")
    with pytest.raises(KitBuildError, match=r"no licence text of alpha-1\.2"):
        desk.build()
    text = tmp_path / "ALPHA.txt"
    text.write_text("a licence")
    built = desk.build(licences={"alpha": text})
    assert (built.folder / "licences/alpha-1.2/ALPHA.txt").read_text() == "a licence"


def test_a_licence_at_the_head_of_a_module_counts(desk: Desk) -> None:
    head = (
        "# Copyright (c) 2026 somebody\n#\n# Redistribution and use in source form is permitted.\nimport os\n"
    )
    make_wheel(desk.cache / "wheels", "alpha", "1.2", licence="", files={"alpha.py": head.encode()})
    text = (desk.build().folder / "licences/alpha-1.2/LICENSE.txt").read_text()
    assert text.startswith("Copyright (c) 2026 somebody\n")
    assert "import" not in text


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"levels": ("Q2_K",)}, "has no level Q2_K"),
        ({"models": (Path("/nowhere"),)}, "/nowhere is no model folder"),
        ({"version": "1.0"}, "is not a kit's version"),
        ({"name": "../clinic"}, "is no name for a kit"),
        ({"pythons": ("3.10",)}, "no version of Python"),
        ({"platforms": ("win_amd64",)}, "a kit for Windows needs a Python of its own"),
        ({"withdraw": ("abc=no",)}, "names no model file by its SHA-256"),
        ({"withdraw": (f"{'a' * 64}=",)}, "gives no reason"),
        ({"constraints": Path("/nowhere")}, "/nowhere cannot be read"),
        ({"wheels": (Path("/nowhere/llama.whl"),)}, "not named as a wheel"),
        ({"previous": Path("/nowhere")}, "/nowhere is no kit"),
        ({"reports": (Path("/nowhere"),)}, "has no report.json"),
        ({"out": Path("/nowhere/kit")}, "there is no folder /nowhere"),
        ({"licences": {"alpha": Path("/nowhere")}}, "no licence text /nowhere"),
    ],
)  # fmt: skip
def test_what_does_not_suit_is_refused_before_anything_is_written(
    desk: Desk, changed: dict[str, object], message: str
) -> None:
    from ophtimus_edge.errors import OphtimusError

    with pytest.raises(OphtimusError, match=message) as error:
        desk.build(**changed)
    assert error.value.hint
    assert not (desk.folder / "kit").exists()
    assert not (desk.folder / ".kit.part").exists()


def test_a_kit_is_never_written_over(desk: Desk) -> None:
    built = desk.build()
    before = (built.folder / MANIFEST).read_bytes()
    with pytest.raises(KitBuildError, match="is there already"):
        desk.build(version="1.0.1")
    assert (built.folder / MANIFEST).read_bytes() == before


def test_two_models_of_one_name_are_refused(desk: Desk) -> None:
    with pytest.raises(KitBuildError, match="two of the model folders are named"):
        desk.build(models=(desk.model(), desk.model("again")))
    described(desk.model("again"), name="Again")
    built = desk.build(models=(desk.model("again"), desk.model()))
    assert [model.name for model in built.manifest.models] == ["Again", "Ophtimus-Demo"]
    assert built.manifest.default_model == "Again"


def test_a_model_file_that_is_not_the_described_one_is_refused(desk: Desk) -> None:
    path = desk.model() / "Ophtimus-Demo-Q4_K_M.gguf"
    data = path.read_bytes()
    path.write_bytes(data[:-1] + bytes([data[-1] ^ 1]))
    with pytest.raises(InvalidModelError, match=r"not the file that its model\.json describes"):
        desk.build()
    assert not (desk.folder / "kit").exists()
    path.write_bytes(data)
    assert desk.build()


def test_a_level_with_answers_confirmed_to_be_unsafe_is_refused(desk: Desk) -> None:
    from ophtimus_edge.models.formats import UnsafeVote

    (level,) = (one for one in read_model_folder(desk.model()).levels if one.level == "Q4_K_M")
    vote = UnsafeVote(question_id="1", rater="r", confirmed=True)
    described(desk.model(), verdict=Verdict(unsafe={level.sha256: [vote]}))
    with pytest.raises(KitBuildError, match="confirmed to be unsafe"):
        desk.build()
    assert desk.build(levels=("BF16",))


def test_what_was_withdrawn_stays_withdrawn(desk: Desk, tmp_path: Path) -> None:
    first = desk.build(out=desk.folder / "one", withdraw=(f"{'a' * 64}=Wrong doses.",))
    listed = tmp_path / "withdrawn.toml"
    listed.write_text(f'[[withdrawn]]\nsha256 = "{"b" * 64}"\nen = "Old."\nko = "오래됨."\n', "utf-8")
    second = desk.build(version="1.1.0", withdrawn_files=(listed,), previous=first.folder)
    assert [(one.sha256[0], dict(one.reason)) for one in second.manifest.withdrawn] == [
        ("a", {"en": "Wrong doses."}),
        ("b", {"en": "Old.", "ko": "오래됨."}),
    ]
    with pytest.raises(KitBuildError, match=r"which 1\.0\.0 does not follow"):
        desk.build(out=desk.folder / "two", previous=first.folder)
    with pytest.raises(KitBuildError, match="the kit before is eye-clinic"):
        desk.build(out=desk.folder / "two", name="other", version="2.0.0", previous=first.folder)
    old, desk.key = desk.key, generate_key()
    with pytest.raises(KitBuildError, match="signed by another key"):
        desk.build(out=desk.folder / "two", version="1.2.0", previous=second.folder)
    desk.succession = signature.succeed(old, desk.key.public, [])
    third = desk.build(out=desk.folder / "two", version="1.2.0", previous=second.folder)
    assert third.manifest.withdrawn == second.manifest.withdrawn
    (level,) = (one for one in read_model_folder(desk.model()).levels if one.level == "Q4_K_M")
    with pytest.raises(KitBuildError, match="is withdrawn by this very kit"):
        desk.build(out=desk.folder / "three", withdraw=(f"{level.sha256}=Wrong.",))


def test_a_wheel_of_llama_cpp_for_one_processor_is_refused(desk: Desk, tmp_path: Path) -> None:
    native = make_wheel(
        tmp_path, "llama-cpp-python", "0.3.36", tag="py3-none-linux_x86_64",
        files={"llama_cpp/lib/libggml-cpu.so": b"", "llama_cpp/lib/libggml-cpu.so.0": b""},
    )  # fmt: skip
    with pytest.raises(KitBuildError, match="one kind of processor only"):
        desk.build(wheels=(native,))
    assert desk.build(wheels=(make_llama(tmp_path),))


def test_a_build_that_was_stopped_goes_on_and_puts_right_what_is_not(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = desk.build(out=desk.folder / "whole", levels=LEVELS)

    class Stopped(KeyboardInterrupt):
        pass

    def stop(done: int, total: int, file: str) -> None:
        if file.endswith("Q4_K_M.gguf"):
            raise Stopped

    monkeypatch.setattr(desk.watcher, "progress", stop)
    with pytest.raises(Stopped):
        desk.build(levels=LEVELS)
    assert not (desk.folder / "kit").exists()
    part = desk.folder / ".kit.part"
    copied = part / "models/Ophtimus-Demo/Ophtimus-Demo-BF16.gguf"
    before = copied.stat().st_mtime_ns
    (part / "models/Ophtimus-Demo/stray").write_text("of an older build")
    (part / "old").mkdir()
    (part / "licences").symlink_to("/etc") if not (part / "licences").exists() else None
    wheel = next((part / "wheels/linux-x86_64").iterdir())
    wheel.write_bytes(b"torn" + wheel.read_bytes()[4:])
    monkeypatch.undo()
    monkeypatch.setenv("OPHTIMUS_HOME", str(desk.folder / "home"))
    built = desk.build(levels=LEVELS)
    assert (built.folder / MANIFEST).read_bytes() == (whole.folder / MANIFEST).read_bytes()
    copied = built.folder / "models/Ophtimus-Demo/Ophtimus-Demo-BF16.gguf"
    assert copied.stat().st_mtime_ns == before  # it was compared, and not written again


def test_a_second_build_into_the_same_folder_waits_its_turn(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[str] = []

    def again(done: int, total: int, file: str) -> None:
        if not seen:
            seen.append("")
            with pytest.raises(KitBuildError, match="being built by another program") as error:
                desk.build()
            seen.append(error.value.hint)

    monkeypatch.setattr(desk.watcher, "progress", again)
    assert desk.build()
    assert seen[1] == "Wait for its end."


def test_the_chain_of_keys_goes_along(desk: Desk) -> None:
    old, desk.key = desk.key, generate_key()
    desk.succession = signature.succeed(old, desk.key.public, [])
    built = desk.build()
    assert verify(built.folder, old.public).signer == desk.key.public
    with pytest.raises(KitSignatureError, match="not trusted here"):
        verify(built.folder, generate_key().public)


def test_a_chain_of_another_key_is_refused(desk: Desk) -> None:
    other: SigningKey = generate_key()
    desk.succession = signature.succeed(desk.key, other.public, [])
    with pytest.raises(KitSignatureError, match="chain of keys"):
        desk.build()
    assert not (desk.folder / "kit").exists()


def test_one_byte_more_in_a_built_kit_is_found(desk: Desk) -> None:
    built: Built = desk.build()
    (built.folder / "notes.txt").write_text("")
    with pytest.raises(KitChangedError, match=r"notes\.txt"):
        verify(built.folder, desk.key.public)


def test_the_manifest_tells_of_no_time_and_no_place(desk: Desk) -> None:
    built = desk.build()
    data = (built.folder / MANIFEST).read_bytes()
    assert read_manifest(data, MANIFEST) == built.manifest
    assert str(desk.folder).encode() not in data
    assert set(json.loads(data)) == {
        "schema_version", "name", "version", "program", "files", "platforms", "models", "default_model",
        "withdrawn", "history_schema", "history_compatible_from",
    }  # fmt: skip


def test_files_beside_a_model_that_it_does_not_list_stay_behind(desk: Desk) -> None:
    (desk.model() / "patients.csv").write_text("must not travel")
    built = desk.build()
    assert not [file for file in built.manifest.files if "patients" in file.path]
    assert any("patients.csv" in note for note in desk.watcher.notes)
    shutil.rmtree(built.folder)

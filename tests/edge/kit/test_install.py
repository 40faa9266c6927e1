"""A kit is installed: checked, copied, tried, and then it runs; else what ran before runs, and why is said."""

import random
import subprocess
from pathlib import Path

import pytest
from conftest import Disk
from installing import DIES, EYES, FAILS, REQUIREMENTS, Kit, Model, Order, Take, Witness, make_kit, said, tree
from kits import listed, write_signed

from ophtimus_edge.errors import KitChangedError, KitError, KitInstallError, KitSignatureError
from ophtimus_edge.kit import keys, signature
from ophtimus_edge.kit.installing import launchers, versions
from ophtimus_edge.kit.installing.install import install
from ophtimus_edge.kit.keys import SigningKey
from ophtimus_edge.kit.manifest import MANIFEST, read_manifest
from ophtimus_edge.kit.state import read_state
from ophtimus_edge.models.chunked_copy import CHUNK_BYTES
from ophtimus_edge.models.formats import encode


def untouched(root: Path, version: str = "1.0.0") -> None:
    """What ran before runs, and nothing else is ready to."""
    assert said(root) == version
    assert versions.current(root) == version


def test_a_first_kit_is_accepted_by_a_person_and_runs_then(
    first_kit: Path, signing_key: SigningKey, tmp_path: Path
) -> None:
    before, watcher, root = tree(first_kit), Witness(), tmp_path / "a place with spaces" / "프로그램"
    done = install(first_kit, root, watcher)
    assert said(root, "x") == "1.0.0 x"
    assert watcher.steps == ["verify", "packages", "copy", "try"]
    assert len(watcher.asked) == 1
    assert (done.before, done.already, done.launcher) == ("", False, launchers.launcher(root))
    state = read_state(root)
    assert state is not None
    assert (state.public_key, state.current, state.previous) == (signing_key.public, "1.0.0", "")
    folder = versions.folder_of(root, "1.0.0")
    assert versions.is_whole(folder)
    assert tree(folder / "models" / "eyes") == {name: ("file", data) for name, data in EYES.items()}
    assert (folder / MANIFEST).read_bytes() == (first_kit / MANIFEST).read_bytes()
    assert (folder / "licences" / "ophtimus-edge" / "LICENSE").is_file()
    assert tree(first_kit) == before


def test_a_kit_that_nobody_accepts_is_not_installed(first_kit: Path, tmp_path: Path) -> None:
    with pytest.raises(KitInstallError, match="nothing was installed"):
        install(first_kit, tmp_path / "program", Witness(answer=False))
    assert read_state(tmp_path / "program") is None
    assert not (tmp_path / "program" / "versions").exists()


def test_a_compared_manifest_is_not_asked_about_and_another_one_is_refused(
    first_kit: Path, tmp_path: Path
) -> None:
    watcher = Witness(answer=False)
    with pytest.raises(KitError, match="changed after its SHA-256 was compared"):
        install(first_kit, tmp_path / "program", watcher, compared="0" * 64)
    assert watcher.asked == []


def test_an_update_runs_and_the_version_before_stays(root: Path, kit: Kit, take: Take) -> None:
    watcher = Witness(answer=False)  # the pinned key vouches for it: nobody is asked
    folder = kit(Order("1.1.0", models={"eyes": Model(EYES)}))
    done = take(folder, root, watcher)
    assert said(root) == "1.1.0"
    assert (done.before, watcher.asked) == ("1.0.0", [])
    state = read_state(root)
    assert state is not None
    assert (state.current, state.previous) == ("1.1.0", "1.0.0")
    assert versions.whole_versions(root) == ["1.0.0", "1.1.0"]
    assert take(folder, root, Witness()).already


def test_only_the_last_two_versions_are_kept(root: Path, kit: Kit, take: Take) -> None:
    for version in ("1.1.0", "2.0.0"):
        take(kit(Order(version)), root, Witness())
    assert sorted(folder.name for folder in (root / "versions").iterdir()) == ["1.1.0", "2.0.0"]
    assert said(root) == "2.0.0"


def test_files_that_did_not_change_are_linked_and_equal_chunks_come_from_the_local_disk(
    take: Take, signing_key: SigningKey, tmp_path: Path
) -> None:
    data = random.Random(1).randbytes(3 * CHUNK_BYTES + 100)
    changed = data[:CHUNK_BYTES] + b"?" + data[CHUNK_BYTES + 1 :]
    first = Order(models={"same": Model({"a": data}), "other": Model({"b": data[::-1]}, split=CHUNK_BYTES)})
    second = Order(
        "1.1.0", models={"same": Model({"a": data}), "new": Model({"c": changed}, split=2 * CHUNK_BYTES)}
    )
    root = tmp_path / "program"
    take(make_kit(tmp_path / "first", signing_key, first), root, Witness())
    assert (versions.folder_of(root, "1.0.0") / "models/other/b").read_bytes() == data[::-1]
    done = take(make_kit(tmp_path / "second", signing_key, second), root, Witness())
    old, new = (versions.folder_of(root, version) for version in ("1.0.0", "1.1.0"))
    assert (old / "models/same/a").samefile(new / "models/same/a")
    assert (new / "models/new/c").read_bytes() == changed
    assert done.from_kit == CHUNK_BYTES  # the one that changed; small files are linked
    assert not (new / "models" / "other").exists()


def test_a_damaged_installed_file_is_not_taken_for_the_new_version(root: Path, kit: Kit, take: Take) -> None:
    old = versions.folder_of(root, "1.0.0") / "models" / "eyes" / "eyes.gguf"
    old.write_bytes(b"?" + EYES["eyes.gguf"][1:])
    take(kit(Order("1.1.0", models={"eyes": Model(EYES)})), root, Witness())
    new = versions.folder_of(root, "1.1.0") / "models" / "eyes" / "eyes.gguf"
    assert new.read_bytes() == EYES["eyes.gguf"]
    assert old.read_bytes()[:1] == b"?"  # it was not written through a link, either


@pytest.mark.parametrize("change", ["byte", "extra", "missing"])
def test_a_changed_kit_is_refused_before_anything_of_it_is_used(root: Path, kit: Kit, change: str) -> None:
    folder = kit(Order("1.1.0", models={"eyes": Model(EYES)}))
    file = folder / "models" / "eyes" / "eyes.gguf"
    if change == "byte":
        file.write_bytes(b"?" + EYES["eyes.gguf"][1:])
    elif change == "extra":
        (folder / "more").write_bytes(b"")
    else:
        file.unlink()
    with pytest.raises(KitChangedError):
        install(folder, root, Witness())
    untouched(root)
    assert not versions.folder_of(root, "1.1.0").exists()


def test_a_strangers_key_is_refused_and_the_successor_of_the_pinned_one_is_pinned(
    root: Path, take: Take, signing_key: SigningKey, tmp_path: Path
) -> None:
    stranger = keys.generate_key()
    with pytest.raises(KitSignatureError, match="not trusted here"):
        take(make_kit(tmp_path / "other", stranger, Order("1.1.0")), root, Witness())
    untouched(root)
    chain = signature.succeed(signing_key, stranger.public, [])
    take(make_kit(tmp_path / "next", stranger, Order("1.1.0", succession=chain)), root, Witness())
    assert said(root) == "1.1.0"
    with pytest.raises(KitSignatureError, match="not trusted here"):  # the old key signs nothing any more
        take(make_kit(tmp_path / "old", signing_key, Order("1.2.0")), root, Witness())


def test_versions_only_go_up(
    root: Path, kit: Kit, take: Take, signing_key: SigningKey, tmp_path: Path
) -> None:
    with pytest.raises(KitError, match=r"older than 1\.0\.0"):
        take(kit(Order("0.9.0")), root, Witness())
    with pytest.raises(KitError, match="another one with the same version"):
        take(
            make_kit(tmp_path / "forged", signing_key, Order(more={"START-HERE.txt": b"!"})), root, Witness()
        )
    untouched(root)
    assert not take(kit(Order("1.0.1")), root, Witness()).already


@pytest.mark.parametrize(
    ("smoke", "why"), [(FAILS, "gave no answer"), (DIES, "processor is older")], ids=["fails", "dies"]
)
def test_a_version_that_does_not_work_here_is_never_switched_to(
    take: Take, root: Path, kit: Kit, smoke: str, why: str
) -> None:
    with pytest.raises(KitInstallError, match=why):
        install(kit(Order("1.1.0", smoke=smoke)), root, Witness())
    untouched(root)
    assert versions.whole_versions(root) == ["1.0.0"]
    take(kit(Order("1.1.1")), root, Witness())
    assert said(root) == "1.1.1"
    assert not versions.folder_of(root, "1.1.0").exists()


def test_a_wheel_that_the_requirements_do_not_name_by_its_hash_is_not_installed(
    root: Path, kit: Kit, signing_key: SigningKey
) -> None:
    folder = kit(Order("1.1.0"))
    manifest = read_manifest((folder / MANIFEST).read_bytes(), MANIFEST)
    wrong = f"ophtimus-edge==1.1.0 --hash=sha256:{'0' * 64}\n".encode()
    (folder / REQUIREMENTS).write_bytes(wrong)
    manifest.files = [listed(one.path, (folder / one.path).read_bytes()) for one in manifest.files]
    write_signed(folder, encode(manifest), signing_key)
    with pytest.raises(KitInstallError, match="packages cannot be installed"):
        install(folder, root, Witness())
    untouched(root)


def test_what_is_for_another_machine_is_refused_in_words(take: Take, root: Path, kit: Kit) -> None:
    with pytest.raises(KitInstallError, match=r"for Python 3\.99"):
        install(kit(Order("1.1.0", pythons=["3.99"])), root, Witness())
    with pytest.raises(KitInstallError, match=r"needs the system library glibc 2\.99"):
        install(kit(Order("1.1.0", name="newer", glibc="2.99")), root, Witness(), replace=True)
    untouched(root)
    take(kit(Order("1.1.0", glibc="2.17")), root, Witness())
    assert said(root) == "1.1.0"


def test_too_small_a_disk_is_said_before_anything_is_written(
    first_kit: Path, signing_key: SigningKey, disk: Disk, tmp_path: Path
) -> None:
    small = disk(tmp_path / "disk", 40)
    large = Order("1.1.0", models={"large": Model({"a": bytes(30 << 20)})})
    install(first_kit, small / "program", Witness())
    with pytest.raises(KitInstallError, match=r"MiB more are needed, and the disk of .* has \d+ MiB free"):
        install(make_kit(tmp_path / "large", signing_key, large), small / "program", Witness())
    assert not versions.folder_of(small / "program", "1.1.0").exists()
    untouched(small / "program")


def test_a_program_that_runs_is_asked_to_close(root: Path, kit: Kit, take: Take) -> None:
    folder = kit(Order("1.1.0"))
    command = [str(launchers.launcher(root)), "wait"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "waiting\n"
        with pytest.raises(KitInstallError, match="the program is in use: ophtimus wait"):
            install(folder, root, Witness())
        assert not versions.folder_of(root, "1.1.0").exists()
        patient = Witness(patience=2)
        close, patient.closes = patient.closes, lambda programs: _closed(process, close(programs))
        take(folder, root, patient)
    assert [one.what for one in patient.seen[0]] == ["ophtimus wait"]
    assert said(root) == "1.1.0"


def _closed(process: "subprocess.Popen[str]", answer: bool) -> bool:
    process.communicate("\n", timeout=30)
    return answer


def test_a_kit_of_another_name_takes_the_place_only_where_that_is_meant(
    root: Path, kit: Kit, take: Take
) -> None:
    other = kit(Order("1.5.0", name="ward"))
    with pytest.raises(KitError, match="'eye-clinic' is installed here"):
        take(other, root, Witness())
    untouched(root)
    take(other, root, Witness(), replace=True)
    assert said(root) == "1.5.0"
    with pytest.raises(KitError, match=r"older than 1\.0\.0"):
        take(kit(Order("0.9.0")), root, Witness(), replace=True)


def test_a_second_program_does_not_install_at_the_same_time(root: Path, kit: Kit) -> None:
    folder, watcher = kit(Order("1.1.0")), Witness()

    def meanwhile(*_: object) -> None:
        watcher.show = lambda *_: None
        with pytest.raises(KitInstallError, match="another program installs"):
            install(folder, root, Witness())
        watcher.steps.append("try")

    watcher.show = meanwhile
    install(folder, root, watcher)
    assert watcher.steps == ["try"]
    assert said(root) == "1.1.0"

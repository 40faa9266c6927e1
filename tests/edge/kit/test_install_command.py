"""``ophtimus kit install``, ``update``, ``rollback`` and ``uninstall`` as a person and as a program call them."""

import json
import subprocess
from pathlib import Path

import pytest
from installing import EYES, FAILS, Kit, Model, Order, said

from ophtimus_edge.cli import main
from ophtimus_edge.history import profiles
from ophtimus_edge.kit.installing import launchers, versions


def told(capsys: pytest.CaptureFixture[str]) -> dict[str, object]:
    out = capsys.readouterr().out
    assert out.count("\n") == 1
    found: dict[str, object] = json.loads(out)
    return found


def test_from_installing_to_removing_in_json(
    first_kit: Path, kit: Kit, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root = tmp_path / "program"
    where = ["--to", str(root), "--json"]
    assert main(["kit", "install", str(first_kit), "--yes", *where]) == 0
    assert told(capsys) == {
        "name": "eye-clinic", "version": "1.0.0", "before": "", "result": "installed", "folder": str(root),
        "launcher": str(launchers.launcher(root)), "from_kit_bytes": sum(map(len, EYES.values())) + 11,
        "linked_bytes": 0, "histories_kept": "",
    }  # fmt: skip
    second = kit(Order("1.1.0", models={"eyes": Model(EYES)}))
    assert main(["kit", "update", str(second), *where]) == 0
    found = told(capsys)
    assert (found["before"], found["from_kit_bytes"]) == ("1.0.0", 0)
    assert main(["kit", "update", str(second), *where]) == 0
    assert told(capsys)["result"] == "already there"
    assert main(["kit", "rollback", *where]) == 0
    assert told(capsys)["version"] == "1.0.0"
    assert said(root) == "1.0.0"
    profiles.create("Dr. Kim")
    assert main(["kit", "uninstall", "--keep-history", "--yes", *where]) == 0
    assert told(capsys) == {"folder": str(root), "history": "kept", "left": []}
    assert len(profiles.list_profiles()) == 1


def test_an_error_has_two_lines_and_the_old_version_runs(
    root: Path, kit: Kit, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["kit", "update", str(kit(Order("1.1.0", smoke=FAILS))), "--to", str(root)]) == 1
    said_ = [line for line in capsys.readouterr().err.splitlines() if line.startswith(("ophtimus:", "   "))]
    assert len(said_) == 2
    assert "does not work here: the demonstration model gave no answer" in said_[0]
    assert said(root) == "1.0.0"


def test_what_only_a_person_can_know_is_not_guessed(
    root: Path, first_kit: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["kit", "install", str(first_kit), "--to", str(tmp_path / "other")]) == 2
    assert "no terminal to ask at" in capsys.readouterr().err
    assert main(["kit", "uninstall", "--to", str(root)]) == 2
    assert main(["kit", "uninstall", "--to", str(root), "--yes"]) == 2
    assert "--keep-history or --delete-history" in capsys.readouterr().err
    with pytest.raises(SystemExit, match="2"):
        main(["kit", "uninstall", "--keep-history", "--delete-history"])
    assert said(root) == "1.0.0"


def test_there_is_nothing_to_update_or_go_back_to_where_nothing_is_installed(
    first_kit: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    where = ["--to", str(tmp_path / "empty")]
    assert main(["kit", "update", str(first_kit), *where]) == 1
    assert "nothing is installed" in capsys.readouterr().err
    assert main(["kit", "rollback", *where]) == 1
    assert "nothing is installed" in capsys.readouterr().err
    assert main(["kit", "uninstall", "--delete-history", "--yes", *where]) == 1
    assert "nothing is installed" in capsys.readouterr().err


@pytest.mark.parametrize("kept", [True, False])
def test_whether_conversations_are_left_is_said_as_it_is(
    root: Path, capsys: pytest.CaptureFixture[str], kept: bool
) -> None:
    if kept:
        profiles.create("Dr. Kim")
    assert main(["kit", "uninstall", "--keep-history", "--yes", "--to", str(root)]) == 0
    told_ = capsys.readouterr().out
    assert ("Past conversations are kept in" in told_) is kept
    assert ("There were no past conversations." in told_) is not kept


def test_removing_says_how_far_it_is(root: Path, tmp_path: Path) -> None:
    """It takes half a minute on a slow disk."""
    seen = []
    folder = versions.folder_of(root, "1.0.0")
    kept = list(folder.rglob("*.py"))
    versions.remove(folder, lambda done, total: seen.append((done, total)))
    assert kept
    assert not folder.exists()
    total = seen[0][1]
    assert seen == [(done, total) for done in range(total + 1)]
    assert total > 1
    versions.remove(folder, lambda done, total: pytest.fail("there is nothing to remove"))


def test_a_program_in_use_is_named_with_what_to_do(
    root: Path, kit: Kit, capsys: pytest.CaptureFixture[str]
) -> None:
    command = [str(launchers.launcher(root)), "wait"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        process.stdout.readline()
        assert main(["kit", "update", str(kit(Order("1.1.0"))), "--to", str(root)]) == 1
        seen = capsys.readouterr().err
        assert f"ophtimus wait (process {process.pid})" in seen
        assert "Close it, and run the same command again" in seen
        process.communicate("\n", timeout=30)
    assert versions.current(root) == "1.0.0"

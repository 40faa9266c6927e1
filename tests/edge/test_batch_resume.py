import contextlib
import json
import os
import pty
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

import psutil
import pytest
from batches import FEW, lines_of, written
from commands import two_lines
from conftest import BIN, Command, Disk

from ophtimus_edge.batch import journal
from ophtimus_edge.errors import FolderNotWritableError, UsageError

# Going on


SETTINGS = {"model": "aaa", "--max-tokens": "4", "--seed": ""}


def record(row: int, text: str = "x") -> bytes:
    return json.dumps({"row": row, "answer": text}).encode()


def test_a_torn_tail_is_dropped_and_what_stood_before_it_stays(tmp_path: Path) -> None:
    out = tmp_path / "out.jsonl"
    with journal.opened(out, SETTINGS, 4, seed=7) as begun:
        assert begun.begin_run("this machine") == ""
        begun.add(3, record(3), failed=False)
        begun.add(1, b'{"row":1,"error":"e"}', failed=True)
    path = journal.folder_of(out) / "journal.jsonl"
    whole = path.read_bytes()
    for tail in (
        b'{"row":2,"ans',
        b'{"row":2}',
        b"\0" * 4096 + b'\n{"row":4,"answer":""}\n',
        b'{"row":9}\n',
        b"",
    ):
        path.write_bytes(whole + tail)
        with journal.opened(out, SETTINGS, 4, seed=8) as again:
            assert (again.done, again.failed, again.seed) == (2, 1, 7)
            assert [again.has(row) for row in range(1, 5)] == [True, False, True, False]
            assert path.read_bytes() == whole
            assert again.begin_run("this machine") == "this machine"
    with journal.opened(out, SETTINGS, 4, seed=9) as last:
        assert last.begin_run("another machine") == "this machine"
        last.add(2, record(2), failed=False)
        last.add(2, record(2, "a second time"), failed=False)
        last.add(4, record(4), failed=False)
        assert last.complete
        last.finish(lambda lines, stream: stream.writelines(line.decode() + "\n" for line in lines), "utf-8")
    assert [json.loads(line).get("answer") for line in out.read_text().splitlines()] == [None, "x", "x", "x"]
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".out")] == []


def test_other_settings_are_refused_by_name_and_only_where_something_is_answered(tmp_path: Path) -> None:
    out = tmp_path / "out.jsonl"
    other = SETTINGS | {"--max-tokens": "8", "model": "bbb"}
    with journal.opened(out, other, 2, seed=1):
        pass
    with journal.opened(out, SETTINGS, 2, seed=1) as begun:
        begun.add(1, record(1), failed=False)
    with pytest.raises(UsageError, match="another model, --max-tokens 4"), journal.opened(out, other, 2, 1):
        pass
    with journal.opened(out, SETTINGS, 2, seed=1) as again:
        assert again.done == 1


def test_two_runs_to_one_output_do_not_mix(tmp_path: Path) -> None:
    out = tmp_path / "out.jsonl"
    with journal.opened(out, SETTINGS, 2, seed=1) as first:
        first.add(1, record(1), failed=False)
        with pytest.raises(FolderNotWritableError, match="another run"), journal.opened(out, SETTINGS, 2, 1):
            pass
        first.add(2, record(2), failed=False)


def test_a_run_that_was_killed_behind_its_last_step_ends_well(tmp_path: Path) -> None:
    out = tmp_path / "out.jsonl"

    def write(lines: Any, stream: Any) -> None:
        stream.writelines(line.decode() + "\n" for line in lines)

    with journal.opened(out, SETTINGS, 1, seed=1) as begun:
        begun.add(1, record(1), failed=False)
    written(out, "what the killed run had renamed")
    with journal.opened(out, SETTINGS, 1, seed=1) as again:
        assert again.complete
        again.finish(write, "utf-8")
    assert json.loads(out.read_text())["row"] == 1
    with pytest.raises(UsageError, match="exists already"), journal.opened(out, SETTINGS, 1, seed=1):
        pass


def test_an_existing_output_is_not_overwritten(answer: Any, tmp_path: Path) -> None:
    source = written(tmp_path / "in.txt", FEW[0])
    assert answer(source).returncode == 0
    before = (tmp_path / "out.jsonl").read_bytes()
    assert "exists already" in two_lines(answer(source), code=2)
    assert "exists already" in two_lines(answer(source, "in.txt"), code=2)
    assert (tmp_path / "out.jsonl").read_bytes() == before
    assert answer(source, "new/folder/out.jsonl").returncode == 0


def begun(words: list[str], out: Path, rows: int) -> "subprocess.Popen[str]":
    """Start a batch and wait until some rows are in its journal."""
    process = subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    path = journal.folder_of(out) / "journal.jsonl"
    deadline = time.monotonic() + 60
    while process.poll() is None and time.monotonic() < deadline:
        if path.is_file() and path.read_bytes().count(b"\n") >= rows + 2:
            return process
        time.sleep(0.005)
    raise AssertionError(process.communicate()[1])


def batch_words(source: Path, out: Path, model: Path, *more: str) -> list[str]:
    words = ["batch", str(source), "--out", str(out), "--model", str(model), "--max-tokens", "64", *more]
    return [str(BIN / "ophtimus"), *words]


@pytest.fixture
def many(tmp_path: Path) -> Path:
    return written(
        tmp_path / "many.txt", "\n".join(f"What is the eye's part {number}?" for number in range(1, 151))
    )


def test_ctrl_c_keeps_what_is_done_and_the_same_command_goes_on(
    tiny_model: Path, many: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out.jsonl"
    words = batch_words(many, out, tiny_model)
    process = begun(words, out, 5)
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 130, said
    assert "rows are kept; run the same command to go on" in said
    assert "Traceback" not in said
    assert not out.exists()
    other = subprocess.run([*words, "--role", "teaching"], capture_output=True, text=True, check=False)
    assert "was begun with" in two_lines(other, code=2)
    result = subprocess.run(words, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    assert "of 150 rows are there already" in result.stderr
    assert [record["row"] for record in lines_of(out)] == list(range(1, 151))
    assert 2 <= sum(" left." in line for line in result.stderr.splitlines()) <= 10


def test_at_a_terminal_a_bar_shows_the_time_left(tiny_model: Path, many: Path, tmp_path: Path) -> None:
    leader, follower = pty.openpty()
    words = batch_words(many, tmp_path / "out.jsonl", tiny_model)
    with subprocess.Popen(
        words, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=follower
    ) as process:
        os.close(follower)
        shown = b""
        with contextlib.suppress(OSError):  # how Linux says that the other side is closed
            while data := os.read(leader, 65536):
                shown += data
        assert process.wait(timeout=60) == 0
        assert process.stdout is not None
        assert process.stdout.read() == b""
    os.close(leader)
    assert b"answering" in shown
    assert b"/150" in shown
    assert b" left" in shown
    assert shown.rstrip().endswith(b"150 of 150 questions answered: " + bytes(tmp_path / "out.jsonl"))


def test_where_the_context_is_small_it_says_how_many_fit(answer: Any, tmp_path: Path) -> None:
    source = written(tmp_path / "in.txt", FEW[0])
    assert "has room for" not in answer(source, "a.jsonl").stderr
    assert "room for 1 of 8 answers of up to 400" in answer(source, "b.jsonl", "--max-tokens", "400").stderr


def test_a_worker_that_dies_is_replaced(tiny_model: Path, many: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.jsonl"
    process = begun(batch_words(many, out, tiny_model), out, 5)
    workers = psutil.Process(process.pid).children(recursive=True)
    assert workers
    for worker in workers:
        os.kill(worker.pid, signal.SIGKILL)
    _, said = process.communicate(timeout=120)
    assert process.returncode == 0, said
    assert "ended unexpectedly" in said
    assert "asked again" in said
    assert [record["row"] for record in lines_of(out)] == list(range(1, 151))
    assert all(record["completion_tokens"] == 64 for record in lines_of(out))


def test_a_full_disk_keeps_what_is_done(
    ophtimus: Command, tiny_model: Path, many: Path, disk: Disk, tmp_path: Path
) -> None:
    stick = disk(tmp_path / "stick", 1)
    filler = stick / "filler"
    filler.write_bytes(bytes((1 << 20) - (40 << 10)))
    words = batch_words(many, stick / "out.jsonl", tiny_model)[1:]
    assert "No space left" in two_lines(ophtimus(*words))
    assert not (stick / "out.jsonl").exists()
    filler.unlink()
    result = ophtimus(*words)
    assert result.returncode == 0, result.stderr
    assert "rows are there already" in result.stderr
    assert [record["row"] for record in lines_of(stick / "out.jsonl")] == list(range(1, 151))


def test_a_folder_that_cannot_be_written_is_two_lines(answer: Any, tmp_path: Path) -> None:
    source = written(tmp_path / "in.txt", FEW[0])
    written(tmp_path / "file", "")
    assert "cannot be written" in two_lines(answer(source, "file/out.jsonl"))

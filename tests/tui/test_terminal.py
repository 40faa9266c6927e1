"""The whole app in a real pseudo-terminal: no answer commands the terminal, and no syllable is lost."""

import fcntl
import os
import select
import struct
import subprocess
import sys
import termios
import time
from pathlib import Path

import pytest
from conftest import BIN
from gguf_drafts import Draft, token
from histories import kept_draft

from ophtimus_edge import settings
from ophtimus_edge.engine.messages import Answered, Piece, Sampling, Turn
from ophtimus_edge.engine.synchronous import SyncEngine
from ophtimus_edge.history import keys, profiles
from ophtimus_edge.history.store import Store
from ophtimus_edge.history.talk import Reply
from ophtimus_edge.locations import demo_folder
from ophtimus_edge.models import store
from ophtimus_edge.specialties import role_named

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="pseudo-terminals are a matter of POSIX")

# Writes the clipboard, clears the screen, turns it red, asks for the cursor, turns the reading order round.
PAYLOAD = "\x1b]52;c;SEVMTE8=\x07\x1b[2J\x1b[31mRED\u009b6n\u202eDNE"


class AppInTerminal:
    """``ophtimus`` as a shell starts it, and every byte that it sends."""

    def __init__(self, home: Path, **chosen: object) -> None:
        settings.write(settings.Settings(first_start_done=settings.FIRST_START, **chosen))  # type: ignore[arg-type]
        self._master, slave = os.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 32, 110, 0, 0))
        self.seen = b""
        self.process = subprocess.Popen(
            [str(BIN / "ophtimus")], stdin=slave, stdout=slave, stderr=slave,
            env={**os.environ, "TERM": "xterm-256color", "COLORTERM": "truecolor", "OPHTIMUS_HOME": str(home)},
            preexec_fn=lambda: os.login_tty(slave),
        )  # fmt: skip
        os.close(slave)

    def type(self, data: bytes) -> None:
        os.write(self._master, data)

    def until(self, text: str) -> None:
        """Read until a text was seen."""
        deadline = time.monotonic() + 90
        while text.encode() not in self.seen:
            assert time.monotonic() < deadline, self.seen[-3000:]
            self.read(0.2)

    def read(self, seconds: float) -> None:
        if select.select([self._master], [], [], seconds)[0]:
            self.seen += os.read(self._master, 1 << 16)

    def close(self) -> None:
        self.process.terminate()
        self.process.wait(10)
        os.close(self._master)


def byte_letters(data: bytes) -> str:
    """Bytes as a byte-level vocabulary writes them: one letter each, the unprintable ones from U+0100 on."""
    plain = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    others = [byte for byte in range(256) if byte not in plain]
    return "".join(chr(byte) if byte in plain else chr(0x100 + others.index(byte)) for byte in data)


def test_what_a_model_writes_never_commands_the_terminal(home: Path, tmp_path: Path) -> None:
    source = store.choose().path
    assert source.parent == demo_folder()
    turns = [Turn("system", role_named("clinical").system_prompt), Turn("user", "What is glaucoma?")]
    with SyncEngine() as engine:
        engine.load(store.choose())
        ended = [event for event in engine.answer(turns, Sampling(12)) if isinstance(event, Answered)]
    draft = Draft(source.read_bytes())
    token(ended[0].ids[6], byte_letters(PAYLOAD.encode()).encode())(draft)
    hostile = tmp_path / "hostile.gguf"
    hostile.write_bytes(draft.packed())
    with SyncEngine() as engine:  # the model does write it: what is sanitized away is there to be
        engine.load(store.choose(str(hostile)))
        assert PAYLOAD.encode() in engine.pieces([ended[0].ids[6]])[0]
        answer = "".join(
            event.text for event in engine.answer(turns, Sampling(12)) if isinstance(event, Piece)
        )
    assert "]52;c;SEVMTE8=[2J[31mRED6nDNE" in answer
    app = AppInTerminal(home, model=str(hostile))
    try:
        app.until("ready")
        app.type(b"\r")
        app.until("complete")
        app.until("SEVMTE8=")
        for _ in range(10):
            app.read(0.1)
    finally:
        app.close()
    assert b"\x1b]52" not in app.seen
    assert b"\x1b[2J\x1b[31m" not in app.seen
    assert "\u009b".encode() not in app.seen
    assert "\u202e".encode() not in app.seen
    assert b"DNE" in app.seen


def test_a_syllable_in_pieces_and_one_behind_enter_reach_the_question(home: Path) -> None:
    app = AppInTerminal(home, language="ko")
    try:
        app.until("준비됨")
        app.type(b"\x15")  # ^U empties the box
        for byte in "백내장이란 무엇인가".encode():
            app.type(bytes([byte]))
            app.read(0.01)
        app.type(b"\r" + "요".encode())
        app.until("답변 완료")
        for _ in range(5):
            app.read(0.1)
    finally:
        app.close()
    assert "백내장이란 무엇인가요" in app.seen.decode(errors="ignore")
    assert b"\x1b[>1u" not in app.seen  # the keyboard protocol with which terminals lose composed syllables


def test_a_question_and_what_was_written_of_its_answer_outlive_a_kill(home: Path) -> None:
    app = AppInTerminal(home, language="en")
    try:
        app.until("ready")
        app.type(b"\r")
        app.until("tokens/s")  # the answer is being written; its first words are kept by then or soon
        deadline = time.monotonic() + 60
        while not any(reply.text for reply in written()):
            assert time.monotonic() < deadline
            app.read(0.02)
        app.process.kill()
        app.process.wait(10)
    finally:
        app.close()
    kept = [reply.text for reply in written() if reply.text]
    assert kept
    again = AppInTerminal(home, language="en")
    try:
        again.until("What is glaucoma?")
        again.until("ready")
        again.type(b"\x1bOQ")  # F2, the list
        again.read(0.5)
        again.type(b"\x1b[B\r")
        again.until(kept[0].split()[0])
        again.until("What is glaucoma?")
    finally:
        again.close()


def written() -> list[Reply]:
    """The answers that are kept by now, read as a second program reads them."""
    replies = []
    for profile in profiles.list_profiles():
        with Store(profile.folder, keys.unlock(profile.key_file)) as history:
            for talk in history.talks():
                replies += [reply for question in talk.questions for reply in question.replies]
    return replies


def test_a_question_that_was_begun_outlives_a_crash_of_the_app(home: Path) -> None:
    app = AppInTerminal(home, language="ko")
    try:
        app.until("준비됨")
        app.type(b"\x15")  # ^U empties the box
        for _ in range(5):
            app.read(0.1)
        app.type("백내장 수술 다음 날".encode())
        deadline = time.monotonic() + 30
        while "다음 날" not in kept_draft():
            assert time.monotonic() < deadline
            app.read(0.1)
        app.process.kill()  # no chance to do anything at its end
        app.process.wait(10)
    finally:
        app.close()
    again = AppInTerminal(home, language="ko")
    try:
        again.until("백내장 수술 다음 날")
    finally:
        again.close()

"""The plain mode at a real terminal and on piped input: words only, nothing drawn twice, Ctrl+C stops an answer."""

import os
import re
import select
import subprocess
import sys
import time
import unicodedata
from pathlib import Path
from string import Formatter

import pytest
from conftest import BIN, ROOT, Command

from ophtimus_edge import settings
from ophtimus_edge.cli.plain_texts import LANGUAGES, catalogue, command_named
from ophtimus_edge.cli.spoken import Paced, SpokenLines
from ophtimus_edge.settings import Settings

terminal = pytest.mark.skipif(sys.platform == "win32", reason="pseudo-terminals are a matter of POSIX")


class Terminal:
    """``ophtimus --plain`` at a pseudo-terminal, in cooked mode, as a shell starts it."""

    def __init__(self, **environment: str) -> None:
        master, slave = os.openpty()
        self._master, self.seen = master, b""
        self.process = subprocess.Popen(
            [str(BIN / "ophtimus"), "--plain"],
            stdin=slave, stdout=slave, stderr=slave, env={**os.environ, **environment},
            preexec_fn=lambda: os.login_tty(slave),
        )  # fmt: skip
        os.close(slave)

    def type(self, text: str) -> None:
        os.write(self._master, text.encode())

    def until(self, text: str, times: int = 1) -> str:
        """Read until a text was seen so often, all in all."""
        deadline = time.monotonic() + 60
        while self.seen.count(text.encode()) < times:
            assert time.monotonic() < deadline, self.seen.decode(errors="replace")
            if select.select([self._master], [], [], 0.2)[0]:
                try:
                    self.seen += os.read(self._master, 65536)
                except OSError:  # the other side is closed
                    assert self.seen.count(text.encode()) >= times, self.seen.decode(errors="replace")
        return self.seen.decode()

    def close(self) -> None:
        self.process.kill()
        self.process.wait()
        os.close(self._master)


@pytest.fixture
def at_terminal():
    opened = []

    def start(**environment: str) -> Terminal:
        opened.append(Terminal(**environment))
        return opened[-1]

    yield start
    for one in opened:
        one.close()


@terminal
@pytest.mark.parametrize(
    ("locale", "question", "words"),
    [
        ("en_US.UTF-8", "What is glaucoma?",
         ("Question: ", "Answer complete.", "Answer:", "Notice: demonstration", "ended")),
        ("ko_KR.UTF-8", "녹내장이란 무엇인가요?", ("질문: ", "답변 완료.", "답변:", "알림: 시연용", "끝냈습니다")),
    ],
)  # fmt: skip
def test_a_question_at_a_terminal_is_answered_without_an_escape(
    at_terminal, locale: str, question: str, words: tuple[str, ...]
) -> None:
    prompt, complete, answer, notice, end = words
    talk = at_terminal(LC_ALL=locale, TERM="xterm-256color")
    talk.until(prompt)
    talk.type(f"{question}\n")
    talk.until(complete)
    talk.until(prompt, 2)
    talk.type("\x04")
    text = talk.until(end)
    assert talk.process.wait(timeout=30) == 0
    assert "\x1b" not in text
    assert "\r" not in text.replace("\r\n", "")  # no line is drawn twice
    assert text.index(question) < text.index(notice) < text.index(answer) < text.index(complete)
    assert text.count(question) == 1  # what the terminal echoed; it is not said again


@terminal
def test_control_c_stops_the_answer_and_the_next_question_is_answered(
    at_terminal, endless_model: Path
) -> None:
    settings.write(Settings(model=str(endless_model), language="en", max_tokens=100_000))
    talk = at_terminal(LC_ALL="C.UTF-8")
    talk.until("Question: ")
    talk.type("\x03")
    talk.until("Nothing is being answered")
    talk.until("Question: ", 2)
    for number in (1, 2):
        talk.type("What is glaucoma?\n")
        talk.until("Answer:", number)
        talk.type("\x03")
        talk.until("Answer stopped. It is not complete.", number)
    talk.until("Question: ", 4)
    talk.type("/quit\n")
    assert "\x1b" not in talk.until("The program has ended.")
    assert talk.process.wait(timeout=30) == 0


@terminal
def test_a_line_that_the_terminal_may_have_cut_is_not_asked(at_terminal) -> None:
    talk = at_terminal(LC_ALL="C.UTF-8")
    talk.until("Question: ")
    talk.type("glaucoma " * 600 + "\n")
    talk.until("Not asked")
    talk.type("What is glaucoma?\n")
    assert talk.until("Answer complete.").count("Answer:") == 1


def test_piped_questions_are_said_and_answered_in_order(ophtimus: Command) -> None:
    result = ophtimus("--plain", stdin="What is glaucoma?\n\n/new\n녹내장이란 무엇인가요?\n")
    assert result.returncode == 0, result.stderr
    text = result.stdout
    assert "\x1b" not in text
    order = ["Question: What is glaucoma?", "Answer:", "Answer complete.", "Question: /new", "forgotten",
             "Question: 녹내장이란 무엇인가요?", "Answer complete.", "The program has ended."]  # fmt: skip
    at = -1
    for part in order:
        at = text.index(part, at + 1)


def test_the_answer_is_the_one_that_ask_gives(ophtimus: Command) -> None:
    asked = ophtimus("ask", "What is glaucoma?").stdout.splitlines()[2:]
    plain = ophtimus("--plain", stdin="What is a cataract?\nWhat is glaucoma?\n").stdout
    said = plain.rpartition("Answer:\n")[2].partition("\nAnswer complete.")[0]
    assert said.split() == " ".join(asked).split()


def test_commands_are_understood_in_both_languages(ophtimus: Command) -> None:
    for words in (("/help", "/role", "/role 환자 상담", "/again", "/model"),
                  ("/도움말", "/역할", "/역할 counselling", "/다시", "/모델")):  # fmt: skip
        result = ophtimus("--plain", stdin="\n".join(words) + "\n")
        assert "/new, /새대화" in result.stdout
        assert "Role: clinical support. The roles are:" in result.stdout
        assert "Role: patient counselling." in result.stdout
        assert "There is no question yet" in result.stdout
        assert "Open: Ophtimus-Demo" in result.stdout


def test_a_wrong_command_asks_nothing_and_a_second_slash_makes_it_a_question(ophtimus: Command) -> None:
    result = ophtimus("--plain", stdin="/rolle free\n/role surgeon\n/model none-such\n")
    assert result.returncode == 1
    assert "There is no command /rolle." in result.stdout
    assert "'surgeon'" in result.stdout
    assert "no model 'none-such'" in result.stdout
    assert "Answer" not in result.stdout
    assert "Answer complete." in ophtimus("--plain", stdin="//role of the iris?\n").stdout


def test_what_was_said_before_is_known_and_what_no_longer_fits_is_said(
    ophtimus: Command, tiny_model: Path
) -> None:
    settings.write(Settings(model=str(tiny_model), max_tokens=40, language="en"))
    questions = "".join(
        f"What is the {number}th question on glaucoma and cataract?\n" for number in range(14)
    )
    once = ophtimus("--plain", stdin=questions)
    assert once.returncode == 0, once.stderr
    assert "of the earlier questions and answers are left out" in once.stdout
    assert "cut short at the limit of 40 tokens" in once.stdout
    anew = ophtimus("--plain", stdin=questions.replace("\n", "\n/new\n"))
    assert "left out" not in anew.stdout


def test_again_draws_another_answer_and_says_so(ophtimus: Command, tiny_model: Path) -> None:
    settings.write(Settings(model=str(tiny_model), max_tokens=12, language="en", details=True))
    text = ophtimus("--plain", stdin="What is glaucoma?\n/again\n").stdout
    first, again = text.split("Answer:\n")[1:]
    assert "temperature 0.7" in first  # the label stands before the second answer
    assert "seed 0." in first
    assert "seed 0." not in again
    assert first.splitlines()[0] != again.splitlines()[0]


def test_a_damaged_settings_file_is_said_and_the_questions_are_answered(
    ophtimus: Command, home: Path
) -> None:
    home.mkdir()
    (home / "settings.toml").write_text("language = 'ko\n")
    result = ophtimus("--plain", stdin="What is glaucoma?\n")
    assert result.returncode == 0
    assert "settings.toml is no TOML" in result.stdout
    assert "Answer complete." in result.stdout
    assert (home / "settings.toml").read_text() == "language = 'ko\n"


def test_a_model_that_is_gone_is_said_and_no_other_answers_in_its_place(ophtimus: Command) -> None:
    settings.write(Settings(model="eyes", language="en"))
    result = ophtimus("--plain", stdin="What is glaucoma?\n/model demo\nWhat is glaucoma?\n")
    before, opened = result.stdout.split("Question: /model demo")
    assert "no model 'eyes'" in before
    assert "Answer" not in before
    assert "Answer complete." in opened
    assert result.returncode == 1


def test_both_languages_have_the_same_sentences_with_the_same_values_and_all_are_used() -> None:
    english, korean = (catalogue(language) for language in LANGUAGES)
    assert set(english) == set(korean)
    source = (ROOT / "ophtimus_edge/cli/plain.py").read_text("utf-8")
    for key in english:
        one, other = (
            {name for _, name, _, _ in Formatter().parse(all_[key]) if name} for all_ in (english, korean)
        )
        assert one == other, key
        assert re.search("[가-힣]", korean[key]), key
        assert f'"{key}"' in source or key.startswith(("help_", "command_")), key


def test_no_word_calls_two_commands_and_a_taken_apart_syllable_is_understood() -> None:
    words = [word for all_ in (catalogue(language) for language in LANGUAGES)
             for key in all_ if key.startswith("command_") for word in all_[key].split()]  # fmt: skip
    assert len(words) == len(set(words))
    assert command_named(unicodedata.normalize("NFD", "/역할")) == "role"  # as macOS may send it
    assert command_named("/QUIT") == "quit"
    assert command_named("quit") is None


TEXTS = [
    "Acute angle closure begins suddenly. It hurts. Give 1. 5 mg of it, e.g. by mouth. Then examine the other eye.",
    "• pain in the eye\n\n• haloes around lights, and nausea. Refer at once, whatever the hour of the day.",
    "급성 폐쇄각녹내장은 갑작스러운 안통과 시력 저하, 두통을 동반하는 응급 질환입니다. 즉시 안압을 낮추어야 합니다. ",
    "word " * 300,
]


@pytest.mark.parametrize("text", TEXTS)
@pytest.mark.parametrize("size", [1, 3, 1000])
def test_lines_hold_every_character_however_the_text_arrives(text: str, size: int) -> None:
    lines, spoken = [], SpokenLines()
    for at in range(0, len(text), size):
        lines += spoken.feed(text[at : at + size])
    lines += spoken.end()
    # A line's end stands for a blank or for the model's own.
    pattern = "[ \n]".join(re.escape(line) for line in lines)
    assert re.fullmatch(f"{pattern}[ \n]?", text)
    assert all(len(line) <= 400 for line in lines)


def test_a_line_ends_behind_a_sentence_and_never_within_a_dose() -> None:
    spoken = SpokenLines()
    lines = spoken.feed(TEXTS[0] + "\n")
    assert lines[0] == "Acute angle closure begins suddenly. It hurts."
    assert any("Give 1. 5 mg of it, e.g. by mouth." in line for line in lines)


def test_progress_is_said_slowly_and_never_twice() -> None:
    pace = Paced(started=0.0, seconds=3.0)
    assert [pace.due(percent, now) for percent, now in [(10, 1.0), (30, 3.0), (40, 4.0), (40, 6.0), (40, 9.5)]] == [
        False, True, False, True, False,
    ]  # fmt: skip


def test_a_role_for_one_conversation_is_not_written_down(ophtimus: Command, home: Path) -> None:
    ophtimus("--plain", stdin="/role free\n")
    assert not (home / "settings.toml").exists()

"""Attack: a model whose words are commands to the terminal, asked at a real pseudo-terminal.

A GGUF file has the text of every token, so that a changed file answers with any bytes: escape sequences that write
the clipboard or clear the screen, C1 controls, a reversed reading order, halves of letters. The demonstration model
is given such texts, is seen to write them, and not one of them arrives at the terminal; everything else does.

    .venv/bin/python -m pytest tests/attacks/test_hostile_answer.py

2 models with 3 questions in `make test`; in `make faults` so many that 100,000 hostile pieces are written.
"""

import os
import random
import subprocess
import sys
import threading
from pathlib import Path
from typing import NamedTuple

import msgspec
import pytest
from conftest import BIN
from gguf_drafts import ARR, STR, Draft, array, key, text
from hostile_texts import commands, expected, hostile_bytes

from ophtimus_edge.conversation import Asking, Conversation
from ophtimus_edge.engine.client import Engine
from ophtimus_edge.engine.messages import Answered
from ophtimus_edge.locations import demo_folder
from ophtimus_edge.models import store
from ophtimus_edge.models.familiarity import KnownQuestion
from ophtimus_edge.specialties import role_named

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="pseudo-terminals are a matter of POSIX")

LONG = os.environ.get("OPHTIMUS_CAMPAIGN") == "long"
PIECES = 100_000 if LONG else 200  # that are written at least, over all models
MODELS, QUESTIONS = (1000, 12) if LONG else (2, 3)  # at most; questions to each model
SOURCE = demo_folder() / "Ophtimus-Demo-Q4_K_M.gguf"
NAME = "eyes\x1b]52;c;aGk=\x07\x9b2J\u202e"


def byte_letters(data: bytes) -> str:
    """Bytes as a byte-level vocabulary writes them: one letter each, the unprintable ones from U+0100 on."""
    plain = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    others = [byte for byte in range(256) if byte not in plain]
    return "".join(chr(byte) if byte in plain else chr(0x100 + others.index(byte)) for byte in data)


def questions(draw: random.Random) -> list[str]:
    """Some that the demonstration answers at length."""
    lines = (demo_folder() / "known_questions.jsonl").read_bytes().splitlines()
    known = [msgspec.json.decode(line, type=KnownQuestion) for line in draw.sample(lines, QUESTIONS)]
    return [one.wordings[0] for one in known]


class Asked(NamedTuple):
    """A question as tokens, its answer as tokens, and what llama.cpp itself makes of these."""

    prompt: list[int]
    ids: list[int]
    pieces: list[bytes]


async def asked(path: Path, wanted: list[str]) -> list[Asked]:
    """Ask as ``ophtimus ask`` does."""
    model = store.choose(str(path))
    system = role_named("clinical").system_prompt
    found = []
    async with Engine() as engine:
        await engine.load(model, system=system)
        conversation = Conversation(engine, model)
        for question in wanted:
            answered = [
                event
                async for event in conversation.ask(question, Asking(role="clinical"))
                if isinstance(event, Answered)
            ]
            prompt = await engine.tokenize(f"{system}\n{question}")
            ids = answered[0].ids
            found.append(Asked(prompt, ids, await engine.pieces(ids)))
    return found


def with_hostile_words(draw: random.Random, kept: set[int]) -> tuple[bytes, dict[int, bytes]]:
    """The demonstration model with other texts for all ordinary tokens but some; the file, and the texts."""
    draft = Draft(SOURCE.read_bytes())
    _, packed = draft.keys[b"tokenizer.ggml.tokens"]
    _, types = draft.keys[b"tokenizer.ggml.token_type"]
    words = list(strings(packed))
    taken, planted = set(words), dict[int, bytes]()
    for number in range(len(words)):
        ordinary = types[12 + 4 * number] == 1
        if ordinary and number not in kept and len(words[number]) > 1:
            while (word := byte_letters(data := hostile_bytes(draw, draw.randint(1, 4))).encode()) in taken:
                pass
            taken.add(word)
            words[number], planted[number] = word, data
    key("tokenizer.ggml.tokens", ARR, array(STR, *(text(word) for word in words)))(draft)
    key("general.name", STR, text(NAME))(draft)
    return draft.packed(), planted


def strings(packed: bytes) -> list[bytes]:
    """The texts of an array."""
    found, at = [], 12
    while at < len(packed):
        length = int.from_bytes(packed[at : at + 8], "little")
        found.append(packed[at + 8 : at + 8 + length])
        at += 8 + length
    return found


def at_terminal(path: Path, wanted: list[str], *more: str) -> tuple[bytes, str]:
    """Everything that ``ophtimus ask`` sends to a terminal, and to standard error beside it."""
    import tty

    leader, follower = os.openpty()
    tty.setraw(follower)  # the terminal itself changes no byte
    seen = bytearray()

    def drink() -> None:
        while True:
            try:
                data = os.read(leader, 1 << 16)
            except OSError:  # the other side is closed
                return
            if not data:
                return
            seen.extend(data)

    with subprocess.Popen(
        [str(BIN / "ophtimus"), "ask", "--model", str(path), *more],
        stdin=subprocess.PIPE, stdout=follower, stderr=subprocess.PIPE,
        env={**os.environ, "PYTHONUTF8": "1"},
    ) as process:  # fmt: skip
        os.close(follower)
        reader = threading.Thread(target=drink)
        reader.start()
        _, said = process.communicate("".join(f"{one}\n" for one in wanted).encode(), timeout=600)
        reader.join()
    os.close(leader)
    assert process.returncode == 0, said
    return bytes(seen), said.decode()


async def test_no_word_of_a_hostile_model_commands_the_terminal_and_none_is_lost(tmp_path: Path) -> None:
    draw = random.Random(11)
    path = tmp_path / "hostile.gguf"
    written = dropped = 0
    for _ in range(MODELS):
        wanted = questions(draw)
        path.write_bytes(SOURCE.read_bytes())
        kept = {token for one in await asked(path, wanted) for token in one.prompt}
        data, planted = with_hostile_words(draw, kept)
        path.write_bytes(data)
        seen, said = at_terminal(path, wanted)
        shown = seen.decode()
        assert not commands(shown)
        assert not commands(said)
        rest = shown
        for question, (_, ids, pieces) in zip(wanted, await asked(path, wanted), strict=True):
            assert all(piece == planted.get(token, piece) for token, piece in zip(ids, pieces, strict=True))
            head, _, rest = rest.partition(f"> {question}\n")
            assert not head.strip()
            answer, raw = expected(b"".join(pieces)), b"".join(pieces).decode(errors="replace")
            place = rest.find(f"{answer}\n\n")
            assert place >= 0, (answer, rest[:2000])
            notices, rest = rest[:place], rest[place + len(answer) + 2 :]
            assert all(line.startswith(("[", " ")) or line for line in notices.splitlines())
            written += sum(token in planted for token in ids)
            dropped += len(raw) - len(answer)
        assert not rest
        if written >= PIECES:
            break
    assert written >= PIECES
    assert dropped > written / 2  # so they did write what commands a terminal


def test_nor_does_the_name_of_a_hostile_model_or_file(tmp_path: Path) -> None:
    draft = Draft(SOURCE.read_bytes())
    key("general.name", STR, text(NAME))(draft)
    path = tmp_path / "\x1b[2Jb\u202e.gguf"
    path.write_bytes(draft.packed())
    for more in ((), ("--json",)):
        seen, said = at_terminal(path, ["What is glaucoma?"], "--max-tokens", "2", *more)
        assert not commands(seen.decode())
        assert not commands(said)
        assert "eyes]52;c;aGk=2J" in (seen.decode() + said)

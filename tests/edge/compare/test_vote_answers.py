"""The answers of a blind test: made one level at a time, kept as they are made, and not made twice."""

from contextlib import aclosing
from pathlib import Path

import msgspec
import pytest
from engines import workers
from piloting import until

from ophtimus_edge.compare.votes import answers as making
from ophtimus_edge.compare.votes.answers import (
    AskedQuestion,
    LevelAnswer,
    keep_answer,
    make_answers,
    read_answers,
)
from ophtimus_edge.engine.client import Engine
from ophtimus_edge.errors import VotesError
from ophtimus_edge.models import store

QUESTIONS = [
    AskedQuestion("g1", "What is glaucoma?"),
    AskedQuestion("long", "why " * 3000),
    AskedQuestion("g2", "What is a cataract?"),
]


async def made(
    engine: Engine, level: str, known: list[LevelAnswer], told: list[tuple[int, int]]
) -> list[LevelAnswer]:
    model = store.choose(store.DEMO, level)
    stream = make_answers(
        engine, model, QUESTIONS, known=known, max_tokens=12,
        on_progress=lambda done, total: told.append((done, total)),
    )  # fmt: skip
    async with aclosing(stream):
        return [answer async for answer in stream]


async def test_each_level_answers_greedily_and_what_is_known_is_not_asked_again(tmp_path: Path) -> None:
    engine, path = Engine(), tmp_path / "answers.jsonl"
    told: list[tuple[int, int]] = []
    first = await made(engine, "Q4_K_M", [], told)
    assert [answer.question_id for answer in first] == ["g1", "long", "g2"]
    assert [bool(answer.text) for answer in first] == [True, False, True]
    assert first[1].error
    assert first[0].sha256 == store.choose(store.DEMO, "Q4_K_M").sha256
    assert told == [(0, 3), (1, 3), (2, 3), (3, 3)]
    assert workers() == set()  # one level at a time: the next has the memory to itself
    for answer in first[:1]:
        keep_answer(path, answer)
    told.clear()
    again = await made(engine, "Q4_K_M", read_answers(path), told)
    assert [answer.question_id for answer in again] == ["long", "g2"]
    assert again[1] == first[2]
    assert told[0] == (1, 3)
    assert len(await made(engine, "BF16", first, told)) == 3
    assert await made(engine, "Q4_K_M", first, told) == []


async def test_closing_it_ends_the_answer_under_way_and_its_process(endless_model: Path) -> None:
    engine = Engine()
    tokens: list[int] = []
    stream = make_answers(
        engine, store.choose(str(endless_model)), QUESTIONS[:1], max_tokens=8000, on_token=tokens.append
    )
    import asyncio

    task = asyncio.ensure_future(anext(stream))
    await until(lambda: len(tokens) > 3)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await stream.aclose()
    await until(lambda: workers() == set())


@pytest.mark.parametrize("line", [b"{}", b"[1]", b'{"model": 1}', b"no json"])
def test_a_line_that_is_no_answer_is_named_and_a_torn_last_one_passed_over(
    tmp_path: Path, line: bytes
) -> None:
    path = tmp_path / "answers.jsonl"
    sound = LevelAnswer(model="m", level="Q8_0", sha256="a" * 64, question_id="q", question="?", text="말")
    path.write_bytes(msgspec.json.encode(sound) + b"\n" + line + b"\n" + msgspec.json.encode(sound) + b"\n")
    with pytest.raises(VotesError, match="line 2"):
        read_answers(path)
    path.write_bytes(msgspec.json.encode(sound) + b"\n" + msgspec.json.encode(sound)[:-4])
    assert read_answers(path) == [sound]
    assert making.read_answers(tmp_path / "none.jsonl") == []

"""Essay questions to the real worker, and their answers as records."""

import os
import signal
from contextlib import aclosing
from pathlib import Path

import pytest
from tokenizers import Tokenizer

from ophtimus_edge.compare.essay.answering import EssayAnswer, ask_essays
from ophtimus_edge.compare.essay.pieces import read_pieces
from ophtimus_edge.conversation import question_turns
from ophtimus_edge.engine.client import Engine
from ophtimus_edge.engine.messages import Sampling
from ophtimus_edge.errors import EngineError
from ophtimus_edge.models import store
from ophtimus_edge.specialties.questions import EssayQuestion

PROMPT = (
    "You are an expert ophthalmologist. Please provide accurate and medically sound answers to the user's "
    "ophthalmology-related question."
)


def essay(question_id: str, question: str, answer: str = "An answer.") -> EssayQuestion:
    return EssayQuestion(
        id=question_id,
        language="en",
        topic="",
        question=question,
        answer=answer,
        source="",
        reviewed_by="",
        split="heldout",
        phrasings=[],
    )


QUESTIONS = [essay(str(number), f"What is {what}?") for number, what in enumerate("abcdefg")]


async def asked(engine: Engine, questions: list[EssayQuestion], **more: object) -> list[EssayAnswer]:
    return [answer async for answer in ask_essays(engine, questions, 3, max_tokens=6, **more)]  # type: ignore[arg-type]


async def test_each_question_is_asked_alone_in_the_trained_prompt_and_greedily(tiny_model: Path) -> None:
    progress: list[tuple[int, int]] = []
    async with Engine() as engine:
        await engine.load(store.choose(str(tiny_model)), sequences=3)
        answers = await asked(engine, QUESTIONS, on_progress=lambda *at: progress.append(at))
        turns = [question_turns(question.question, "clinical") for question in QUESTIONS]
        assert all(system.text == PROMPT for system, _ in turns)
        greedy = {
            str(done.index): done async for done in engine.answer_many(turns, [Sampling(6)] * len(turns), 3)
        }
        lengths = [len(await engine.render(turn)) for turn in turns]
    assert sorted(answer.id for answer in answers) == [question.id for question in QUESTIONS]
    assert progress == [(done, 7) for done in range(8)]
    for answer in answers:
        assert answer.text == greedy[answer.id].text
        assert answer.prompt_tokens == lengths[int(answer.id)]
        assert (answer.completion_tokens, answer.finish_reason, answer.error) == (6, "length", "")


async def test_known_answers_are_not_asked_again_unless_the_question_changed(tiny_model: Path) -> None:
    async with Engine() as engine:
        await engine.load(store.choose(str(tiny_model)), sequences=3)
        before = await asked(engine, QUESTIONS[:4])
        changed = [essay("0", "What is glaucoma?"), *QUESTIONS[1:]]
        progress: list[tuple[int, int]] = []
        after = await asked(engine, changed, known=before, on_progress=lambda *at: progress.append(at))
        assert sorted(answer.id for answer in after) == ["0", "4", "5", "6"]
        assert progress[0] == (3, 7)
        assert await asked(engine, QUESTIONS[:4], known=before) == []
        longer = [answer async for answer in ask_essays(engine, QUESTIONS[:1], 3, max_tokens=9, known=before)]
    assert [answer.completion_tokens for answer in longer] == [9]


async def test_a_question_that_cannot_be_asked_is_a_record_and_tried_again(tiny_model: Path) -> None:
    questions = [essay("long", "glaucoma " * 600), essay("blank", " \x00 "), QUESTIONS[0]]
    async with Engine() as engine:
        await engine.load(store.choose(str(tiny_model)), sequences=2)
        answers = {answer.id: answer for answer in await asked(engine, questions)}
        again = await asked(engine, questions, known=answers.values())
    assert "context holds 512" in answers["long"].error
    assert "empty" in answers["blank"].error
    assert not answers["0"].error
    assert {answer.id for answer in again} == {"long", "blank"}


async def test_a_worker_that_is_killed_is_replaced_and_nothing_is_lost(tiny_model: Path) -> None:
    deaths: list[EngineError] = []
    answers: list[EssayAnswer] = []
    async with Engine() as engine:
        await engine.load(store.choose(str(tiny_model)), sequences=2)
        async for answer in ask_essays(engine, QUESTIONS, 2, max_tokens=60, on_death=deaths.append):
            answers.append(answer)
            if len(answers) == 1:
                assert engine.process_id
                os.kill(engine.process_id, signal.SIGKILL)
    assert len(deaths) == 1
    assert sorted(answer.id for answer in answers) == [question.id for question in QUESTIONS]


async def test_a_listener_that_goes_away_stops_the_work(endless_model: Path) -> None:
    """The other answer would be 8,000 tokens long: the engine is free at once only where it was stopped."""
    questions = [essay("short", "glaucoma " * 9000), essay("long", "What is glaucoma?")]
    async with Engine() as engine:
        await engine.load(store.choose(str(endless_model)), 8192, sequences=2)
        async with aclosing(ask_essays(engine, questions, 2, max_tokens=8000)) as stream:
            first = await anext(stream)
        assert first.id == "short"
        assert first.error
        assert await engine.tokenize("glaucoma")


@pytest.mark.parametrize("vocabulary_only", [False, True])
async def test_pieces_are_those_of_the_checkpoints_own_tokenizer(
    tiny_model: Path, tiny_checkpoint: Path, vocabulary_only: bool
) -> None:
    own = Tokenizer.from_file(str(tiny_checkpoint / "tokenizer.json"))
    texts = [
        "The eye's pressure rises to 21 mmHg.\n\n- Drops",
        "녹내장은 “β”",
        " two  blanks",
        "",
        "<|eot_id|>",
    ]
    async with Engine() as engine:
        await engine.load(store.choose(str(tiny_model)), vocabulary_only=vocabulary_only)
        pieces = await read_pieces(engine, [*texts, texts[0]])
    assert pieces.vocabulary == own.get_vocab_size()
    for text in texts[:-1]:
        assert pieces.of[text] == own.encode(text, add_special_tokens=False).tokens
    assert len(pieces.of["<|eot_id|>"]) > 1  # a text that names a token is text

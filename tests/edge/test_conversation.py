"""A conversation in a context that is too small for it: what is dropped, what never is, and that it is said."""

from pathlib import Path

import pytest

from ophtimus_edge.conversation import Asking, Conversation, Dropped, Exchange, question_turns
from ophtimus_edge.engine.client import Engine
from ophtimus_edge.engine.messages import Answered, Piece
from ophtimus_edge.errors import QuestionError, UsageError
from ophtimus_edge.models import store

ASKING = Asking(max_tokens=16)


async def asked(
    conversation: Conversation, question: str, earlier: list[Exchange], asking: Asking = ASKING
) -> tuple[list[int], Exchange, Answered]:
    """What was dropped, the new exchange, and the answer's end."""
    dropped: list[int] = []
    text, end = "", None
    async for event in conversation.ask(question, asking, earlier):
        if isinstance(event, Dropped):
            assert not text
            dropped = event.places
        elif isinstance(event, Piece):
            text += event.text
        elif isinstance(event, Answered):
            end = event
    assert end is not None
    return dropped, Exchange(question, text, end.ids), end


async def test_a_long_talk_drops_the_oldest_and_says_which(tiny_model: Path) -> None:
    model = store.choose(str(tiny_model))
    async with Engine() as engine:
        await engine.load(model)
        conversation = Conversation(engine, model)
        earlier: list[Exchange] = []
        drops = []
        for number in range(12):
            dropped, exchange, end = await asked(conversation, f"Question {number} on glaucoma?", earlier)
            earlier.append(exchange)
            drops.append(dropped)
            assert end.prompt_tokens + 16 <= 512
    assert drops[:3] == [[], [], []]
    assert drops[-1]
    assert all(dropped == list(range(len(dropped))) for dropped in drops)
    assert [len(dropped) for dropped in drops] == sorted(len(dropped) for dropped in drops)


async def test_what_is_kept_always_stays_and_the_system_prompt_too(tiny_model: Path) -> None:
    model = store.choose(str(tiny_model))
    async with Engine() as engine:
        await engine.load(model)
        conversation = Conversation(engine, model)
        earlier = [Exchange(f"Question {number}?", "An answer of some words. " * 8) for number in range(12)]
        earlier[1] = Exchange("Allergic to penicillin.", "Noted.", keep=True)
        dropped, _, end = await asked(conversation, "And now?", earlier)
        assert 1 not in dropped
        assert dropped == [place for place in range(len(dropped) + 1) if place != 1]
        # Only what had to go went: with one exchange less dropped it would not fit.
        turns = question_turns("And now?", "clinical")
        system = await engine.render(turns)
        assert end.prompt_tokens > len(system)
        everything = [Exchange(one.question, one.answer, keep=True) for one in earlier]
        with pytest.raises(QuestionError, match="context holds 512"):
            await asked(conversation, "And now?", everything)


async def test_a_follow_up_evaluates_only_what_is_new(tiny_model: Path) -> None:
    model = store.choose(str(tiny_model))
    async with Engine() as engine:
        await engine.load(model)
        conversation = Conversation(engine, model)
        _, first, end = await asked(conversation, "What is glaucoma?", [])
        _, _, second = await asked(conversation, "And then?", [first])
    assert second.reused_tokens >= end.prompt_tokens + end.completion_tokens - 1


@pytest.mark.parametrize("cut", [5, 12, 13, 14])
async def test_an_answer_that_was_cut_short_goes_on_where_it_ended(tiny_model: Path, cut: int) -> None:
    """Also where it ended inside a character, which the next token completes."""
    model = store.choose(str(tiny_model))
    async with Engine() as engine:
        await engine.load(model)
        conversation = Conversation(engine, model)
        _, before, _ = await asked(conversation, "Who are you?", [])
        _, whole, end = await asked(conversation, "What is glaucoma?", [before], Asking(max_tokens=24))
        _, half, _ = await asked(conversation, "What is glaucoma?", [before], Asking(max_tokens=cut))
        rest, ids = "", []
        going_on = Asking(max_tokens=24 - cut)
        async for event in conversation.ask("What is glaucoma?", going_on, [before], begun=half):
            if isinstance(event, Piece):
                rest += event.text
            elif isinstance(event, Answered):
                ids = event.ids
    assert end.finish_reason == "length"
    assert [*half.ids, *ids] == whole.ids
    assert half.answer.removesuffix("\ufffd") + rest == whole.answer or half.answer + rest == whole.answer


async def test_a_seed_is_drawn_above_temperature_zero_and_recorded(tiny_model: Path) -> None:
    model = store.choose(str(tiny_model))
    async with Engine() as engine:
        await engine.load(model)
        conversation = Conversation(engine, model)
        warm = Asking(max_tokens=12, temperature=1.2)
        # The first question is evaluated from an empty cache, and numbers then differ in the last digits.
        _, _, greedy = await asked(conversation, "What is glaucoma?", [])
        _, one, first = await asked(conversation, "What is glaucoma?", [], warm)
        _, _, other = await asked(conversation, "What is glaucoma?", [], warm)
        again = Asking(max_tokens=12, temperature=1.2, seed=first.seed)
        _, same, _ = await asked(conversation, "What is glaucoma?", [], again)
    assert first.seed != other.seed
    assert greedy.seed == 0
    assert same.ids == one.ids


async def test_a_base_model_is_asked_in_the_free_role_alone(base_model: Path) -> None:
    model = store.choose(str(base_model))
    async with Engine() as engine:
        await engine.load(model)
        conversation = Conversation(engine, model)
        with pytest.raises(UsageError, match="base model"):
            await asked(conversation, "Glaucoma is", [])
        _, exchange, _ = await asked(conversation, "Glaucoma is", [], Asking(role="free", max_tokens=4))
    assert exchange.ids

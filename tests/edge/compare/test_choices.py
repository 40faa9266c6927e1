"""Levels asked multiple choice with the real worker: letters and answers, resumed, in several orders, plainly."""

import json
import math
import struct
from collections.abc import Iterable
from pathlib import Path

import msgspec
import numpy as np
import psutil
import pytest
from engines import workers
from gguf_drafts import Draft

from ophtimus_edge.compare.choices import asking
from ophtimus_edge.compare.choices.figures import report_choices
from ophtimus_edge.compare.choices.measuring import measure_choices
from ophtimus_edge.compare.choices.records import ChoiceRecord
from ophtimus_edge.compare.questions.files import read_choices
from ophtimus_edge.engine.client import Engine
from ophtimus_edge.engine.messages import Sampling, Turn
from ophtimus_edge.errors import EngineError, InvalidModelError
from ophtimus_edge.models import store
from ophtimus_edge.specialties.questions import ChoiceQuestion
from ophtimus_edge.specialties.quiz_file import embedded_path

TOKENS = 12


def question(number: int, count: int, text: str = "") -> ChoiceQuestion:
    """One with so many options, the second of which is right."""
    options = [f"thing {number}{place}" for place in range(count)] + [""] * (5 - count)
    return ChoiceQuestion(
        id=f"q{number}",
        language="en",
        topic="lens" if number % 2 else "retina",
        question=text or f"What is number {number}?",
        answer=options[1],
        source="",
        reviewed_by="",
        split="heldout",
        **dict(zip([f"option_{letter}" for letter in "abcde"], options, strict=True)),
    )


QUESTIONS = [question(number, 2 + number % 4) for number in range(11)]


async def measured(model: Path | str, level: str = "", **more: object) -> list[ChoiceRecord]:
    settings = {"questions": QUESTIONS, "most_tokens": TOKENS, "parallel": 3} | more
    questions = settings.pop("questions")
    return [
        record
        async for record in measure_choices(store.choose(str(model), level), questions, **settings)  # type: ignore[arg-type]
    ]


async def test_the_letters_are_those_of_each_question_by_itself(tiny_model: Path) -> None:
    """Against Engine.score, the whole prompt of each by itself, and against the logits."""
    records = await measured(tiny_model, "BF16", permutations=4, generate=False)
    planned = asking.plan(QUESTIONS, 4)
    assert [(one.question_id, tuple(one.order)) for one in records] == [
        (asked.question.id, asked.order) for asked in planned
    ]
    assert len(planned) == sum(min(4, len(one.options)) for one in QUESTIONS)
    async with Engine() as engine:
        await engine.load(store.choose(str(tiny_model), "BF16"))
        for asked, record in zip(planned, records, strict=True):
            prompt = await engine.render(asking.turns_up_to_letter(asked))
            assert b"".join(await engine.pieces(prompt)).endswith(b"<|end_header_id|>\n\nAnswer:\n")
            letters = [await engine.tokenize(letter) for letter in asked.letters]
            scores = [math.fsum(score) for score in await engine.score(prompt, letters)]
            likely = np.exp(scores)
            np.testing.assert_allclose(record.probabilities, likely / likely.sum(), atol=0.015)
            assert record.mass == pytest.approx(likely.sum(), rel=0.05)
            assert sum(record.probabilities) == pytest.approx(1)


async def test_answers_are_generated_as_a_conversation_and_kept_as_they_are(tiny_model: Path) -> None:
    records = [one for one in await measured(tiny_model, "BF16") if one.measured == "generated"]
    assert {one.question_id for one in records} == {one.id for one in QUESTIONS}
    assert all(one.order == sorted(one.order) and not one.probabilities for one in records)
    conversations = [asking.turns(asked) for asked in asking.plan(QUESTIONS)]
    assert conversations[0][0].text.startswith("You are an expert ophthalmologist.")
    assert conversations[2][1].text == (
        "Question:\nWhat is number 2?\n\nOptions:\nA) thing 20\nB) thing 21\nC) thing 22\nD) thing 23"
    )
    async with Engine() as engine:
        await engine.load(store.choose(str(tiny_model), "BF16"), sequences=3)
        texts = {
            QUESTIONS[done.index].id: done.text
            async for done in engine.answer_many(conversations, [Sampling(TOKENS)] * len(conversations), 3)
        }
    assert {one.question_id: one.text for one in records} == texts
    assert all(one.cut_short for one in records)  # the tiny model never ends


async def test_a_run_that_goes_on_finds_what_an_unbroken_one_finds(tiny_model: Path) -> None:
    """To the last bit for the letters; broken off among the letters and among the answers."""
    whole = await measured(tiny_model, permutations=2)
    letters = [one for one in whole if one.measured == "letters"]
    assert len(whole) == len({one.key for one in whole}) == len(letters) + len(QUESTIONS)
    for kept in (5, len(letters) + 2, len(whole)):
        told: list[tuple[int, int]] = []
        rest = await measured(
            tiny_model, permutations=2, known=whole[:kept], on_progress=lambda *at, told=told: told.append(at)
        )
        assert {one.key for one in rest} == {one.key for one in whole[kept:]}
        assert [one for one in rest if one.measured == "letters"] == letters[kept:]
        assert told == [(done, len(whole)) for done in range(kept, len(whole) + 1)]


async def test_a_record_of_another_question_covers_nothing(tiny_model: Path) -> None:
    first = await measured(tiny_model, questions=QUESTIONS[:1], generate=False)
    other = msgspec.structs.replace(QUESTIONS[0], question="What else?")
    again = await measured(tiny_model, questions=[other], generate=False, known=first)
    assert [one.question_id for one in again] == ["q0"]
    assert again[0].digest != first[0].digest
    assert await measured(tiny_model, questions=QUESTIONS[:1], generate=False, known=first) == []


async def test_closing_ends_the_process_and_a_dead_one_is_an_error(tiny_model: Path) -> None:
    model = store.choose(str(tiny_model))
    for measuring in ("letters", "generated"):
        stream = measure_choices(model, QUESTIONS, most_tokens=200, parallel=2)
        async for record in stream:
            if record.measured == measuring:
                break
        assert len(workers()) == 1
        await stream.aclose()
        assert not workers()
    stream = measure_choices(model, QUESTIONS, most_tokens=200, parallel=2)
    records = []
    with pytest.raises(EngineError):
        async for record in stream:
            records.append(record)
            if len(records) == len(QUESTIONS) + 1:
                psutil.Process(workers().pop()).kill()
    assert len(records) >= len(QUESTIONS) + 1
    assert not workers()


async def test_a_question_too_long_for_the_context_is_recorded_and_the_others_are_asked(
    tiny_model: Path,
) -> None:
    asked = [QUESTIONS[0], question(77, 4, "glaucoma " * 600), QUESTIONS[1]]
    records = await measured(tiny_model, questions=asked)
    long = [one for one in records if one.question_id == "q77"]
    assert [(one.measured, one.how) for one in long] == [("letters", "too long"), ("generated", "too long")]
    assert not any(one.probabilities or one.letter for one in long)
    assert len(records) == 6
    found = report_choices(asked, records)
    assert found.questions == 3
    assert found.unparsed
    assert found.unparsed.value >= 1 / 3
    assert sum(point.questions for point in found.reliability) == 2


async def test_a_question_that_was_too_long_for_a_shorter_context_is_asked_again(tiny_model: Path) -> None:
    """Where memory was short the context was, too; where it is as long as it can be, nothing is asked again."""
    asked = [QUESTIONS[0], question(77, 4, "glaucoma " * 600)]
    records = await measured(tiny_model, questions=asked)
    long = {one.key: one.context for one in records if one.how == "too long"}
    assert set(long.values()) == {512}
    assert all(one.context == 0 for one in records if one.question_id == "q0")
    assert await measured(tiny_model, questions=asked, known=records) == []
    shorter = [
        msgspec.structs.replace(one, how="too long", context=256, letter="", probabilities=[])
        if one.question_id == "q0"
        else one
        for one in records
    ]
    again = await measured(tiny_model, questions=asked, known=shorter)
    assert again == [one for one in records if one.question_id == "q0"]
    unknown = [msgspec.structs.replace(one, context=0) for one in records]  # as they were kept before
    assert {one.key for one in await measured(tiny_model, questions=asked, known=unknown)} == set(long)


async def test_letters_and_answers_have_a_progress_each(tiny_model: Path) -> None:
    told: list[tuple[str, int, int]] = []
    records = await measured(tiny_model, permutations=2, on_part=lambda *at: told.append(at))
    letters = sum(one.measured == "letters" for one in records)
    assert told == [
        *(("letters", done, letters) for done in range(letters + 1)),
        *(("generated", done, len(QUESTIONS)) for done in range(len(QUESTIONS) + 1)),
    ]
    told.clear()
    assert (
        len(
            await measured(tiny_model, permutations=2, known=records[3:], on_part=lambda *at: told.append(at))
        )
        == 3
    )
    assert next(at[1:] for at in told if at[0] == "letters") == (letters - 3, letters)
    assert told[-1] == ("generated", len(QUESTIONS), len(QUESTIONS))
    told.clear()
    await measured(tiny_model, generate=False, known=records, on_part=lambda *at: told.append(at))
    assert told == [("letters", len(QUESTIONS), len(QUESTIONS))]


async def test_a_file_that_computes_no_numbers_is_refused(tiny_model: Path, tmp_path: Path) -> None:
    draft = Draft((tiny_model / "tiny-BF16.gguf").read_bytes())
    sound, damaged = tmp_path / "sound.gguf", tmp_path / "damaged.gguf"
    sound.write_bytes(draft.packed())
    at = next(tensor.offset for tensor in draft.tensors if tensor.name == b"output_norm.weight")
    draft.data = draft.data[:at] + struct.pack("<f", math.nan) + draft.data[at + 4 :]
    damaged.write_bytes(draft.packed())
    assert len(await measured(sound, questions=QUESTIONS[:2], generate=False)) == 2
    with pytest.raises(InvalidModelError, match=r"damaged\.gguf computes what is no number.* question q0"):
        await measured(damaged, questions=QUESTIONS[:2], generate=False)
    assert not workers()


async def test_a_base_model_is_asked_plainly(base_model: Path) -> None:
    records = await measured(base_model, "BF16", most_tokens=100)
    letters = [one for one in records if one.measured == "letters"]
    answers = {one.question_id: one for one in records if one.measured == "generated"}
    [first, *_] = asking.plan(QUESTIONS)
    plain = "Question:\nWhat is number 0?\n\nOptions:\nA) thing 00\nB) thing 01\n\nAnswer:\n"
    assert asking.plain_text(first) == plain
    async with Engine() as engine:
        await engine.load(store.choose(str(base_model), "BF16"), sequences=1)
        begins = (await engine.tokenize("<|begin_of_text|>", special=True))[0]
        prompt = [begins, *await engine.tokenize(plain)]
        likely = np.exp(
            [sum(score) for score in await engine.score(prompt, [await engine.tokenize(one) for one in "AB"])]
        )
        np.testing.assert_allclose(letters[0].probabilities, likely / likely.sum(), atol=0.015)
        [done] = [
            one async for one in engine.answer_many([[Turn("user", plain)]], [Sampling(16)], 1, plain=True)
        ]
    assert answers["q0"].text == done.text


async def test_the_demonstration_is_asked_the_embedded_questions() -> None:
    """It was trained on the trained form: most of its answers are read strictly, and most letters are its own."""
    questions = read_choices(embedded_path()).questions[:12]
    records = await measured("demo", questions=questions, most_tokens=160, parallel=4)
    lines = [json.loads(msgspec.json.encode(one)) for one in records]
    assert [msgspec.convert(line, ChoiceRecord) for line in lines] == records
    found = report_choices(questions, records)
    assert found.questions == 12
    assert found.accuracy
    assert found.unparsed
    assert found.unparsed.value < 0.5
    assert {part.name for part in found.languages} == {"en"}


def _unique(values: Iterable[object]) -> int:
    return len(set(values))


@pytest.mark.parametrize("count", [2, 3, 4, 5])
def test_orders_put_every_option_at_every_letter_once(count: int) -> None:
    asked = asking.ask(question(1, count), 4)
    assert asked[0].order == tuple(range(count))
    assert len(asked) == min(count, 4)
    for place in range(count):
        assert _unique(one.order[place] for one in asked) == len(asked)
    for one in asked:
        shown = one.text.split("Options:\n")[1].splitlines()
        assert shown == [f"{letter}) {option}" for letter, option in zip("ABCDE", one.options, strict=False)]
        assert one.options[one.order.index(1)] == "thing 11"
    assert _unique(one.digest for one in asked) == len(asked)
    assert len(asking.ask(question(1, count))) == 1


@pytest.mark.parametrize(
    ("option", "others"),
    [
        ("All of the above", True),
        ("None of these", True),
        ("Both A and C", True),
        ("a, b and d", True),
        ("Neither", True),
        ("Options A or B", True),
        ("위의 모두", True),
        ("이상 모두 해당", True),
        ("해당 없음", True),
        ("A와 C", True),
        ("Offer your arm just above the elbow", False),
        ("Vitamins A and E", False),
        ("Both eyes", False),
        ("All extraocular muscles", False),
        ("A", False),
        ("위축", False),
        ("모두세포", False),
        ("Hepatitis B", False),
    ],
)
def test_a_question_whose_options_speak_of_one_another_keeps_its_order(option: str, others: bool) -> None:
    asked = msgspec.structs.replace(question(1, 4), option_d=option)
    assert asking.speaks_of_others(asked.options) is others
    assert len(asking.ask(asked, 4)) == (1 if others else 4)

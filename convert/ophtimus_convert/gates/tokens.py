"""Gates on the tokenizer: the same ids as transformers, for plain texts and for rendered conversations."""

import datetime
import random
import re

from ophtimus_convert.gates.finding import Finding, GateError, Subject
from ophtimus_edge.engine.messages import Turn
from ophtimus_edge.models.llama3 import TEMPLATE_DATE

TEXTS = (
    "What are the symptoms of angle-closure glaucoma?",
    "녹내장의 증상은 무엇인가요? 안압이 21 mmHg를 넘으면 어떻게 하나요?",
    "Visual acuity 20/200 OD, 6/12 OS; IOP 34 mmHg; −2.75 DS / −0.50 DC × 180°; 0.05 % w/v; 1,000.5 µm; 3×/day",
    "don't, I'LL, we've, it's, o'clock; e.g. i.e. vs. (a)[b]{c} -- … “quoted” 'single' a_b/c\\d",
    "1 12 123 1234 12345 123456 1234567 3.14159 2026-11-22 ①②③ ½ ¾ ²",
    "  two  spaces\tand\ta tab \r\n\r\n\n three lines \u00a0 no-break \u3000 wide   end  ",
    "\n\n\n   \n \t\t",
    "각막(cornea)과 수정체(lens)를 지난 빛은 망막에 맺힙니다.ㅋㅋ ㅠㅠ 안녕하세요!!!",
    "日本語 中文 العربية עברית हिन्दी ไทย Ελληνικά Русский 👁️👩‍⚕️🙂🙂 é e\u0301 ﬁ",
    "<|begin_of_text|>Hello<|eot_id|> <|start_header_id|>user<|end_header_id|>\n\nHi<|end_of_text|>",
    "Question:\nWhich drop lowers the pressure?\n\nOptions:\nA) Atropine\nB) Timolol\nC) Tropicamide",
    "Explanation:\nIt blocks beta receptors.\n\nAnswer:\nB) Timolol",
    "a" * 300,
    "zero\u200bwidth\ufeffmark and a lone \u0301 accent",
    "",
)
_CONVERSATIONS = (
    [Turn("user", "What is a cataract?")],
    [Turn("system", "You are an ophthalmologist."), Turn("user", "백내장 수술은 언제 하나요?")],
    [
        Turn("system", "Answer briefly."),
        Turn("user", "IOP 34 mmHg, what now?"),
        Turn("assistant", "Refer at once."),
        Turn("user", "And until then?\nThe pupil is 6 mm."),
    ],
)
_DRAWN, _DRAWN_TOKENS = 50, 40
_TOKENIZER_HINT = "Check that the tokenizer belongs to this checkpoint (--tokenizer DIR)."


async def tokens(subject: Subject) -> Finding:
    """Token ids of plain texts are equal in transformers and in llama.cpp.

    Raises:
        GateError: naming the first text that differs.
    """
    await subject.load(subject.smallest, vocabulary_only=True)
    texts = [*TEXTS, *_drawn(subject)]
    for text in texts:
        theirs = subject.tokenizer(text, add_special_tokens=False)["input_ids"]
        ours = await subject.engine.tokenize(text, special=True)
        if ours != theirs:
            at = next(
                (index for index, pair in enumerate(zip(ours, theirs, strict=False)) if pair[0] != pair[1]),
                min(len(ours), len(theirs)),
            )
            raise GateError(
                f"{text[:60]!r} becomes {theirs[at : at + 4]} in transformers and {ours[at : at + 4]} in "
                f"llama.cpp, from token {at} on",
                _TOKENIZER_HINT,
            )
    return Finding(True, f"{len(texts)} texts have the same token ids in transformers and llama.cpp")


def _drawn(subject: Subject) -> list[str]:
    """Texts made of tokens drawn from the vocabulary: they meet merges that no sentence does."""
    draw = random.Random(13)  # noqa: S311 - the same texts every time, nothing secret
    ordinary = len(subject.tokenizer) - len(subject.tokenizer.all_special_tokens)
    return [
        subject.tokenizer.decode([draw.randrange(ordinary) for _ in range(_DRAWN_TOKENS)])
        for _ in range(_DRAWN)
    ]


def dated(template: str) -> str:
    """A template that asks transformers for today, with the fixed date written in its place.

    transformers offers no way to tell it the day.
    """

    def fixed(call: re.Match[str]) -> str:
        return repr(datetime.datetime.strptime(TEMPLATE_DATE, "%d %b %Y").strftime(call[2]))

    return re.sub(r"""strftime_now\(\s*(['"])(.*?)\1\s*\)""", fixed, template)


async def template(subject: Subject) -> Finding:
    """Conversations render to the same ids in transformers and in the engine, with the fixed date.

    Raises:
        GateError: saying where they differ.
    """
    text = subject.blueprint.vocabulary.template
    if not text:
        return Finding(False, "the model has no chat template")
    await subject.load(subject.smallest, vocabulary_only=True)
    compared = 0
    for turns in _CONVERSATIONS:
        messages = [{"role": turn.role, "content": turn.text} for turn in turns]
        try:
            rendered = subject.tokenizer.apply_chat_template(
                messages,
                chat_template=dated(text),
                tokenize=False,
                add_generation_prompt=True,
                date_string=TEMPLATE_DATE,
            )
        except Exception as error:  # whatever a template raises: some refuse a system turn
            if turns[0].role == "system":
                continue
            raise GateError(
                f"transformers cannot render it ({error})", "Name another with --chat-template FILE."
            ) from error
        theirs = subject.tokenizer(rendered, add_special_tokens=False)["input_ids"]
        ours = await subject.engine.render(list(turns))
        if ours != theirs:
            raise GateError(
                f"a conversation of {len(turns)} turns becomes {len(theirs)} tokens in transformers and "
                f"{len(ours)} others in the engine",
                "Name the model's own template with --chat-template FILE. A template must put a line break or a "
                "special token before each turn's text.",
            )
        compared += 1
    return Finding(True, f"{compared} conversations render to the same token ids, dated {TEMPLATE_DATE}")

from pathlib import Path

import pytest
from transformers import AutoTokenizer

from ophtimus_edge.engine.messages import Turn
from ophtimus_edge.engine.worker.prompt import ChatTemplate, TemplateError

TURNS = [Turn("system", "You are an expert."), Turn("user", " What is [x:0] glaucoma?\n"), Turn("assistant", "A."),
         Turn("user", "안압은요?")]  # fmt: skip
META_DATES = (
    "{% if not date_string is defined %}{% set date_string = strftime_now('%d %b %Y') %}{% endif %}"
    "Today Date: {{ date_string }}|{{ strftime_now('%Y') }}|{% for m in messages %}{{ m.content }}{% endfor %}"
)


def letters(text: str, special: bool) -> list[int]:
    return [ord(char) for char in text]


def text_of(ids: list[int]) -> str:
    return "".join(map(chr, ids))


def test_the_ids_are_those_of_transformers(tiny_checkpoint: Path) -> None:
    tokenizer = AutoTokenizer.from_pretrained(tiny_checkpoint)

    def tokenize(text: str, special: bool) -> list[int]:
        return list(tokenizer(text, add_special_tokens=False, split_special_tokens=not special)["input_ids"])

    template = ChatTemplate(tokenizer.chat_template, "26 Jul 2024", tokenizer.bos_token, tokenizer.eos_token)
    messages = [{"role": turn.role, "content": turn.text.strip()} for turn in TURNS]
    expected = tokenizer.apply_chat_template(messages, add_generation_prompt=True, return_dict=True)[
        "input_ids"
    ]
    assert template.render(TURNS, tokenize) == list(expected)


def test_the_date_is_the_given_one_on_any_day() -> None:
    for defined in (META_DATES, META_DATES.replace("not date_string is defined", "true")):
        text = text_of(ChatTemplate(defined, "26 Jul 2024", "", "").render([Turn("user", "q")], letters))
        assert text == "Today Date: 26 Jul 2024|2024|q"


@pytest.mark.parametrize(
    "template",
    [
        "{{ messages[0].content }}",
        "{% for m in messages %}{{ m.content }}{{ m.content }}{% endfor %}",
        "{{ raise_exception('no') }}",
        "{{ messages.__class__.__mro__[1].__subclasses__() }}",
        "{{ 1 / 0 }}",
        "{{ nothing.there.at.all }}",
    ],
)
def test_a_template_that_loses_a_turn_or_breaks_out_is_refused(template: str) -> None:
    with pytest.raises(TemplateError):
        ChatTemplate(template, "26 Jul 2024", "", "").render(TURNS, letters)


def test_a_template_that_does_not_parse_is_refused() -> None:
    with pytest.raises(TemplateError):
        ChatTemplate("{% for %}", "26 Jul 2024", "", "")

from pathlib import Path
from typing import Any

import pytest
from transformers import AutoTokenizer
from transformers.utils.chat_template_utils import render_jinja_template

from ophtimus_edge.engine.client import Engine
from ophtimus_edge.engine.messages import Turn
from ophtimus_edge.engine.worker.prompt import ChatTemplate, TemplateError
from ophtimus_edge.errors import InvalidModelError
from ophtimus_edge.models import store
from ophtimus_edge.models.formats import Template

TURNS = [Turn("system", "You are an expert."), Turn("user", " What is [x:0] glaucoma?\n"), Turn("assistant", "A."),
         Turn("user", "안압은요?")]  # fmt: skip
META_DATES = (
    "{% if not date_string is defined %}{% set date_string = strftime_now('%d %b %Y') %}{% endif %}"
    "Today Date: {{ date_string }}|{{ strftime_now('%Y') }}|{% for m in messages %}{{ m.content }}{% endfor %}"
)
# What Llama-3.1's and 3.2's templates do: a system turn that is always there, dates, branches for tools.
TOOLS_AND_DATES = """
{{- bos_token }}
{%- if custom_tools is defined %}
    {%- set tools = custom_tools %}
{%- endif %}
{%- if not date_string is defined %}
    {%- if strftime_now is defined %}
        {%- set date_string = strftime_now("%d %b %Y") %}
    {%- else %}
        {%- set date_string = "26 Jul 2024" %}
    {%- endif %}
{%- endif %}
{%- if not tools is defined %}
    {%- set tools = none %}
{%- endif %}
{#- The first turn's text stands in a turn of its own. #}
{%- if messages[0]['role'] == 'system' %}
    {%- set first = messages[0]['content'] | trim %}
    {%- set messages = messages[1:] %}
{%- else %}
    {%- set first = "" %}
{%- endif %}
{{- "<|start_header_id|>system<|end_header_id|>\\n\\n" }}
{%- if tools is not none %}
    {{- "Tools: " + (tools | map(attribute='name') | join(', ')) + "\\n\\n" }}
    {%- for tool in tools %}
        {{- tool | tojson(indent=4) }}
        {{- "\\n\\n" }}
    {%- endfor %}
{%- endif %}
{{- "Until: December 2023\\n" }}
{{- "Today: " + date_string + "\\n\\n" }}
{{- first }}
{{- "<|eot_id|>" }}
{%- for message in messages %}
    {%- if not (message.role == 'ipython' or message.role == 'tool' or 'tool_calls' in message) %}
        {{- '<|start_header_id|>' + message['role'] + '<|end_header_id|>\\n\\n' }}
        {{- message['content'] | trim + '<|eot_id|>' }}
    {%- elif 'tool_calls' in message %}
        {%- if not message.tool_calls | length == 1 %}
            {{- raise_exception("One call at a time!") }}
        {%- endif %}
        {{- message.tool_calls[0].function.arguments | tojson }}
    {%- endif %}
{%- endfor %}
{%- if add_generation_prompt %}
    {{- '<|start_header_id|>assistant<|end_header_id|>\\n\\n' }}
{%- endif %}
"""
# What other templates of Llama models do.
OTHER_FEATURES = """
{%- macro head(role, close=true) -%}
    {{ '<|start_header_id|>' ~ role ~ ('<|end_header_id|>' if close else '') }}{{ "\\n\\n" }}
{%- endmacro -%}
{%- set ns = namespace(users=0, last=none) -%}
{{ bos_token }}
{%- for message in messages if message.content is string %}
    {%- if loop.first and message.role not in ['system', 'user'] %}
        {{- raise_exception('It begins with the ' ~ message.role ~ '.') }}
    {%- endif %}
    {%- if loop.index0 > 0 and message['role'] == ns.last %}
        {{- raise_exception('Two turns of one.') }}
    {%- endif %}
    {%- set ns.last = message.role %}
    {%- if message.role == 'user' %}{% set ns.users = ns.users + 1 %}{% endif %}
    {{- head(message.role) }}
    {%- if message.role == 'assistant' %}
        {%- generation %}{{ message.content.strip() }}<|eot_id|>{% endgeneration %}
    {%- else %}
        {{- (message.content | default('', true)).split('</think>')[-1].lstrip('\\n') }}<|eot_id|>
    {%- endif %}
    {%- if loop.last and documents %}{{ documents | length }}{% endif %}
{%- else %}
    {{- raise_exception('Nothing is asked.') }}
{%- endfor %}
{%- for word in {'a': 1, 'b': [2, 3]}.items() %}{% if loop.index > 1 %}{% break %}{% endif %}{% endfor %}
{%- if add_generation_prompt and ns.users >= 1 %}{{ head('assistant') }}{% endif %}
"""
# Instruction marks, as Llama-2's template writes them: the system prompt stands inside the first question.
INSIDE_THE_QUESTION = (
    "{% if messages[0]['role'] == 'system' %}{% set loop_messages = messages[1:] %}"
    "{% set system_message = messages[0]['content'] %}{% else %}{% set loop_messages = messages %}"
    "{% set system_message = false %}{% endif %}{% for message in loop_messages %}"
    "{% if (message['role'] == 'user') != (loop.index0 % 2 == 0) %}{{ raise_exception('roles') }}{% endif %}"
    "{% if loop.index0 == 0 and system_message != false %}"
    "{% set content = '<<SYS>>\\n' + system_message + '\\n<</SYS>>\\n\\n' + message['content'] %}"
    "{% else %}{% set content = message['content'] %}{% endif %}"
    "{% if message['role'] == 'user' %}{{ bos_token + '[INST] ' + content.strip() + ' [/INST]' }}"
    "{% elif message['role'] == 'assistant' %}{{ ' ' + content.strip() + ' ' + eos_token }}{% endif %}{% endfor %}"
)
SOUND = {
    "tools and dates": TOOLS_AND_DATES,
    "other features": OTHER_FEATURES,
    "inside the question": INSIDE_THE_QUESTION,
}
CONVERSATIONS = {
    "question": TURNS[1:2],
    "system": TURNS[:2],
    "four turns": TURNS,
    "three turns": TURNS[1:],
}


def letters(text: str, _special: bool) -> list[int]:
    return [ord(char) for char in text]


def text_of(ids: list[int]) -> str:
    return "".join(map(chr, ids))


def messages(turns: list[Turn]) -> list[dict[str, str]]:
    return [{"role": turn.role, "content": turn.text.strip()} for turn in turns]


@pytest.fixture(scope="module")
def tokenizer(tiny_checkpoint: Path) -> Any:
    return AutoTokenizer.from_pretrained(tiny_checkpoint)


def tokenize_with(tokenizer: Any) -> Any:
    def tokenize(text: str, special: bool) -> list[int]:
        return list(tokenizer(text, add_special_tokens=False, split_special_tokens=not special)["input_ids"])

    return tokenize


def test_the_ids_are_those_of_transformers(tokenizer: Any) -> None:
    for text in (tokenizer.chat_template, TOOLS_AND_DATES, OTHER_FEATURES):
        template = ChatTemplate(text, "26 Jul 2024", tokenizer.bos_token, tokenizer.eos_token)
        expected = tokenizer.apply_chat_template(
            messages(TURNS),
            chat_template=text,
            add_generation_prompt=True,
            return_dict=True,
            date_string="26 Jul 2024",
        )["input_ids"]
        assert template.render(TURNS, tokenize_with(tokenizer)) == list(expected)


@pytest.mark.parametrize("conversation", CONVERSATIONS)
@pytest.mark.parametrize("name", SOUND)
def test_a_sound_template_gives_what_transformers_gives(name: str, conversation: str) -> None:
    turns = CONVERSATIONS[conversation]
    rendered, _ = render_jinja_template(
        [messages(turns)],
        chat_template=SOUND[name],
        add_generation_prompt=True,
        bos_token="<b>",  # noqa: S106 - a token of text, not a password
        eos_token="<e>",  # noqa: S106
        date_string="26 Jul 2024",
    )
    template = ChatTemplate(SOUND[name], "26 Jul 2024", "<b>", "<e>")
    assert text_of(template.render(turns, letters)) == rendered[0]


def test_a_template_that_refuses_the_turns_says_why() -> None:
    template = ChatTemplate(OTHER_FEATURES, "26 Jul 2024", "", "")
    with pytest.raises(TemplateError, match="It begins with the assistant"):
        template.render(TURNS[2:], letters)
    with pytest.raises(TemplateError, match="Nothing is asked"):
        template.render([], letters)


def test_the_date_is_the_given_one_on_any_day() -> None:
    for defined in (META_DATES, META_DATES.replace("not date_string is defined", "true")):
        text = text_of(ChatTemplate(defined, "26 Jul 2024", "", "").render([Turn("user", "q")], letters))
        assert text == "Today Date: 26 Jul 2024|2024|q"


def test_what_the_model_wrote_stands_in_the_prompt_as_it_wrote_it() -> None:
    template = ChatTemplate("{% for m in messages %}<{{ m.content }}>{% endfor %}", "26 Jul 2024", "", "")
    written = [Turn("user", "a"), Turn("assistant", " not this ", ids=[7, 8, 9]), Turn("user", "b")]
    assert template.render(written, letters) == [*map(ord, "<a><"), 7, 8, 9, *map(ord, "><b>")]


@pytest.mark.parametrize("system", ["", "You are an expert.", " 당신은 안과 전문의입니다. "])
def test_a_prefix_begins_every_conversation_under_its_system_prompt(tokenizer: Any, system: str) -> None:
    tokenize = tokenize_with(tokenizer)
    first = [Turn("system", system)] if system else []
    more = [Turn("assistant", "A.", ids=[5, 6]), Turn("user", "And then?")]
    for text in (tokenizer.chat_template, *SOUND.values()):
        template = ChatTemplate(text, "26 Jul 2024", tokenizer.bos_token, tokenizer.eos_token)
        prefix = template.prefix(system, tokenize)
        lengths = set()
        for question in ("What is glaucoma?", "안압은요?", "a" * 300, "<|eot_id|>"):
            asked = [*first, Turn("user", question)]
            for turns in (asked, [*asked, *more]):
                ids = template.render(turns, tokenize)
                assert ids[: len(prefix)] == prefix
                lengths.add(len(ids) - len(prefix))
            own = tokenize(question, False)
            assert template.render(asked, tokenize)[len(prefix) :][: len(own)] == own
        assert len(prefix) > len(tokenize(system.strip(), False))
        assert len(lengths) > 2


def test_a_prefix_of_a_template_that_refuses_system_prompts_is_refused() -> None:
    text = "{% if messages[0].role == 'system' %}{{ raise_exception('no') }}{% endif %}-{{ messages[0].content }}"
    template = ChatTemplate(text, "26 Jul 2024", "", "")
    assert template.prefix("", letters) == [ord("-")]
    with pytest.raises(TemplateError, match="no"):
        template.prefix("x", letters)


def test_a_long_conversation_is_rendered() -> None:
    turns = [Turn("user" if number % 2 == 0 else "assistant", f"turn {number}") for number in range(801)]
    for text in SOUND.values():
        assert len(ChatTemplate(text, "26 Jul 2024", "", "").render(turns, letters)) > 801 * 7


@pytest.mark.parametrize(
    "template",
    [
        "{{ messages[0].content }}",
        "{% for m in messages %}{{ m.content }}{{ m.content }}{% endfor %}",
        "{{ raise_exception('no') }}",
        "{{ 1 / 0 }}",
        "{{ nothing.there.at.all }}",
    ],
)
def test_a_template_that_loses_a_turn_or_fails_is_refused(template: str) -> None:
    with pytest.raises(TemplateError):
        ChatTemplate(template, "26 Jul 2024", "", "").render(TURNS, letters)


def test_a_template_that_does_not_parse_is_refused() -> None:
    with pytest.raises(TemplateError):
        ChatTemplate("{% for %}", "26 Jul 2024", "", "")


@pytest.mark.parametrize(
    ("template", "loads"),
    [
        ("{% for %}", False),
        ("{% include '/etc/passwd' %}", False),
        ("{{ ''.__class__ }}", True),
        ("{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}", True),
    ],
)
async def test_a_worker_with_a_hostile_template_says_so(tiny_model: Path, template: str, loads: bool) -> None:
    """A template that does not compile ends the load; one that fails later, the request."""
    chosen = store.choose(str(tiny_model))
    model = store.ChosenModel(
        chosen.path, chosen.name, chosen.version, chosen.level, "", Template(text=template), None
    )
    async with Engine() as engine:
        if not loads:
            with pytest.raises(InvalidModelError, match="chat template is damaged"):
                await engine.load(model, vocabulary_only=True)
            return
        await engine.load(model, vocabulary_only=True)
        for _ in range(2):
            with pytest.raises(InvalidModelError, match="chat template failed"):
                await engine.render([Turn("user", "a")])
        assert await engine.tokenize("a")

"""Chat templates that mean harm: each is refused, none reaches a file, a program or the network.

The templates run in a process of their own with a hook that hears of everything Python does outside of
itself, so that a template which runs for ever or fills the memory fails its test and no other.
"""

import contextlib
import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import psutil
import pytest

from ophtimus_edge.engine.messages import Turn
from ophtimus_edge.engine.worker.prompt import ChatTemplate, TemplateError

MANY = "100 million letters"  # stands for them until they are needed
LOOP = "{% for m in messages %}<|{{ m.role }}|>{{ m.content }}{% endfor %}"
TURNS = [
    Turn("system", "You are an expert."),
    Turn("user", "a?"),
    Turn("assistant", "b."),
    Turn("user", "c?"),
]
_SQUARED = "{% set ns = namespace(x=START) %}{% for i in range(60) %}{% set ns.x = STEP %}{% endfor %}"


def grown(start: str, step: str) -> str:
    """A value that grows in a loop."""
    return _SQUARED.replace("START", start).replace("STEP", step) + LOOP


def nested(text: str, depth: int, opening: str, closing: str) -> str:
    return opening * depth + text + closing * depth


ATTACKS = {
    # for ever
    "nested loops": "{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}" + LOOP,
    "loops that skip everything": "{% for a in range(9999) if false %}{% endfor %}" * 600 + LOOP,
    "nested skipping": "{% for a in range(9999) %}{% for b in range(9999) if false %}{% endfor %}{% endfor %}" + LOOP,
    "loop through a long text": "{% for a in 'x' * 9999 %}{% for b in 'x' * 9999 %}{% endfor %}{% endfor %}" + LOOP,
    "recursive loop": "{% for a in [[[]]] recursive %}{{ loop(a) }}{% endfor %}" + LOOP,
    "macro that calls itself": "{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}" + LOOP,
    "macro that calls itself twice": (
        "{% macro m(n) %}{% if n %}{{ m(n - 1) }}{{ m(n - 1) }}{% endif %}{% endmacro %}{{ m(40) }}" + LOOP
    ),
    "two macros in turn": (
        "{% macro a() %}{{ b() }}{% endmacro %}{% macro b() %}{{ a() }}{% endmacro %}{{ a() }}" + LOOP
    ),
    "callers": "{% macro m() %}{% call m() %}{{ caller() }}{% endcall %}{% endmacro %}{{ m() }}" + LOOP,
    "equal structures compared": (
        "{% set a = namespace(x=[1]) %}{% set b = namespace(x=[1]) %}{% for i in range(40) %}"
        "{% set a.x = [a.x, a.x] %}{% set b.x = [b.x, b.x] %}{% endfor %}{{ a.x == b.x }}" + LOOP
    ),
    "equal structures searched": (
        "{% set a = namespace(x=[1]) %}{% for i in range(40) %}{% set a.x = [a.x, a.x] %}{% endfor %}"
        "{{ 1 in a.x }}" + LOOP
    ),
    "deep tuple as a key": grown("(1, 2)", "(ns.x, i)") + "{{ {ns.x: 1} }}",
    "very deep tuple": (
        "{% set ns = namespace(x=()) %}{% for i in range(20000) %}{% set ns.x = (ns.x,) %}{% endfor %}"
        "{{ {ns.x: 1} }}" + LOOP
    ),
    "comparisons on one line": "{% set a = range(9999)|list %}{{ [" + "a == a|list, " * 2000 + "] }}" + LOOP,
    "many letters stripped": "{% set s = 'a' * 250000 %}{{ s.strip('b' * 249000 ~ 'a') }}" + LOOP,
    "many letters trimmed": "{% set s = 'a' * 250000 %}{{ s | trim('b' * 249000 ~ 'a') }}" + LOOP,
    "searched from behind": "{{ ('a' * 250000).rfind('ab' ~ 'a' * 100000) }}" + LOOP,
    "split from behind": "{{ ('a' * 250000).rsplit('ab' ~ 'a' * 100000) }}" + LOOP,
    "huge numbers read": "{{ ('f' * 250000) | int(0, 16) is odd }}" + LOOP,
    "huge numbers divided": (
        "{% set a = ('f' * 250000) | int(0, 16) %}{% set b = ('f' * 125000) | int(0, 16) %}{{ a // b }}" + LOOP
    ),
    "huge numbers written": "{{ " + "9" * 4000 + " is divisibleby(" + "7" * 2000 + ") }}" + LOOP,
    # memory
    "huge repetition": "{{ 'a' * 10 ** 10 }}" + LOOP,
    "huge list": "{{ [0] * 10 ** 10 }}" + LOOP,
    "huge power": "{{ 10 ** (10 ** 8) }}" + LOOP,
    "squares": grown("7", "ns.x * ns.x"),
    "doubled text": grown("'ab'", "ns.x + ns.x"),
    "joined text": grown("'ab'", "ns.x ~ ns.x"),
    "joined many times at once": "{% set a = 'x' * 9999 %}{{ " + " ~ ".join(["a"] * 3000) + " }}" + LOOP,
    "doubled list": grown("[1]", "ns.x + ns.x"),
    "nested list": grown("[1]", "[ns.x, ns.x]"),
    "nested list printed": grown("['x' * 999]", "[ns.x, ns.x]") + "{{ ns.x }}",
    "nested dictionary": grown("{'a': 1}", "{'a': ns.x, 'b': ns.x}"),
    "nested dict()": grown("dict(a=1)", "dict(a=ns.x, b=ns.x)"),
    "nested namespaces": grown("namespace(a=1)", "namespace(a=ns.x, b=ns.x)") + "{{ ns.x }}",
    "nested arguments": (
        "{% set ns = namespace(x=(1,)) %}{% macro m() %}{% set ns.x = varargs %}{% endmacro %}"
        "{% for i in range(60) %}{% set _ = m(ns.x, ns.x) %}{% endfor %}{{ ns.x }}" + LOOP
    ),
    "growing block": (
        "{% set ns = namespace(x='ab') %}{% for i in range(60) %}{% set y %}{{ ns.x }}{{ ns.x }}{% endset %}"
        "{% set ns.x = y %}{% endfor %}" + LOOP
    ),
    "growing filter block": (
        "{% set ns = namespace(x='ab') %}{% for i in range(60) %}{% set y %}{% filter upper %}{{ ns.x }}{{ ns.x }}"
        "{% endfilter %}{% endset %}{% set ns.x = y %}{% endfor %}" + LOOP
    ),
    "slices kept": (
        "{% set s = 'x' * 9999 %}{% set ns = namespace(x=[]) %}{% for i in range(9999) %}"
        "{% set ns.x = [ns.x, s[1:]] %}{% endfor %}" + LOOP
    ),
    "slices on one line": "{% set s = 'x' * 9999 %}{% set l = [" + "s[1:], " * 4000 + "] %}" + LOOP,
    "centred": "{{ 'a' | center(10 ** 10) }}" + LOOP,
    "centred by its method": "{{ 'a'.center(10 ** 10) }}" + LOOP,
    "justified": "{{ 'a'.ljust(10 ** 10) }}" + LOOP,
    "filled with zeros": "{{ 'a'.zfill(10 ** 10) }}" + LOOP,
    "tabulators": "{{ '\\t'.expandtabs(10 ** 10) }}" + LOOP,
    "indented": "{{ 'a' | indent(10 ** 10, true) }}" + LOOP,
    "indented in many lines": "{{ ('a\\n' * 9999) | indent(9999) }}" + LOOP,
    "JSON indented": "{{ [1] | tojson(indent=10 ** 10) }}" + LOOP,
    "JSON separated": "{{ [1, 2] | tojson(separators=['x' * 9999, ':']) }}" + LOOP,
    "joined by a filter": "{{ (['a' * 9999] * 9999) | join }}" + LOOP,
    "joined by a method": "{{ ('a' * 9999).join(['b'] * 9999) }}" + LOOP,
    "joined by a long separator": "{{ (['b'] * 9999) | join('a' * 9999) }}" + LOOP,
    "replaced": "{{ ('a' * 9999).replace('a', 'b' * 9999) }}" + LOOP,
    "replaced by a filter": "{{ ('a' * 9999) | replace('a', 'b' * 9999) }}" + LOOP,
    "replaced between all letters": "{{ ('a' * 9999).replace('', 'b' * 9999) }}" + LOOP,
    "huge range": "{{ range(10 ** 12) | list }}" + LOOP,
    "range of huge numbers": "{{ range(10 ** 400) | length }}" + LOOP,
    "wrapped": "{{ ('a ' * 9999) | wordwrap(1, wrapstring='x' * 9999) }}" + LOOP,
    "formatted": "{{ '{:>9999999999}'.format(1) }}" + LOOP,
    "formatted by a map": "{{ '{a:>9999999999}'.format_map({'a': 1}) }}" + LOOP,
    "formatted by per cent": "{{ '%9999999999d' % 1 }}" + LOOP,
    "formatted by a filter": "{{ '%9999999999d' | format(1) }}" + LOOP,
    "rounded": "{{ 1.5 | round(999999999, 'ceil') }}" + LOOP,
    "batched": "{{ [1] | batch(10 ** 10, 0) | list }}" + LOOP,
    "sliced with filling": "{{ [1] | slice(10 ** 10, 0) | list }}" + LOOP,
    "summed lists": "{{ ([[1] * 9999] * 9999) | sum(start=[]) }}" + LOOP,
    "date of a huge layout": "{{ strftime_now('%c' * 9999) }}" + LOOP,
    "megabytes of output": "{% for i in range(9999) %}" + "x" * 5000 + "{% endfor %}" + LOOP,
    "huge complaint": "{{ raise_exception('a' * 200000) }}",
    # files and other templates
    "include": "{% include '/etc/passwd' %}" + LOOP,
    "include of a list": "{% include ['/etc/passwd', '/etc/hostname'] ignore missing %}" + LOOP,
    "import": "{% import 'os' as os %}{{ os.listdir('/') }}" + LOOP,
    "from import": "{% from 'os' import system %}" + LOOP,
    "extends": "{% extends '/etc/passwd' %}" + LOOP,
    "blocks": "{% block a %}{{ self.a() }}{% endblock %}" + LOOP,
    # attributes
    "classes": "{{ ''.__class__.__mro__[1].__subclasses__() }}" + LOOP,
    "classes of the messages": "{{ messages.__class__ }}" + LOOP,
    "classes as items": "{{ messages['__class__'] }}" + LOOP,
    "classes of a number": "{{ (1).__class__.__base__ }}" + LOOP,
    "classes by a filter": "{{ '' | attr('__class__') }}" + LOOP,
    "classes by map": "{{ [''] | map(attribute='__class__') | list }}" + LOOP,
    "classes by a selection": "{{ [''] | selectattr('__class__') | list }}" + LOOP,
    "classes by grouping": "{{ [''] | groupby('__class__') }}" + LOOP,
    "classes by sorting": "{{ ['', 'a'] | sort(attribute='__class__') }}" + LOOP,
    "classes by joining": "{{ [''] | join(attribute='__class__') }}" + LOOP,
    "classes by format": "{{ '{0.__class__}'.format(1) }}" + LOOP,
    "classes by format_map": "{{ '{a.__class__}'.format_map({'a': 1}) }}" + LOOP,
    "globals of lipsum": "{{ lipsum.__globals__['os'].popen('touch harm').read() }}" + LOOP,
    "globals of cycler": "{{ cycler.__init__.__globals__.os.popen('touch harm').read() }}" + LOOP,
    "globals of joiner": "{{ joiner.__init__.__globals__.os.popen('touch harm').read() }}" + LOOP,
    "globals of namespace": "{{ namespace.__init__.__globals__ }}" + LOOP,
    "globals of raise_exception": "{{ raise_exception.__globals__ }}" + LOOP,
    "closure of strftime_now": "{{ strftime_now.__closure__[0].cell_contents }}" + LOOP,
    "owner of range": "{{ range.__self__ }}" + LOOP,
    "owner of a method": "{{ ''.strip.__self__ }}" + LOOP,
    "the template itself": "{{ self._TemplateReference__context }}" + LOOP,
    "the template printed": "{{ self }}" + LOOP,
    "the loop's class": "{% for m in messages %}{{ loop.__class__ }}{{ m.content }}{% endfor %}",
    "the loop's iterator": "{% for m in messages %}{{ loop._iterator }}{{ m.content }}{% endfor %}",
    "a macro's function": "{% macro m() %}{% endmacro %}{{ m._func.__globals__ }}" + LOOP,
    "a macro's environment": "{% macro m() %}{% endmacro %}{{ m._environment }}" + LOOP,
    "a generator's frame": "{{ (messages | map('upper')).gi_frame.f_globals }}" + LOOP,
    "an undefined value's object": "{{ nothing._undefined_obj }}" + LOOP,
    "a function of dict": "{{ dict.fromkeys(range(9)) }}" + LOOP,
    "a namespace with a class": "{{ namespace(__class__=1) }}" + LOOP,
    "a class set in a namespace": "{% set ns = namespace() %}{% set ns.__class__ = 1 %}" + LOOP,
    "a function printed": "{{ range }}" + LOOP,
    "a namespace that poses as a text": "{% set ns = namespace(a=1) %}{{ ns | upper }}" + LOOP,
    # what it is given
    "appended message": "{{ messages.append(1) }}" + LOOP,
    "changed message": "{{ messages[0].update({'content': 'x'}) }}" + LOOP,
    "removed message": "{{ messages.pop() }}" + LOOP,
    "cleared message": "{{ messages[0].clear() }}" + LOOP,
    "undefined things": "{{ nothing.there.at.all }}" + LOOP,
    # the template's own form
    "deep parentheses": "{{ " + nested("1", 5000, "(", ")") + " }}" + LOOP,
    "deep lists": "{{ " + nested("", 5000, "[", "]") + " }}" + LOOP,
    "deep negation": "{{ " + "not " * 9000 + "1 }}" + LOOP,
    "deep minus": "{{ " + "-" * 9000 + "1 }}" + LOOP,
    "deep attributes": "{{ a" + ".b" * 9000 + " }}" + LOOP,
    "deep filters": "{{ 'a'" + "|trim" * 3000 + " }}" + LOOP,
    "deep sums": "{{ 1" + "+1" * 9000 + " }}" + LOOP,
    "deep conditions": "{{ 1" + " if 1 else 1" * 3000 + " }}" + LOOP,
    "deep blocks": nested("", 2000, "{% if 1 %}", "{% endif %}") + LOOP,
    "deep loops": nested("", 50, "{% for a in [1] %}", "{% endfor %}") + LOOP,
    "many parts": "{{a}}" * 13_000,
    "100 MB": LOOP + MANY,
    "100 MB of a comment": LOOP + "{#" + MANY + "#}",
    "a huge number": "{{ " + "9" * 60_000 + " }}" + LOOP,
    "no end of a tag": "{% for " * 9000,
    "no end of a text": "{{ '" + "\\'" * 30_000,
    "no end of raw text": "{% raw %}" * 7000,
    # turns
    "a turn dropped": "{{ messages[0].content }}",
    "all turns dropped": "<|start|>",
    "turns repeated": LOOP + LOOP,
    "turns in another order": "{% for m in messages | reverse %}{{ m.content }}{% endfor %}",
    "two turns swapped": "{% for i in [1, 0, 2, 3] %}{{ messages[i].content }}{% endfor %}",
    "turns cut": "{% for m in messages %}{{ m.content[:2] }}{% endfor %}",
    "turns cut and whole": "{% for m in messages %}{{ m.content[:2] }}{{ m.content }}{% endfor %}",
    "turns in capitals": "{% for m in messages %}{{ m.content | upper }}{% endfor %}",
    "control tokens inside a turn": (
        "{% for m in messages %}{{ m.content.replace('a', 'a<|eot_id|>') }}{% endfor %}"
    ),
    "control tokens between letters of a turn": (
        "{% for m in messages %}{{ m.content | list | join('<|eot_id|>') }}{% endfor %}"
    ),
    "a turn that it makes up": LOOP + "{{ messages[0].content.replace('0', '9') }}",
    "a turn with a huge number": LOOP + "{{ messages[0].content.replace('0', '9' * 5000) }}",
    "a turn with another script's number": LOOP + "{{ messages[0].content.replace('0', '\u0660') }}",
    "half a character": "{{ '\\ud83d' }}" + LOOP,
}  # fmt: skip

# What sound templates do that looks a little like the above.
SOUND = {
    "a loop": LOOP,
    "a long conversation's loops": "{% for a in range(60) %}{% for b in range(60) %}{% endfor %}{% endfor %}" + LOOP,
    "repeated text": "{{ '-' * 80 }}" + LOOP,
    "searches": "{{ 'a b c'.rsplit(' ', 1)[0] }}{{ 'abc'.find('c') }}{{ ' x ' | trim }}{{ 'xax'.strip('x') }}" + LOOP,
    "powers": "{{ 2 ** 64 }}{{ 7 * 6 }}{{ 7 // 2 }}{{ 7 % 2 }}{{ 1 / 4 }}{{ -1 + 2.5 }}" + LOOP,
    "a macro": (
        "{% macro turn(r, c='') %}<|{{ r }}|>{{ c }}{% endmacro %}"
        "{% for m in messages %}{{ turn(m.role, m.content) }}{% endfor %}"
    ),
    "a recursive macro": "{% macro m(n) %}{% if n %}{{ n }}{{ m(n - 1) }}{% endif %}{% endmacro %}{{ m(9) }}" + LOOP,
    "caller": "{% macro m() %}[{{ caller() }}]{% endmacro %}{% call m() %}x{% endcall %}" + LOOP,
    "JSON": "{{ {'a': [1, {'b': none}], 'c': 'é'} | tojson(indent=2) }}" + LOOP,
    "lists": "{{ ([1, 2] + [3])[::-1] | join(', ') }}{{ 'a,b'.split(',')[-1] }}" + LOOP,
    "comparisons": "{{ 1 < 2 < 3 }}{{ [1, [2]] == [1, [2]] }}{{ 'a' in 'abc' and 'x' not in ['y'] }}" + LOOP,
    "blocks of text": "{% set x %}a{{ 1 }}b{% endset %}{% filter upper %}{{ x }}{% endfilter %}" + LOOP,
    "a namespace": (
        "{% set ns = namespace(n=0) %}{% for m in messages %}{% set ns.n = ns.n + 1 %}{{ m.content }}{% endfor %}"
        "{{ ns.n }}"
    ),
    "3,000 tags": "{% if a %}{% endif %}" * 3000 + LOOP,
    "2,000 names": "".join(f"{{% set a{n} = 1 %}}" for n in range(2000)) + LOOP,
}  # fmt: skip

_HARMLESS = {
    "builtins.id",
    "compile",
    "exec",
    "object.__getattr__",
    "sys._getframe",
    "marshal.loads",
    "code.__new__",
}


def letters(text: str, _special: bool) -> list[int]:
    return [ord(char) for char in text]


def main() -> None:
    """In the process of its own: what became of each template, a line of JSON each."""
    heard: list[str] = []
    listening = False

    def hear(event: str, args: tuple[Any, ...]) -> None:
        # Python looks for the text of a line that it cannot compile in the file that it is told.
        looks = event == "open" and args[0] == "<template>"
        if listening and event not in _HARMLESS and not looks:
            heard.append(event)

    def outcome(text: str) -> str:
        nonlocal listening
        listening = True
        try:
            whole = text.replace(MANY, "x" * 100_000_000) if MANY in text else text
            ChatTemplate(whole, "26 Jul 2024", "<b>", "<e>").render(TURNS, letters)
        except TemplateError as error:
            return f"refused: {error}"
        except BaseException as error:
            return f"let through {error!r:.200}"
        finally:
            listening = False
        return "rendered"

    outcome(LOOP)  # what is imported once is imported now
    outcome("{{ strftime_now('%d') }}{{ [1] | tojson }}{{ raise_exception('x') }}" + LOOP)
    sys.addaudithook(hear)
    for name, text in {**ATTACKS, **SOUND}.items():
        heard.clear()
        start = time.process_time()
        line = {"name": name, "outcome": outcome(text), "heard": heard, "s": time.process_time() - start}
        print(json.dumps(line), flush=True)  # noqa: T201
    peak = psutil.Process().memory_info().rss >> 10
    with contextlib.suppress(OSError):
        # Not ru_maxrss: that has the peak of the process that started this one in it.
        status = Path("/proc/self/status").read_text(encoding="ascii")
        peak = int(status.partition("VmHWM:")[2].split()[0])
    print(json.dumps({"name": "memory", "kibibytes": peak}), flush=True)  # noqa: T201


@pytest.fixture(scope="module")
def outcomes(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, Any]]:
    folder = tmp_path_factory.mktemp("attacked")
    process = subprocess.run(
        [sys.executable, __file__], capture_output=True, text=True, cwd=folder, timeout=300, check=True
    )
    assert list(folder.iterdir()) == []
    return {line["name"]: line for line in map(json.loads, process.stdout.splitlines())}


@pytest.mark.parametrize("name", ATTACKS)
def test_an_attack_is_refused_and_does_nothing(outcomes: dict[str, dict[str, Any]], name: str) -> None:
    assert outcomes[name]["outcome"].startswith("refused: ")
    assert len(outcomes[name]["outcome"]) < 220
    assert outcomes[name]["heard"] == []


@pytest.mark.parametrize("name", SOUND)
def test_what_is_sound_is_rendered(outcomes: dict[str, dict[str, Any]], name: str) -> None:
    assert outcomes[name]["outcome"] == "rendered"
    assert outcomes[name]["heard"] == []


def test_all_of_them_together_take_little_memory(outcomes: dict[str, dict[str, Any]]) -> None:
    # Two of them have 100 MB themselves.
    assert outcomes["memory"]["kibibytes"] < 300 << 10


def test_the_hook_hears_what_it_listens_for(tmp_path: Path) -> None:
    """Without the bounds, jinja2's plain environment lets a template do what the hook then hears."""
    script = (
        "import sys, jinja2\n"
        "heard = []\n"
        "sys.addaudithook(lambda event, args: heard.append(event))\n"
        "jinja2.Environment().from_string(sys.argv[1]).render()\n"
        "print('os.system' in heard or 'subprocess.Popen' in heard)\n"
    )
    harm = ATTACKS["globals of cycler"].removesuffix(LOOP)
    output = subprocess.check_output([sys.executable, "-c", script, harm], text=True, cwd=tmp_path)
    assert output == "True\n"
    assert (tmp_path / "harm").exists()


if __name__ == "__main__":
    main()

"""Templates from untrusted files, rendered with a bounded amount of work.

jinja2's sandbox keeps a template from Python's internals, not from running for ever or filling the memory.
So a template is rewritten between jinja2's parser and its compiler: whatever takes time or memory in
proportion to data (loops, macros, comparisons, literals, slices, joined texts) becomes a call of this
environment, which counts the work and refuses beyond a limit. The count is of steps and characters, not of
seconds: a template that is accepted on one machine is accepted on every one, and nothing has to be
interrupted. What chat templates do not need (files, other templates, attributes of Python's objects, the
formatting of texts, most filters) is not there at all.
"""

import functools
import json
import operator
from collections.abc import Callable, Iterable, Iterator
from types import BuiltinMethodType, CodeType
from typing import Any

import jinja2
from jinja2 import filters, tests
from jinja2.exceptions import SecurityError, TemplateRuntimeError, TemplateSyntaxError
from jinja2.ext import LoopControlExtension
from jinja2.runtime import Context, LoopContext, Macro, Undefined
from jinja2.sandbox import ImmutableSandboxedEnvironment
from jinja2.utils import Namespace, pass_context

from ophtimus_edge.engine.worker.allowed import ATTRIBUTES, FILTERS, TESTS
from ophtimus_edge.engine.worker.rewriting import Generation, Rewriting, size_of

# The longest chat templates in use have about 20,000 characters and 3,000 nodes.
_MAX_TEMPLATE = 1 << 16
_MAX_NODES = 10_000
_MAX_PYTHON = 1 << 19  # characters that jinja2 makes of a template for Python's compiler
_MAX_WORK = 1_000_000  # of a rendering: a turn takes some hundred
_CHARACTERS = 8  # of a text, or parts of data, that are gone through at the cost of one step
_MAX_WEIGHT = 1 << 18  # characters and entries of one value
_MAX_DEPTH = 32  # of values inside values; Python's hash of a tuple has no limit of its own
_MAX_BITS = 1024  # of a number
_COMPARED = 1000  # characters that Python compares with others at the cost of one step
_MACRO = 60  # what a macro's call costs beside its body: many calls of Python's

_COMPARISONS: dict[str, Callable[[Any, Any], Any]] = {
    "eq": operator.eq,
    "ne": operator.ne,
    "gt": operator.gt,
    "gteq": operator.ge,
    "lt": operator.lt,
    "lteq": operator.le,
    "in": lambda left, right: left in right,
    "notin": lambda left, right: left not in right,
}
_SORTING = {"sort", "unique", "min", "max", "dictsort"}
_COLLECTIONS = (list, tuple, dict, range)
_MADE_NOW: tuple[type[Any], ...] = (Iterator, type({}.keys()), type({}.values()), type({}.items()))


class BoundedEnvironment(ImmutableSandboxedEnvironment):
    """Compiles and renders templates; one rendering at a time."""

    intercepted_binops = frozenset({"+", "-", "*", "/", "//", "**", "%"})

    def __init__(self) -> None:
        super().__init__(
            trim_blocks=True,
            lstrip_blocks=True,
            optimized=False,  # nothing is computed while a template is compiled
            finalize=self.printed,
            extensions=[LoopControlExtension, Generation],
        )
        self._work = 0
        self._weights: dict[int, tuple[object, int, int]] = {}
        self.globals = {"range": self._range, "dict": self._dict, "namespace": self._namespace}
        self.filters = {name: self._filter(name) for name in FILTERS}
        self.filters |= {
            "default": self._default, "d": self._default, "safe": self.text, "replace": self._replaced,
            "join": self._join_filter, "indent": self._indent, "tojson": self._json, "trim": self._trimmed,
        }  # fmt: skip
        self.tests = {name: self._test(name) for name in TESTS}

    def template(self, text: str) -> jinja2.Template:
        """Compile a template.

        Raises:
            Exception: any, where it is not sound or needs what is not there.
        """
        if len(text) > _MAX_TEMPLATE:
            raise TemplateSyntaxError(f"it has {len(text)} characters", 1)
        tree = self.parse(text)
        if size_of([tree]) > _MAX_NODES:
            raise TemplateSyntaxError("it has too many parts", 1)
        tree = Rewriting().visit(tree)
        tree.set_environment(self)
        return jinja2.Template.from_code(self, self.compile(tree), self.globals)

    def rendered(self, template: jinja2.Template, variables: dict[str, Any]) -> str:
        """Render a template of this environment.

        Raises:
            Exception: any that the template provokes, TemplateRuntimeError where it does too much.
        """
        self._work = 0
        self._weights.clear()
        try:
            return self.concat(template.generate(variables))
        finally:
            self._weights.clear()

    def _compile(self, source: str, filename: str) -> CodeType:
        if len(source) > _MAX_PYTHON:
            raise TemplateSyntaxError("it has too many parts", 1)
        return super()._compile(source, filename)

    # What is counted

    def charge(self, work: int) -> None:
        """Count work.

        Raises:
            TemplateRuntimeError: it was too much for one rendering.
        """
        self._work += work
        if self._work > _MAX_WORK:
            raise TemplateRuntimeError("it does too much")

    def weigh(self, value: object) -> int:
        """How many characters and entries a value has, those of what it holds among them.

        Raises:
            TemplateRuntimeError: it is too large, too deep, or not plain data.
        """
        return self._weigh(value)[0]

    def _weigh(self, value: object) -> tuple[int, int]:
        """The weight of a value, and its depth."""
        if isinstance(value, str):
            weight, depth = 1 + len(value), 0
        elif isinstance(value, int):
            self._expect_bits(value.bit_length())
            return 1, 0
        elif value is None or isinstance(value, float | Undefined):
            return 1, 0
        elif isinstance(value, _COLLECTIONS):
            known = self._weights.get(id(value))
            if known:
                return known[1:]
            weight, depth = 1 + len(value), 1
            for part in () if isinstance(value, range) else value:
                parts = (part, value[part]) if isinstance(value, dict) else (part,)
                for inner, below in map(self._weigh, parts):
                    weight, depth = weight + inner, max(depth, below + 1)
                if weight > _MAX_WEIGHT:
                    break
        else:
            raise SecurityError(f"it uses a {type(value).__name__} as text or data")
        self._expect(weight)
        if depth > _MAX_DEPTH:
            raise TemplateRuntimeError("it makes a value that is too large")
        if depth:
            self._weights[id(value)] = value, weight, depth  # held, so that its id stays its own
        return weight, depth

    def _expect(self, size: int) -> None:
        """Refuse a step whose result would be too large, before it is made."""
        if size > _MAX_WEIGHT:
            raise TemplateRuntimeError("it makes a value that is too large")

    def _expect_bits(self, bits: int) -> None:
        if bits > _MAX_BITS:
            raise TemplateRuntimeError("it computes with huge numbers")

    def _cost(self, value: object) -> int:
        """What it costs to go through plain data."""
        return 1 + self.weigh(value) // _CHARACTERS

    def _outer_cost(self, value: object) -> int:
        """What it costs to look at a value; what is not plain data is looked at from outside."""
        return self._cost(value) if isinstance(value, (str, int, *_COLLECTIONS)) else 1

    def made(self, value: Any) -> Any:
        """A value that a step made, counted; what would be made item by item is made now."""
        if isinstance(value, _MADE_NOW):
            value = list(value)
        if isinstance(value, int):
            self._weigh(value)
        if isinstance(value, (str, *_COLLECTIONS)):
            self.charge(1 + len(value) // (_CHARACTERS if isinstance(value, str) else 1))
            self._weigh(value)
        return value

    def text(self, value: object) -> str:
        """A value as text."""
        self.charge(self._cost(value))
        return value if isinstance(value, str) else str(self.made(str(value)))

    # What a template's parts are rewritten to

    def counted(self, items: Iterable[Any], cost: int) -> list[Any]:
        """What a loop goes through, each item at the cost of the loop's body."""
        if not isinstance(items, (str, Undefined, *_COLLECTIONS)):
            raise TemplateRuntimeError(f"it loops through a {type(items).__name__}")
        if not isinstance(items, Undefined):
            self.charge(cost * len(items))
        return list(items)

    def mapped(self, *pairs: tuple[Any, Any]) -> Any:
        """A dictionary that the template writes out."""
        self.charge(sum(self._cost(key) for key, _ in pairs))
        return self.made(dict(pairs))

    def sliced(self, value: Any, start: Any, stop: Any, step: Any) -> Any:
        """A part of a text or list."""
        if not isinstance(value, str | list | tuple | range | Undefined):
            raise TemplateRuntimeError(f"it slices a {type(value).__name__}")
        return self.made(value[slice(start, stop, step)])

    def joined(self, *values: object) -> str:
        """Values as texts, one behind the other."""
        return self.concat(map(self.text, values))

    def compared(self, left: Any, *rest: Any) -> Any:
        """A comparison, or a chain of them: operators and right sides in turn."""
        result: Any = True
        for name, right in zip(rest[::2], rest[1::2], strict=True):
            self.charge(self._outer_cost(left) + self._outer_cost(right))
            result = _COMPARISONS[name](left, right)
            if not result:
                return result
            left = right
        return result

    # What jinja2 calls while it renders

    @pass_context
    def printed(self, _context: Context, value: object) -> object:
        """A value that is printed."""
        return self.text(value)

    def concat(self, pieces: Iterable[str]) -> str:
        """Texts one behind the other, counted one by one."""
        parts = []
        for piece in pieces:
            self.charge(1 + len(piece) // _CHARACTERS)
            parts.append(piece)
        return str(self.made("".join(parts)))

    def getitem(self, obj: Any, argument: Any) -> Any:
        """An item or attribute."""
        self.charge(self._outer_cost(argument))
        return super().getitem(obj, argument)

    def is_safe_attribute(self, obj: Any, attr: str, _value: Any) -> bool:
        """Whether a template may have an attribute of one of Python's objects."""
        if attr.startswith("_"):
            return False
        known = any(isinstance(obj, kind) and attr in names for kind, names in ATTRIBUTES)
        return known or isinstance(obj, Namespace)

    def unsafe_undefined(self, obj: Any, attribute: str) -> Undefined:
        """Refuse at once what the sandbox would refuse only where it is used."""
        raise SecurityError(f"it asks for {str(attribute)[:60]!r} of a {type(obj).__name__}")

    def wrap_str_format(self, _value: Any) -> None:
        """No text's ``format`` is wrapped: none may be had."""

    def call_binop(self, _context: Context, symbol: str, left: Any, right: Any) -> Any:
        """Compute with two values whose result is known to be small."""
        self.charge(2 + self._outer_cost(left) + self._outer_cost(right))
        if symbol == "%" and isinstance(left, str):
            raise SecurityError("it formats a text")
        if isinstance(left, int) and isinstance(right, int):
            bits = {"*": left.bit_length() + right.bit_length(), "**": left.bit_length() * right}
            self._expect_bits(bits.get(symbol, 0))
        elif symbol == "*":
            sequence, times = (right, left) if isinstance(left, int) else (left, right)
            if isinstance(sequence, str | list | tuple) and isinstance(times, int):
                self._expect(len(sequence) * max(times, 0))
        return self.made(self.binop_table[symbol](left, right))

    def call(__self, __context: Context, __obj: Any, *args: Any, **kwargs: Any) -> Any:  # noqa: N805
        """Call a macro, one of this environment's functions, or a method of plain data."""
        __self.charge(4 + len(args) + len(kwargs) + _MACRO * isinstance(__obj, Macro))
        if not isinstance(__obj, BuiltinMethodType):
            if isinstance(getattr(__obj, "__self__", None), LoopContext):
                __self.charge(sum(map(__self._outer_cost, args)))
            return super().call(__context, __obj, *args, **kwargs)
        for name in ("_loop_vars", "_block_vars"):  # jinja2 hands them to every call
            kwargs.pop(name, None)
        receiver, method = __obj.__self__, __obj.__name__
        if not __self.is_safe_attribute(receiver, method, __obj):
            raise SecurityError(f"it calls {method}")
        own: dict[str, Callable[..., str]] = {"replace": __self._replaced, "join": __self._join}
        if method in own:
            return own[method](receiver, *args, **kwargs)
        __self.charge(sum(map(__self._cost, (receiver, *args, *kwargs.values()))))
        # Some methods look for each letter of the one text in the other.
        letters = len(receiver) if isinstance(receiver, str) else 0
        __self.charge(sum(letters * len(arg) for arg in args if isinstance(arg, str)) // _COMPARED)
        return __self.made(__obj(*args, **kwargs))

    # Functions, filters and tests

    def _range(self, *limits: int) -> range:
        result = range(*limits)
        self._weigh(result)
        return result

    def _dict(self, *args: Any, **kwargs: Any) -> Any:
        self.charge(sum(map(self._cost, (*args, *kwargs.values()))))
        return self.made(dict(*args, **kwargs))

    def _namespace(self, *args: Any, **kwargs: Any) -> Namespace:
        self.charge(sum(map(self._cost, args)))
        attributes = dict(*args, **kwargs)
        if any(not isinstance(name, str) or name.startswith("_") for name in attributes):
            raise SecurityError("it names an attribute of its own as Python names its internals")
        return Namespace(attributes)

    def _filter(self, name: str) -> Callable[..., Any]:
        function: Any = filters.FILTERS[name]
        passed = int(hasattr(function, "jinja_pass_arg"))  # arguments that jinja2 puts in front
        factor = 20 if name in _SORTING else 1  # the logarithm of the most that can be sorted

        @functools.wraps(function)
        def bounded(*args: Any, **kwargs: Any) -> Any:
            self.charge(1 + factor * sum(map(self._cost, (*args[passed:], *kwargs.values()))))
            return self.made(function(*args, **kwargs))

        return bounded

    def _test(self, name: str) -> Callable[..., Any]:
        function: Any = tests.TESTS[name]

        @functools.wraps(function)
        def bounded(*args: Any) -> Any:
            self.charge(1 + sum(map(self._outer_cost, args)))
            return function(*args)

        return bounded

    def _default(self, value: Any, default_value: Any = "", boolean: bool = False) -> Any:
        self.charge(2)
        return default_value if isinstance(value, Undefined) or (boolean and not value) else value

    def _trimmed(self, value: object, chars: str | None = None) -> str:
        text = self.text(value)
        self.charge(len(text) * len(chars or "") // _COMPARED)
        return str(self.made(text.strip(chars)))

    def _replaced(self, s: object, old: str, new: str, count: int | None = None) -> str:
        text, limit = self.text(s), -1 if count is None else count
        old, new = self.text(old), self.text(new)
        self._expect(text.count(old) * len(new))
        return str(self.made(text.replace(old, new, limit)))

    def _join(self, separator: str, items: Iterable[Any]) -> str:
        parts = self.counted(items, 1)
        self._expect(len(separator) * len(parts))
        if not all(isinstance(part, str) for part in parts):
            raise TemplateRuntimeError("it joins what is no text")
        return self.concat([separator.join(map(self.text, parts))] if parts else [])

    def _join_filter(self, value: Iterable[Any], d: object = "", attribute: Any = None) -> str:
        parts = self.counted(value, 2)
        if attribute is not None:
            parts = list(map(filters.make_attrgetter(self, attribute), parts))
        return self._join(self.text(d), [self.text(part) for part in parts])

    def _indent(self, s: object, width: int | str = 4, first: bool = False, blank: bool = False) -> str:
        text = self.text(s)
        size = len(width) if isinstance(width, str) else width
        self._expect((1 + text.count("\n")) * max(size, 0))
        return str(self.made(filters.do_indent(text, width, first, blank)))

    def _json(
        self,
        value: object,
        ensure_ascii: bool = False,
        indent: int | str | None = None,
        separators: tuple[str, str] | None = None,
        sort_keys: bool = False,
    ) -> str:
        """As JSON, without the escapes of HTML that jinja2's own filter writes."""
        size = len(indent) if isinstance(indent, str) else indent or 0
        if size > 16 or any(len(separator) > 16 for separator in separators or ()):
            raise TemplateRuntimeError("it indents too far")
        self.charge(4 * self._cost(value))
        options: dict[str, Any] = {"ensure_ascii": ensure_ascii, "indent": indent, "separators": separators}
        return str(self.made(json.dumps(value, sort_keys=sort_keys, **options)))

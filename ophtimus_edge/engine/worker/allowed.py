"""What of Python's and jinja2's a chat template may use, by name; whatever is not here is refused."""

from jinja2.runtime import LoopContext

ATTRIBUTES: tuple[tuple[type | tuple[type, ...], set[str]], ...] = (
    (str, {"strip", "lstrip", "rstrip", "split", "rsplit", "splitlines", "partition", "rpartition", "startswith",
           "endswith", "removeprefix", "removesuffix", "find", "rfind", "index", "rindex", "count", "upper", "lower",
           "title", "capitalize", "isdigit", "isalpha", "isalnum", "isspace", "isupper", "islower", "replace",
           "join"}),
    (dict, {"get", "items", "keys", "values"}),
    ((list, tuple), {"index", "count"}),
    (LoopContext, {"index", "index0", "revindex", "revindex0", "first", "last", "length", "previtem", "nextitem",
                   "depth", "depth0", "cycle", "changed"}),
)  # fmt: skip
FILTERS = (
    "abs", "capitalize", "count", "dictsort", "first", "float", "int", "items", "last", "length", "list", "lower",
    "map", "max", "min", "reject", "rejectattr", "reverse", "select", "selectattr", "sort", "string", "title",
    "unique", "upper",
)  # fmt: skip
TESTS = (
    "odd", "even", "divisibleby", "defined", "undefined", "none", "boolean", "false", "true", "integer", "float",
    "lower", "upper", "string", "mapping", "number", "sequence", "iterable", "sameas", "in", "==", "eq", "equalto",
    "!=", "ne", ">", "gt", "greaterthan", "ge", ">=", "<", "lt", "lessthan", "<=", "le",
)  # fmt: skip

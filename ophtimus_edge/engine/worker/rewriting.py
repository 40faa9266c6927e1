"""A template's parts, rewritten between jinja2's parser and its compiler.

What takes time or memory in proportion to data becomes a call of the environment, which counts it; see
:class:`ophtimus_edge.engine.worker.templates.BoundedEnvironment`.
"""

from typing import Any

from jinja2 import nodes
from jinja2.exceptions import TemplateSyntaxError
from jinja2.ext import Extension
from jinja2.parser import Parser
from jinja2.visitor import NodeTransformer

_NODES = {
    "Template", "Output", "TemplateData", "Const", "Name", "NSRef", "Tuple", "List", "Dict", "Pair", "Keyword",
    "CondExpr", "Filter", "Test", "Call", "Getitem", "Getattr", "Slice", "Concat", "Compare", "Operand", "Add",
    "Sub", "Mul", "Div", "FloorDiv", "Mod", "Pow", "And", "Or", "Not", "Neg", "Pos", "For", "If", "Macro",
    "CallBlock", "FilterBlock", "With", "Assign", "AssignBlock", "Continue", "Break",
}  # fmt: skip


class Generation(Extension):
    """``{% generation %}``, which marks for a trainer what the assistant wrote, and writes nothing."""

    tags = {"generation"}  # noqa: RUF012 - as jinja2 declares it

    def parse(self, parser: Parser) -> nodes.Node:
        """The marked part, with its own scope."""
        lineno = next(parser.stream).lineno
        body = parser.parse_statements(("name:endgeneration",), drop_needle=True)
        return nodes.With([], [], body, lineno=lineno)


class Rewriting(NodeTransformer):
    """Refuses what a chat template does not need, and routes through the environment what is counted."""

    def visit(self, node: nodes.Node, *args: Any, **kwargs: Any) -> Any:
        """Any node: refused where it is of another kind."""
        kind = type(node).__name__
        if kind not in _NODES:
            raise TemplateSyntaxError(f"it uses {kind.lower()}", node.lineno or 1)
        return super().visit(node, *args, **kwargs)

    def visit_For(self, node: nodes.For) -> nodes.Node:  # noqa: N802 - named by jinja2
        """A loop: each turn costs as much as its body has nodes."""
        if node.recursive:
            raise TemplateSyntaxError("it uses a recursive loop", node.lineno)
        cost = 1 + size_of(node.body) + (size_of([node.test]) if node.test else 0)
        self.generic_visit(node)
        node.iter = _call(node, "counted", node.iter, nodes.Const(cost))
        return node

    def visit_Macro(self, node: nodes.Macro | nodes.CallBlock) -> nodes.Node:  # noqa: N802
        """A macro: each call costs as much as its body has nodes."""
        cost = 1 + size_of([*node.body, *node.defaults])
        self.generic_visit(node)
        counted = nodes.ExprStmt(_call(node, "charge", nodes.Const(cost)), lineno=node.lineno)
        node.body.insert(0, counted)
        return node

    visit_CallBlock = visit_Macro  # noqa: N815

    def visit_List(self, node: nodes.List | nodes.Tuple) -> nodes.Node:  # noqa: N802
        """A list or tuple that is written out."""
        self.generic_visit(node)
        stored = isinstance(node, nodes.Tuple) and node.ctx != "load"
        return node if stored else _call(node, "made", node)

    visit_Tuple = visit_List  # noqa: N815

    def visit_Dict(self, node: nodes.Dict) -> nodes.Node:  # noqa: N802
        """A dictionary that is written out."""
        self.generic_visit(node)
        return _call(node, "mapped", *(nodes.Tuple([pair.key, pair.value], "load") for pair in node.items))

    def visit_Getitem(self, node: nodes.Getitem) -> nodes.Node:  # noqa: N802
        """A slice; other items go through the environment already."""
        self.generic_visit(node)
        if not isinstance(node.arg, nodes.Slice):
            return node
        limits = (node.arg.start, node.arg.stop, node.arg.step)
        return _call(node, "sliced", node.node, *(limit or nodes.Const(None) for limit in limits))

    def visit_Concat(self, node: nodes.Concat) -> nodes.Node:  # noqa: N802
        """Values joined with ``~``."""
        self.generic_visit(node)
        return _call(node, "joined", *node.nodes)

    def visit_Compare(self, node: nodes.Compare) -> nodes.Node:  # noqa: N802
        """A comparison, or a chain of them."""
        self.generic_visit(node)
        rest = [part for operand in node.ops for part in (nodes.Const(operand.op), operand.expr)]
        return _call(node, "compared", node.expr, *rest)

    def visit_NSRef(self, node: nodes.NSRef) -> nodes.Node:  # noqa: N802
        """An attribute of a namespace that is set."""
        if node.attr.startswith("_"):
            raise TemplateSyntaxError("it sets an attribute that Python uses itself", node.lineno)
        return node


def _call(node: nodes.Node, name: str, *args: nodes.Node) -> nodes.Call:
    """The call of a method of the environment, in the place of a node."""
    return nodes.Call(nodes.EnvironmentAttribute(name), list(args), [], None, None, lineno=node.lineno)


def size_of(tree: list[nodes.Node]) -> int:
    """The number of nodes in trees."""
    count, waiting = 0, list(tree)
    while waiting:
        count += 1
        waiting += waiting.pop().iter_child_nodes()
    return count

"""Ways of writing that are often got wrong, by the text of a statement alone. Pure.

Each has a name. What it weighs was learned from functions whose fault is known: see `likelihood.py`.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator
from typing import Any, Final

from relive_runtime.travel.causes.arms import head_of
from relive_runtime.travel.causes.frames import name_of

__all__ = ["fills_a_default", "idioms"]

_IN_PLACE: Final = frozenset(
    ("sort", "append", "extend", "update", "reverse", "insert", "remove", "clear", "add", "discard")
)
"""Methods that change what they are called on, and give nothing back."""
_FRESH: Final = frozenset(("list", "dict", "set", "defaultdict", "deque", "Counter", "OrderedDict"))
_NAIVE: Final = frozenset(
    ("fromisoformat", "strptime", "combine", "now", "utcnow", "utcfromtimestamp", "today")
)
_PATTERNS: Final = frozenset(("compile", "search", "match", "findall", "sub", "split", "fullmatch"))
_QUOTES: Final = frozenset(("unquote_plus", "unquote", "quote", "quote_plus", "urlencode"))
_BY_NAME: Final = {
    "groupby": "groups",
    "float": "makes it float",
    "bool": "makes it bool",
    "len": "counts",
    "range": "goes over a range",
    "fromtimestamp": "chooses a time zone",
    "astimezone": "chooses a time zone",
    **dict.fromkeys(("bisect", "bisect_left", "bisect_right", "insort"), "bisects"),
    **dict.fromkeys(_QUOTES, "quotes"),
}


def idioms(statement: ast.stmt) -> set[str]:
    """Those of a statement, without its body."""
    found = set[str]()
    for node in head_of(statement):
        of_node = _BY_NODE.get(type(node))
        if of_node is not None:
            found |= set(of_node(node))
    of_statement = _BY_STATEMENT.get(type(statement))
    if of_statement is not None:
        found |= set(of_statement(statement))
    return found


def fills_a_default(function: ast.FunctionDef | ast.AsyncFunctionDef) -> list[str]:
    """The parameters whose default is a container: all calls have the same one."""
    arguments = function.args
    names = [*arguments.posonlyargs, *arguments.args]
    first = len(names) - len(arguments.defaults)
    pairs = [*zip(names[first:], arguments.defaults, strict=True)]
    pairs += [
        (name, one) for name, one in zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True) if one
    ]
    return [name.arg for name, one in pairs if _is_fresh(one)]


# ------------------------------------------------------------ by an expression in it


def _of_call(node: ast.Call) -> Iterator[str]:
    name = name_of(node)
    if name in _BY_NAME:
        yield _BY_NAME[name]
    if name in ("encode", "decode"):
        yield from _of_letters(node, name)
    if name == "discard" or (name == "pop" and len(node.args) > 1):
        yield "removes if it is there"
    if name in _PATTERNS and node.args and _is_greedy(node.args[0]):
        yield "greedy pattern"
    if name == "fromkeys" and len(node.args) > 1 and _is_fresh(node.args[1]):
        yield "one object for all"
    words = {one.arg for one in node.keywords}
    if name in ("max", "min", "sorted", "sort"):
        yield "orders by a key" if "key" in words else "orders by itself"
    if name == "replace" and "tzinfo" in words:
        yield "replaces the time zone"
    if name in _NAIVE and not words & {"tz", "tzinfo"} and not (name == "now" and node.args):
        yield "makes a time without a zone"


def _of_letters(node: ast.Call, name: str) -> Iterator[str]:
    given = [*node.args, *(one.value for one in node.keywords)]
    if {one.value for one in given if isinstance(one, ast.Constant)} & {"ignore", "replace"}:
        yield "leaves letters out"
    elif name == "decode":
        yield "decodes a text"


def _of_binary(node: ast.BinOp) -> Iterator[str]:
    left, right = node.left, node.right
    if isinstance(node.op, ast.Div):
        yield "divides"
    if isinstance(node.op, ast.Mod) and not isinstance(left, ast.Constant | ast.JoinedStr):
        yield "takes the rest"
    one_more = isinstance(node.op, ast.Add) and isinstance(right, ast.Constant) and right.value == 1
    if one_more and isinstance(left, ast.BinOp) and isinstance(left.op, ast.FloorDiv):
        yield "counts pages"
    items = left.elts if isinstance(node.op, ast.Mult) and isinstance(left, ast.List) else []
    if any(not isinstance(one, ast.Constant | ast.UnaryOp) for one in items):
        yield "one object for all"


def _of_list(node: ast.ListComp) -> Iterator[str]:
    own = {part.id for one in node.generators for part in ast.walk(one.target) if isinstance(part, ast.Name)}
    if isinstance(node.elt, ast.Name) and node.elt.id not in own:
        yield "one object for all"


def _of_bool(node: ast.BoolOp) -> Iterator[str]:
    if isinstance(node.op, ast.And):
        yield "asks for both"
        return
    if any(isinstance(one, ast.BoolOp) and isinstance(one.op, ast.And) for one in node.values):
        yield "mixes and with or"
    if isinstance(node.values[-1], ast.Constant | ast.List | ast.Dict | ast.Call | ast.Name):
        yield "takes another if it is nothing"


def _of_compare(node: ast.Compare) -> Iterator[str]:
    for op, right in zip(node.ops, node.comparators, strict=True):
        text = isinstance(right, ast.Constant) and type(right.value) is str
        if isinstance(op, ast.In | ast.NotIn) and text:
            yield "looks in a text"
        if isinstance(op, ast.GtE | ast.LtE):
            yield "with its edge"
        elif isinstance(op, ast.Gt | ast.Lt):
            yield "without its edge"


def _of_subscript(node: ast.Subscript) -> Iterator[str]:
    if isinstance(node.slice, ast.Slice):
        yield "cuts"
        if isinstance(node.value, ast.Call) and name_of(node.value) == "encode":
            yield "cuts what it encodes"


def _of_dict(node: ast.Dict) -> Iterator[str]:
    if None in node.keys:
        yield "merges"


def _is_greedy(node: ast.expr) -> bool:
    text = node.value if isinstance(node, ast.Constant) else None
    return type(text) is str and any(part in text for part in (".*", ".+", "]+", "]*"))


def _is_fresh(node: ast.AST) -> bool:
    if isinstance(node, ast.List | ast.Dict | ast.Set | ast.ListComp | ast.DictComp | ast.SetComp):
        return True
    return isinstance(node, ast.Call) and name_of(node) in _FRESH


_BY_NODE: Final[dict[type[ast.AST], Callable[[Any], Iterator[str]]]] = {
    ast.Call: _of_call,
    ast.BinOp: _of_binary,
    ast.ListComp: _of_list,
    ast.BoolOp: _of_bool,
    ast.Compare: _of_compare,
    ast.Subscript: _of_subscript,
    ast.Dict: _of_dict,
}


# ------------------------------------------------------------ by what the statement is


def _of_value(statement: ast.Assign | ast.AnnAssign | ast.Return) -> Iterator[str]:
    value = statement.value
    if isinstance(value, ast.Call):
        name = name_of(value)
        if isinstance(value.func, ast.Attribute) and name in _IN_PLACE:
            yield "takes the result of a change"
    elif isinstance(value, ast.Constant) and value.value not in (None, 0, "", True, False):
        yield "gives a constant"
    elif isinstance(value, ast.Dict | ast.List | ast.Set) and not ast.unparse(value)[1:-1]:
        yield "gives an empty one"
    elif isinstance(value, ast.IfExp):
        yield "chooses"


def _of_function(statement: ast.FunctionDef | ast.AsyncFunctionDef) -> Iterator[str]:
    if fills_a_default(statement):
        yield "has one default for all calls"


def _of_test(statement: ast.If | ast.While) -> Iterator[str]:
    test = statement.test.operand if isinstance(statement.test, ast.UnaryOp) else statement.test
    if isinstance(test, ast.Name | ast.Attribute | ast.Subscript | ast.Call):
        yield "asks whether it is something"


_BY_STATEMENT: Final[dict[type[ast.stmt], Callable[[Any], Iterator[str]]]] = {
    ast.Assign: _of_value,
    ast.AnnAssign: _of_value,
    ast.Return: _of_value,
    ast.FunctionDef: _of_function,
    ast.AsyncFunctionDef: _of_function,
    ast.If: _of_test,
    ast.While: _of_test,
}

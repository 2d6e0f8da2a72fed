"""A pattern's document to a Pattern; what is wrong is told with its path."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from relive_platform.triggers.patterns.errors import PatternError
from relive_platform.triggers.patterns.pattern import Alternatives, Field, Node, Pattern, Test
from relive_platform.triggers.patterns.tests import OPERATORS, RESERVED, equal_to

__all__ = ["compile_pattern", "pattern_problems"]

_MAX_DEPTH: Final = 32
_MAX_TESTS: Final = 1_000
_HINT: Final = "fields hold objects or lists of values, as in Amazon EventBridge's event patterns"


def compile_pattern(document: Any) -> Pattern:
    """The pattern that `document` (what its JSON or TOML holds) means. Raises PatternError."""
    return Pattern(_Compiler().node(document, ()))


def pattern_problems(key: str, document: Any) -> Iterator[tuple[str, str, str]]:
    """The key, message and hint of what is wrong with a trigger's pattern; None is none."""
    if document is not None:
        try:
            compile_pattern(document)
        except PatternError as error:
            yield key, f"{error.where}: {error.message}" if error.where else error.message, error.hint


class _Compiler:
    def __init__(self) -> None:
        self.tests = 0

    def node(self, document: Any, path: tuple[str, ...], shown: str = "") -> Node:
        if not isinstance(document, Mapping):
            raise PatternError("a pattern is an object", where=shown, hint=_HINT)
        if not document:
            raise PatternError("an empty object fits nothing", where=shown, hint="leave it out")
        if len(path) >= _MAX_DEPTH:
            raise PatternError(f"the pattern is over {_MAX_DEPTH} levels deep", where=shown)
        node, choices = Node(), []
        for name, value in document.items():
            at = f"{shown}.{name}" if shown else str(name)
            if name == "$or" and _is_choice(value):
                nodes = [self.node(one, path, f"{at}[{index}]") for index, one in enumerate(value)]
                choices.append(Alternatives(tuple(nodes)))
            elif isinstance(value, Mapping):
                node.nodes[name] = self.node(value, (*path, name), at)
            elif isinstance(value, list | tuple):
                node.fields[name] = self.field(value, (*path, name), at)
            else:
                raise PatternError(f"{name!r} is neither a list nor an object", where=at, hint=_HINT)
        return Node(node.fields, node.nodes, tuple(choices))

    def field(self, values: list[Any] | tuple[Any, ...], path: tuple[str, ...], shown: str) -> Field:
        if not values:
            raise PatternError("an empty list fits nothing", where=shown, hint="name a value")
        self.tests += len(values)
        if self.tests > _MAX_TESTS:
            raise PatternError(f"the pattern has over {_MAX_TESTS} values", where=shown)
        tests: list[Test] = []
        absent = False
        for index, value in enumerate(values):
            at = f"{shown}[{index}]"
            if not isinstance(value, Mapping):
                tests.append(equal_to(value, at))
                continue
            if len(value) != 1:
                raise PatternError(
                    f"a test has one operator, not {len(value)}", where=at, hint="write one object for each"
                )
            [(operator, operand)] = value.items()
            if operator == "exists" and operand is False:
                absent = True
                continue
            make = OPERATORS.get(operator)
            if make is None:
                hint = f"use one of {', '.join(OPERATORS)}"
                raise PatternError(f"there is no operator {operator!r}", where=at, hint=hint)
            tests.append(make(operand, f"{at}.{operator}"))
        return Field(path, tuple(tests), absent)


def _is_choice(value: Any) -> bool:
    """Elsewhere `$or` is a field like any other."""
    return (
        isinstance(value, list | tuple)
        and len(value) > 1
        and all(isinstance(one, Mapping) and not RESERVED & one.keys() for one in value)
    )

"""A compiled pattern: does an event fit?

Fields of a pattern are joined by "and", the tests in a field's list by "or". A list in the event fits if one
of its elements does; tests of several fields of one object in a list have to fit the same object."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

__all__ = ["Alternatives", "Field", "Node", "Pattern", "Test"]

Test = Callable[[Any], bool]
_MISSING: Final = object()


@dataclass(frozen=True, slots=True)
class Field:
    """A list of tests. `absent`: the field may also be missing, at this `path` of the whole event."""

    path: tuple[str, ...]
    tests: tuple[Test, ...]
    absent: bool = False

    def fits(self, value: Any, event: Any) -> bool:
        """`value` is the field's in the object that is looked at; _MISSING without one."""
        for leaf in _leaves(value):
            if any(test(leaf) for test in self.tests):
                return True
        return self.absent and not _present(event, self.path)


@dataclass(frozen=True, slots=True)
class Node:
    """An object of the pattern."""

    fields: dict[str, Field] = field(default_factory=dict)
    nodes: dict[str, Node] = field(default_factory=dict)
    choices: tuple[Alternatives, ...] = ()

    def fits(self, value: Any, event: Any) -> bool:
        """Of a list, whether one of its objects fits; what is no object has no fields."""
        return any(self._fits(one, event) for one in _objects(value))

    def _fits(self, value: Mapping[str, Any], event: Any) -> bool:
        return (
            all(test.fits(value.get(name, _MISSING), event) for name, test in self.fields.items())
            and all(node.fits(value.get(name, _MISSING), event) for name, node in self.nodes.items())
            and all(choice.fits(value, event) for choice in self.choices)
        )


@dataclass(frozen=True, slots=True)
class Alternatives:
    """`$or`: one of them has to fit."""

    nodes: tuple[Node, ...]

    def fits(self, value: Any, event: Any) -> bool:
        """As Node.fits."""
        return any(node.fits(value, event) for node in self.nodes)


@dataclass(frozen=True, slots=True)
class Pattern:
    """What `compile_pattern` makes."""

    root: Node

    def matches(self, value: Any) -> bool:
        """Whether an event fits; what is no object never does."""
        return isinstance(value, Mapping) and self.root.fits(value, value)


def _objects(value: Any) -> Iterator[Mapping[str, Any]]:
    """The objects that fields are looked up in. Without any, fields may still be wanted missing."""
    if isinstance(value, Mapping):
        yield value
        return
    found = False
    for one in _flat(value) if isinstance(value, list) else ():
        if isinstance(one, Mapping):
            found = True
            yield one
    if not found:
        yield {}


def _leaves(value: Any) -> Iterator[Any]:
    """What tests look at: objects are none, lists are their elements."""
    if isinstance(value, list):
        yield from (one for one in _flat(value) if not isinstance(one, Mapping))
    elif value is not _MISSING and not isinstance(value, Mapping):
        yield value


def _flat(values: list[Any]) -> Iterator[Any]:
    """Lists in lists, without recursion: how deep they are is the sender's choice."""
    stack = [iter(values)]
    while stack:
        one = next(stack[-1], _MISSING)
        if one is _MISSING:
            stack.pop()
        elif isinstance(one, list):
            stack.append(iter(one))
        else:
            yield one


def _present(event: Any, path: Sequence[str]) -> bool:
    """Whether any leaf of the event has this path."""
    values = [event]
    for name in path:
        values = [one[name] for value in values for one in _maps(value) if name in one]
    return any(True for value in values for _ in _leaves(value))


def _maps(value: Any) -> Iterator[Mapping[str, Any]]:
    if isinstance(value, Mapping):
        yield value
    elif isinstance(value, list):
        yield from (one for one in _flat(value) if isinstance(one, Mapping))

"""What could come next in a line for the debugger: found without running a line of anybody's code.

Values are looked at through the built-in types' own descriptors: no property, `__getattr__`, `__dir__` or
metaclass is called.
"""

from __future__ import annotations

import ast
import builtins
import keyword
import re
from collections.abc import Iterable, Sequence
from types import FrameType, MemberDescriptorType, ModuleType
from typing import Any, Final

from relive_base.frame_locals import locals_of
from relive_capture.record.inspection import (
    class_dict,
    dict_items,
    instance_dict,
    mro,
    slot_readers,
    static_lookup,
)

__all__ = ["ITEMS_LIMIT", "complete_line", "frame_namespaces"]

ITEMS_LIMIT: Final = 200
_NAMES_LOOKED_AT: Final = 5_000
_NAME_CHARS: Final = 100
_LINE_CHARS: Final = 2_000
_NOTHING: Final = object()
_PLACE: Final = re.compile(
    r"(?:(?P<owner>[^\W\d]\w*(?:\.[^\W\d]\w*|\[[^\[\]]{1,100}\])*)\.)?(?P<part>(?:[^\W\d]\w*)?)\Z"
)


def frame_namespaces(frame: FrameType) -> list[Sequence[tuple[str, Any]]]:
    """Locals, globals and builtins of a frame as (name, value); a namespace of the user's own class is left
    out."""
    spaces: list[Sequence[tuple[str, Any]]] = []
    for space in (locals_of(frame), frame.f_globals, builtins.__dict__):
        kind = type(space)
        if issubclass(kind, dict):
            items = dict_items(space, _NAMES_LOOKED_AT)
        elif kind.__module__ == "builtins" and kind.__name__ == "FrameLocalsProxy":
            items = list(space.items())[:_NAMES_LOOKED_AT]  # Python 3.13; C code throughout
        else:
            items = []
        spaces.append([(name, value) for name, value in items if type(name) is str])
    return spaces


def complete_line(
    line: str, spaces: Sequence[Sequence[tuple[str, Any]]], commands: Iterable[str]
) -> tuple[int, list[str]]:
    """Where the replaced part of `line` begins, and at most 200 names that may replace it, sorted."""
    if len(line) > _LINE_CHARS:
        return len(line), []
    place = _PLACE.search(line)
    if place is None:
        return len(line), []
    part, owner = place["part"], place["owner"]
    start = place.start("part")
    if owner:
        value = _resolve(owner, spaces)
        names: Iterable[str] = () if value is _NOTHING else attribute_names(value)
    elif line[:start].endswith("."):
        names = ()  # of something that would have to be computed
    else:
        names = [name for space in spaces for name, _ in space]
        if not line[:start].strip(" !"):
            names = [*names, *commands]
        names = [*names, *keyword.kwlist]
    wanted = {name for name in names if _fits(name, part)}
    return start, sorted(wanted, key=_order)[:ITEMS_LIMIT]


def _fits(name: str, part: str) -> bool:
    if not name.startswith(part) or len(name) > _NAME_CHARS or not name.isidentifier():
        return False
    return part.startswith("_") or not name.startswith("_")


def _order(name: str) -> tuple[bool, str]:
    return name.startswith("_"), name


def attribute_names(value: object) -> list[str]:
    """Names of the attributes of `value`: its own, its slots', its classes'."""
    cls = type(value)
    owners: list[type] = list(mro(cls))
    if issubclass(cls, type):
        owners = [*mro(value), *owners]  # type: ignore[arg-type]
    found = [name for name, _ in dict_items(instance_dict(value) or {}, _NAMES_LOOKED_AT)]
    if cls is not ModuleType:
        found += [name for owner in owners for name, _ in dict_items(class_dict(owner), _NAMES_LOOKED_AT)]
    return [name for name in found if type(name) is str]


def _resolve(text: str, spaces: Sequence[Sequence[tuple[str, Any]]]) -> object:
    """The value of `a.b["c"][0]`, as far as stored values lead; _NOTHING if code would have to run."""
    try:
        node: ast.expr = ast.parse(text, mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return _NOTHING
    steps: list[ast.Attribute | ast.Subscript] = []
    while isinstance(node, ast.Attribute | ast.Subscript):
        steps.append(node)
        node = node.value
    if not isinstance(node, ast.Name):
        return _NOTHING
    value = _first(node.id, spaces)
    for step in reversed(steps):
        if value is _NOTHING:
            break
        if isinstance(step, ast.Attribute):
            value = _stored_attribute(value, step.attr)
        else:
            value = _stored_item(value, step.slice)
    return value


def _first(name: str, spaces: Sequence[Sequence[tuple[str, Any]]]) -> object:
    for space in spaces:
        for known, value in space:
            if known == name:
                return value
    return _NOTHING


def _stored_attribute(value: object, name: str) -> object:
    for key, found in dict_items(instance_dict(value) or {}, _NAMES_LOOKED_AT):
        if type(key) is str and key == name:
            return found
    for slot, descriptor, cls in slot_readers(type(value)):
        if slot == name:
            try:
                return descriptor.__get__(value, cls)
            except AttributeError:
                return _NOTHING
    owner = value if issubclass(type(value), type) else type(value)
    found = static_lookup(owner, name)[1]  # type: ignore[arg-type]
    # A descriptor's value would be computed by its code.
    if found is None or type(found) is MemberDescriptorType:
        return _NOTHING
    computed = any("__get__" in class_dict(base) for base in mro(type(found)))
    return _NOTHING if computed else found


def _stored_item(value: object, index: ast.expr) -> object:
    try:
        key = ast.literal_eval(index)
    except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
        return _NOTHING
    if type(value) is dict and type(key) in (str, int):
        for known, found in dict_items(value, _NAMES_LOOKED_AT):
            if type(known) is type(key) and known == key:
                return found
    elif type(value) in (list, tuple) and type(key) is int:
        items: Any = value
        return items[key] if -len(items) <= key < len(items) else _NOTHING
    return _NOTHING

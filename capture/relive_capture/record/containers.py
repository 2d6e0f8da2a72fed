"""What is inside the built-in containers and their subclasses, read through the base type's own methods."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from itertools import islice
from types import MappingProxyType
from typing import Any, Final

from relive_capture.record.inspection import dict_items, static_lookup

__all__ = ["CONTAINERS", "Child", "Children"]

Child = tuple[str, Any]
_LABELS = tuple(f"[{index}]" for index in range(64))
KeyText = Callable[[Any], str]


@dataclass(slots=True)
class Children:
    """What to show of a container: brackets, "keyed" | "plain" | "fields", length (-1: none), labelled
    items."""

    open: str
    close: str
    style: str
    length: int
    items: list[Child]


def _indexed(part: list[Any] | tuple[Any, ...]) -> list[Child]:
    return list(zip(_LABELS, part, strict=False)) if len(part) <= len(_LABELS) else _many(part)


def _many(part: list[Any] | tuple[Any, ...]) -> list[Child]:
    return [(f"[{index}]", value) for index, value in enumerate(part)]


def _dict(obj: Any, limit: int, key_text: KeyText) -> Children:
    items = [(key_text(key), value) for key, value in dict_items(obj, limit)]
    return Children("{", "}", "keyed", dict.__len__(obj), items)


def _list(obj: Any, limit: int, _: KeyText) -> Children:
    part = list.__getitem__(obj, slice(0, limit))
    return Children("[", "]", "plain", list.__len__(obj), _indexed(part))


def _tuple(obj: Any, limit: int, _: KeyText) -> Children:
    part = tuple.__getitem__(obj, slice(0, limit))
    length = tuple.__len__(obj)
    names: Any = static_lookup(type(obj), "_fields")[1] if type(obj) is not tuple else None
    if type(names) is tuple and len(names) >= len(part) and all(type(name) is str for name in names):
        return Children("(", ")", "fields", length, list(zip(names, part, strict=False)))
    return Children("(", ")", "plain", length, _indexed(part))


def _iterated(cls: Any, open_: str, close: str) -> Callable[[Any, int, KeyText], Children]:
    def children(obj: Any, limit: int, _: KeyText) -> Children:
        part: list[Any] = []
        try:
            part.extend(islice(cls.__iter__(obj), limit))
        except RuntimeError:
            pass  # changed by another thread meanwhile: what was read is kept
        return Children(open_, close, "plain", cls.__len__(obj), _indexed(part))

    return children


def _proxy(obj: Any, limit: int, key_text: KeyText) -> Children:
    # What a proxy stands for may be a mapping of the user's own, so it is not looked into.
    return Children("mappingproxy(", ")", "plain", -1, [])


CONTAINERS: Final[dict[int, Callable[[Any, int, KeyText], Children]]] = {
    id(dict): _dict,
    id(list): _list,
    id(tuple): _tuple,
    id(set): _iterated(set, "{", "}"),
    id(frozenset): _iterated(frozenset, "frozenset({", "})"),
    id(deque): _iterated(deque, "deque([", "])"),
    id(MappingProxyType): _proxy,
}
"""By the id of the base type: a type's own hash may be the user's."""

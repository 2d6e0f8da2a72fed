"""What is inside the built-in containers and their subclasses, read through the base type's own methods."""

from __future__ import annotations

import gc
from collections import deque
from collections.abc import Callable, Iterable
from itertools import islice
from types import MappingProxyType
from typing import Any, Final

from relive_capture.record.inspection import dict_items, static_lookup

__all__ = ["CONTAINERS", "INDEXES", "Shape", "index_label", "indexes"]

Shape = tuple[str, str, str, int, list[Any]]
"""Brackets, style, length (-1: none), what to show. "plain": values; "keyed" and "fields": (key, value)."""

INDEXES: Final = tuple(f"[{index}]" for index in range(64))


def index_label(index: int) -> str:
    """The label of the value at `index`."""
    return INDEXES[index] if index < len(INDEXES) else f"[{index}]"


def indexes(count: int) -> Iterable[str]:
    """The labels of `count` values."""
    return INDEXES if count <= len(INDEXES) else map(index_label, range(count))


def _dict(obj: Any, limit: int) -> Shape:
    return "{", "}", "keyed", dict.__len__(obj), dict_items(obj, limit) if limit else []


def _list(obj: Any, limit: int) -> Shape:
    return "[", "]", "plain", list.__len__(obj), list.__getitem__(obj, slice(0, limit))


def _tuple(obj: Any, limit: int) -> Shape:
    part = list(tuple.__getitem__(obj, slice(0, limit)))
    length = tuple.__len__(obj)
    if type(obj) is not tuple:
        names: Any = static_lookup(type(obj), "_fields")[1]
        if type(names) is not tuple and static_lookup(type(obj), "n_sequence_fields")[0] is not None:
            names = static_lookup(type(obj), "__match_args__")[1]  # of os.stat_result and the like
        if type(names) is tuple and names and all(type(name) is str for name in names):
            labels = names[: len(part)] + tuple(islice(indexes(len(part)), len(names), len(part)))
            return "(", ")", "fields", length, list(zip(labels, part, strict=True))
    return "(", ")", "plain", length, part


def _iterated(cls: Any, open_: str, close: str) -> Callable[[Any, int], Shape]:
    def shape(obj: Any, limit: int) -> Shape:
        part: list[Any] = []
        try:
            part.extend(islice(cls.__iter__(obj), limit))
        except RuntimeError:
            pass  # changed by another thread meanwhile: what was read is kept
        return open_, close, "plain", cls.__len__(obj), part

    return shape


def _proxy(obj: Any, limit: int) -> Shape:
    # through the collector: what a proxy stands for may be a mapping with methods of the user's
    held = gc.get_referents(obj)
    if held and issubclass(type(held[0]), dict):
        return (
            "mappingproxy({",
            "})",
            "keyed",
            dict.__len__(held[0]),
            dict_items(held[0], limit) if limit else [],
        )
    return "mappingproxy(", ")", "plain", len(held), held[: max(limit, 0)]


CONTAINERS: Final[dict[int, Callable[[Any, int], Shape]]] = {
    id(dict): _dict,
    id(list): _list,
    id(tuple): _tuple,
    id(set): _iterated(set, "{", "}"),
    id(frozenset): _iterated(frozenset, "frozenset({", "})"),
    id(deque): _iterated(deque, "deque([", "])"),
    id(MappingProxyType): _proxy,
}
"""By the id of the base type: a type's own hash may be the user's."""

"""What is inside the built-in containers and their subclasses, read through the base type's own methods."""

from __future__ import annotations

import gc
from collections import deque
from collections.abc import Callable, Iterable
from itertools import islice
from types import MappingProxyType
from typing import Any, Final

from relive_capture.record.inspection import dict_items, static_lookup

__all__ = ["CONTAINERS", "INDEXES", "ONE_TUPLE_END", "OWN_NAMES", "Shape", "index_label", "indexes"]

Shape = tuple[str, str, str, int, list[Any]]
"""Brackets, style, length (-1: none), what to show. "plain": values; "keyed" and "fields": (key, value)."""

ONE_TUPLE_END: Final = ",)"
"""Of a tuple of one value."""
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
    return "(", ")" if length != 1 else ONE_TUPLE_END, "plain", length, part


def _deque(obj: Any, limit: int) -> Shape:
    most = _maxlen(obj)
    open_, close, style, length, part = _any_deque(obj, limit)
    return open_, close if most is None else f"], maxlen={most})", style, length, part


def _iterated(cls: Any, open_: str, close: str, name: str = "") -> Callable[[Any, int], Shape]:
    """`name`: what an empty one is shown with, where the brackets alone would be another type's."""

    def shape(obj: Any, limit: int) -> Shape:
        part: list[Any] = []
        try:
            part.extend(islice(cls.__iter__(obj), limit))
        except RuntimeError:
            pass  # changed by another thread meanwhile: what was read is kept
        length = cls.__len__(obj)
        if name and not length:
            return f"{name}(", ")", "plain", 0, []
        return open_, close, "plain", length, part

    return shape


_maxlen: Final = deque.__dict__["maxlen"].__get__
_any_deque: Final = _iterated(deque, "deque([", "])")


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
    id(set): _iterated(set, "{", "}", "set"),
    id(frozenset): _iterated(frozenset, "frozenset({", "})", "frozenset"),
    id(deque): _deque,
    id(MappingProxyType): _proxy,
}
"""By the id of the base type: a type's own hash may be the user's."""
OWN_NAMES: Final = ("set(", "frozenset(", "deque(")
"""How a shape begins that names its type; a subclass has its own name."""

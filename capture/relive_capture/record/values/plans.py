"""How values of one type are shown: found once per type and capture, of C types once per process, then looked
up."""

from __future__ import annotations

import sys
from typing import Any

from relive_capture.record.inspection import (
    class_dict,
    dict_items,
    dict_reader,
    is_immutable_type,
    module_name,
    mro,
    slot_readers,
    type_name,
)
from relive_capture.record.values.leaves import Leaves
from relive_capture.record.values.shapes import Shape, Shapes
from relive_capture.record.values.shapes.containers import CONTAINERS
from relive_capture.record.values.shapes.opaque import has_hidden, hidden_shape

__all__ = [
    "BYTES",
    "CONSTANT",
    "CONTAINER",
    "INT",
    "LEAF",
    "OBJECT",
    "SEQUENCE",
    "STR",
    "KnownTypes",
    "Plan",
    "Plans",
]

STR, BYTES, INT, LEAF, CONSTANT, CONTAINER, SEQUENCE, OBJECT = range(8)
"""CONSTANT: a leaf whose text cannot hold a secret. SEQUENCE: exactly a list or a tuple. From CONTAINER on:
what has children."""

_SIMPLE = {id(str): STR, id(bytes): BYTES, id(bytearray): BYTES, id(int): INT}
_ARGS = ("args", class_dict(BaseException)["args"], BaseException)
_CLOSED = frozenset(
    ("numpy", "pandas", "polars", "pyarrow", "relive")
)  # what their classes have beside is machinery
_CONSTANTS = frozenset({id(type(None)), id(bool), id(float), id(complex)})


class Plan:
    """How values of one type are shown. Holds the type, so that its id stays its own."""

    __slots__ = (
        "_hidden",
        "_reader",
        "_slots",
        "call",
        "close",
        "cls",
        "exact",
        "kind",
        "name",
        "open",
        "open_to_users",
        "total",
    )

    def __init__(self, cls: type, kind: int, call: Any = None, exact: bool = True) -> None:
        self.cls = cls
        self.name = type_name(cls)
        self.kind = kind
        self.call = call
        self.exact = exact
        self.open, self.close = ("[", "]") if cls is list else ("(", ")")
        if kind == OBJECT:
            self.open = f"{self.name}("
        self.open_to_users = True
        """Whether the class may have attributes beside its content that are the user's."""
        self.total = 0
        """How many attributes the object had that was looked at last."""
        self._reader = None if exact else dict_reader(cls)
        self._slots = [] if exact else slot_readers(cls)
        self._hidden = kind == OBJECT and has_hidden(cls)
        if not exact and any(base is BaseException for base in mro(cls)):
            self._slots = [_ARGS, *self._slots]

    def leave_members_of_c(self) -> None:
        """What C classes have as members is in the shape already, as far as it is of interest."""
        self._slots = [slot for slot in self._slots if not is_immutable_type(slot[2])]

    def attributes(self, obj: object, limit: int) -> list[tuple[Any, Any]]:
        """At most `limit` items of a value's real `__dict__` and of its filled `__slots__`; of an
        exception its arguments, too."""
        namespace = self._namespace(obj)
        found: list[tuple[Any, Any]] = []
        self.total = 0
        if namespace is not None:
            self.total = dict.__len__(namespace)
            if limit > 0:
                found = dict_items(namespace, limit)
        for name, descriptor, base in self._slots:
            try:
                value = descriptor.__get__(obj, base)
            except (AttributeError, TypeError):
                continue  # an empty slot, or a descriptor of another class
            self.total += 1
            if len(found) < limit:
                found.append((name, value))
        return found

    def object_shape(self, obj: object, limit: int) -> Shape:
        """Of a value that is no container: its attributes; if it has none, what it holds all the same."""
        items = self.attributes(obj, limit)
        if self._hidden and not self.total:
            open_, close, style, length, held = hidden_shape(obj, limit)
            self.total = max(length, 0)
            return self.name + open_, close, style, -1, held
        return self.open, ")", "fields", -1, items

    def _namespace(self, obj: object) -> dict[Any, Any] | None:
        if self._reader is None:
            return None
        descriptor, base = self._reader
        try:
            found = descriptor.__get__(obj, base)
        except (AttributeError, TypeError):
            return None
        return found if issubclass(type(found), dict) else None


class KnownTypes:
    """What captures of one process share, as long as no other module is loaded. `plans` are those of types
    that C made: the user's own come and go."""

    __slots__ = ("_loaded", "leaves", "plans", "shapes")

    def __init__(self) -> None:
        self._loaded = _loaded()
        self.leaves = Leaves()
        self.shapes = Shapes()
        self.plans: dict[int, Plan] = {}

    def current(self) -> KnownTypes:
        """This one, or another if modules were loaded since."""
        return self if self._loaded == _loaded() else KnownTypes()


def _loaded() -> int:
    return dict.__len__(sys.modules) if issubclass(type(sys.modules), dict) else 0


class Plans:
    """The plans of one capture, by the id of the type: a type's own hash may be the user's."""

    __slots__ = ("_types", "known")

    def __init__(self, types: KnownTypes) -> None:
        self._types = types
        self.known: dict[int, Plan] = dict(types.plans)

    def of(self, cls: type) -> Plan:
        """The plan for values of exactly this type."""
        plan = self.known.get(id(cls))
        if plan is None:
            plan = self.known[id(cls)] = self._make(cls)
            if plan.exact and is_immutable_type(cls):
                self._types.plans[id(cls)] = plan
        return plan

    def _make(self, cls: type) -> Plan:
        finder = self._types.leaves.finder(cls)
        if finder is not None:
            return Plan(cls, CONSTANT if id(cls) in _CONSTANTS else LEAF, finder)
        for base in mro(cls):
            kind = _SIMPLE.get(id(base))
            if kind is not None:
                return Plan(cls, kind)
            container = CONTAINERS.get(id(base))
            if container is not None:
                kind = SEQUENCE if cls is list or cls is tuple else CONTAINER
                return Plan(cls, kind, container, exact=cls is base)
            shape = self._types.shapes.of(base)
            if shape is not None:
                plan = Plan(cls, CONTAINER, shape, exact=False)
                if issubclass(base, dict):
                    plan.leave_members_of_c()  # a defaultdict's factory
                plan.open_to_users = module_name(cls).partition(".")[0] not in _CLOSED
                return plan
        return Plan(cls, OBJECT, exact=False)

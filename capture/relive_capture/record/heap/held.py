"""What an object holds, under which name: asked of the interpreter itself, never of the object.

The same as `expand` in _heapwalk.c, in the same order. One difference: attributes that an instance keeps
without a dict have names only once it has one, so it gets one here; the C walker reads them in place.
"""

from __future__ import annotations

import gc
import sys
import types
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final

from relive_capture.heap_format import ATTRIBUTE, INDEX, INTERNAL, ITEM, KEY
from relive_capture.record.inspection import class_dict, dict_reader, is_heap_type, type_name

__all__ = ["DICT_NAME", "GLOBALS_NAME", "HAVE_GC", "Edge", "Holder", "base_of", "flags_of"]

Edge = tuple[int, Any, Any]
"""(kind of the label, its name or position, the object). The name of an ITEM is the key itself."""

DICT_NAME: Final = "__dict__"
GLOBALS_NAME: Final = "__globals__"

flags_of: Callable[[type], int] = type.__dict__["__flags__"].__get__
base_of: Callable[[type], type | None] = type.__dict__["__base__"].__get__
HAVE_GC: Final = 1 << 14
_MANAGED_DICT: Final = 1 << 4
_FUNCTION_NAMES: Final = (
    "__code__", "__globals__", "__module__", "__defaults__", "__kwdefaults__", "__doc__", "__name__",
    "__closure__", "__qualname__", "__builtins__",
)  # fmt: skip
_CODE_NAMES: Final = (
    "co_consts", "co_names", "co_filename", "co_name", "co_qualname", "co_linetable", "co_exceptiontable",
)  # fmt: skip
_TYPE_NAMES: Final = tuple((name, type.__dict__[name]) for name in ("__mro__", "__bases__", "__base__"))
_ERROR_NAMES: Final = tuple(
    (name, BaseException.__dict__[name]) for name in ("args", "__traceback__", "__cause__", "__context__")
)
_VALUES_STAY: Final = sys.version_info >= (3, 13)
"""An instance that has got a dict keeps its values beside it."""
_module_dict: Final = class_dict(types.ModuleType)["__dict__"].__get__
_Expected = list[tuple[Any, int, Any]]


class Holder:
    """Answers for one walk; what was found out of a type is kept."""

    def __init__(self) -> None:
        self._plans: dict[int, _Plan] = {}

    def held(self, value: Any, *, names: bool = False) -> Sequence[Edge]:
        """Everything that `value` holds. `names`: it is a dict of attributes, so its keys are names."""
        cls = type(value)
        plan = self._plans.get(id(cls))
        if plan is None:
            plan = self._plans[id(cls)] = _Plan(cls)
        if plan.leaf:
            return ()
        if plan.own is not None:
            own = plan.own(value, names)
            return own if plan.exact else _subclass(plan, value, own)
        return _subclass(plan, value, [])


class _Plan:
    """What is known of a type. Holds it, so that its id stays its own."""

    __slots__ = ("cls", "exact", "leaf", "managed", "members", "own", "pairs", "reader")

    def __init__(self, cls: type) -> None:
        self.cls = cls
        code = cls is types.CodeType
        array = not is_heap_type(cls) and type_name(cls) == "numpy.ndarray"
        self.leaf = not code and not array and not flags_of(cls) & HAVE_GC
        self.own: Callable[[Any, bool], list[Edge]] | None = _code if code else _array if array else None
        self.exact = code or array
        self.pairs = False
        if cls is set or cls is frozenset or cls is deque:
            self.own, self.exact = _set_members, True
        for base, own in ((dict, _entries), (list, _items), (tuple, _items)):
            if issubclass(cls, base):
                self.own, self.exact, self.pairs = own, cls is base, base is dict
        known = self.exact or cls is types.FunctionType or cls is types.CellType
        self.members = [] if self.leaf or known else list(_members(cls))
        self.managed = bool(flags_of(cls) & _MANAGED_DICT)
        found = None if known or issubclass(cls, type) else dict_reader(cls)
        self.reader = found if found and type(found[0]) is types.GetSetDescriptorType else None


def _code(value: Any, _names: bool) -> list[Edge]:
    return [(INTERNAL, name, getattr(value, name)) for name in _CODE_NAMES]


def _array(value: Any, _names: bool) -> list[Edge]:
    """A view keeps the array whose memory it shows; the collector knows nothing of arrays."""
    base = value.base
    return [] if base is None else [(INTERNAL, "base", base)]


def _items(value: Any, _names: bool) -> list[Edge]:
    base = list if issubclass(type(value), list) else tuple
    return [(INDEX, place, item) for place, item in enumerate(list(base.__iter__(value)))]


def _entries(value: Any, names: bool) -> list[Edge]:
    edges: list[Edge] = []
    for place, (key, item) in enumerate(list(dict.items(value))):
        edges.append((KEY, place, key))
        edges.append((ATTRIBUTE if names and type(key) is str else ITEM, key, item))
    return edges


def _set_members(value: Any, _names: bool) -> list[Edge]:
    children = gc.get_referents(value)
    if children and children[0] is type(value):
        head: list[Edge] = [(INTERNAL, "__class__", children.pop(0))]
    else:
        head = []
    return head + [(INDEX, place, child) for place, child in enumerate(children)]


def _referents(value: Any) -> list[Any]:
    """What the interpreter says that `value` holds. Since Python 3.12 `_asyncio` tells of dead objects, too,
    which it keeps for the next use: to touch one frees it twice, and the list of them becomes a ring."""
    if type(value) is types.ModuleType:
        namespace = _module_dict(value)
        if dict.get(namespace, "__name__") == "_asyncio":
            return [namespace]
    return gc.get_referents(value)


def _subclass(plan: _Plan, value: Any, own: list[Edge]) -> list[Edge]:
    """`own` is what a container has told; the rest comes from the interpreter."""
    expected = _expected(plan, value)  # first: it may give the instance a dict
    told, pairs = 0, plan.pairs
    edges = list(own)
    for child in _referents(value):
        if told < len(own):
            if pairs and child is own[told][2]:
                continue  # a key; its value follows
            if child is own[told + pairs][2]:
                told += 1 + pairs
                continue
        edges.append(_named(expected, child))
    return edges


def _named(expected: _Expected, child: Any) -> Edge:
    for place, (value, kind, name) in enumerate(expected):
        if value is child:
            del expected[place]
            return kind, name, child
    return INTERNAL, "", child


def _expected(plan: _Plan, value: Any) -> _Expected:
    cls = plan.cls
    if cls is types.FunctionType:
        return [(getattr(value, name), INTERNAL, name) for name in _FUNCTION_NAMES]
    if cls is types.CellType:
        return _cell(value)
    if issubclass(cls, type) and not is_heap_type(value):
        return []  # one of C's, perhaps not even ready: it tells nothing
    expected: _Expected = []
    for descriptor, kind, name in plan.members:
        try:
            expected.append((descriptor.__get__(value, cls), kind, name))
        except (AttributeError, TypeError):
            continue  # an empty slot
    if issubclass(cls, type):
        expected += _namespace_of_type(value)
        expected += [(reader.__get__(value), INTERNAL, name) for name, reader in _TYPE_NAMES]
    elif issubclass(cls, BaseException):
        expected += [(reader.__get__(value), INTERNAL, name) for name, reader in _ERROR_NAMES]
    expected += _attributes(plan, value)
    expected.append((cls, INTERNAL, "__class__"))
    return expected


def _cell(value: Any) -> _Expected:
    try:
        return [(value.cell_contents, INTERNAL, "cell_contents")]
    except ValueError:
        return []  # it is empty


def _namespace_of_type(cls: type) -> _Expected:
    return [
        (found, INTERNAL, DICT_NAME) for found in gc.get_referents(class_dict(cls)) if type(found) is dict
    ]


def _members(cls: type) -> Iterator[tuple[Any, int, str]]:
    """Of `__slots__`, and the members of C types."""
    base: type | None = cls
    while base is not None:
        kind = ATTRIBUTE if is_heap_type(base) else INTERNAL
        for name, descriptor in list(class_dict(base).items()):
            if type(descriptor) is types.MemberDescriptorType and type(name) is str:
                yield descriptor, kind, name
        base = base_of(base)


def _attributes(plan: _Plan, value: Any) -> _Expected:
    if plan.reader is None:
        return []
    reader, base = plan.reader
    if not plan.managed and not any(type(found) is dict for found in _referents(value)):
        return []  # asking would make a dict
    try:
        found = reader.__get__(value, base)
    except (AttributeError, TypeError):
        return []
    if type(found) is not dict:
        return []
    expected: _Expected = [(found, INTERNAL, DICT_NAME)]
    if _VALUES_STAY:
        expected += [(item, ATTRIBUTE, key) for key, item in list(found.items())]
    return expected

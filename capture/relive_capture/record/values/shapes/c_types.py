"""What is inside objects of the standard library's C types, through these types' own methods."""

from __future__ import annotations

import io
import itertools
import types
import weakref
from collections.abc import Callable
from itertools import islice
from typing import Any, Final

from relive_capture.record.inspection import dict_items, type_name
from relive_capture.record.values.shapes.containers import Shape, indexes
from relive_capture.record.values.shapes.ctypes_types import (
    array_shape,
    fields_shape,
    pointer_shape,
    simple_shape,
)
from relive_capture.record.values.shapes.descriptors import call, field, fields
from relive_capture.record.values.shapes.opaque import held_by, hidden_shape

__all__ = ["KNOWN_SHAPES", "LATE_SHAPES", "LateShape", "ShapeOf"]

ShapeOf = Callable[[Any, int], Shape]
LateShape = tuple[str, str, ShapeOf]
"""Module, name, and what makes the shape."""

_MAX_COPIED_BYTES: Final = 1024 * 1024  # of a stream whose content is copied to show its beginning
_SHOWN_BYTES: Final = 1024
_VIEWED: Final = ("bytes", "bytearray", "array", "ndarray")


def _named(*names: str) -> ShapeOf:
    """The shape of an object that has attributes of these names, made by C."""

    def shape(obj: Any, limit: int) -> Shape:
        found = fields(obj, names)
        return ("(", ")", "fields", len(found), found[:limit]) if found else hidden_shape(obj, limit)

    return shape


def _slice(obj: slice, limit: int) -> Shape:
    return "(", ")", "plain", 3, [obj.start, obj.stop, obj.step][:limit]


def _view_of_dict(part: int | None) -> ShapeOf:
    def shape(obj: Any, limit: int) -> Shape:
        mapping = next((one for one in held_by(obj) if issubclass(type(one), dict)), None)
        if mapping is None:
            return hidden_shape(obj, limit)
        items: list[Any] = dict_items(mapping, limit)
        shown = items if part is None else [item[part] for item in items]
        return "([", "])", "plain", dict.__len__(mapping), shown

    return shape


def _iterator(obj: Any, limit: int) -> Shape:
    held = held_by(obj)[:1]
    found = [("of", one) for one in held]
    found.append(("left", type(obj).__length_hint__(obj)))
    return "(", ")", "fields", len(found), found[:limit]


def _count(obj: Any, limit: int) -> Shape:
    if all(type(one) in (int, float) for one in held_by(obj)):
        text = itertools.count.__repr__(obj)
        return text[text.index("(") : -1], ")", "plain", -1, []
    return hidden_shape(obj, limit)


def _repeat(obj: Any, limit: int) -> Shape:
    try:
        end = f", {itertools.repeat.__length_hint__(obj)})"
    except TypeError:
        end = ")"  # it never ends
    return "(", end, "plain", 1, held_by(obj)[:1][:limit]


def _bounded(obj: Any, limit: int) -> Shape:
    """Of types that tell what they go through, and not how far."""
    held = held_by(obj)
    return "(", ", …)", "plain", len(held), held[:limit]


def _made_of(obj: Any, limit: int) -> Shape:
    """Of types in C whose `__reduce__` says what they were made of, and asks nobody."""
    made = call(obj, "__reduce__")
    parts = list(made[1])
    options: dict[str, Any] = {}
    if type_name(type(made[0])) == "functools.partial":  # of methodcaller with keywords
        parts = [*made[0].args, *parts]
        options = made[0].keywords
    if not options:
        return "(", ")", "plain", len(parts), parts[:limit]
    items = [*zip(indexes(len(parts)), parts, strict=False), *options.items()]
    return "(", ")", "fields", len(items), items[:limit]


def _cell(obj: Any, limit: int) -> Shape:
    try:
        held = [obj.cell_contents]
    except ValueError:
        return "(empty", ")", "plain", -1, []
    return "(", ")", "plain", 1, held[:limit]


def _default_dict(obj: Any, limit: int) -> Shape:
    factory = field(obj, "default_factory")
    name = type_name(factory) if issubclass(type(factory), type) else _callable_name(factory)
    return f"({name}, {{", "})", "keyed", dict.__len__(obj), dict_items(obj, limit) if limit else []


def _callable_name(factory: object) -> str:
    if factory is None:
        return "None"
    if type(factory) is types.FunctionType:
        return factory.__code__.co_qualname
    return f"<{type_name(type(factory))}>"


def _weak(obj: Any, limit: int) -> Shape:
    target = weakref.ref.__call__(obj)
    return ("(dead", ")", "plain", -1, []) if target is None else ("(", ")", "plain", 1, [target][:limit])


def _array(obj: Any, limit: int) -> Shape:
    code = field(obj, "typecode")
    shown = call(obj, "__getitem__", slice(0, limit))
    return f"({code!r}, [", "])", "plain", call(obj, "__len__"), list(shown)


def _view(obj: memoryview, limit: int) -> Shape:
    try:
        size = obj.nbytes
    except ValueError:
        return "(released", ")", "plain", -1, []
    owner = type(obj.obj).__name__.rpartition(".")[2] if type(type(obj.obj)) is type else ""
    if obj.ndim != 1 or owner not in _VIEWED:  # other memory may be gone, such as that of a file cut short
        return f"(… {size} bytes", ")", "plain", -1, []
    if obj.format in ("B", "b", "c"):
        found = [("bytes", bytes(obj[:_SHOWN_BYTES])), ("size", size)]
        return "(", ")", "fields", 2, found[:limit]
    return "([", "])", "plain", len(obj), obj[:limit].tolist()


def _stream(obj: Any, limit: int) -> Shape:
    """Of a stream in memory."""
    cls: Any = io.BytesIO if issubclass(type(obj), io.BytesIO) else io.StringIO
    if cls.closed.__get__(obj):
        return "(closed", ")", "plain", -1, []
    size = cls.__sizeof__(obj)
    if size > _MAX_COPIED_BYTES:
        return f"(… {size} bytes", ")", "plain", -1, []
    found = [("value", cls.getvalue(obj)), ("position", cls.tell(obj))]
    return "(", ")", "fields", 2, found[:limit]


def _row(obj: Any, limit: int) -> Shape:
    names = call(obj, "keys")
    values = [call(obj, "__getitem__", number) for number in range(min(len(names), limit))]
    return "(", ")", "fields", len(names), list(zip(names, values, strict=False))


def _element(obj: Any, limit: int) -> Shape:
    count = call(obj, "__len__")
    found = fields(obj, ("tag", "attrib", "text"))
    total = len(found) + count
    for number in range(min(count, max(limit - len(found), 0))):
        found.append((f"[{number}]", call(obj, "__getitem__", number)))
    return "(", ")", "fields", total, found[:limit]


def _match(obj: Any, limit: int) -> Shape:
    found: list[tuple[str, Any]] = [("span", call(obj, "span"))]
    searched: Any = type(field(obj, "string"))
    if searched is str or searched is bytes:
        found.append(("match", call(obj, "group")))
    return "(", ")", "fields", -1, found[:limit]


def _context(obj: Any, limit: int) -> Shape:
    items = list(islice(call(obj, "items"), limit))
    return "(", ")", "fields", call(obj, "__len__"), [(field(key, "name"), value) for key, value in items]


def _mapped(obj: Any, limit: int) -> Shape:
    return f"(… {call(obj, '__len__')} bytes", ")", "plain", -1, []


def _by_type(*pairs: tuple[Any, ShapeOf]) -> dict[int, ShapeOf]:
    return {id(type(value) if not isinstance(value, type) else value): shape for value, shape in pairs}


_ITERATED: Final[tuple[Any, ...]] = ([], (), "", "é", b"", bytearray(), set(), {}, range(0))
_BOUNDED: Final[tuple[Any, ...]] = (
    itertools.islice, itertools.permutations, itertools.combinations,
    itertools.combinations_with_replacement,
)  # fmt: skip
KNOWN_SHAPES: Final[dict[int, ShapeOf]] = _by_type(
    (slice, _slice),
    (memoryview, _view),
    (weakref.ref, _weak),
    (io.BytesIO, _stream),
    (io.StringIO, _stream),
    ({}.keys(), _view_of_dict(0)),
    ({}.values(), _view_of_dict(1)),
    ({}.items(), _view_of_dict(None)),
    *((iter(value), _iterator) for value in _ITERATED),
    (iter({}.values()), _iterator),
    (iter({}.items()), _iterator),
    (reversed([]), _iterator),
    (itertools.count(), _count),
    (itertools.repeat, _repeat),
    *((kind, _bounded) for kind in _BOUNDED),
    *((kind, _made_of) for kind in (enumerate, zip, map, filter)),
    (types.CellType, _cell),
)
"""By the id of the type; subclasses are shown through it too."""

LATE_SHAPES: Final[tuple[LateShape, ...]] = (
    ("array", "array", _array),
    ("collections", "defaultdict", _default_dict),
    ("_operator", "attrgetter", _made_of),
    ("_operator", "itemgetter", _made_of),
    ("_operator", "methodcaller", _made_of),
    ("mmap", "mmap", _mapped),
    ("sqlite3", "Row", _row),
    ("xml.etree.ElementTree", "Element", _element),
    ("re", "Match", _match),
    ("_contextvars", "Context", _context),
    ("_contextvars", "ContextVar", _named("name")),
    ("_struct", "Struct", _named("format", "size")),
    ("_hashlib", "HASH", _named("name", "digest_size")),
    ("_hashlib", "HMAC", _named("name", "digest_size")),
    ("_asyncio", "Future", _named("_state", "_result", "_exception")),
    ("decimal", "Context", _named("prec", "rounding", "Emin", "Emax")),
    ("_ctypes", "Structure", fields_shape),
    ("_ctypes", "Union", fields_shape),
    ("_ctypes", "Array", array_shape),
    ("_ctypes", "_SimpleCData", simple_shape),
    ("_ctypes", "_Pointer", pointer_shape),
    ("_ctypes", "CFuncPtr", pointer_shape),
)
"""Of modules that the function has loaded; subclasses are shown through them too."""

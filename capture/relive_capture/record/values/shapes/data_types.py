"""What is inside objects of well-known data libraries, through these libraries' C methods: numpy, pandas,
polars, pyarrow, protobuf, multidict, lxml, torch, msgspec. Nothing is imported for it."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable
from itertools import islice
from typing import Any, Final

from relive_capture.record.inspection import instance_dict, module_name, mro, type_name
from relive_capture.record.values.shapes.containers import Shape
from relive_capture.record.values.shapes.descriptors import buffer, call, field, fields
from relive_capture.record.values.shapes.opaque import hidden_shape

__all__ = ["DATA_SHAPES", "UNEXPOSED_MODULES", "UNEXPOSED_SHAPES", "base_of"]

_MAX_COLUMNS: Final = 16
_MAX_BASES: Final = 8
_MAX_TEXT: Final = 400
_SHOWN_BYTES: Final = 1024
_TIMES: Final = "mM"


def base_of(value: object, name: str) -> Any:
    """The class called `name` ("numpy.ndarray") along the MRO of `value`."""
    for cls in mro(type(value)):
        if type_name(cls) == name:
            return cls
    raise TypeError(name)


# ---------------------------------------------------------------- numpy


def _array(obj: Any, limit: int) -> Shape:
    cls = base_of(obj, "numpy.ndarray")
    shape, dtype, size = (cls.__dict__[name].__get__(obj) for name in ("shape", "dtype", "size"))
    head = f"ndarray shape={shape} dtype={dtype.str[:40]} ["
    if _is_mapped(obj, cls):
        # the file may have been cut short: reading would be fatal
        return f"{head}… {cls.__dict__['nbytes'].__get__(obj)} bytes", "]", "plain", -1, []
    item = _time_item if dtype.kind in _TIMES else cls.item
    values = [item(obj, index) for index in range(min(size, limit))]
    mask: Any = (instance_dict(obj) or {}).get("_mask")  # of a masked array
    if type_name(type(mask)) == "numpy.ndarray" and mask.size == size:
        masked = sys.modules["numpy"].ma.masked
        values = [masked if mask.item(index) else value for index, value in enumerate(values)]
    return head, "]", "plain", size, values


def _time_item(obj: Any, index: int) -> Any:
    flat = base_of(obj, "numpy.ndarray").__dict__["flat"].__get__(obj)
    return flat[index]


def _is_mapped(obj: Any, cls: Any) -> bool:
    for _ in range(_MAX_BASES):
        if type_name(type(obj)) in ("mmap.mmap", "numpy.memmap"):
            return True
        if not any(base is cls for base in mro(type(obj))):
            return type(obj) is memoryview and type_name(type(obj.obj)) == "mmap.mmap"
        obj = cls.__dict__["base"].__get__(obj)
    return False


# ---------------------------------------------------------------- pandas


def _manager(obj: Any) -> Any:
    found = (instance_dict(obj) or {}).get("_mgr")
    if module_name(type(found)).partition(".")[0] != "pandas":
        raise TypeError("_mgr")
    return found


def _data_frame(obj: Any, limit: int) -> Shape:
    manager = _manager(obj)
    columns, rows = manager.axes
    count = len(columns)
    labels = list(columns[: min(limit, _MAX_COLUMNS)])
    names = [
        label if type(label) is str or type(label) is int else f"column {number}"
        for number, label in enumerate(labels)
    ]
    values = [_column(manager, number) for number in range(len(names))]
    head = f"DataFrame {len(rows)} rows x {count} columns {{"
    return head, "}", "keyed", count, list(zip(names, values, strict=True))


def _column(manager: Any, number: int) -> Any:
    block = manager.blocks[manager.blknos[number]]
    values = block.values
    if type_name(type(values)) == "numpy.ndarray" and values.ndim == 2:
        return values[manager.blklocs[number]]
    return values


def _series(obj: Any, limit: int) -> Shape:
    manager = _manager(obj)
    length = len(manager.axes[0])
    values = manager.blocks[0].values
    return f"Series of {length} (", ")", "plain", 1, [values][:limit]


# ---------------------------------------------------------------- polars


def _polars_frame(obj: Any, limit: int) -> Shape:
    inner = (instance_dict(obj) or {})["_df"]
    names = call(inner, "columns")
    height = call(inner, "height")
    columns = [call(inner, "to_series", number) for number in range(min(len(names), limit, _MAX_COLUMNS))]
    head = f" {height} rows x {len(names)} columns {{"
    return head, "}", "keyed", len(names), list(zip(names, columns, strict=False))


def _polars_series(obj: Any, limit: int) -> Shape:
    return _rust_series((instance_dict(obj) or {})["_s"], limit)


def _rust_series(obj: Any, limit: int) -> Shape:
    length = call(obj, "len")
    values = [call(obj, "get_index", number) for number in range(min(length, limit))]
    return "([", "])", "plain", length, values


# ---------------------------------------------------------------- pyarrow


def _arrow_table(obj: Any, limit: int) -> Shape:
    cls = _arrow(obj)
    schema = cls.schema.__get__(obj)
    names = list(schema.names)
    columns = [cls.column(obj, number) for number in range(min(len(names), limit, _MAX_COLUMNS))]
    head = f" {cls.num_rows.__get__(obj)} rows x {len(names)} columns {{"
    return head, "}", "keyed", len(names), list(zip(names, columns, strict=False))


def _arrow_array(obj: Any, limit: int) -> Shape:
    """As the C++ library prints it: making Python's values may call an extension type's code."""
    cls = _arrow(obj)
    length = cls.__len__(obj)
    kind = _type_text(cls.type.__get__(obj))
    text = "…" if length else "[]"
    if length and limit:
        text = cls.to_string(cls.slice(obj, 0, limit), skip_new_lines=True, window=limit)
        text = text.replace("\n", " ")[:_MAX_TEXT]
    return f"({kind}, ", ")", "leaf", length, [text]


def _arrow_scalar(obj: Any, limit: int) -> Shape:
    plain = type_name(type(obj)).rpartition(".")[2].removesuffix("Scalar")
    if plain in ("Boolean", "Float", "Double", "String", "LargeString", "Binary") or "Int" in plain:
        return "(", ")", "plain", 1, [_arrow(obj).as_py(obj)][:limit]
    return hidden_shape(obj, limit)


def _arrow_text(obj: Any, limit: int) -> Shape:
    text = _arrow(obj).__str__(obj).replace("\n", ", ")
    return "(", ")", "leaf", -1, [text[:_MAX_TEXT]]


def _type_text(kind: Any) -> str:
    text: str = _arrow(kind).__str__(kind)
    return text[:60]


def _arrow_field(obj: Any, limit: int) -> Shape:
    found = [("name", obj.name), ("type", _type_text(obj.type))]
    return "(", ")", "fields", 2, found[:limit]


def _arrow(obj: Any) -> Any:
    """The library's own class: nobody's subclass has a say."""
    for cls in mro(type(obj)):
        if module_name(cls) == "pyarrow.lib":
            return cls
    raise TypeError("pyarrow")


# ---------------------------------------------------------------- others


def _message(obj: Any, limit: int) -> Shape:
    """Of protobuf."""
    present = call(obj, "ListFields")
    found = [(descriptor.name, value) for descriptor, value in present[:limit]]
    return "(", ")", "fields", len(present), found


def _repeated(obj: Any, limit: int) -> Shape:
    length = call(obj, "__len__")
    return "repeated [", "]", "plain", length, list(call(obj, "__getitem__", slice(0, limit)))


def _map(obj: Any, limit: int) -> Shape:
    keys = list(islice(call(obj, "__iter__"), limit))
    items = [(key, call(obj, "__getitem__", key)) for key in keys]
    return "map {", "}", "keyed", call(obj, "__len__"), items


def _multidict(obj: Any, limit: int) -> Shape:
    items: Iterable[Any] = call(obj, "items")
    return "({", "})", "keyed", call(obj, "__len__"), list(islice(items, limit))


def _xml_element(obj: Any, limit: int) -> Shape:
    """Of lxml. Children are counted: to make an object of one may call the user's own element class."""
    cls = base_of(obj, "lxml.etree._Element")
    found: list[tuple[str, Any]] = [("tag", cls.tag.__get__(obj))]
    inside = (("attrib", dict(cls.items(obj))), ("text", cls.text.__get__(obj)))
    found += [(name, value) for name, value in inside if value]
    if count := cls.__len__(obj):
        found.append(("children", count))
    return "(", ")", "fields", len(found), found[:limit]


def _xml_tree(obj: Any, limit: int) -> Shape:
    return "(", ")", "plain", 1, [base_of(obj, "lxml.etree._ElementTree").getroot(obj)][:limit]


def _tensor(obj: Any, limit: int) -> Shape:
    if type_name(type(obj)) not in ("torch.Tensor", "torch.nn.parameter.Parameter"):
        return hidden_shape(obj, limit)  # any other class may have its own word in all that it is asked
    shape = tuple(field(obj, "shape"))
    return f"(shape={shape} dtype={field(obj, 'dtype')} device={field(obj, 'device')}", ")", "plain", -1, []


def _raw(obj: Any, limit: int) -> Shape:
    with buffer(obj) as view:
        found = [("bytes", bytes(view[:_SHOWN_BYTES])), ("size", view.nbytes)]
    return "(", ")", "fields", 2, found[:limit]


def _printed(obj: Any, limit: int) -> Shape:
    """Of types in C or Rust whose own `__str__` asks nobody."""
    return "(", ")", "leaf", -1, [call(obj, "__str__")[:_MAX_TEXT]]


def _quoted(obj: Any, limit: int) -> Shape:
    """The same, as what such a value is made from."""
    return "(", ")", "leaf", -1, [repr(call(obj, "__str__")[:_MAX_TEXT])]


def _with(*names: str) -> Callable[[Any, int], Shape]:
    """The shape of an object with attributes of these names, which its C class reads."""

    def shape(obj: Any, limit: int) -> Shape:
        found = fields(obj, names)
        return "(", ")", "fields", len(found), found[:limit]

    return shape


def _regex(obj: Any, limit: int) -> Shape:
    found = fields(obj, ("pattern", "flags", "string", "pos", "endpos"))
    return "(", ")", "fields", len(found), found[:limit]


UNEXPOSED_MODULES: Final = ("regex", "google._upb._message")
UNEXPOSED_SHAPES: Final = {
    "_regex.Pattern": _regex,
    "_regex.Match": _regex,
    "google._upb._message.RepeatedScalarContainer": _repeated,
    "google._upb._message.RepeatedCompositeContainer": _repeated,
    "google._upb._message.ScalarMapContainer": _map,
    "google._upb._message.MessageMapContainer": _map,
}
"""By the full name of C types that no module has an attribute for."""

DATA_SHAPES: Final = (
    ("numpy", "ndarray", _array),
    ("numpy", "dtype", _printed),
    ("pandas", "DataFrame", _data_frame),
    ("pandas", "Series", _series),
    ("pandas", "Period", _quoted),
    ("pandas", "Interval", _with("left", "right", "closed")),
    ("pandas._libs.tslibs.offsets", "BaseOffset", _with("n", "normalize")),
    ("polars", "DataFrame", _polars_frame),
    ("polars", "Series", _polars_series),
    ("polars._plr", "PySeries", _rust_series),
    ("polars.polars", "PySeries", _rust_series),
    ("pyarrow.lib", "Table", _arrow_table),
    ("pyarrow.lib", "RecordBatch", _arrow_table),
    ("pyarrow.lib", "Array", _arrow_array),
    ("pyarrow.lib", "ChunkedArray", _arrow_array),
    ("pyarrow.lib", "Scalar", _arrow_scalar),
    ("pyarrow.lib", "DataType", _arrow_text),
    ("pyarrow.lib", "Schema", _arrow_text),
    ("pyarrow.lib", "Field", _arrow_field),
    ("google._upb._message", "Message", _message),
    ("multidict._multidict", "MultiDict", _multidict),
    ("multidict._multidict", "MultiDictProxy", _multidict),
    ("lxml.etree", "_Element", _xml_element),
    ("lxml.etree", "_ElementTree", _xml_tree),
    ("torch", "Tensor", _tensor),
    ("msgspec", "Raw", _raw),
    ("msgspec.msgpack", "Ext", _with("code", "data")),
    ("pydantic_core._pydantic_core", "Url", _printed),
    ("pydantic_core._pydantic_core", "MultiHostUrl", _printed),
)
"""Module, name, and what makes the shape; subclasses are shown through them too."""

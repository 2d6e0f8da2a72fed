"""Which types' insides are read by methods of their own: those of C types that the function has loaded."""

from __future__ import annotations

import sys
from typing import Any

from relive_capture.record.inspection import instance_dict, type_name
from relive_capture.record.values.shapes.c_types import KNOWN_SHAPES, LATE_SHAPES, ShapeOf
from relive_capture.record.values.shapes.containers import Shape
from relive_capture.record.values.shapes.data_types import DATA_SHAPES, UNEXPOSED_MODULES, UNEXPOSED_SHAPES
from relive_capture.record.values.shapes.opaque import hidden_shape
from relive_capture.record.values.shapes.own_types import OWN_SHAPES

__all__ = ["Shapes"]

_PANIC = "PanicException"  # of libraries in Rust, and no Exception


class Shapes:
    """By the id of the type: of those that are loaded by now. Holds them: their ids stay their own."""

    __slots__ = ("_by_name", "_found", "_held")

    def __init__(self) -> None:
        self._found = dict(KNOWN_SHAPES)
        self._held: list[Any] = []
        self._by_name = any(module in sys.modules for module in UNEXPOSED_MODULES)
        for module, name, shape in LATE_SHAPES + DATA_SHAPES + OWN_SHAPES:
            loaded = sys.modules.get(module)
            cls = None if loaded is None else (instance_dict(loaded) or {}).get(name)
            if issubclass(type(cls), type):
                self._found[id(cls)] = shape
                self._held.append(cls)

    def of(self, cls: type) -> ShapeOf | None:
        """What reads the values of exactly this type, guarded: if it fails, the object's size is said."""
        shape = self._found.get(id(cls))
        if shape is None and self._by_name:
            shape = UNEXPOSED_SHAPES.get(type_name(cls))
        return None if shape is None else _guarded(shape)


def _guarded(shape: ShapeOf) -> ShapeOf:
    def guarded(obj: Any, limit: int) -> Shape:
        try:
            return shape(obj, limit)
        except BaseException as error:
            if not issubclass(type(error), Exception) and type(error).__name__ != _PANIC:
                raise
            return hidden_shape(obj, limit)

    return guarded

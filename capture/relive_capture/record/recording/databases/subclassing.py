"""Subclasses of classes in C, which cannot be changed: with own methods below the function's."""

from __future__ import annotations

from functools import update_wrapper
from types import FunctionType
from typing import Any

__all__ = ["below", "described_as"]


def described_as(own: Any, base: Any) -> None:
    """Let the methods of `own` have names, texts and parameters of those of `base` that they stand for."""
    for name, method in vars(own).items():
        if type(method) is FunctionType and name[:1] != "_" and hasattr(base, name):
            update_wrapper(method, getattr(base, name))


def below(cls: Any, own: Any, base: Any, made: dict[Any, Any]) -> Any:
    """A subclass of `cls` with the methods of `own`, which count after those of `cls` and before those of
    `base` in C. It goes by the name of `cls`. What is no subclass of `base` is given back; `made` keeps
    them."""
    if not isinstance(cls, type) or not issubclass(cls, base) or issubclass(cls, own):
        return cls
    found = made.get(cls)
    if found is None:
        bases = (own,) if cls is base else (cls, own)
        names = {"__module__": cls.__module__, "__qualname__": cls.__qualname__, "__doc__": cls.__doc__}
        try:
            found = type(cls)(cls.__name__, bases, names)
        except TypeError:  # its bases allow no other: it goes unrecorded
            found = cls
        made[cls] = found
    return found

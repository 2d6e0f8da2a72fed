"""Code that is in no file: made by exec or compile, with its text left in linecache for tracebacks."""

from __future__ import annotations

import os
import sys
from types import CodeType
from typing import Any, Final

from relive_base.patterns import LazyPattern

from relive_capture.record.inspection import instance_dict, named_entry

__all__ = ["is_generated", "virtual_lines", "virtual_name"]

_MAX_LINES: Final = 20_000
_GENERATED: Final = LazyPattern(r"<frozen |generated|-gen-|^<string>$|^<stdin>$")
"""Names that libraries give to methods they make (attrs, decorator, makefun): no code of the user's."""

_BY_HAND: Final = ("<string>", "<stdin>")  # what exec calls text that comes without a name


def is_generated(code: CodeType) -> bool:
    """Whether a library made it for a class of the user's: dataclasses, named tuples, attrs."""
    name = code.co_name
    made = name[:2] == "__" or name == "<lambda>" or code.co_qualname.startswith("__create_fn__")
    return made or (_GENERATED.search(code.co_filename) is not None and code.co_filename not in _BY_HAND)


def virtual_lines(file: str) -> list[str] | None:
    """The lines, with their ends, of code that is in no file; None for files and if nothing is known."""
    module = sys.modules.get("linecache")
    cache: Any = (instance_dict(module) or {}).get("cache")
    if type(cache) is not dict or _GENERATED.search(file) or (os.path.exists(file) and file[:1] != "<"):
        return None
    entry: Any = named_entry(cache, file)
    if type(entry) is not tuple or len(entry) != 4:
        return None  # what has yet to be loaded is loaded by code of the user's
    lines = entry[2]
    if type(lines) is not list or not lines or len(lines) > _MAX_LINES:
        return None
    return list(lines) if all(type(line) is str for line in lines) else None


def virtual_name(file: str) -> str:
    """How it is shown, and called in the archive: as it is, in one part of a path."""
    name = "".join(char if char.isprintable() and char not in "/\\" else "_" for char in file[:200])
    return name if name.strip(".") else "<code>"

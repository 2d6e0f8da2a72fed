"""Places in the code, in few characters."""

from __future__ import annotations

from pathlib import PurePath
from typing import Final

__all__ = ["place"]

_ALIKE: Final = ("__init__.py", "__main__.py")


def place(file: str, line: int) -> str:
    """ "cart.py:33"; with its folder if the file's name alone tells nothing; "" for no file."""
    if not file:
        return ""
    path = PurePath(file)
    name = f"{path.parent.name}/{path.name}" if path.name in _ALIKE and path.parent.name else path.name
    return f"{name}:{line}" if line else name

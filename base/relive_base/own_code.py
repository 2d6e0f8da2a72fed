"""Which code is Relive's own: told by the folders of its packages, not by a piece of a path.

A home, a virtual environment or a project of the user's may be called relive, too.
"""

from __future__ import annotations

import os
import sys
from functools import lru_cache
from typing import Final

__all__ = ["PACKAGES", "is_own", "is_own_name", "own_folders"]

PACKAGES: Final = (
    "relive_base",
    "relive_store",
    "relive_tracer",
    "relive_capture",
    "relive_profiler",
    "relive_runtime",
    "relive_outside",
    "relive_platform",
    "relive_tui",
)
"""Relive's packages, but for the public one."""

_PUBLIC: Final = "relive"
"""The package of the command and of what functions import: others may have one of that name."""


def is_own(file: str) -> bool:
    """Whether the code of `file`, named as its frames name it, is Relive's own."""
    return file.startswith(own_folders())


def is_own_name(name: str) -> bool:
    """Whether a dotted name begins with one of Relive's packages, the public one left out."""
    return name.partition(".")[0] in PACKAGES


def own_folders() -> tuple[str, ...]:
    """The folders of Relive's packages that are loaded, each with a separator at its end."""
    return _folders(tuple(_file_of(name) for name in (*PACKAGES, _PUBLIC)))


def _file_of(name: str) -> str:
    module = sys.modules.get(name)
    file = module.__dict__.get("__file__") if type(module) is type(sys) else None
    return file if type(file) is str else ""


@lru_cache(maxsize=8)
def _folders(files: tuple[str, ...]) -> tuple[str, ...]:
    folders = [os.path.dirname(file) for file in files]
    if folders[-1] and os.path.realpath(folders[-1]) not in _beside(folders[0]):
        folders.pop()  # somebody else's
    # A worker imports them by links; the first file of its process is named by where it lies.
    named = dict.fromkeys(name for folder in folders if folder for name in (folder, os.path.realpath(folder)))
    return tuple(folder + os.sep for folder in named)


def _beside(base: str) -> tuple[str, str]:
    """Where the public package lies: beside this one, or in its room of a source tree."""
    root = os.path.dirname(os.path.realpath(base))
    return os.path.join(root, _PUBLIC), os.path.join(os.path.dirname(root), "cli", _PUBLIC)

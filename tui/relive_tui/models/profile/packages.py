"""Whose code a file of a profile is, in few characters."""

from __future__ import annotations

import os

from relive_tui.models.layout.text import clean

__all__ = ["package_of", "place_in"]

_LIBRARY = ("site-packages/", "python3.")


def module_of(file: str) -> str:
    """`opentelemetry.sdk.trace` of a dependency's or the standard library's file; "" of the application's."""
    if file.startswith("<frozen ") and file.endswith(">"):
        return file[8:-1]
    if file.startswith("/"):
        for folder in ("/site-packages/", "/dist-packages/"):
            if folder in file:
                return _dotted(file.rsplit(folder, 1)[1])
        return ""
    if not file.startswith(_LIBRARY):
        return ""
    return _dotted(file.partition("/")[2])


def _dotted(path: str) -> str:
    return path.removesuffix(".py").removesuffix("/__init__").replace("/", ".")


def package_of(file: str) -> str:
    """`opentelemetry`: whose code it is; "" of the application's own."""
    return clean(module_of(file).partition(".")[0])


def place_in(file: str, line: int) -> str:
    """`cart.py:88` of one's own code, `opentelemetry.sdk.trace:956` of a library's; "" for no file."""
    if not file:
        return ""
    return f"{clean(module_of(file) or os.path.basename(file))}:{line}"

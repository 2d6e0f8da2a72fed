"""What `relive-record` of a layer has changed to have its handler called: the function sees it as it was."""

from __future__ import annotations

import os
import sys
from binascii import a2b_base64
from typing import Final

__all__ = ["unwrapped"]

_NAME: Final = "RELIVE_RECORD_HANDLER"
_ENVIRON: Final = "RELIVE_RECORD_ENVIRON"
_HANDLER: Final = "_HANDLER"
_STARTED: Final = "/proc/self/environ"


def unwrapped(ours: str) -> str:
    """Put back the environment and the arguments, in which `ours` stands for the function's own handler: give
    that."""
    name = os.environ.pop(_NAME, "")
    kept = os.environ.pop(_ENVIRON, "")
    if not name:
        return os.environ.get(_HANDLER, "")
    if kept:
        try:
            _put_back(_variables(a2b_base64(kept)))
        except (OSError, ValueError):
            pass  # it has a few variables more than it would have
    if os.environ.get(_HANDLER) == ours:
        os.environ[_HANDLER] = name
    for words in (sys.argv, sys.orig_argv):
        words[:] = [name if word == ours else word for word in words]
    return name


def _put_back(before: dict[bytes, bytes]) -> None:
    """Variables that a shell leaves out (`a.b`), adds (PWD) or changes (IFS), and those that the script sets.
    What this process has changed since it was started stays."""
    with open(_STARTED, "rb") as file:
        started = _variables(file.read())
    now = os.environb
    for name in {**before, **started}:
        value = before.get(name)
        if value == started.get(name) or now.get(name) != started.get(name):
            continue
        if value is None:
            del now[name]
        else:
            now[name] = value


def _variables(data: bytes) -> dict[bytes, bytes]:
    pairs = (entry.partition(b"=") for entry in data.split(b"\0"))
    return {name: value for name, separator, value in pairs if name and separator}

"""From frames to stacks with stable 64-bit hashes, each computed once."""

from __future__ import annotations

import functools
import os
import sys
import sysconfig
from _blake2 import blake2b  # hashlib would load OpenSSL: 2 ms
from collections.abc import Sequence
from types import CodeType, FrameType
from typing import Final

from relive_base.code_lines import frame_line
from relive_base.frames import StackFrames
from relive_base.own_code import own_folders

__all__ = [
    "DEEP_FRAME",
    "StackTable",
    "frame_hash",
    "stack_hash",
    "standard_folders",
    "without_inner",
    "without_own",
]

DEEP_FRAME: Final = "(deeper than the limit)"
"""The outermost frame of a stack that was cut, so that cut stacks share one root."""

_OWN: Final = "<relive>/"
"""How the names of Relive's own files begin in a stack."""
_IMPORTLIB: Final = ("<frozen importlib._bootstrap>", "<frozen importlib._bootstrap_external>")

Location = tuple[str, str, int]  # function, file, line


def frame_hash(function: str, file: str, line: int) -> bytes:
    """8 bytes, the same in every process."""
    text = f"{function}\0{file}\0{line}".encode("utf-8", "backslashreplace")
    return blake2b(text, digest_size=8).digest()


def stack_hash(locations: Sequence[Location]) -> int:
    """An unsigned 64-bit number, the same in every process. Outermost frame first."""
    digest = blake2b(digest_size=8)
    for location in locations:
        digest.update(frame_hash(*location))
    return int.from_bytes(digest.digest(), "big")


class StackTable:
    """Interns stacks and shortens their file names.

    Files below `source` are named relative to it, so that versions of a function compare; those below other
    folders of the import path become "site-packages/...", the standard library's "python3.11/...".
    """

    __slots__ = ("_codes", "_lines", "_names", "_roots", "_source", "stacks")

    def __init__(self, source: str = "", path: Sequence[str] | None = None) -> None:
        self.stacks: dict[int, StackFrames] = {}  # by stack hash
        self._codes: dict[int, CodeType] = {}  # keeps the codes alive whose id is a key elsewhere
        self._lines: dict[tuple[int, int], Location] = {}  # (id of the code, last instruction)
        self._names: dict[str, str] = {}
        self._source = os.path.abspath(source) + os.sep if source else ""
        self._roots = _roots(self._source, sys.path if path is None else path)

    def forget(self) -> None:
        """Drop everything that can be computed again."""
        self.stacks.clear()
        self._codes.clear()
        self._lines.clear()
        self._names.clear()

    def intern(self, frame: FrameType | None, outer: FrameType | None, depth: int) -> StackFrames | None:
        """The stack from `frame` (innermost) outwards up to `outer`, without Relive's own at either end.

        None where nothing but Relive's own frames is on it. Runs no code of the user's.
        """
        locations: list[Location] = []
        while frame is not None and frame is not outer and len(locations) < depth:
            locations.append(self._location(frame.f_code, frame.f_lasti, frame))
            frame = frame.f_back
        cut = frame is not None and frame is not outer
        locations.reverse()
        kept = [
            location for location in without_inner(without_own(locations)) if location[1] not in _IMPORTLIB
        ]
        if not kept:
            return None
        if cut:
            kept.insert(0, (DEEP_FRAME, "", 0))
        return self.add(kept)

    def add(self, locations: Sequence[Location]) -> StackFrames:
        """The one StackFrames of these locations: outermost first, files as `short` names them."""
        number = stack_hash(locations)
        stack = self.stacks.get(number)
        if stack is None:
            functions, files, lines = zip(*locations, strict=True)
            stack = StackFrames(number, list(functions), list(files), list(lines))
            self.stacks[number] = stack
        return stack

    def short(self, file: str) -> str:
        """`file` relative to the folder of the import path that it lies in."""
        name = self._names.get(file)
        if name is None:
            name = self._names[file] = self._shorten(file)
        return name

    def _location(self, code: CodeType, last: int, frame: FrameType) -> Location:
        key = (id(code), last)
        location = self._lines.get(key)
        if location is None:
            self._codes[id(code)] = code
            location = (code.co_qualname, self.short(code.co_filename), frame_line(frame))
            self._lines[key] = location
        return location

    def _shorten(self, file: str) -> str:
        if self._source and file.startswith(self._source):
            return file[len(self._source) :]
        for folder in own_folders():
            if file.startswith(folder):
                return f"{_OWN}{os.path.basename(folder[:-1])}/{file[len(folder) :]}"
        for root, label in self._roots:
            if file.startswith(root):
                return label + file[len(root) :]
        return file


@functools.cache
def standard_folders() -> frozenset[str]:
    """Of the standard library. The same for all workers; to find them out takes half a millisecond."""
    return frozenset(os.path.abspath(sysconfig.get_path(name)) + os.sep for name in ("stdlib", "platstdlib"))


def _roots(source: str, path: Sequence[str]) -> list[tuple[str, str]]:
    """(folder with a trailing slash, label), longest folder first."""
    version = f"python{sys.version_info.major}.{sys.version_info.minor}/"
    standard = standard_folders()
    roots = dict.fromkeys(standard, version)
    for entry in path:
        folder = os.path.abspath(entry) + os.sep
        if entry and folder != source and not any(folder == root for root in standard):
            roots[folder] = "site-packages/"
    return sorted(roots.items(), key=lambda item: -len(item[0]))


def _own(file: str) -> bool:
    return file.startswith(_OWN)


def without_own(locations: list[Location]) -> list[Location]:
    """`locations` from the first frame that the platform called, whatever lay between its own frames."""
    start = 0
    for index, (_, file, _line) in enumerate(locations):
        if _own(file):
            start = index + 1
        elif not file.startswith(("<", "python3.")):
            return locations[start:]
    # Nothing but the standard library below the platform's frames: the platform's own work.
    return [] if start else locations


def without_inner(locations: list[Location]) -> list[Location]:
    """`locations` up to the last frame before Relive's own work at the inner end.

    A function that waits for another one waits in the line that calls it, not in Relive's socket.
    """
    end = len(locations)
    for index in range(end - 1, -1, -1):
        file = locations[index][1]
        if _own(file):
            end = index
        elif not file.startswith(("<", "python3.")):
            break
    return locations[:end]

"""From frames to stacks with stable 64-bit hashes, each computed once."""

from __future__ import annotations

import functools
import os
import sys
from _blake2 import blake2b  # hashlib would load OpenSSL: 2 ms
from collections.abc import Sequence
from types import CodeType, FrameType
from typing import Final

from relive_base.code_lines import frame_line
from relive_base.kept_builtins import KEPT
from relive_base.own_code import own_folders
from relive_base.wire.messages import StackFrames

from relive_profiler.record.native import chosen_walk

__builtins__ = KEPT

__all__ = [
    "DEEP_FRAME",
    "Location",
    "StackTable",
    "frame_hash",
    "stack_hash",
    "standard_folders",
    "without_inner",
    "without_loop",
    "without_own",
]

DEEP_FRAME: Final = "(deeper than the limit)"
"""The outermost frame of a stack that was cut, so that cut stacks share one root."""

_OWN: Final = "<relive>/"
"""How the names of Relive's own files begin in a stack."""
_LOOP: Final = frozenset(
    {
        *("Runner.run", "run", "BaseEventLoop.run_until_complete", "BaseEventLoop.run_forever"),
        *("BaseEventLoop._run_once", "Handle._run"),
    }
)
"""Of asyncio: between who runs an event loop and the code that it runs."""
_IMPORTLIB: Final = ("<frozen importlib._bootstrap>", "<frozen importlib._bootstrap_external>")

Location = tuple[str, str, int]  # function, file, line


def frame_hash(function: str, file: str, line: int) -> bytes:
    """8 bytes, the same in every process."""
    text = f"{function}\0{file}\0{line}".encode("utf-8", "backslashreplace")
    return blake2b(text, digest_size=8).digest()


def stack_hash(locations: Sequence[Location]) -> int:
    """An unsigned 64-bit number, the same in every process. Outermost frame first."""
    return _number(b"".join([frame_hash(*location) for location in locations]))


def _number(digests: bytes) -> int:
    return int.from_bytes(blake2b(digests, digest_size=8).digest(), "big")


class _Place:
    """A location, one object for each: a stack is looked up by the identity of its places."""

    __slots__ = ("digest", "location")

    def __init__(self, location: Location) -> None:
        self.location = location
        self.digest = frame_hash(*location)


_CUT: Final = _Place((DEEP_FRAME, "", 0))


class StackTable:
    """Interns stacks and shortens their file names.

    Files below `source` are named relative to it, so that versions of a function compare; those below other
    folders of the import path become "site-packages/...", the standard library's "python3.11/...".

    A look walks the frames once. What it meets for the first time is worked out, and kept until more than
    `cached` stacks or codes are: then all is forgotten.
    """

    __slots__ = (
        "_cached",
        "_codes",
        "_lines",
        "_names",
        "_places",
        "_roots",
        "_seen",
        "_source",
        "_walk",
        "stacks",
    )

    def __init__(self, source: str = "", path: Sequence[str] | None = None, cached: int = 20_000) -> None:
        self.stacks: dict[int, StackFrames] = {}  # by stack hash
        self._cached = cached
        self._codes: list[CodeType] = []  # keeps the codes alive whose id is a key below
        self._lines: dict[int, dict[int, _Place]] = {}  # by id of the code and last instruction
        self._places: dict[Location, _Place] = {}
        self._seen: dict[tuple[_Place, ...], StackFrames | None] = {}
        self._names: dict[str, str] = {}
        self._walk = chosen_walk()
        self._source = os.path.abspath(source) + os.sep if source else ""
        self._roots = _roots(self._source, sys.path if path is None else path)

    def forget(self) -> None:
        """Drop everything that can be computed again."""
        self.stacks.clear()
        self._codes.clear()
        self._lines.clear()
        self._places.clear()
        self._seen.clear()
        self._names.clear()

    def look(self, frame: FrameType | None, outer: FrameType | None, depth: int) -> StackFrames | None:
        """The stack from `frame` (innermost) outwards up to `outer`, without Relive's own at either end.

        None if nothing but Relive's own frames is on it. Runs no code of the user's.
        """
        key: tuple[_Place, ...] = self._walk(frame, outer, depth, self._lines, self._place, _CUT)
        try:
            return self._seen[key]
        except KeyError:
            if len(self._seen) >= self._cached:
                self.forget()
            stack = self._seen[key] = self._intern(key)
            return stack

    def look_frames(self, frames: Sequence[FrameType], depth: int) -> StackFrames | None:
        """As `look`, of frames that do not hang together, innermost first: coroutines that wait."""
        places: list[_Place] = []
        for frame in frames[:depth]:
            try:
                places.append(self._lines[id(frame.f_code)][frame.f_lasti])
            except KeyError:
                places.append(self._place(frame))
        key = tuple(places)
        try:
            return self._seen[key]
        except KeyError:
            stack = self._seen[key] = self._intern(key)
            return stack

    def _intern(self, places: tuple[_Place, ...]) -> StackFrames | None:
        cut = places[-1:] == (_CUT,)
        return self.of_locations([place.location for place in places[: len(places) - cut]], cut)

    def of_locations(self, locations: Sequence[Location], cut: bool) -> StackFrames | None:
        """As `look`, of locations, innermost first, with files as `short` names them. `cut`: there are outer
        ones that are not told."""
        outwards = list(reversed(locations))
        kept = without_loop(
            [location for location in without_inner(without_own(outwards)) if location[1] not in _IMPORTLIB]
        )
        if not kept:
            return None
        if cut:
            kept.insert(0, _CUT.location)
        return self.add(kept)

    def add(self, locations: Sequence[Location]) -> StackFrames:
        """The one StackFrames of these locations: outermost first, files as `short` names them."""
        number = _number(b"".join([self._placed(location).digest for location in locations]))
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

    def _place(self, frame: FrameType) -> _Place:
        """Where `frame` stands, from now on known by its code and instruction."""
        code = frame.f_code
        place = self._placed((code.co_qualname, self.short(code.co_filename), frame_line(frame)))
        known = self._lines.get(id(code))
        if known is None:
            if len(self._codes) >= self._cached:  # code that is made anew again and again
                self.forget()
            self._codes.append(code)
            known = self._lines[id(code)] = {}
        known[frame.f_lasti] = place
        return place

    def _placed(self, location: Location) -> _Place:
        place = self._places.get(location)
        if place is None:
            place = self._places[location] = _Place(location)
        return place

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
    import sysconfig  # here: a zygote asks once for all its workers

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


def without_loop(locations: list[Location]) -> list[Location]:
    """`locations` without an event loop's own frames, unless it is the loop itself that is met: code that
    runs and code that waits then have the same callers."""
    if not locations or _is_loop(locations[-1]):
        return locations
    return [location for location in locations if not _is_loop(location)]


def _is_loop(location: Location) -> bool:
    return location[0] in _LOOP and location[1].startswith("python3.") and "/asyncio/" in location[1]

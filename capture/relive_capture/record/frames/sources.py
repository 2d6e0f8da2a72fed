"""Source files of frames: read directly and within limits, never by linecache's functions (whose loaders may
be the user's). What is no file, but has its text in linecache, is read from there."""

from __future__ import annotations

import os
import stat
import sys
from collections.abc import Sequence
from functools import lru_cache
from types import FrameType
from typing import TYPE_CHECKING

from relive_base.own_code import is_own
from relive_base.parts import Reason, Why
from relive_base.redaction.redactor import Redactor
from relive_base.source_text import decode_source, encode_source, split_source

from relive_capture.record.frames.virtual_sources import is_generated, virtual_lines, virtual_name
from relive_capture.record.inspection import instance_dict, named_entry

if TYPE_CHECKING:
    from relive_base.wire.messages import FunctionSpec

__all__ = ["InApp", "SourceCache", "SourceFiles"]

_MAX_FILE_BYTES = 1024 * 1024
_MAX_CACHED_FILES = 64
_MAX_CACHED_BYTES = 4 * 1024 * 1024
_MAX_EXCERPTS = 200  # of one file
_LIBRARY_PARTS = ("/site-packages/", "/dist-packages/")
_STDLIB = os.path.dirname(os.__file__) + os.sep


class InApp:
    """Decides whose a file is. `roots`: the function's own folder first, then others that count as its own.
    `here`: whether the frames are of this process, so that its linecache knows code that is in no file.
    `others`: folders that are not its own, wherever they lie; the deeper one counts."""

    def __init__(self, roots: list[str], *, here: bool = False, others: Sequence[str] = ()) -> None:
        self._here = here
        self._roots = _prefixes(tuple(roots))
        self._others = _prefixes(tuple(others))
        self._known: dict[str, tuple[bool, str]] = {}

    @classmethod
    def of(cls, spec: FunctionSpec, *, here: bool = False) -> InApp:
        """Of a function."""
        return cls([spec.source, *spec.in_app], here=here, others=[spec.dependencies_dir])

    def place(self, file: str) -> tuple[bool, str]:
        """(is the user's own, shown name: relative to its root, or as it is)."""
        known = self._known.get(file)
        if known is None:
            known = self._known[file] = self._place(file)
        return known

    def frame(self, frame: FrameType) -> tuple[bool, str]:
        """The same of a frame. Code that exec or eval made, and whose text nobody has kept, belongs to the
        module in whose namespace it runs; what has one of its own is the user's."""
        file = frame.f_code.co_filename
        found = self.place(file)
        if found[0] or file[:1] != "<" or not self._here or is_generated(frame.f_code):
            return found
        names = frame.f_globals if type(frame.f_globals) is dict else {}
        if named_entry(names, "__file__") == file:
            return found  # a template that has no file: there is no line of the user's to show
        name = named_entry(names, "__name__")
        module = sys.modules.get(name) if type(name) is str else None
        if module is None:
            return True, virtual_name(file)
        origin = (instance_dict(module) or {}).get("__file__")
        return type(origin) is str and self.place(origin)[0], virtual_name(file)

    def shown(self, file: str) -> str:
        """How frames name it."""
        return self.place(file)[1]

    def _place(self, file: str) -> tuple[bool, str]:
        if self._here and virtual_lines(file) is not None:
            return True, virtual_name(file)
        if file.startswith("<"):
            return False, file
        library = any(part in file for part in _LIBRARY_PARTS)
        for root in self._roots:
            if file.startswith(root) and not self._is_others(file, root):
                inside = file[len(root) :]
                return not any(part in f"/{inside}" for part in _LIBRARY_PARTS), inside
        if self._roots or library:
            return False, file
        # Without a known folder, everything that is no library counts as the user's.
        return not file.startswith(_STDLIB), file

    def _is_others(self, file: str, root: str) -> bool:
        """A home in the function's own folder has dependencies, and links to Relive's own code."""
        named = any(file.startswith(folder) and len(folder) > len(root) for folder in self._others)
        return named or (is_own(file) and not is_own(root))

    def stable(self, file: str) -> str:
        """A name that is the same on every machine: relative to its root or to the library folder."""
        in_app, shown = self.place(file)
        if in_app:
            return shown.replace(os.sep, "/")
        for part in _LIBRARY_PARTS:
            if part in file:
                return file.rsplit(part, 1)[1]
        if file.startswith(_STDLIB):
            return file[len(_STDLIB) :]
        return os.path.basename(file)


@lru_cache(maxsize=16)
def _prefixes(roots: tuple[str, ...]) -> tuple[str, ...]:
    """How files below `roots` begin; asked of the disk once per process."""
    real = ((root, os.path.realpath(root)) for root in roots if root)
    return tuple(dict.fromkeys(folder.rstrip(os.sep) + os.sep for both in real for folder in both))


class _File:
    """One file as it was read: raw lines, and without secrets if that was asked for."""

    __slots__ = ("clean", "clean_lines", "data", "excerpts", "lines", "stamp")

    def __init__(self, stamp: tuple[int, int, int], data: bytes) -> None:
        self.stamp = stamp
        self.data = data
        self.lines = split_source(decode_source(data))
        self.clean: bytes | None = None
        self.clean_lines: list[str] | None = None
        self.excerpts: dict[tuple[int, int], tuple[list[str], int]] = {}


class SourceCache:
    """Files that earlier captures of this process have read, as long as their time, size and inode stay the
    same. At most 64 files and 4 MB; over that, it starts again."""

    def __init__(self, redactor: Redactor) -> None:
        self._redactor = redactor
        self._files: dict[str, _File] = {}
        self._bytes = 0

    def file(self, path: str) -> _File | None:
        """The file, or None if it is no regular one, over 1 MB, or cannot be read."""
        stamp = _stamp(path)
        known = self._files.get(path)
        if stamp is None or (known is not None and known.stamp == stamp):
            return known if stamp is not None else None
        data = _read_bounded(path)
        if data is None:
            return None
        if len(self._files) >= _MAX_CACHED_FILES or self._bytes + len(data) > _MAX_CACHED_BYTES:
            self._files.clear()
            self._bytes = 0
        self._bytes += len(data)
        found = self._files[path] = _File(stamp, data)
        return found

    def clean(self, file: _File) -> bytes:
        """The whole file without secrets."""
        if file.clean is None:
            text = decode_source(file.data)
            clean = self._redactor.source(text)
            file.clean = file.data if clean == text else encode_source(clean, file.data)
        return file.clean

    def _clean_lines(self, file: _File) -> list[str]:
        if file.clean_lines is None:
            file.clean_lines = split_source(decode_source(self.clean(file)))
        return file.clean_lines

    def excerpt(self, file: _File, line: int, around: int, whole: bool) -> tuple[list[str], int]:
        """(lines around `line` without secrets, number of the first of them). `whole`: the file is read
        from its beginning, so that it is known what is a string and what is not."""
        known = file.excerpts.get((line, around))
        if known is None:
            lines = self._clean_lines(file) if whole else file.lines
            if line < 1 or line > len(lines):
                return [], 0
            first = max(line - around, 1)
            part = [text[:300] for text in lines[first - 1 : line + around]]
            known = part if whole else self._redactor.source("\n".join(part)).split("\n"), first
            if len(file.excerpts) < _MAX_EXCERPTS:
                file.excerpts[line, around] = known
        return known


class SourceFiles:
    """The source files of one capture: each is looked at once. `here`: the frames are of this process."""

    def __init__(self, limit_bytes: int, cache: SourceCache, *, here: bool = False) -> None:
        self._here = here
        self._limit = limit_bytes
        self._cache = cache
        self._files: dict[str, _File | None] = {}

    def excerpt(self, path: str, line: int, around: int, *, whole: bool) -> tuple[list[str], int]:
        """(lines around `line` without secrets, number of the first of them). `whole` for the user's own
        files, which are read as a whole anyway."""
        file = self._file(path)
        return ([], 0) if file is None else self._cache.excerpt(file, line, around, whole)

    def names(self, path: str, text: str) -> bool:
        """Whether `text` stands in quotes in the file."""
        file = self._file(path)
        plain = text.encode("utf-8", "backslashreplace")
        return file is not None and (b'"%b"' % plain in file.data or b"'%b'" % plain in file.data)

    def members(self, files: dict[str, str]) -> tuple[dict[str, bytes], Reason | None]:
        """({"source/" + shown name: bytes}, what the limit left out) for {path: shown name}."""
        found: dict[str, bytes] = {}
        used = 0
        left_out = 0
        for path, shown in files.items():
            file = self._file(path)
            if file is None or used + len(file.data) > self._limit:
                left_out += 1
                continue
            used += len(file.data)
            found[f"source/{shown}"] = self._cache.clean(file)
        return found, Reason(Why.FILES_LEFT_OUT, (left_out, self._limit)) if left_out else None

    def _file(self, path: str) -> _File | None:
        if path not in self._files:
            self._files[path] = self._virtual(path) or self._cache.file(path)
        return self._files[path]

    def _virtual(self, path: str) -> _File | None:
        lines = virtual_lines(path) if self._here else None
        data = "".join(lines).encode("utf-8", "backslashreplace") if lines is not None else b""
        return _File((0, 0, 0), data) if data and len(data) <= _MAX_FILE_BYTES else None


def _stamp(path: str) -> tuple[int, int, int] | None:
    if not path.startswith(os.sep):
        return None
    try:
        found = os.stat(path)
    except (OSError, ValueError):
        return None
    return (found.st_mtime_ns, found.st_size, found.st_ino) if stat.S_ISREG(found.st_mode) else None


def _read_bounded(file: str) -> bytes | None:
    try:
        # O_NONBLOCK: a path that is a pipe must not stop the capture
        descriptor = os.open(file, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        data = os.read(descriptor, _MAX_FILE_BYTES + 1)
    except OSError:
        return None
    finally:
        os.close(descriptor)
    return data if len(data) <= _MAX_FILE_BYTES else None

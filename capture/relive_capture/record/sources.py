"""Source files of frames: read directly and within limits, never through linecache (whose loaders may be
the user's)."""

from __future__ import annotations

import os

from relive_base.redaction import Redactor

__all__ = ["InApp", "SourceFiles"]

_MAX_FILE_BYTES = 1024 * 1024
_LIBRARY_PARTS = ("/site-packages/", "/dist-packages/")
_STDLIB = os.path.dirname(os.__file__) + os.sep


class InApp:
    """Decides whose a file is. `roots`: the function's own folder first, then others that count as its
    own."""

    def __init__(self, roots: list[str]) -> None:
        self._roots: list[str] = []
        for root in roots:
            if root:
                for folder in (root, os.path.realpath(root)):
                    prefix = folder.rstrip(os.sep) + os.sep
                    if prefix not in self._roots:
                        self._roots.append(prefix)
        self._known: dict[str, tuple[bool, str]] = {}

    def place(self, file: str) -> tuple[bool, str]:
        """(is the user's own, shown name: relative to its root, or as it is)."""
        known = self._known.get(file)
        if known is None:
            known = self._known[file] = self._place(file)
        return known

    def _place(self, file: str) -> tuple[bool, str]:
        if file.startswith("<"):
            return False, file
        library = any(part in file for part in _LIBRARY_PARTS)
        for root in self._roots:
            if file.startswith(root):
                inside = file[len(root) :]
                return not any(part in f"/{inside}" for part in _LIBRARY_PARTS), inside
        if self._roots or library:
            return False, file
        # Without a known folder, everything that is no library counts as the user's.
        return not file.startswith(_STDLIB), file

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


class SourceFiles:
    """Reads each file once. Files over 1 MB, or that are not regular, give nothing."""

    def __init__(self, limit_bytes: int, redactor: Redactor) -> None:
        self._limit = limit_bytes
        self._redactor = redactor
        self._lines: dict[str, list[str]] = {}
        self._raw: dict[str, bytes] = {}
        self._excerpts: dict[tuple[str, int, int], tuple[list[str], int]] = {}

    def excerpt(self, file: str, line: int, around: int) -> tuple[list[str], int]:
        """(lines around `line` without secrets, number of the first of them)."""
        key = (file, line, around)
        known = self._excerpts.get(key)
        if known is None:
            known = self._excerpts[key] = self._excerpt(file, line, around)
        return known

    def _excerpt(self, file: str, line: int, around: int) -> tuple[list[str], int]:
        lines = self._read(file)
        if not lines or line < 1 or line > len(lines):
            return [], 0
        first = max(line - around, 1)
        text = "\n".join(text[:300] for text in lines[first - 1 : line + around])
        return self._redactor.source(text).split("\n"), first

    def members(self, files: dict[str, str]) -> tuple[dict[str, bytes], str]:
        """({"source/" + shown name: bytes}, "" or what the limit left out) for {path: shown name}."""
        found: dict[str, bytes] = {}
        used = 0
        left_out = 0
        for path, shown in files.items():
            self._read(path)
            data = self._raw.get(path)
            if data is None or used + len(data) > self._limit:
                left_out += 1
                continue
            used += len(data)
            found[f"source/{shown}"] = self._redactor.source(data.decode("utf-8", "replace")).encode()
        reason = f"{left_out} files could not be read or are over {self._limit} bytes together"
        return found, reason if left_out else ""

    def _read(self, file: str) -> list[str]:
        lines = self._lines.get(file)
        if lines is None:
            data = _read_bounded(file)
            if data is not None:
                self._raw[file] = data
            lines = self._lines[file] = (data or b"").decode("utf-8", "replace").splitlines()
        return lines


def _read_bounded(file: str) -> bytes | None:
    if not file.startswith(os.sep):
        return None
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

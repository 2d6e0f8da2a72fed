"""The source text of a line, from the folder of the version that ran."""

from __future__ import annotations

import os
from collections import OrderedDict
from collections.abc import Iterable
from typing import Final

from relive_base.redaction.redactor import Redactor
from relive_base.source_text import decode_source, split_source

__all__ = ["SourceLines", "source_line"]

_MAX_FILE_BYTES: Final = 4 * 1024 * 1024
_MAX_LINE_CHARS: Final = 500
_CACHED_FILES: Final = 64
_PACKAGES: Final = "site-packages/"


class SourceLines:
    """Reads lines of files below `code_dir` and `deps_dir`, nothing else, at most 4 MiB of a file. They come
    without the secrets of their literals and comments; `redact_keys` are names of the function's own."""

    def __init__(self, code_dir: str, deps_dir: str = "", *, redact_keys: Iterable[str] = ()) -> None:
        self._redactor = Redactor(redact_keys)
        self._code_dir = code_dir
        self._deps_dir = deps_dir
        self._files: OrderedDict[str, list[str]] = OrderedDict()

    def line(self, file: str, line: int) -> str:
        """The text of a line (1 is the first) without its end, or "" if it cannot be had."""
        lines = self._lines(file)
        return lines[line - 1][:_MAX_LINE_CHARS] if 1 <= line <= len(lines) else ""

    def around(self, file: str, line: int, context: int = 3) -> list[tuple[int, str]]:
        """(number, text) of the lines from `context` before to `context` after."""
        first, last = max(line - context, 1), min(line + context, len(self._lines(file)))
        return [(number, self.line(file, number)) for number in range(first, last + 1)]

    def _lines(self, file: str) -> list[str]:
        lines = self._files.get(file)
        if lines is None:
            lines = self._files[file] = self._read(file)
            if len(self._files) > _CACHED_FILES:
                self._files.popitem(last=False)
        return lines

    def _read(self, file: str) -> list[str]:
        path = self._path(file)
        if not path:
            return []
        try:
            with open(path, "rb") as stream:
                text = decode_source(stream.read(_MAX_FILE_BYTES))
        except OSError:
            return []
        return split_source(
            self._redactor.source(text)
        )  # as a whole: what is a string is known by all before

    def _path(self, file: str) -> str:
        """Where `file` lies; "" outside of the two folders: names in profiles are not trusted."""
        folder, name = self._code_dir, file
        if file.startswith(_PACKAGES):
            folder, name = self._deps_dir, file[len(_PACKAGES) :]
        if not folder or not name or "\0" in name:
            return ""
        root = os.path.realpath(folder)
        path = os.path.realpath(os.path.join(root, name))
        return path if path.startswith(root + os.sep) and os.path.isfile(path) else ""


def source_line(
    file: str, line: int, *, code_dir: str, deps_dir: str = "", redact_keys: Iterable[str] = ()
) -> str:
    """One line's text; for more than a few, keep a SourceLines."""
    return SourceLines(code_dir, deps_dir, redact_keys=redact_keys).line(file, line)

"""The one folder that is served: its code is replayed, copies of it get patches, tests are written there."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from relive_base.errors import UsageError
from relive_base.terminal import one_line

from relive_agents.diffs import Edit, replaced

__all__ = ["Workspace"]

_FILES: Final = 5_000
_BYTES: Final = 64 * 1_048_576
_EDITS: Final = 50
_FILE_BYTES: Final = 2 * 1_048_576
_SKIPPED: Final = frozenset(
    {"__pycache__", "node_modules", "venv", "build", "dist"}
)  # and whatever begins with a dot
_HINT: Final = "give a path below the folder that relive mcp serves"


class Workspace:
    """`folder` None: nothing is served."""

    def __init__(self, folder: Path | None) -> None:
        self._folder = folder.resolve() if folder is not None else None

    @property
    def served(self) -> bool:
        """Whether there is a folder."""
        return self._folder is not None

    def inside(self, path: str) -> Path:
        """A path below the folder, links followed. Raises UsageError."""
        root = self._root()
        found = Path(os.path.realpath(root / (path or ".")))
        if not found.is_relative_to(root):
            raise UsageError(f"{one_line(path, 100)} is not below the served folder", hint=_HINT)
        return found

    @contextmanager
    def patched(self, path: str, edits: Sequence[Edit]) -> Iterator[Path]:
        """A copy of the folder with the edits; gives where `path` is in it. Raises UsageError."""
        root = self._root()
        wanted = self.inside(path).relative_to(root)
        if len(edits) > _EDITS:
            raise UsageError(f"{len(edits)} edits are over the limit of {_EDITS}", hint="change the files")
        with TemporaryDirectory(prefix="relive-patch-") as scratch:
            copy = Path(scratch).resolve() / root.name
            _copy(root, copy)
            for edit in edits:
                _apply(copy, edit)
            yield copy / wanted

    def _root(self) -> Path:
        if self._folder is None:
            raise UsageError("no folder is served, so there is no code but what failed",
                             hint="have relive mcp started with --code FOLDER")  # fmt: skip
        return self._folder


def _copy(root: Path, copy: Path) -> None:
    """Regular files and folders; links that lead out are left out, and their targets never touched."""
    count = size = 0
    for folder, names, files in os.walk(root):
        names[:] = [name for name in names if not name.startswith(".") and name not in _SKIPPED]
        target = copy / Path(folder).relative_to(root)
        target.mkdir(parents=True)
        for name in files:
            source = Path(folder, name)
            if source.is_symlink() and not source.resolve().is_relative_to(root):
                continue
            if not source.is_file():
                continue
            count, size = count + 1, size + source.stat().st_size
            if count > _FILES or size > _BYTES:
                raise UsageError(
                    f"the served folder has more than {_FILES:,} files or {_BYTES // 1_048_576} MB",
                    hint="edit the files themselves and replay without a patch, or serve a smaller folder",
                )
            shutil.copy(source, target / name)


def _apply(copy: Path, edit: Edit) -> None:
    path = Path(os.path.realpath(copy / edit.file))
    named = one_line(edit.file, 100)
    if not path.is_relative_to(copy) or path == copy:
        raise UsageError(f"{named} is not below the served folder", hint=_HINT)
    if not edit.old:
        if path.exists():
            raise UsageError(f"{named} is there already", hint="give the text that is to be replaced as old")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(edit.new, encoding="utf-8")
        return
    try:
        if path.stat().st_size > _FILE_BYTES:
            raise UsageError(f"{named} is over the limit of {_FILE_BYTES:,} bytes", hint="edit it yourself")
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{named} cannot be read: {type(error).__name__}", hint=_HINT) from None
    path.write_text(replaced(text, edit), encoding="utf-8")

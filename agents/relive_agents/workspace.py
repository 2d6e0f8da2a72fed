"""The one folder that is served: its code is replayed, copies of it get patches, tests are written there."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from relive_base.errors import UsageError
from relive_base.scratch import scratch_folder
from relive_base.terminal import one_line

from relive_agents.diffs import Edit, replaced

__all__ = ["Workspace"]

_FILES: Final = 5_000
_BYTES: Final = 64 * 1_048_576
_EDITS: Final = 50
_FILE_BYTES: Final = 2 * 1_048_576
_INSTALLED: Final = "node_modules"
_ENVIRONMENT: Final = "pyvenv.cfg"  # is in virtual environments, whatever they are called
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
        if "\0" in path:
            raise UsageError(f"{one_line(path, 100)} is no path", hint=_HINT)
        found = Path(os.path.realpath(root / (path or ".")))
        if not found.is_relative_to(root):
            raise UsageError(f"{one_line(path, 100)} is not below the served folder", hint=_HINT)
        return found

    def code(self, path: str) -> Path:
        """The same, of what is there. Raises UsageError."""
        found = self.inside(path)
        if not found.exists():
            raise UsageError(f"there is no {one_line(path, 100)} below the served folder", hint=_HINT)
        return found

    @contextmanager
    def patched(self, path: str, edits: Sequence[Edit], left_out: list[str] | None = None) -> Iterator[Path]:
        """A copy of the folder with the edits; gives where `path` is in it. What a deploy would not leave
        out, and the copy does, is added to `left_out`. Raises UsageError."""
        root = self._root()
        wanted = self.inside(path).relative_to(root)
        if len(edits) > _EDITS:
            raise UsageError(f"{len(edits)} edits are over the limit of {_EDITS}", hint="change the files")
        with scratch_folder("patch") as scratch:
            copy = scratch.resolve() / root.name
            try:
                left = _copy(root, copy)
            except OSError as error:
                where = one_line(str(error.filename), 100)
                raise UsageError(
                    f"the served folder cannot be copied: {error.strerror}: {where}",
                    hint="edit the files themselves and replay without a patch",
                ) from None
            if left_out is not None:
                left_out += left
            for edit in edits:
                _apply(copy, edit)
            if not (copy / wanted).exists():
                raise UsageError(f"there is no {one_line(path, 100)} in the patched copy", hint=_HINT)
            yield copy / wanted

    def _root(self) -> Path:
        if self._folder is None:
            raise UsageError("no folder is served, so there is no code but what failed",
                             hint="have relive mcp started with --code FOLDER")  # fmt: skip
        return self._folder


def _copy(root: Path, copy: Path) -> list[str]:
    """What a deploy takes of it: regular files and folders, and links inside of it, as links. Gives what else
    is left out: environments, what cannot be read, and links that lead out, whose targets are not touched."""
    from relive_views.deployed import left_behind

    ignored = left_behind(root)
    left: list[str] = []
    links: list[Path] = []
    count = size = 0
    walked = os.walk(root, onerror=lambda error: left.append(os.path.relpath(error.filename, root)))
    for folder, names, files in walked:
        below = Path(folder).relative_to(root)
        (copy / below).mkdir(parents=True)
        kept = []
        for name, is_folder in [*((name, True) for name in names), *((name, False) for name in files)]:
            source, path = Path(folder, name), below / name
            if ignored(name, str(path)):
                continue
            count += 1
            if source.is_symlink():
                links.append(path)
            elif is_folder and (name == _INSTALLED or (source / _ENVIRONMENT).is_file()):
                left.append(f"{path}/")
            elif is_folder:
                kept.append(name)
            elif source.is_file():
                size += source.stat().st_size
                if size <= _BYTES and not _copied(source, copy / path):
                    left.append(str(path))
            if count > _FILES or size > _BYTES:
                raise UsageError(
                    f"the served folder has more than {_FILES:,} files or {_BYTES // 1_048_576} MB",
                    hint="edit the files themselves and replay without a patch, list what no function needs"
                    " in .reliveignore, or serve a smaller folder",
                )
        names[:] = kept
    return [*left, *(str(path) for path in links if not _linked(root, copy, path))]


def _copied(source: Path, target: Path) -> bool:
    try:
        shutil.copy(source, target)
    except PermissionError:
        return False
    return True


def _linked(root: Path, copy: Path, path: Path) -> bool:
    """Whether the link leads to something that was copied: so does its copy then."""
    real = Path(os.path.realpath(root / path))
    if not real.is_relative_to(root):
        return False
    target = copy / real.relative_to(root)
    if not target.exists():
        return False
    (copy / path).symlink_to(target)
    return True


def _apply(copy: Path, edit: Edit) -> None:
    """Raises UsageError."""
    try:
        _edit(copy, edit)
    except (FileExistsError, NotADirectoryError):
        named = one_line(edit.file, 100)
        raise UsageError(f"{named} cannot be written: what is above it is a file", hint=_HINT) from None
    except OSError as error:
        raise UsageError(
            f"{one_line(edit.file, 100)} cannot be written: {error.strerror}", hint=_HINT
        ) from None
    except ValueError:
        raise UsageError(
            f"{one_line(edit.file, 100)} cannot be written: a NUL in its name, or half of a character in new",
            hint=_HINT,
        ) from None


def _edit(copy: Path, edit: Edit) -> None:
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

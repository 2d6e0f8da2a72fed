"""Files in a replay: `open` and the functions of `os` that take a path, on an Overlay."""

from __future__ import annotations

import builtins
import io
import os
import sys
from collections.abc import Callable, Iterator
from functools import partial, wraps
from types import ModuleType, TracebackType
from typing import Any, Final, Self

from relive_capture.record.playback.files.overlay import Overlay
from relive_capture.record.playback.undo import Undo

__all__ = ["play_files"]

_LOOKING: Final = ("stat", "lstat", "access", "readlink", "chdir")
_MAKING: Final = ("mkdir", "mkfifo")
_CHANGING: Final = ("chmod", "utime", "truncate", "chown")
_REMOVING: Final = ("remove", "unlink", "rmdir")
_MOVING: Final = ("rename", "replace")
_ENDING: Final = ("link", "symlink")
_CHANGES: Final = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
_OURS: Final = "relive_"
Place = Callable[[str], str]


def play_files(overlay: Overlay, undo: Undo) -> None:
    """From here on paths lead to `overlay` where it knows them."""
    files = _Files(overlay)
    instead: dict[int, tuple[Any, Any]] = {}
    for name, played in files.all().items():
        original = getattr(os, name)
        instead[id(original)] = (original, played)
        undo.set(os, name, played)
        for known in (os.supports_fd, os.supports_dir_fd, os.supports_follow_symlinks):
            if original in known:
                known.add(played)
                undo.add(partial(known.discard, played))
    opened = builtins.open
    played = files.opened(opened)
    instead[id(opened)] = (opened, played)
    undo.set(builtins, "open", played)
    undo.set(io, "open", played)
    _replace_defaults(instead, undo)
    globber = getattr(sys.modules.get("glob"), "_StringGlobber", None)
    if globber is not None and "scandir" in vars(globber):  # from Python 3.13 on
        undo.set(globber, "scandir", staticmethod(os.scandir))
    apart = (os, io, builtins, sys.modules["posix"])
    for module in list(sys.modules.values()):
        if type(module) is ModuleType and module not in apart:
            _replace(module, instead, undo)


def _replace_defaults(instead: dict[int, tuple[Any, Any]], undo: Undo) -> None:
    """What removes a temporary file has its function as a default."""
    tempfile = sys.modules.get("tempfile")
    for cls in (
        getattr(tempfile, "_TemporaryFileCloser", None),
        getattr(tempfile, "TemporaryDirectory", None),
    ):
        for function in list(vars(cls).values()) if cls is not None else ():
            defaults = getattr(function, "__defaults__", None)
            if isinstance(defaults, tuple) and any(id(value) in instead for value in defaults):
                undo.add(partial(setattr, function, "__defaults__", defaults))
                function.__defaults__ = tuple(instead.get(id(one), (one, one))[1] for one in defaults)


def _replace(module: ModuleType, instead: dict[int, tuple[Any, Any]], undo: Undo) -> None:
    """Where a module has taken one of these functions by name."""
    if module.__name__.startswith((_OURS, "importlib", "_frozen")):
        return
    for name, value in list(vars(module).items()):
        found = instead.get(id(value))
        if found is not None and found[0] is value:
            undo.set(module, name, found[1])


class _Files:
    """Makes the functions."""

    def __init__(self, overlay: Overlay) -> None:
        self._overlay = overlay

    def all(self) -> dict[str, Any]:
        """Those of `os`, by name."""
        overlay = self._overlay
        over, rewritten = (partial(overlay.writing, keeps=keeps) for keeps in (False, True))
        ways: dict[str, Place] = {
            **dict.fromkeys(_LOOKING, overlay.looking),
            **dict.fromkeys(_MAKING, over),
            **dict.fromkeys(_CHANGING, rewritten),
            **dict.fromkeys(_REMOVING, overlay.removing),
        }
        return {
            **{name: self.placed(getattr(os, name), way) for name, way in ways.items()},
            **{name: self.moved(getattr(os, name), overlay.removing) for name in _MOVING},
            **{name: self.moved(getattr(os, name), overlay.reading) for name in _ENDING},
            "getcwd": self.working_folder(os.getcwd),
            "open": self.opened_low(os.open),
            "listdir": self.listed(os.listdir),
            "scandir": self.scanned(os.scandir),
        }

    def _place(self, path: Any, way: Place) -> Any:
        """Where `path` leads, of the same type; `path` itself if nowhere else."""
        overlay = self._overlay
        if overlay.is_asleep or not isinstance(path, (str, bytes, os.PathLike)):
            return path
        text = os.fspath(path)
        with overlay.asleep():
            place = way(os.fsdecode(text))
        if place == os.fsdecode(text):
            return path
        return os.fsencode(place) if isinstance(text, bytes) else place

    def placed(self, original: Any, way: Place) -> Any:
        """Of a function whose first argument is a path."""

        @wraps(original)
        def played(path: Any, *arguments: Any, **options: Any) -> Any:
            if options.get("dir_fd") is not None:
                return original(path, *arguments, **options)
            place = self._place(path, way)
            try:
                return original(place, *arguments, **options)
            except OSError as error:
                _told(error, path, place)
                raise

        return played

    def moved(self, original: Any, way: Place) -> Any:
        """Of one whose second is another one, which is made."""
        overlay = self._overlay

        @wraps(original)
        def played(src: Any, dst: Any, *arguments: Any, **options: Any) -> Any:
            if any(value is not None for name, value in options.items() if name.endswith("dir_fd")):
                return original(src, dst, *arguments, **options)
            try:
                target = self._place(dst, lambda path: overlay.writing(path, keeps=False))
                source = src if original.__name__ == "symlink" else self._place(src, way)
            except OSError as error:
                error.filename, error.filename2 = src, dst
                raise
            try:
                return original(source, target, *arguments, **options)
            except OSError as error:
                _told(error, src, source, dst, target)
                raise

        return played

    def opened_low(self, original: Any) -> Any:
        """os.open."""
        overlay = self._overlay

        @wraps(original)
        def played(path: Any, flags: int, mode: int = 0o777, *, dir_fd: int | None = None) -> int:
            if dir_fd is not None or flags & os.O_TMPFILE == os.O_TMPFILE:
                return original(path, flags, mode, dir_fd=dir_fd)  # type: ignore[no-any-return]
            place = self._place(path, _way(overlay, flags))
            try:
                return original(place, flags, mode)  # type: ignore[no-any-return]
            except OSError as error:
                _told(error, path, place)
                raise

        return played

    def opened(self, original: Any) -> Any:
        """builtins.open."""
        overlay = self._overlay

        @wraps(original)
        def played(
            file: Any,
            mode: Any = "r",
            buffering: int = -1,
            encoding: Any = None,
            errors: Any = None,
            newline: Any = None,
            closefd: bool = True,
            opener: Any = None,
        ) -> Any:
            rest = (mode, buffering, encoding, errors, newline, closefd, opener)
            if opener is not None or not isinstance(mode, str):
                return original(file, *rest)
            file = os.fspath(file) if isinstance(file, os.PathLike) else file  # so it is named
            place = self._place(file, _way(overlay, _flags(mode)))
            try:
                found = original(place, *rest)
            except OSError as error:
                _told(error, file, place)
                raise
            if place is not file:
                _name(found, file)
            return found

        return played

    def working_folder(self, original: Any) -> Any:
        """os.getcwd."""
        overlay = self._overlay

        @wraps(original)
        def played() -> str:
            found: str = original()
            return found if overlay.is_asleep else overlay.shown(found)

        return played

    def listed(self, original: Any) -> Any:
        """os.listdir."""

        @wraps(original)
        def played(path: Any = None) -> Any:
            names = self._names(path)
            if names is None:
                return original(path)
            return [os.fsencode(name) for name in names] if isinstance(path, bytes) else names

        return played

    def _names(self, path: Any) -> list[str] | None:
        overlay = self._overlay
        if overlay.is_asleep or isinstance(path, int):
            return None
        with overlay.asleep():
            return overlay.names(os.fsdecode(os.fspath(path)) if path is not None else ".")

    def scanned(self, original: Any) -> Any:
        """os.scandir."""

        @wraps(original)
        def played(path: Any = None) -> Any:
            names = self._names(path)
            if names is None:
                return original(path)
            shown = "." if path is None else os.fspath(path)
            return _Scan(
                _Entry(shown, os.fsencode(name) if isinstance(shown, bytes) else name) for name in names
            )

        return played


class _Scan:
    """As os.scandir gives it."""

    def __init__(self, entries: Iterator[_Entry]) -> None:
        self._entries = entries

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> _Entry:
        return next(self._entries)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, cls: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """No more of them."""
        self._entries = iter(())


class _Entry:
    """As an os.DirEntry, by the functions of `os` that stand there now."""

    def __init__(self, folder: Any, name: Any) -> None:
        self.name = name
        self.path = os.path.join(folder, name)

    def __fspath__(self) -> Any:
        return self.path

    def __repr__(self) -> str:
        return f"<DirEntry {self.name!r}>"

    def is_dir(self, *, follow_symlinks: bool = True) -> bool:
        """Whether it is a folder."""
        return os.path.isdir(self.path) and (follow_symlinks or not self.is_symlink())

    def is_file(self, *, follow_symlinks: bool = True) -> bool:
        """Whether it is a regular file."""
        return os.path.isfile(self.path) and (follow_symlinks or not self.is_symlink())

    def is_symlink(self) -> bool:
        """Whether it is a link."""
        return os.path.islink(self.path)

    def is_junction(self) -> bool:
        """There are none."""
        return False

    def stat(self, *, follow_symlinks: bool = True) -> os.stat_result:
        """Of what it leads to."""
        return os.stat(self.path, follow_symlinks=follow_symlinks)

    def inode(self) -> int:
        """Its number."""
        return os.lstat(self.path).st_ino


def _flags(mode: str) -> int:
    if "w" in mode:
        return os.O_WRONLY | os.O_TRUNC
    if "x" in mode:
        return os.O_WRONLY | os.O_EXCL
    return os.O_RDWR if "a" in mode or "+" in mode else os.O_RDONLY


def _way(overlay: Overlay, flags: int) -> Place:
    """To read, or to write."""
    if not flags & _CHANGES:
        return overlay.reading
    keeps = not flags & os.O_TRUNC
    return lambda path: overlay.writing(path, keeps=keeps)


def _name(found: Any, path: Any) -> None:
    """A file is named as it was opened."""
    raw = getattr(found, "buffer", found)
    raw = getattr(raw, "raw", raw)
    try:
        raw.name = path
    except AttributeError:  # a class of somebody else's
        return


def _told(error: OSError, path: Any, place: Any, other: Any = None, other_place: Any = None) -> None:
    """Have it name the paths that the function has named."""
    if place is not path and error.filename == place:
        error.filename = path
    if other_place is not other and error.filename2 == other_place:
        error.filename2 = other

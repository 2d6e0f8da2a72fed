"""Files that an invocation reads, outside of its code, its dependencies and the standard library.

What a path was when the function looked at it first is noted; the content is read once the invocation has
failed, if the file still is as it was, or just before the function itself changes it. So an invocation that
succeeds pays for a look at each path.

An audit hook (sys.addaudithook) was judged first: it sees every path, from C, too, and nothing takes the
place of `open`. But it is called for each `id()` and `sys._getframe()` as well: copy.deepcopy takes 2.2 times
as long.
"""

from __future__ import annotations

import builtins
import io
import os
import sys
from collections.abc import Callable, Iterable
from functools import partial, wraps
from types import ModuleType
from typing import Any, Final, Protocol

from relive_base.unseen import without_this_frame

from relive_capture.record.paths import plain_path
from relive_capture.record.recording.files.noting import FileNotes
from relive_capture.record.recording.imports import when_imported
from relive_capture.recording_format import REFUSALS

__all__ = ["outside_of_code", "watch_files"]

_SYSTEM: Final = ("/proc/", "/dev/", "/sys/", "/usr/lib/", "/usr/share/", "/lib/", "/lib64/", "/etc/ssl/")
"""What belongs to the machine: it is neither recorded nor played back."""
_CODE: Final = (".py", ".pyc", ".so")
_PROGRAMS: Final = 20
_ABSENT: Final = (FileNotFoundError, NotADirectoryError)
_PATHS: Final = ("pathlib", "pathlib._local")
_MISSING: Final = object()
_OPENER: Final = 7  # place of `opener` among open's arguments
_PLACES: Final = frozenset(("src", "dst"))
_NO_FILE: Final = os.O_DIRECTORY | os.O_PATH


class _Noting(Protocol):
    def noted(self) -> FileNotes | None: ...


class _Holder(Protocol):
    @property
    def kept_calls(self) -> _Noting | None: ...


class _StandIn(partial[Any]):
    """In the place of a function of C: one that binds to nothing as a class's attribute, either."""

    if sys.version_info >= (3, 13):

        def __get__(self, instance: object, owner: type | None = None) -> _StandIn:
            return self  # a partial warns there that it may bind one day

    @property
    def __signature__(self) -> object:
        import inspect  # who asks for it has imported it

        return inspect.signature(self.args[0])

    def __repr__(self) -> str:
        return repr(self.args[0])

    def __reduce__(self) -> str:
        return str(self.__dict__["__name__"])


class _Watch:
    """What is done before each of these functions. One per process."""

    def __init__(self, holder: _Holder, skipped: tuple[str, ...]) -> None:
        self._holder = holder
        self._skipped = skipped

    def _at(self, path: object) -> tuple[FileNotes, str] | None:
        """Whose notes, and the path in them; None if nobody keeps it."""
        text = _text_of(path)
        if not text or text.startswith(self._skipped):
            return None
        kept_calls = self._holder.kept_calls
        if kept_calls is None:
            return None
        place = plain_path(text, "" if text[0] == "/" else os.getcwd())
        if f"{place}/".startswith(self._skipped) or _is_module(place):  # a folder itself, too
            return None
        notes = kept_calls.noted()
        return None if notes is None else (notes, place)

    def _note(self, path: object, act: Callable[[FileNotes, str], bool | None]) -> bool:
        """What `act` gives; False if nobody keeps it."""
        if type(path) is str and path.startswith(self._skipped):
            return False
        try:
            at = self._at(path)
            return at is not None and bool(act(*at))
        except Exception:  # it is for a recording alone
            return False

    def _note_refused(self, path: object, error: BaseException) -> None:
        """Of a change that was tried for the first time."""
        if issubclass(type(error), OSError) and (code := error.errno) in REFUSALS:  # type: ignore[attr-defined]
            self._note(path, lambda notes, place: notes.refused(place, code))

    # Arguments are handed on as they come: what is wrong with them, the original says.

    def open(self, original: Any, *arguments: Any, **options: Any) -> Any:
        """For the built-in one."""
        file = arguments[0] if arguments else options.get("file")
        mode = arguments[1] if len(arguments) > 1 else options.get("mode", "r")
        opener = arguments[_OPENER] if len(arguments) > _OPENER else options.get("opener")
        new = type(mode) is str and opener is None and self._note(file, _act(mode))
        try:
            return original(*arguments, **options)
        except BaseException as error:
            without_this_frame(error)
            if new:
                self._note_refused(file, error)
            raise

    def open_low(self, original: Any, *arguments: Any, **options: Any) -> int:
        """For os.open."""
        path = arguments[0] if arguments else options.get("path")
        flags = arguments[1] if len(arguments) > 1 else options.get("flags")
        new = False
        if options.get("dir_fd") is None and type(flags) is int and not flags & _NO_FILE:
            if flags & os.O_ACCMODE == os.O_RDONLY:
                self._note(path, FileNotes.reads)
            else:
                new = self._note(path, _overwritten if flags & (os.O_TRUNC | os.O_EXCL) else _rewritten)
        try:
            return original(*arguments, **options)  # type: ignore[no-any-return]
        except BaseException as error:
            without_this_frame(error)
            if new:
                self._note_refused(path, error)
            raise

    def list(self, original: Any, *arguments: Any, **options: Any) -> Any:
        """For os.listdir and os.scandir."""
        path = arguments[0] if arguments else options.get("path")
        self._note("." if path is None else path, FileNotes.reads)
        try:
            return original(*arguments, **options)
        except BaseException as error:
            without_this_frame(error)
            raise

    def change(self, original: Any, *arguments: Any, **options: Any) -> Any:
        """For what changes the file at a path."""
        path = arguments[0] if arguments else options.get("path")
        new = options.get("dir_fd") is None and self._note(path, _overwritten)
        try:
            return original(*arguments, **options)
        except BaseException as error:
            without_this_frame(error)
            if new:
                self._note_refused(path, error)
            raise

    def move(self, original: Any, *arguments: Any, **options: Any) -> Any:
        """For what makes a second path of a first one."""
        src = arguments[0] if arguments else options.get("src")
        dst = arguments[1] if len(arguments) > 1 else options.get("dst")
        new: list[object] = []
        if not options or options.keys() <= _PLACES:
            new += [src] if self._note(src, _rewritten) else []
            new += [dst] if self._note(dst, _overwritten) else []
        try:
            return original(*arguments, **options)
        except BaseException as error:
            without_this_frame(error)
            for path in new:
                self._note_refused(path, error)
            raise

    def look(self, original: Any, path: Any = _MISSING, *arguments: Any, **options: Any) -> os.stat_result:
        """For os.stat and os.lstat."""
        try:
            if path is _MISSING:
                return original(**options)  # type: ignore[no-any-return]  # it raises
            found: os.stat_result = original(path, *arguments, **options)
        except BaseException as error:
            without_this_frame(error)
            if not options and issubclass(type(error), _ABSENT):
                self._note(path, lambda notes, place: notes.looked(place, None))
            raise
        if options.get("dir_fd") is None and not (type(path) is str and path.startswith(self._skipped)):
            self._note(path, lambda notes, place: notes.looked(place, found))
        return found

    def start(self, original: Any, *arguments: Any, **options: Any) -> Any:
        """For what starts a program: its name is kept."""
        try:
            kept_calls = self._holder.kept_calls
            notes = kept_calls.noted() if kept_calls is not None else None
            if notes is not None and len(notes.programs) < _PROGRAMS:
                notes.programs[_program(arguments)] = None
        except Exception:  # it is for a recording alone
            pass
        try:
            return original(*arguments, **options)
        except BaseException as error:
            without_this_frame(error)
            raise


def _overwritten(notes: FileNotes, path: str) -> bool:
    return notes.changes(path)


def _rewritten(notes: FileNotes, path: str) -> bool:
    return notes.changes(path, reads=True)


def _act(mode: str) -> Callable[[FileNotes, str], bool | None]:
    if "w" in mode or "x" in mode:
        return _overwritten
    return _rewritten if "a" in mode or "+" in mode else FileNotes.reads


def _program(arguments: tuple[Any, ...]) -> str:
    """Of `arguments` of a shell, or of what starts a program: the first text, or the first of a list."""
    for one in arguments:
        first = one[0] if type(one) in (list, tuple) and one else one
        words = _text_of(first).split(maxsplit=1)
        if words:
            return os.path.basename(words[0])
    return "a program"


def outside_of_code(source: str, more: Iterable[str] = ()) -> tuple[str, ...]:
    """Beginnings of paths that are not of interest: the code, what it imports, and the machine's."""
    folders = {source, *more, sys.prefix, sys.base_prefix, sys.exec_prefix, *sys.path}
    found = {f"{os.path.abspath(folder)}/" for folder in folders if folder and type(folder) is str}
    return (*_SYSTEM, *sorted(found - {"/"}))


def _is_module(place: str) -> bool:
    """Whether it is a module, or a folder of some, where modules are imported from now: the code may have put
    a folder on sys.path. Python reads modules by `open`; redacted and cut they would be none any more."""
    suffix = os.path.splitext(place)[1]
    if suffix and suffix not in _CODE:
        return False
    return f"{place}/".startswith(
        tuple(f"{entry}/" for entry in sys.path if type(entry) is str and entry[:1] == "/")
    )


def watch_files(holder: _Holder, skipped: tuple[str, ...]) -> None:
    """Note what is read where `holder` says."""
    watch = _Watch(holder, skipped)
    opened = _standing(watch.open, io.open)
    for module in (builtins, io, sys.modules["_io"]):
        setattr(module, "open", opened)  # noqa: B010  # mypy knows no such attribute of a module
    instead: dict[str, Callable[..., Any]] = {
        "open": watch.open_low,
        "stat": watch.look,
        "lstat": watch.look,
        "listdir": watch.list,
        "scandir": watch.list,
        **dict.fromkeys(("remove", "unlink", "truncate", "mkdir", "rmdir"), watch.change),
        **dict.fromkeys(("rename", "replace", "link", "symlink"), watch.move),
        **dict.fromkeys(("system", "posix_spawn", "posix_spawnp"), watch.start),
    }
    for name, way in instead.items():
        original = getattr(os, name)
        standing = _standing(way, original)
        setattr(os, name, standing)
        for known in (os.supports_fd, os.supports_dir_fd, os.supports_follow_symlinks):
            if original in known:
                known.add(standing)
    when_imported({"subprocess": partial(_watch_programs, watch)})


def _standing(way: Callable[..., Any], original: Any) -> _StandIn:
    made = _StandIn(way, original)
    for name in ("__name__", "__qualname__", "__doc__", "__module__"):
        setattr(made, name, getattr(original, name, None))
    return made


def _watch_programs(watch: _Watch, module: ModuleType) -> None:
    execute = module.Popen._execute_child

    @wraps(execute)
    def recorded(self: Any, args: Any, *arguments: Any, **options: Any) -> Any:
        try:
            return watch.start(partial(execute, self), args, *arguments, **options)
        except BaseException as error:
            without_this_frame(error)
            raise

    module.Popen._execute_child = recorded


def _text_of(path: object) -> str:
    """No method of the user's is called."""
    if type(path) is str:
        return path
    if type(path) is bytes:
        return os.fsdecode(path)
    if type(path).__module__ in _PATHS:
        return os.fspath(path)  # type: ignore[no-any-return,call-overload]
    return ""

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
import stat
import sys
from collections.abc import Callable, Iterable
from functools import partial, wraps
from types import ModuleType
from typing import TYPE_CHECKING, Any, Final

from relive_capture.record.recording.imports import when_imported
from relive_capture.recording_format import RecordedFile

if TYPE_CHECKING:
    from relive_capture.record.recording.recorded import CallRecordingHolder, RecordingLimits

__all__ = ["SYSTEM", "FileNotes", "outside_of_code", "watch_files"]

SYSTEM: Final = ("/proc/", "/dev/", "/sys/", "/usr/lib/", "/usr/share/", "/lib/", "/lib64/", "/etc/ssl/")
"""What belongs to the machine: it is neither recorded nor played back."""
_OWN: Final = 1_000
_PROGRAMS: Final = 20
_ABSENT: Final = (FileNotFoundError, NotADirectoryError)
_PATHS: Final = ("pathlib", "pathlib._local")
_BINARY: Final = os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK
_KINDS: Final = (stat.S_IFREG, stat.S_IFDIR)
_NO_FILE: Final = os.O_DIRECTORY | os.O_PATH
_look, _open, _scan = os.stat, os.open, os.scandir  # before anything stands in their place


class _Note:
    """A path as it was when the invocation looked at it first. `found` None: there was nothing."""

    __slots__ = ("content", "found", "opened")

    def __init__(self, found: os.stat_result | None, *, opened: bool) -> None:
        self.found = found
        self.opened = opened
        self.content: bytes | None = None  # kept before the function changed it


class FileNotes:
    """Of one invocation."""

    __slots__ = ("_limits", "_notes", "_own", "left_out", "programs")

    def __init__(self, limits: RecordingLimits) -> None:
        self._limits = limits
        self._notes: dict[str, _Note] = {}
        self._own: dict[
            str, bool
        ] = {}  # what the function has written itself, and whether there was one before
        self.left_out = 0
        self.programs: dict[str, None] = {}
        """That it has started."""

    def looked(self, path: str, found: os.stat_result | None, *, opened: bool = False) -> None:
        """The function has asked for it, and this is what it found."""
        known = self._notes.get(path)
        if known is not None:
            known.opened = known.opened or (opened and path not in self._own)
        elif path not in self._own and (found is None or stat.S_IFMT(found.st_mode) in _KINDS):
            if len(self._notes) < self._limits.files:
                self._notes[path] = _Note(found, opened=opened)
            else:
                self.left_out += 1

    def reads(self, path: str) -> None:
        """It is about to be opened, or listed."""
        if path in self._own:
            return
        known = self._notes.get(path)
        if known is not None:
            known.opened = True
        else:
            self.looked(path, _found(path), opened=True)

    def changes(self, path: str, *, reads: bool = False) -> None:
        """The function is about to write to it, to move it or to remove it. `reads`: what is in it counts."""
        if path in self._own:
            return
        known = self._notes.get(path)
        found = known.found if known is not None else _found(path)
        if found is not None:
            self.looked(path, found, opened=reads)
            self._keep(path)
        if len(self._own) < _OWN:
            self._own[path] = found is not None

    def _keep(self, path: str) -> None:
        note = self._notes.get(path)
        if note is not None and note.opened and note.found is not None and stat.S_ISREG(note.found.st_mode):
            note.content = _content(path, note.found, self._limits.file_bytes)

    def recorded(self, room: int, before: FileNotes | None = None) -> list[RecordedFile]:
        """All of them, with contents of at most `room` bytes; without those that are in `before` just so."""
        made = []
        for path, note in list(self._notes.items()):
            known = before._notes.get(path) if before is not None else None
            if (
                known is not None
                and (known.opened or not note.opened)
                and _unchanged(known.found, note.found)
            ):
                continue
            file = self._recorded(path, note, room)
            room -= len(file.content)
            made.append(file)
        return made

    def _recorded(self, path: str, note: _Note, room: int) -> RecordedFile:
        found = note.found
        if found is None:
            return RecordedFile(path=path, kind="absent")
        made = RecordedFile(
            path=path,
            kind="file",
            mode=stat.S_IMODE(found.st_mode),
            size=found.st_size,
            mtime_ns=found.st_mtime_ns,
        )
        if stat.S_ISDIR(found.st_mode):
            self._add_names(made, note)
        elif not note.opened:
            made.why = "looked"
        elif found.st_size > min(self._limits.file_bytes, room):
            made.why = "large"
        else:
            content = note.content
            if content is None and path not in self._own:
                content = _content(path, found, self._limits.file_bytes)
            if content is None:
                made.why = "denied" if not os.access(path, os.R_OK) and os.path.lexists(path) else "changed"
            else:
                made.content = content
        return made

    def _add_names(self, made: RecordedFile, note: _Note) -> None:
        made.kind = "folder"
        if not note.opened:
            return
        mine = {
            os.path.basename(path): before for path, before in list(self._own.items()) if _in(path, made.path)
        }
        entries = _names(made.path, self._limits.folder_names)
        if entries is None or (not mine and not _same(note.found, _found(made.path))):
            made.why = "changed"
            return
        if len(entries) > self._limits.folder_names:
            made.why = "large"
            return
        here = [entry.name for entry in entries]
        made.listed = True
        made.names = [name for name in here if mine.get(name, True)]
        made.names += [name for name, before in mine.items() if before and name not in here]
        made.folders = [entry.name for entry in entries if _is_folder(entry)]


class _StandIn(partial[Any]):
    """In the place of a function of C: one that binds to nothing as a class's attribute, either."""

    def __repr__(self) -> str:
        return repr(self.args[0])

    def __reduce__(self) -> str:  # type: ignore[override]
        return str(self.__dict__["__name__"])


class _Watch:
    """What is done before each of these functions. One per process."""

    def __init__(self, holder: CallRecordingHolder, skipped: tuple[str, ...]) -> None:
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
        place = os.path.normpath(text if text[0] == "/" else f"{os.getcwd()}/{text}")
        if place.startswith(self._skipped):
            return None
        notes = kept_calls.noted()
        return None if notes is None else (notes, place)

    def _note(self, path: object, act: Callable[[FileNotes, str], None]) -> None:
        if type(path) is str and path.startswith(self._skipped):
            return
        try:
            at = self._at(path)
            if at is not None:
                act(*at)
        except Exception:  # it is for a recording alone
            return

    def open(
        self,
        original: Any,
        file: Any,
        mode: Any = "r",
        buffering: int = -1,
        encoding: Any = None,
        errors: Any = None,
        newline: Any = None,
        closefd: bool = True,
        opener: Any = None,
    ) -> Any:
        """For the built-in one."""
        if type(mode) is str and opener is None:
            self._note(file, _act(mode))
        return original(file, mode, buffering, encoding, errors, newline, closefd, opener)

    def open_low(
        self, original: Any, path: Any, flags: int, mode: int = 0o777, *, dir_fd: int | None = None
    ) -> int:
        """For os.open."""
        if dir_fd is None and type(flags) is int and not flags & _NO_FILE:
            if flags & os.O_ACCMODE == os.O_RDONLY:
                self._note(path, FileNotes.reads)
            else:
                self._note(path, _overwritten if flags & (os.O_TRUNC | os.O_EXCL) else _rewritten)
        return original(path, flags, mode, dir_fd=dir_fd)  # type: ignore[no-any-return]

    def list(self, original: Any, path: Any = None) -> Any:
        """For os.listdir and os.scandir."""
        self._note("." if path is None else path, FileNotes.reads)
        return original(path)

    def change(self, original: Any, path: Any, *arguments: Any, **options: Any) -> Any:
        """For what changes the file at a path."""
        if options.get("dir_fd") is None:
            self._note(path, _overwritten)
        return original(path, *arguments, **options)

    def move(self, original: Any, src: Any, dst: Any, *arguments: Any, **options: Any) -> Any:
        """For what makes a second path of a first one."""
        if not options:
            self._note(src, _rewritten)
            self._note(dst, _overwritten)
        return original(src, dst, *arguments, **options)

    def look(self, original: Any, path: Any, *arguments: Any, **options: Any) -> os.stat_result:
        """For os.stat and os.lstat."""
        try:
            found: os.stat_result = original(path, *arguments, **options)
        except _ABSENT:
            if not options:
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
        return original(*arguments, **options)


def _overwritten(notes: FileNotes, path: str) -> None:
    notes.changes(path)


def _rewritten(notes: FileNotes, path: str) -> None:
    notes.changes(path, reads=True)


def _act(mode: str) -> Callable[[FileNotes, str], None]:
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
    return (*SYSTEM, *sorted(found - {"/"}))


def watch_files(holder: CallRecordingHolder, skipped: tuple[str, ...]) -> None:
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
        return watch.start(partial(execute, self), args, *arguments, **options)

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


def _found(path: str) -> os.stat_result | None:
    try:
        return _look(path)
    except OSError:
        return None


def _same(before: os.stat_result | None, now: os.stat_result | None) -> bool:
    return (
        before is not None
        and now is not None
        and (before.st_ino, before.st_dev, before.st_size, before.st_mtime_ns)
        == (now.st_ino, now.st_dev, now.st_size, now.st_mtime_ns)
    )


def _unchanged(before: os.stat_result | None, now: os.stat_result | None) -> bool:
    return (before is None and now is None) or _same(before, now)


def _content(path: str, before: os.stat_result, limit: int) -> bytes | None:
    """All of it; None if it is too large, is another one by now, or cannot be read."""
    if before.st_size > limit:
        return None
    try:
        descriptor = _open(path, _BINARY)
    except OSError:
        return None
    try:
        if not _same(before, os.fstat(descriptor)):
            return None
        parts = []
        left = before.st_size
        while left and (part := os.read(descriptor, left)):
            parts.append(part)
            left -= len(part)
        return b"".join(parts) if _same(before, os.fstat(descriptor)) else None
    except OSError:
        return None
    finally:
        os.close(descriptor)


def _names(folder: str, limit: int) -> list[os.DirEntry[str]] | None:
    """In the order in which the system has them, one more than `limit` at most."""
    try:
        with _scan(folder) as entries:
            return [entry for _, entry in zip(range(limit + 1), entries, strict=False)]
    except OSError:
        return None


def _in(path: str, folder: str) -> bool:
    return os.path.dirname(path) == folder


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:
        return False

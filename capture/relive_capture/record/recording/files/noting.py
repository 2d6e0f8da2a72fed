"""What an invocation found at the paths that it asked for."""

from __future__ import annotations

import os
import stat
from typing import Final

from relive_capture.record.recording.limits import RecordingLimits
from relive_capture.recording_format import RecordedFile

__all__ = ["FileNotes"]

_OWN: Final = 1_000
_BINARY: Final = os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK
_KINDS: Final = (stat.S_IFREG, stat.S_IFDIR)
_look, _open, _scan = os.stat, os.open, os.scandir  # before anything stands in their place


class _Note:
    """A path as it was when the invocation looked at it first, and whether it came or went later. `found`
    None: there was nothing."""

    __slots__ = ("content", "found", "later", "looks", "opened", "turned")

    def __init__(self, found: os.stat_result | None, *, opened: bool) -> None:
        self.found = found
        self.opened = opened
        self.content: bytes | None = None  # kept before the function changed it
        self.looks = 1  # that found the same as the first
        self.turned = False
        self.later: os.stat_result | None = None  # what the first that did not has found

    def again(self, found: os.stat_result | None) -> None:
        """It was looked at once more: code may wait for a file, or until it is gone."""
        if self.turned:
            return
        if (found is None) == (self.found is None):
            self.looks += 1
        else:
            self.turned, self.later = True, found


class FileNotes:
    """Of one invocation."""

    __slots__ = ("_limits", "_notes", "_own", "_refused", "left_out", "programs")

    def __init__(self, limits: RecordingLimits) -> None:
        self._limits = limits
        self._notes: dict[str, _Note] = {}
        self._own: dict[
            str, bool
        ] = {}  # what the function has written itself, and whether there was one before
        self._refused: dict[str, int] = {}
        self.left_out = 0
        self.programs: dict[str, None] = {}
        """That it has started."""

    def looked(self, path: str, found: os.stat_result | None, *, opened: bool = False) -> None:
        """The function has asked for it, and this is what it found."""
        if path in self._own:
            return
        known = self._notes.get(path)
        of_ours = found is None or stat.S_IFMT(found.st_mode) in _KINDS
        if known is not None:
            known.opened = known.opened or opened
            if of_ours:
                known.again(found)
        elif of_ours:
            if len(self._notes) < self._limits.files:
                self._notes[path] = _Note(found, opened=opened)
            else:
                self.left_out += 1

    def reads(self, path: str) -> None:
        """It is about to be opened, or listed."""
        if path in self._own:
            return
        known = self._notes.get(path)
        if known is not None and (known.found is not None or known.turned):
            known.opened = True
        else:
            self.looked(path, _found(path), opened=True)

    def changes(self, path: str, *, reads: bool = False) -> bool:
        """The function is about to write to it, to move it or to remove it. `reads`: what is in it counts.
        True: for the first time."""
        if path in self._own:
            return False
        self._refused.pop(path, None)
        known = self._notes.get(path)
        found = known.found if known is not None else _found(path)
        if found is not None:
            self.looked(path, found, opened=reads)
            self._keep(path)
        if len(self._own) < _OWN:
            self._own[path] = found is not None
        return True

    def refused(self, path: str, code: int) -> None:
        """The system did not let it be changed, which was tried for the first time."""
        self._own.pop(path, None)
        self.looked(path, _found(path))
        if path in self._notes:
            self._refused[path] = code

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
                and path not in self._refused
                and not note.turned
            ):
                continue
            file = self._recorded(path, note, room)
            file.refused = self._refused.get(path, 0)
            room -= len(file.content)
            made.append(file)
        return made

    def _recorded(self, path: str, note: _Note, room: int) -> RecordedFile:
        found = note.found or note.later
        if found is None:
            return RecordedFile(path=path, kind="absent")
        made = RecordedFile(
            path=path,
            kind="file",
            mode=stat.S_IMODE(found.st_mode),
            size=found.st_size,
            mtime_ns=found.st_mtime_ns,
        )
        if note.turned:
            made.came_after, made.went_after = (0, note.looks) if note.later is None else (note.looks, 0)
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
                made.why = "denied" if _is_denied(path) else "changed"
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
        if entries is None or (not mine and not _same(note.found or note.later, _found(made.path))):
            made.why = "denied" if entries is None and _is_denied(made.path) else "changed"
            return
        if len(entries) > self._limits.folder_names:
            made.why = "large"
            return
        here = [entry.name for entry in entries]
        made.listed = True
        made.names = [name for name in here if mine.get(name, True)]
        made.names += [name for name, before in mine.items() if before and name not in here]
        made.folders = [entry.name for entry in entries if _is_folder(entry)]


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


def _is_denied(path: str) -> bool:
    """By trying: what `os.access` says leaves out Landlock and other guards."""
    try:
        os.close(_open(path, _BINARY))
    except PermissionError:
        return True
    except OSError:
        return False
    return False


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

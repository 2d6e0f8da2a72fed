"""What a replay's function sees of the file system: what the failed invocation saw, and what it writes.

Recorded files and folders are made anew below a root of the replay's own, and what the function writes goes
there, too. A path is looked up there first; what nobody recorded is read as it is today.
"""

from __future__ import annotations

import errno
import os
import shutil
import stat
import threading
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Final

from relive_capture.record.paths import plain_path
from relive_capture.recording_format import REFUSALS, RecordedFile

__all__ = ["Overlay"]

_MOST: Final = 2_000
_COPY_BYTES: Final = 64 * 1024 * 1024
_SIZE: Final = 1 << 40
_NOW: Final = -1


class Overlay:
    """`root`: a folder that is not there yet. `skipped`: beginnings of paths that are as they are. `aliases`:
    a folder of this worker -> where it was; if it is `private`, and goes with the worker, recorded files are
    made there in earnest, where programs and libraries in C find them, too."""

    def __init__(
        self, root: str, skipped: tuple[str, ...], aliases: Mapping[str, str], *, private: bool = False
    ) -> None:
        self.root = root
        self._private = {f"{then}/": f"{now}/" for now, then in aliases.items()} if private else {}
        self._skipped = skipped
        self._aliases = {f"{now}/": f"{then}/" for now, then in aliases.items() if now != then}
        self._absent: set[str] = set()  # recorded so, or removed by the function
        self._listed: dict[str, list[str]] = {}
        self._hollow: dict[str, str] = {}  # known without its content: why
        self._denied: set[str] = set()
        self._refused: dict[str, int] = {}  # errno of what could not be changed; 0: it could
        self._recorded: dict[str, RecordedFile] = {}
        self._turning: dict[str, int] = {}  # comes or goes after so many looks; 0: stays as it is
        self._inside = threading.local()
        self.seen: dict[str, str] = {}
        """How recorded files were read, and which were read that are not recorded."""

    @contextmanager
    def asleep(self) -> Iterator[None]:
        """Within, the functions of `os` are to be as they are: what is done here needs them itself."""
        before, self._inside.on = self.is_asleep, True
        try:
            yield
        finally:
            self._inside.on = before

    @property
    def is_asleep(self) -> bool:
        """Whether this thread is within `asleep`."""
        return getattr(self._inside, "on", False)

    def add(self, files: Iterable[RecordedFile]) -> None:
        """Make them, instead of what is there of them."""
        made = [file for file in list(files)[:_MOST] if _is_plain(file.path)]
        if made:
            self._make_root()
        for file in made:
            with suppress(OSError, ValueError):
                self._make(file)
        for file in reversed(made):  # what is made in a folder changes it
            if file.kind == "folder":
                with suppress(OSError, OverflowError):
                    os.utime(self.root + file.path, ns=(file.mtime_ns, file.mtime_ns))

    def _make_root(self) -> None:
        """Nobody else looks into it. Without need there is none."""
        with suppress(FileExistsError):
            os.mkdir(self.root, 0o700)

    def _own_place(self, path: str) -> str:
        """In a folder of the worker's own; "" elsewhere."""
        for then, now in self._private.items():
            if path.startswith(then):
                return os.path.join(now, path[len(then) :])
        return ""

    def _make(self, file: RecordedFile) -> None:
        path = file.path
        place = self._own_place(path)
        if place:
            self._make_own(file, place)
            return
        place = self.root + path
        self._recorded[path] = file
        self._refused[path] = file.refused if file.refused in REFUSALS else 0
        self._turning[path] = file.came_after or file.went_after
        if file.kind == "absent" or file.came_after:
            self._absent.add(path)
            self._hollow.pop(path, None)
            return
        self._put(file, place)

    def _put(self, file: RecordedFile, place: str) -> None:
        path = file.path
        if file.kind == "folder":
            os.makedirs(place, exist_ok=True)
            if file.listed:
                self._list(file)
            elif file.why == "denied":
                self._denied.add(path)
            elif file.why:
                self._hollow[path] = file.why
            return
        _fill(file, place)
        self._hollow.pop(path, None)
        if file.why == "denied":
            self._denied.add(path)
        elif file.why:
            self._hollow[path] = file.why

    def _make_own(self, file: RecordedFile, place: str) -> None:
        if file.came_after:
            return  # as what was not there
        if file.kind == "folder":
            os.makedirs(place, exist_ok=True)
        elif file.kind == "file" and not file.why:
            _fill(file, place)
        elif file.kind == "file":
            self.seen[file.path] = "lost"

    def _list(self, file: RecordedFile) -> None:
        folders = set(file.folders)
        names = [name for name in file.names if name not in ("", ".", "..") and "/" not in name]
        self._listed[file.path] = names
        for name in names:
            path = os.path.join(file.path, name)
            place = self.root + path
            if os.path.lexists(place):
                continue
            if name in folders:
                os.mkdir(place)
            else:
                os.close(os.open(place, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
            self._hollow[path] = "listed"

    # ------------------------------------------------------------ looking up

    def canonical(self, path: str) -> str:
        """The path as the recording has it; "" if it is none of ours."""
        full = self.shown(plain_path(path, "" if path[:1] == "/" else os.getcwd()))
        for now, then in self._aliases.items():
            if f"{full}/".startswith(now):
                full = plain_path(then + full[len(now) :])
        return "" if f"{full}/".startswith((*self._skipped, *self._private)) else full

    def shown(self, path: str) -> str:
        """A path as the function knows it."""
        return path[len(self.root) :] or "/" if f"{path}/".startswith(f"{self.root}/") else path

    def reading(self, path: str) -> str:
        """Where to read it. Raises PermissionError as it was raised then."""
        own = self.canonical(path)
        if not own:
            return path
        self._turn(own, opens=True)
        self._refuse_denied(own, path)
        place = self.root + own
        if own in self._hollow:
            return self._hollow_reading(path, own)
        if os.path.lexists(place) or self._is_absent(own):
            self._note(own)
            return place
        if own not in self.seen:
            self.seen[own] = "today"
        return path

    def _turn(self, own: str, *, opens: bool = False) -> None:
        """It is about to be looked at: what came or went then does so again. `opens`: that is no look at what
        is there, for those who count them."""
        left = self._turning.get(own, 0)
        if not left or (opens and self._recorded[own].went_after):
            return
        if left > 0:
            self._turning[own] = left - 1 or _NOW
            return
        self._turning[own] = 0
        file, place = self._recorded[own], self.root + own
        if file.came_after:
            self._absent.discard(own)
            with suppress(OSError, ValueError):
                self._put(file, place)
        else:
            self._leave(own)

    def _leave(self, own: str) -> None:
        place = self.root + own
        with suppress(OSError):
            if os.path.isdir(place):
                shutil.rmtree(place)
            else:
                os.remove(place)
        self._hollow.pop(own, None)
        self._listed.pop(own, None)
        self._absent.add(own)

    def _refuse_denied(self, own: str, path: str) -> None:
        """Raises PermissionError as it was raised then."""
        if own in self._denied:
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), path)

    def _hollow_reading(self, path: str, own: str) -> str:
        """Known, but not kept: as it is today, if it is there."""
        file = self._recorded.get(own)
        found = _stat(path)
        same = file is not None and found is not None and _alike(file, found)
        self.seen[own] = "same" if same else "unlike" if found is not None else "lost"
        return path

    def _note(self, own: str) -> None:
        file = self._recorded.get(own)
        if file is None or own in self.seen:
            return
        found = _stat(own)
        if file.kind == "absent":
            self.seen[own] = "appeared" if found is not None else "same"
        elif found is None:
            self.seen[own] = "gone"
        else:
            self.seen[own] = "same" if _alike(file, found) else "changed"

    def looking(self, path: str) -> str:
        """Where to ask for its size, its kind and its times."""
        own = self.canonical(path)
        if not own:
            return path
        self._turn(own)
        place = self.root + own
        if self._hollow.get(own) == "listed" and _stat(path) is not None:
            return path
        return place if os.path.lexists(place) or self._is_absent(own) else path

    def _is_absent(self, own: str) -> bool:
        """Whether there was nothing, or nothing is left."""
        if own in self._absent:
            return True
        folder, name = os.path.split(own)
        while folder != "/":
            if folder in self._absent:
                return True
            listed = self._listed.get(folder)
            if listed is not None and name not in listed:
                return True
            folder, name = os.path.split(folder)
        return False

    # ------------------------------------------------------------ changing

    def writing(self, path: str, *, keeps: bool, new: bool = True) -> str:
        """Where to write it. `keeps`: what is in it stays. `new`: it may be made. Raises OSError as it was
        raised then."""
        own = self.canonical(path)
        if not own:
            return path
        self._refuse_change(own, path)
        place = self.root + own
        if os.path.lexists(place) and self._hollow.get(own) is None:
            return place
        if not self._may_write(path, own):
            return path
        folder = os.path.dirname(own)
        if not os.path.isdir(self.root + folder) and (
            self._is_absent(folder) or not os.path.isdir(os.path.dirname(path) or ".")
        ):
            return place if self._is_absent(folder) else path  # the system says that there is none
        self._make_root()
        os.makedirs(self.root + folder, exist_ok=True)
        if own in self._hollow:
            self._hollow.pop(own)
            with suppress(OSError):
                os.remove(place)
        if keeps and own not in self._absent:
            self._copy(path, place)
        if new:
            self._absent.discard(own)
        return place

    def removing(self, path: str) -> str:
        """Where to remove it, or to move it from. What was never recorded is copied first. Raises OSError as
        it was raised then."""
        own = self.canonical(path)
        if not own:
            return path
        self._refuse_change(own, path)
        place = self.root + own
        if not os.path.lexists(place):
            place = self.writing(path, keeps=True, new=False)
        self._hollow.pop(own, None)
        if place != path:
            self._absent.add(own)
        return place

    def _refuse_change(self, own: str, path: str) -> None:
        self._turning.pop(own, None)  # from here on it is the function's
        if code := self._refused.get(own):
            raise OSError(code, os.strerror(code), path)

    def _may_write(self, path: str, own: str) -> bool:
        """Whether it could be written in earnest: if not, the system says so itself."""
        folder = os.path.dirname(own)
        if os.path.isdir(self.root + folder):
            return True
        try:
            if _stat(path) is not None and not os.path.isdir(path):
                os.close(os.open(path, os.O_WRONLY | os.O_CLOEXEC | os.O_NONBLOCK))
            else:
                os.close(os.open(os.path.dirname(path) or ".", os.O_TMPFILE | os.O_WRONLY | os.O_CLOEXEC))
        except OSError as error:
            return error.errno in (errno.EOPNOTSUPP, errno.EISDIR, errno.ENXIO)
        return True

    def _copy(self, path: str, place: str) -> None:
        found = _stat(path)
        if found is None:
            return
        if stat.S_ISDIR(found.st_mode):
            os.makedirs(place, exist_ok=True)
        elif stat.S_ISREG(found.st_mode) and found.st_size <= _COPY_BYTES:
            source = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
            target = os.open(place, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
            try:
                while part := os.read(source, 1 << 20):
                    os.write(target, part)
            finally:
                os.close(source)
                os.close(target)
            os.utime(place, ns=(found.st_atime_ns, found.st_mtime_ns))

    # ------------------------------------------------------------ folders

    def names(self, path: str) -> list[str] | None:
        """What is in a folder, in the order of the recording; None: ask the system for `path`. Raises
        OSError as the system does."""
        own = self.canonical(path)
        if not own:
            return None
        self._turn(own, opens=True)
        self._refuse_denied(own, path)
        place = self.root + own
        listed = self._listed.get(own)
        if listed is None and not os.path.isdir(place):
            if self._is_absent(own):
                raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), path)
            return None
        with os.scandir(place) as entries:
            here = [entry.name for entry in entries]
        self._note(own)
        if listed is not None:
            known = set(here)
            return [name for name in listed if name in known] + [
                name for name in here if name not in set(listed)
            ]
        try:
            with os.scandir(path) as entries:
                today = [entry.name for entry in entries]
        except OSError:
            return here
        return [name for name in today if not self._is_absent(os.path.join(own, name))] + [
            name for name in here if name not in set(today)
        ]

    def copied(self, name: str) -> str:
        """Its files once more, beside the root."""
        own = f"{self.root}-{name}"
        with self.asleep(), suppress(FileNotFoundError):
            shutil.copytree(self.root, own, symlinks=True)
        return own


def _fill(file: RecordedFile, place: str) -> None:
    """Make it with its content, or as long as it was."""
    os.makedirs(os.path.dirname(place), exist_ok=True)
    with suppress(FileNotFoundError):
        os.remove(place)
    descriptor = os.open(place, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        data = memoryview(file.content)
        while data:
            data = data[os.write(descriptor, data) :]
        if file.why:
            os.ftruncate(descriptor, min(max(file.size, 0), _SIZE))
    finally:
        os.close(descriptor)
    with suppress(OSError, OverflowError):
        os.chmod(place, (file.mode & 0o777) | 0o400)
        os.utime(place, ns=(file.mtime_ns, file.mtime_ns))


def _is_plain(path: str) -> bool:
    return path[:1] == "/" and len(path) > 1 and "\0" not in path and plain_path(path) == path


def _stat(path: str) -> os.stat_result | None:
    try:
        found: os.stat_result = os.stat(path)
    except (OSError, ValueError):
        return None
    return found


def _alike(file: RecordedFile, found: os.stat_result) -> bool:
    """Whether it is as it was, as far as one can see from outside."""
    if file.kind == "folder":
        return stat.S_ISDIR(found.st_mode) and found.st_mtime_ns == file.mtime_ns
    return (found.st_size, found.st_mtime_ns) == (file.size, file.mtime_ns)

"""One bucket, watched: inotify says where to look, comparing with the journal says what has changed."""

from __future__ import annotations

import asyncio
import logging
import os
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final

from asyncinotify import Event, Inotify, Mask, Watch
from relive_base.errors import ReliveError
from relive_base.within import within

from relive_platform.resources.bucket.config import BucketConfig
from relive_platform.resources.bucket.journal import ObjectJournal
from relive_platform.resources.bucket.objects import Identity, look, scan, written_by_someone

__all__ = ["BucketWatch", "Change", "Tell"]

_log = logging.getLogger(__name__)
_BATCH: Final = 256  # changes that are told beside each other
_AGAIN_S: Final = 1.0  # after a change could not be told
_REST: Final = 2.0  # times as long as comparing all took, before it is done again
_FOLDERS: Final = 8_192  # that are watched; beyond them comparing every `rescan_s` has to do
_MASK: Final = (
    Mask.CLOSE_WRITE | Mask.MOVED_TO | Mask.MOVED_FROM | Mask.DELETE | Mask.CREATE | Mask.MODIFY
    | Mask.DONT_FOLLOW | Mask.ONLYDIR | Mask.EXCL_UNLINK
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Change:
    """An object is there, new or other than before; or gone, if `identity` is None. `before`: what was
    known."""

    bucket: str
    key: bytes
    identity: Identity | None
    before: Identity | None
    root: bytes = b""


Tell = Callable[[Change], Awaitable[None]]
"""Returns when the change is durable; raises ReliveError if it has to be told again."""


@dataclass(slots=True)
class WatchCounts:
    """Since the server started, and how it stands."""

    told: int = 0
    failed: int = 0
    left_out: int = 0
    unwatched: int = 0
    error: str = ""


class BucketWatch:
    """`root` exists. Runs on the event loop; the file system is looked at in threads."""

    def __init__(
        self, name: str, root: bytes, config: BucketConfig, journal: ObjectJournal, tell: Tell
    ) -> None:
        self.name = name
        self.counts = WatchCounts()
        self.known: dict[bytes, Identity] = {}
        self._root = root
        self._config = config
        self._journal = journal
        self._tell = tell
        self._inotify: Inotify | None = None
        self._watches: dict[bytes, Watch] = {}
        self._folders: dict[int, bytes] = {}  # by the watch's identity
        self._dirty: set[bytes] = set()
        self._pending: dict[bytes, tuple[Identity | None, float]] = {}  # since when it is like this
        self._compare_all = True
        self._woken = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []

    @property
    def waiting(self) -> int:
        """Changes that are seen and not told yet."""
        return len(self._pending)

    @property
    def lag_s(self) -> float:
        """How long the oldest of them has been seen."""
        if not self._pending:
            return 0.0
        return time.monotonic() - min(since for _, since in self._pending.values())

    def start(self) -> None:
        """Compare, then watch."""
        loop = asyncio.get_running_loop()
        try:
            self._inotify = Inotify()
        except OSError as error:
            self.counts.error = f"it cannot be watched, only compared: {error.strerror}"
            _log.warning("bucket %s: %s", self.name, self.counts.error)
        if self._inotify is not None:
            self._tasks.append(loop.create_task(self._listen(self._inotify)))
        self._tasks.append(loop.create_task(self._run()))

    async def close(self) -> None:
        """Stop; what was not told is found at the next start."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._tasks = []
        if self._inotify is not None:
            self._inotify.close()
            self._inotify = None

    def compare(self) -> None:
        """Look at everything, soon."""
        self._compare_all = True
        self._woken.set()

    # ------------------------------------------------------------ what the kernel says

    async def _listen(self, inotify: Inotify) -> None:
        async for event in inotify:
            self._heard(event)

    def _heard(self, event: Event) -> None:
        folder = self._folders.get(id(event.watch)) if event.watch is not None else None
        if event.mask & Mask.Q_OVERFLOW or folder is None or event.name is None or event.mask & Mask.ISDIR:
            # Folders that come and go are looked into; and where the kernel could not keep up, all of it.
            if not event.mask & Mask.IGNORED:
                self._compare_all = True
        else:
            name = os.fsencode(event.name)
            self._dirty.add(folder + b"/" + name if folder else name)
        self._woken.set()

    def _watch(self, folders: list[bytes]) -> None:
        """Watch exactly these."""
        if self._inotify is None:
            return
        wanted = set(folders[:_FOLDERS])
        self.counts.unwatched = len(folders) - len(wanted)
        for folder in [folder for folder in self._watches if folder not in wanted]:
            watch = self._watches.pop(folder)
            self._folders.pop(id(watch), None)
            try:
                self._inotify.rm_watch(watch)
            except (OSError, KeyError, ValueError):
                pass  # it is gone
        for folder in folders[:_FOLDERS]:
            if folder in self._watches:
                continue
            try:
                watch = self._inotify.add_watch(os.fsdecode(os.path.join(self._root, folder)), _MASK)
            except OSError as error:
                self.counts.unwatched += 1
                self.counts.error = f"not all of it can be watched: {error.strerror}"
                continue
            self._watches[folder] = watch
            self._folders[id(watch)] = folder

    # ------------------------------------------------------------ comparing

    async def _run(self) -> None:
        next_all = rested = 0.0
        while True:
            self._woken.clear()
            try:
                if not self.known and not next_all:
                    self.known = await asyncio.to_thread(self._journal.known, self.name)
                began = time.monotonic()
                if began >= next_all or (self._compare_all and began >= rested):
                    await self._compare_with_all()
                    ended = time.monotonic()
                    rested, next_all = ended + _REST * (ended - began), ended + self._config.rescan_s
                else:
                    await self._compare_dirty()
                pause = await self._tell_settled()
                if self._compare_all:
                    pause = min(pause, max(rested - time.monotonic(), 0.01))
                self.counts.error = self.counts.error if self.counts.unwatched else ""
            except Exception as error:  # whatever it is: what has changed is found again
                self._failed(error)
                pause = _AGAIN_S
            until = min(pause, max(next_all - time.monotonic(), 0.01))
            try:
                await within(self._woken.wait(), until)
            except TimeoutError:
                pass  # time to look again

    def _failed(self, error: Exception) -> None:
        text = error.message if isinstance(error, ReliveError) else f"{type(error).__name__}: {error}"
        if text != self.counts.error:
            _log.error(
                "bucket %s: %s", self.name, text, exc_info=None if isinstance(error, ReliveError) else error
            )
        self.counts.error = text
        self._compare_all = True

    async def _compare_with_all(self) -> None:
        self._compare_all = False
        self._dirty.clear()
        limit, ignore = self._config.max_objects, self._config.ignore
        found = await asyncio.to_thread(scan, self._root, limit, ignore)
        before = len(self._watches)
        self._watch(found.folders)
        if len(self._watches) > before:  # what came into a new folder before it was watched
            found = await asyncio.to_thread(scan, self._root, limit, ignore)
        self.counts.left_out = found.left_out
        for key, identity in found.objects.items():
            self._see(key, identity)
        if not found.left_out:  # else one that is not there may be one too many
            for key in [key for key in self.known if key not in found.objects]:
                self._see(key, None)
        for key in [key for key in self._pending if key not in found.objects and key not in self.known]:
            del self._pending[key]

    async def _compare_dirty(self) -> None:
        dirty, self._dirty = self._dirty, set()
        if not dirty:
            return
        ignore = self._config.ignore

        def looked() -> dict[bytes, Identity | None]:
            return {key: look(self._root, key, ignore) for key in dirty}

        for key, identity in (await asyncio.to_thread(looked)).items():
            if identity is not None and key not in self.known and len(self.known) >= self._config.max_objects:
                self.counts.left_out += 1
            else:
                self._see(key, identity)

    def _see(self, key: bytes, identity: Identity | None) -> None:
        """How an object is now."""
        if identity == self.known.get(key):
            self._pending.pop(key, None)
            return
        seen = self._pending.get(key)
        if seen is None or seen[0] != identity:
            self._pending[key] = identity, time.monotonic()

    # ------------------------------------------------------------ telling

    async def _tell_settled(self) -> float:
        """Tell what has stayed as it is; gives how long to wait until more may have."""
        now, settle_s = time.monotonic(), self._config.settle_s
        due = [
            key
            for key, (identity, since) in self._pending.items()
            if identity is None or now - since >= settle_s
        ]
        due = due[:_BATCH]
        if due:
            ready = await asyncio.to_thread(self._checked, due)
            await self._tell_all(ready)
            for key in [key for key in due if key not in ready]:
                self._dirty.add(key)  # it is being written: look again
                if key in self._pending:
                    self._pending[key] = self._pending[key][0], time.monotonic()
        if not self._pending:
            return self._config.rescan_s
        soonest = min(since for _, since in self._pending.values())
        return max(soonest + settle_s - time.monotonic(), 0.01)

    def _checked(self, keys: list[bytes]) -> dict[bytes, Identity | None]:
        """Those that are still as they were, and that nobody writes."""
        ready: dict[bytes, Identity | None] = {}
        for key in keys:
            identity = self._pending[key][0]
            if identity is not None and written_by_someone(self._root, key):
                continue
            if look(self._root, key, self._config.ignore) == identity:
                ready[key] = identity
        return ready

    async def _tell_all(self, ready: dict[bytes, Identity | None]) -> None:
        changes = [
            Change(self.name, key, identity, self.known.get(key), self._root)
            for key, identity in ready.items()
        ]
        outcomes = await asyncio.gather(*(self._tell(change) for change in changes), return_exceptions=True)
        told: dict[bytes, Identity | None] = {}
        problem: BaseException | None = None
        for change, outcome in zip(changes, outcomes, strict=True):
            if isinstance(outcome, BaseException):
                problem = outcome
                self.counts.failed += 1
            else:
                told[change.key] = change.identity
        if told:
            await asyncio.to_thread(self._journal.told, self.name, told)
        for key, identity in told.items():
            if identity is None:
                self.known.pop(key, None)
            else:
                self.known[key] = identity
            if key in self._pending and self._pending[key][0] == identity:
                del self._pending[key]
            self.counts.told += 1
        if problem is not None:
            raise problem

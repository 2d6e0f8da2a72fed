"""Buckets as resources: their folders, and who watches them."""

from __future__ import annotations

import asyncio
import errno
import os
import shutil
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Final

from relive_platform.resources.base import (
    Declared,
    ResourceConfig,
    ResourceError,
    ResourceInUse,
    ResourceState,
    UnknownResource,
)
from relive_platform.resources.bucket.config import BucketConfig
from relive_platform.resources.bucket.journal import ObjectJournal
from relive_platform.resources.bucket.objects import scan
from relive_platform.resources.bucket.watch import BucketWatch, Tell
from relive_platform.resources.folders import make_folder

__all__ = ["BucketProvider"]

_MODE: Final = 0o1777  # workers may have users of their own; Relive's home is closed to others


class BucketProvider:
    """`home` has the folders of buckets that name none. `tell` hears of each change of an object."""

    def __init__(self, home: Path, tell: Tell) -> None:
        self._folders = home.absolute() / "buckets"
        self._path = home / "buckets.db"
        self._tell = tell
        self._journal: ObjectJournal | None = None
        self._declared: dict[str, Declared] = {}
        self._watches: dict[str, BucketWatch] = {}
        self._started = False

    # ------------------------------------------------------------ what is declared

    async def apply(self, declared: Sequence[Declared]) -> None:
        """Make their folders and watch them. What is in a folder that is new here is not told."""
        wanted = {entry.name: entry for entry in declared}
        for name, entry in list(self._declared.items()):
            if wanted.get(name) != entry:
                await self._unwatch(name)
        if not wanted and not self._path.exists():
            return
        problems = []
        for name, entry in wanted.items():
            if name in self._declared:
                continue
            try:
                await asyncio.to_thread(self._make, entry)
            except OSError as error:
                problems.append(f"{name}: {error.filename or ''}: {error.strerror}")
                continue
            self._declared[name] = entry
            if self._started:
                self._watch(entry)
        if problems:
            raise ResourceError(f"buckets could not be made: {'; '.join(problems)}")

    def _make(self, entry: Declared) -> None:
        path = self._folder(entry.name, _config(entry))
        if _config(entry).path:
            real, home = path.resolve(), self._folders.parent.resolve()
            if real.is_relative_to(home) or home.is_relative_to(
                real
            ):  # what Relive writes would be events for ever
                raise OSError(errno.EINVAL, "it has Relive's home in it, or is in it", str(path))
        if not path.is_dir():
            if _config(entry).path:
                path.mkdir(parents=True)
            else:
                self._folders.mkdir(parents=True, exist_ok=True)
                self._folders.chmod(0o755)
                make_folder(path, _MODE)
        journal = self._opened()
        known = journal.buckets().get(entry.name)
        if known is None or known[0] != str(path):
            config = _config(entry)
            there = scan(os.fsencode(path), config.max_objects, config.ignore).objects
            journal.begin(entry.name, str(path), entry.app, time.time_ns(), there)

    def _opened(self) -> ObjectJournal:
        if self._journal is None:
            self._journal = ObjectJournal(self._path)
        return self._journal

    def copy_journal(self, target: Path, limit_s: float, wanted: Callable[[], bool]) -> bool:
        """What has been told, as a file of its own; False if there is none. Raises CopyFailed,
        JournalFailed."""
        journal = self._journal
        if journal is not None:
            journal.copy(target, limit_s, wanted)
        return journal is not None

    def _folder(self, name: str, config: BucketConfig) -> Path:
        return Path(os.path.realpath(config.path)) if config.path else self._folders / name

    def attributes(self, name: str, config: ResourceConfig) -> Mapping[str, str]:
        """Its name, its folder, an ARN, and the S3 server on it, if the user runs one."""
        assert isinstance(config, BucketConfig)
        path = str(self._folder(name, config))
        return {"name": name, "path": path, "arn": f"arn:aws:s3:::{name}", "endpoint": config.endpoint}

    def environment(self, app: str) -> Mapping[str, str]:
        """Nothing beside the attributes."""
        return {}

    def folders(self, config: Mapping[str, ResourceConfig]) -> list[str]:
        """Of an application's resources, the folders that its functions read and write."""
        return [str(self._folder(name, one)) for name, one in config.items() if isinstance(one, BucketConfig)]

    # ------------------------------------------------------------ watching

    async def start(self) -> None:
        """Compare with what was told before, then watch."""
        self._started = True
        for entry in self._declared.values():
            self._watch(entry)

    async def close(self) -> None:
        """Stop; what has not been told is found at the next start."""
        for name in list(self._watches):
            await self._unwatch(name)
        if self._journal is not None:
            await asyncio.to_thread(self._journal.close)
            self._journal = None

    def _watch(self, entry: Declared) -> None:
        config = _config(entry)
        root = os.fsencode(self._folder(entry.name, config))
        watch = self._watches[entry.name] = BucketWatch(entry.name, root, config, self._opened(), self._tell)
        watch.start()

    async def _unwatch(self, name: str) -> None:
        self._declared.pop(name, None)
        watch = self._watches.pop(name, None)
        if watch is not None:
            await watch.close()

    def standing(self, name: str) -> tuple[str, int, float, int]:
        """What is wrong with a bucket, how many changes wait, for how long, and how many were told."""
        watch = self._watches.get(name)
        if watch is None:
            return "it is not watched: see relive resources", 0, 0.0, 0
        return watch.counts.error, watch.waiting, watch.lag_s, watch.counts.told

    # ------------------------------------------------------------ what people ask

    async def listing(self) -> Sequence[ResourceState]:
        """All that the journal knows."""
        if self._journal is None and not self._path.exists():
            return []
        known = await asyncio.to_thread(lambda: self._opened().buckets())
        return [self._state(name, path, app) for name, (path, app, _) in known.items()]

    def _state(self, name: str, path: str, app: str) -> ResourceState:
        watch = self._watches.get(name)
        state = ResourceState(
            name=name,
            type="bucket",
            app=app,
            state="undeclared" if name not in self._declared else "ok",
            detail=f"bucket {path}",
            attributes={"name": name, "path": path, "arn": f"arn:aws:s3:::{name}"},
            outside=path if Path(path).parent != self._folders else "",
        )
        if watch is not None:
            counts = watch.counts
            if counts.error:
                state.state, state.detail = "failed", counts.error
            state.figures = {
                "objects": len(watch.known),
                "size_bytes": sum(one.size for one in watch.known.values()),
                "waiting": watch.waiting,
                "lag_s": round(watch.lag_s, 3),
                "told": counts.told,
                "failed": counts.failed,
                "left_out": counts.left_out,
                "unwatched_folders": counts.unwatched,
            }
        return state

    async def purge(self, name: str) -> int:
        """Delete its files, if the folder is Relive's own."""
        path = await self._own(name, "purged")

        def remove() -> int:
            count = len(scan(os.fsencode(path), 10**9).objects)
            for entry in list(os.scandir(path)):
                if entry.is_dir(follow_symlinks=False):
                    shutil.rmtree(entry.path, ignore_errors=True)
                else:
                    os.unlink(entry.path)
            return count

        return await asyncio.to_thread(remove)

    async def delete(self, name: str) -> None:
        """What is known of it, and its folder if that is Relive's own."""
        known = await asyncio.to_thread(lambda: self._opened().buckets())
        if name not in known:
            raise UnknownResource(f"there is no bucket {name!r}")
        if name in self._declared:
            raise ResourceInUse(f"application {known[name][1]!r} declares the bucket {name!r}")
        path = Path(known[name][0])
        if path.parent == self._folders:
            await asyncio.to_thread(shutil.rmtree, path, True)
        await asyncio.to_thread(self._opened().forget, name)

    async def _own(self, name: str, what: str) -> Path:
        known = await asyncio.to_thread(lambda: self._opened().buckets())
        if name not in known:
            raise UnknownResource(f"there is no bucket {name!r}")
        path = Path(known[name][0])
        if path.parent != self._folders:
            raise ResourceError(
                f"the bucket {name} is not {what}: its folder {path} is yours", hint="delete what you want"
            )
        return path


def _config(entry: Declared) -> BucketConfig:
    assert isinstance(entry.config, BucketConfig)
    return entry.config

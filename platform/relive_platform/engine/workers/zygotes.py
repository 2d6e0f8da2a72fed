"""The zygotes of the host: started when first needed, started again when one dies."""

from __future__ import annotations

import asyncio
import logging
import os
import time
from pathlib import Path
from typing import Final

from relive_runtime.isolation.family import FAMILY_TIER

from relive_platform.engine.workers.cgroups.groups import Cgroups
from relive_platform.engine.workers.extensions import Extensions
from relive_platform.engine.workers.users import UserRange
from relive_platform.engine.workers.zygote import Zygote, ZygoteError, ZygoteKey

__all__ = ["Zygotes"]

_BACKOFF_S: Final = (0.1, 0.5, 2.0, 5.0, 15.0)
_STABLE_S: Final = 30.0

_log = logging.getLogger(__name__)


class Zygotes:
    """Gives the zygote for a key; starting one takes as long as its imports."""

    def __init__(
        self,
        runtime_dir: Path,
        log_dir: Path,
        timeout_s: float,
        users: UserRange | None = None,
        cgroups: Cgroups | None = None,
        extensions: Extensions | None = None,
    ) -> None:
        """`users`: for workers in tier 2, if this process is root. `extensions`: those that are here."""
        self._runtime_dir = runtime_dir
        self._log_dir = log_dir
        self.scratch_dir = log_dir / "scratch"
        """The folder for those of all workers."""
        self._timeout_s = timeout_s
        self._ready: dict[ZygoteKey, Zygote] = {}
        self._starting: dict[ZygoteKey, asyncio.Task[Zygote]] = {}
        self._deaths: dict[ZygoteKey, list[float]] = {}
        self._closed = False
        self._users = users if not os.geteuid() else None
        self.cgroups = cgroups if cgroups is not None and cgroups.available else None
        self._count = 0
        self._extensions = extensions

    def _without(self) -> list[str]:
        """What zygotes are not to import. Looked for when the first one starts: it reads files."""
        if self._extensions is None:
            self._extensions = Extensions()
            self._extensions.tell()
        return self._extensions.without

    def ready(self, key: ZygoteKey) -> Zygote | None:
        """The zygote if it runs and can fork."""
        return self._ready.get(key)

    async def get(self, key: ZygoteKey) -> Zygote:
        """The zygote, started if need be. Raises ZygoteError."""
        found = self._ready.get(key)
        if found is not None:
            return found
        task = self._starting.get(key)
        if task is None:
            task = asyncio.get_running_loop().create_task(self._start(key))
            self._starting[key] = task
            task.add_done_callback(lambda _: self._starting.pop(key, None))
        return await asyncio.shield(task)

    async def _start(self, key: ZygoteKey) -> Zygote:
        if self._closed:
            raise ZygoteError("the server is stopping")
        await asyncio.sleep(self._delay(key))
        users = self._users.take() if self._users is not None and key.tier >= FAMILY_TIER else None
        log = self._log_dir / "zygote.log"
        if users is None and self._users is not None and key.tier >= FAMILY_TIER:
            name = key.deps_dir or "the standard library"
            _log.warning("no users are left for the workers of %s (RELIVE_UID_COUNT)", name)
        zygote = Zygote(
            key, self._runtime_dir, log, self._died, self.scratch_dir, users, without=self._without()
        )
        if self.cgroups is not None:
            self._count += 1
            zygote.group = await asyncio.get_running_loop().run_in_executor(
                None, self.cgroups.for_zygote, self._count
            )
        try:
            await zygote.start(self._timeout_s)
        finally:
            if not zygote.begun:
                self._give_back(zygote)
        self._ready[key] = zygote
        return zygote

    def _delay(self, key: ZygoteKey) -> float:
        now = time.monotonic()
        recent = [at for at in self._deaths.get(key, []) if now - at < _STABLE_S]
        self._deaths[key] = recent
        return _BACKOFF_S[min(len(recent), len(_BACKOFF_S)) - 1] if recent else 0.0

    def _died(self, zygote: Zygote) -> None:
        self._deaths.setdefault(zygote.key, []).append(time.monotonic())
        self._ready.pop(zygote.key, None)
        self._give_back(zygote)
        if not self._closed:
            _log.warning(
                "the zygote of %s ended; a new one is started when needed", zygote.key.deps_dir or "stdlib"
            )

    def _give_back(self, zygote: Zygote) -> None:
        if self.cgroups is not None and zygote.group is not None:
            self.cgroups.let_go(zygote.group)
        if self._users is not None and zygote.users is not None:
            self._users.give_back(zygote.users)

    def pids(self) -> list[int]:
        """Of the zygotes that run."""
        return [zygote.pid for zygote in self._ready.values()]

    async def close(self) -> None:
        """End all of them."""
        self._closed = True
        for task in list(self._starting.values()):
            task.cancel()
        await asyncio.gather(*self._starting.values(), return_exceptions=True)
        zygotes = list(self._ready.values())
        for zygote in zygotes:
            zygote.kill()
        loop = asyncio.get_running_loop()
        for zygote in zygotes:
            await loop.run_in_executor(None, zygote.wait, 5.0)

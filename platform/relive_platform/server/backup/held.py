"""The databases that a running server holds: nobody else can read them, so it copies them itself."""

from __future__ import annotations

import concurrent.futures
import re
import shutil
import threading
from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path
from typing import TYPE_CHECKING, Final

from relive_base.errors import Refused, ReliveError, UsageError

if TYPE_CHECKING:
    from relive_platform.server.server import ReliveServer

__all__ = ["FOLDER_PREFIX", "HeldDatabases"]

FOLDER_PREFIX: Final = "backup-"
_FOLDER: Final = re.compile(rf"{FOLDER_PREFIX}[A-Za-z0-9_]{{1,64}}")
_MOST_S: Final = 24 * 3600.0
_MARGIN_S: Final = 5.0  # for what the file's thread does before it begins


class HeldDatabases:
    """Called by gRPC's threads; the files' own threads copy, between commits."""

    def __init__(self, server: ReliveServer) -> None:
        self._server = server
        self._one = threading.Lock()
        for left in server.settings.run_dir.glob(f"{FOLDER_PREFIX}*"):  # by a backup that was killed
            shutil.rmtree(left, ignore_errors=True)

    def copy(self, folder: str, limit_s: float, wanted: Callable[[], bool]) -> list[str]:
        """Into an empty folder of run/, each within `limit_s`; their names. Raises CopyFailed, QueueError,
        JournalFailed, Refused, UsageError."""
        target = self._server.settings.run_dir / folder
        if not _FOLDER.fullmatch(folder) or target.is_symlink() or not target.is_dir():
            raise UsageError(
                f"{folder[:100]!r} is no folder for a backup's copies", hint="relive store backup FILE"
            )
        if not 0 < limit_s <= _MOST_S:
            raise UsageError(
                f"{limit_s:g} s is no limit for copying a database", hint=f"over 0, up to {_MOST_S:g} s"
            )
        if not self._one.acquire(blocking=False):
            raise Refused("another backup is being made", hint="try again when it is done")
        try:
            return [name for name in _COPIERS if self._copied(name, target / name, limit_s, wanted)]
        finally:
            self._one.release()

    def _copied(self, name: str, target: Path, limit_s: float, wanted: Callable[[], bool]) -> bool:
        server = self._server
        try:
            done = _COPIERS[name](server, target, limit_s, wanted)
            if isinstance(done, Future):
                done.result(limit_s + _MARGIN_S)
            return bool(done)
        except concurrent.futures.TimeoutError as error:
            raise ReliveError(
                f"it was not copied within {limit_s:g} s", where=name, hint="raise RELIVE_BACKUP_COPY_S"
            ) from error
        except ReliveError as error:
            error.where = error.where or name
            raise


_Copier = Callable[["ReliveServer", Path, float, Callable[[], bool]], "Future[None] | bool | None"]

_COPIERS: Final[dict[str, _Copier]] = {
    "events.db": lambda server, *given: server.queue.copy(*given),
    "queues.db": lambda server, *given: server.queues.copy(*given),
    "buckets.db": lambda server, *given: server.own_events.copy_journal(*given),
}

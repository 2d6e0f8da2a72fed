"""A process that brings in what waits in an inbox: to read what others have made takes no time of the
server."""

from __future__ import annotations

import os
import resource
import sys
from contextlib import closing
from pathlib import Path
from typing import Final

import msgspec
from relive_base.errors import ReliveError
from relive_capture.explore import SceneError
from relive_store import StoreError, open_store

from relive_platform.inbox.folder import Inbox
from relive_platform.inbox.importing import Importer

__all__ = ["WAITS", "InboxJob", "InboxLine", "main"]

WAITS: Final = 3
"""Its status if the store or the scenes' folder could not be used: what waits stays, for later."""
_NICE: Final = 10
_MEMORY_BYTES: Final = 2 << 30
_AT_ONCE: Final = 100


class InboxJob(msgspec.Struct):
    """What it is told, on standard input: a store's URL may have a password."""

    inbox: str
    scenes_dir: str
    store: str
    scenes: int = 10_000


class InboxLine(msgspec.Struct, omit_defaults=True):
    """What became of one file, a line of standard output. Before it there is one that it was begun with:
    whoever reads them knows what a process was at that has ended in the middle."""

    file: str
    state: str  # "begun", "new", "known", "other" or "refused"
    text: str = ""


def main() -> None:
    """Bring in up to a hundred."""
    os.nice(_NICE)
    _, hard = resource.getrlimit(resource.RLIMIT_AS)
    most = _MEMORY_BYTES if hard == resource.RLIM_INFINITY else min(_MEMORY_BYTES, hard)
    resource.setrlimit(resource.RLIMIT_AS, (most, hard))
    job = msgspec.json.decode(sys.stdin.buffer.read(), type=InboxJob)
    inbox = Inbox(Path(job.inbox))
    with closing(open_store(job.store)) as store:
        importer = Importer(Path(job.scenes_dir), store, limit=job.scenes)
        for path in inbox.waiting()[:_AT_ONCE]:
            name = os.fsencode(path.name).decode("utf-8", "backslashreplace")
            _tell(InboxLine(name, "begun"))
            try:
                line = _take(importer, inbox, path, name)
            except (StoreError, OSError) as error:
                print(f"{name}: {error.message if isinstance(error, StoreError) else error}", file=sys.stderr)
                sys.exit(WAITS)
            _tell(line)


def _tell(line: InboxLine) -> None:
    sys.stdout.write(msgspec.json.encode(line).decode() + "\n")
    sys.stdout.flush()


def _take(importer: Importer, inbox: Inbox, path: Path, name: str) -> InboxLine:
    """Raises StoreError and OSError if there is no place for it: that is no fault of the scene's."""
    try:
        with path.open("rb") as file:
            data = file.read(inbox.scene_bytes + 1)
    except OSError as error:
        return _refused(inbox, path, name, error)
    try:
        found = importer.take(data, name)
    except (SceneError, MemoryError) as error:
        return _refused(inbox, path, name, error)
    if found.state == "other":
        inbox.refuse(path)
    else:
        path.unlink(missing_ok=True)
    host = f" on {found.host}" if found.host else ""
    text = f"{found.function}{host}: {found.error_type}: {found.message}"
    return InboxLine(name, found.state, f"{text}; {found.note}" if found.note else text)


def _refused(inbox: Inbox, path: Path, name: str, error: Exception) -> InboxLine:
    inbox.refuse(path)
    return InboxLine(name, "refused", error.message if isinstance(error, ReliveError) else str(error))


if __name__ == "__main__":
    main()

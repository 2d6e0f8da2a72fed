"""Writing a home into a tar file, while its server runs or not."""

from __future__ import annotations

import contextlib
import io
import os
import sqlite3
import tarfile
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol

import msgspec
from relive_base.errors import Refused, ReliveError
from relive_base.resource import relive_version
from relive_store import FrozenPart, Store, applied_version, frozen

from relive_platform.durable.copying import copy_database
from relive_platform.server.backup.held import FOLDER_PREFIX
from relive_platform.server.backup.manifest import FORMAT, HOME, MANIFEST, STORE, Manifest

__all__ = ["COPY_LIMIT_S", "BackupTold", "HeldCopier", "write_backup"]

COPY_LIMIT_S: Final = 300.0
_LOCKED_S: Final = 1.0  # one step's wait; the limit is asked after each
_LEFT_OUT: Final = ("run", "spool", "store", "runtime", "tmp")
"""Made anew by a server, or (the store) taken as parts."""
# of the home's own files
_ENDINGS: Final = (".ballast", ".lock", "-wal", "-shm", "-journal", ".new")


@dataclass(frozen=True, slots=True)
class BackupTold:
    """What was written."""

    path: str
    bytes: int
    files: int
    tables: int
    parts: int
    seconds: float


class HeldCopier(Protocol):
    """Has the server that runs on a home copy the databases that it holds."""

    def __call__(self, folder: str, limit_s: float) -> list[str]:
        """Into `folder`, a name in the home's run/."""
        ...


def write_backup(
    home: Path,
    store: Store,
    path: Path,
    *,
    copy_held: HeldCopier | None = None,
    limit_s: float = COPY_LIMIT_S,
) -> BackupTold:
    """All that `home` keeps: functions, events, scenes, and what its embedded store has. What is recorded
    meanwhile is not in it. `copy_held`: if a server runs on the home. `limit_s`: for each database.
    Raises Refused if there is such a file or the store is a server of its own."""
    if store.engine != "chdb":
        raise Refused(
            "the store is a ClickHouse server: a backup of this home does not have it",
            where=store.url,
            hint="back that server up by its own means (BACKUP DATABASE)",
        )
    if path.exists():
        raise Refused("there is such a file already", where=str(path), hint="choose another name")
    began = time.monotonic()
    draft = path.with_name(f"{path.name}.part")
    name = f"backup_{time.time_ns():x}"
    try:
        with (
            open(os.open(draft, os.O_CREAT | os.O_WRONLY | os.O_TRUNC | os.O_CLOEXEC, 0o600), "wb") as file,
            tarfile.open(fileobj=file, mode="w", format=tarfile.PAX_FORMAT) as tar,
            _copies(home, copy_held, limit_s) as copies,
            frozen(store, home / "store", name) as parts,
        ):
            manifest = Manifest(
                format=FORMAT,
                version=relive_version(),
                schema=applied_version(store),
                made_ns=time.time_ns(),
            )
            _add_bytes(tar, MANIFEST, msgspec.json.encode(manifest))
            files = _add_home(tar, home, {path, draft}, copies, limit_s) + _add_parts(tar, parts)
            tar.close()
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)
    except OSError as error:
        raise ReliveError(f"the backup cannot be written: {error.strerror}", where=str(path)) from error
    finally:
        draft.unlink(missing_ok=True)
    tables = len({part.table for part in parts})
    return BackupTold(
        str(path), path.stat().st_size, files, tables, len(parts), round(time.monotonic() - began, 3)
    )


@contextlib.contextmanager
def _copies(home: Path, copy_held: HeldCopier | None, limit_s: float) -> Iterator[Path]:
    """A folder, gone at the end, with copies of what the server holds."""
    run = home / "run" if copy_held is not None else None  # a server's run/ is on the home's disk
    with tempfile.TemporaryDirectory(prefix=FOLDER_PREFIX, dir=run) as folder:
        if copy_held is not None:
            copy_held(Path(folder).name, limit_s)
        yield Path(folder)


def _add_bytes(tar: tarfile.TarFile, name: str, data: bytes) -> None:
    member = tarfile.TarInfo(name)
    member.size, member.mode, member.mtime = len(data), 0o600, int(time.time())
    tar.addfile(member, io.BytesIO(data))


def _add_home(tar: tarfile.TarFile, home: Path, beside: set[Path], copies: Path, limit_s: float) -> int:
    count = 0
    for file in _walk(home, beside):
        name = f"{HOME}/{file.relative_to(home)}"
        with contextlib.suppress(FileNotFoundError):  # a scene that its limit has removed meanwhile
            if (
                file.suffix == ".db" and file.parent == home
            ):  # below are files of others, whatever their names
                _add_database(tar, name, file, copies, limit_s)
            else:
                _add_file(tar, file, name)
            count += 1
    return count


def _add_file(tar: tarfile.TarFile, file: Path, name: str) -> None:
    tar.inodes.clear()  # type: ignore[attr-defined]  # of two names for one file each is a file of its own
    tar.add(file, name, recursive=False)


def _walk(folder: Path, beside: set[Path], top: bool = True) -> Iterator[Path]:
    """Everything below it, folders before what is in them; links are not followed."""
    try:
        entries = sorted(folder.iterdir())
    except FileNotFoundError:  # a deploy's scratch folder that has gone meanwhile
        return
    for entry in entries:
        own = top and (entry.name in _LEFT_OUT or entry.name.endswith(_ENDINGS))
        if entry in beside or own:
            continue
        if entry.is_symlink() or entry.is_file():
            yield entry
        elif entry.is_dir():
            yield entry
            yield from _walk(entry, beside, top=False)


def _add_database(tar: tarfile.TarFile, name: str, file: Path, copies: Path, limit_s: float) -> None:
    """As it is at one moment, whoever writes to it: the server's copy, or one that is made now."""
    copy = copies / file.name
    if not copy.exists():
        try:
            with contextlib.closing(
                sqlite3.connect(f"{file.as_uri()}?mode=ro", uri=True, timeout=_LOCKED_S)
            ) as source:
                copy_database(source, copy, limit_s)
        except sqlite3.Error as error:
            raise ReliveError(f"it cannot be copied: {error}", where=str(file)) from error
        except ReliveError as error:
            error.where = str(file)
            raise
    tar.add(copy, name, recursive=False)
    copy.unlink()


def _add_parts(tar: tarfile.TarFile, parts: list[FrozenPart]) -> int:
    count = 0
    for part in parts:
        for file in sorted(part.folder.rglob("*")):
            if file.is_file():
                inside = file.relative_to(part.folder)
                _add_file(tar, file, f"{STORE}/{part.table}/{part.name}/{inside}")
                count += 1
    return count

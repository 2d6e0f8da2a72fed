"""Writing a home into a tar file, while its server runs or not."""

from __future__ import annotations

import contextlib
import io
import os
import stat
import tarfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import msgspec
from relive_base.errors import Refused, ReliveError
from relive_base.resource import relive_version
from relive_store import FrozenPart, Store, applied_version, frozen

from relive_platform.server.backup.databases import (
    DatabaseCopies,
    HeldCopier,
    database_copies,
    goes_with_database,
    is_database,
)
from relive_platform.server.backup.manifest import FORMAT, HOME, MANIFEST, STORE, Manifest

__all__ = ["COPY_LIMIT_S", "BackupTold", "write_backup"]

COPY_LIMIT_S: Final = 300.0
_LEFT_OUT: Final = ("run", "spool", "spool-otlp", "store", "runtime", "tmp", "cache")
"""Made anew by a server and its installer, on its way into the store, or (the store) taken as parts."""
_CACHES: Final = ("scenes/cache",)  # of heaps that were analysed
# of the home's own files
_ENDINGS: Final = (".ballast", ".lock", "-wal", "-shm", "-journal", ".new")


@dataclass(frozen=True, slots=True)
class BackupTold:
    """What was written. `in_use`: databases of functions that could not be copied as of one moment."""

    path: str
    bytes: int
    files: int
    tables: int
    parts: int
    seconds: float
    in_use: tuple[str, ...]


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
    name = f"backup_{time.time_ns():x}"
    draft = path.with_name(f"{path.name}.{name}.part")
    try:
        with (
            open(os.open(draft, os.O_CREAT | os.O_WRONLY | os.O_TRUNC | os.O_CLOEXEC, 0o600), "wb") as file,
            tarfile.open(fileobj=file, mode="w", format=tarfile.PAX_FORMAT) as tar,
            database_copies(home, copy_held, limit_s) as copies,
            frozen(store, home / "store", name) as parts,
        ):
            manifest = Manifest(
                format=FORMAT,
                version=relive_version(),
                schema=applied_version(store),
                made_ns=time.time_ns(),
            )
            _add_bytes(tar, MANIFEST, msgspec.json.encode(manifest))
            files = _add_home(
                tar, home, {path, draft, *(home / name for name in _CACHES)}, copies
            ) + _add_parts(tar, parts)
            tar.close()
            file.flush()
            os.fsync(file.fileno())
        _give_name(draft, path)
    except OSError as error:
        raise ReliveError(f"the backup cannot be written: {error.strerror}", where=str(path)) from error
    finally:
        draft.unlink(missing_ok=True)
    tables = len({part.table for part in parts})
    return BackupTold(
        str(path),
        path.stat().st_size,
        files,
        tables,
        len(parts),
        round(time.monotonic() - began, 3),
        tuple(copies.in_use),
    )


def _give_name(draft: Path, path: Path) -> None:
    """Unless somebody else has made such a file meanwhile. Raises Refused."""
    try:
        os.link(draft, path)
    except FileExistsError as error:
        raise Refused("there is such a file by now", where=str(path), hint="choose another name") from error
    except OSError:  # a file system without links
        draft.replace(path)


def _add_bytes(tar: tarfile.TarFile, name: str, data: bytes) -> None:
    member = tarfile.TarInfo(name)
    member.size, member.mode, member.mtime = len(data), 0o600, int(time.time())
    tar.addfile(member, io.BytesIO(data))


def _add_home(tar: tarfile.TarFile, home: Path, beside: set[Path], copies: DatabaseCopies) -> int:
    count = 0
    for file in _walk(home, beside):
        name = f"{HOME}/{file.relative_to(home)}"
        if goes_with_database(home, file):
            continue  # what is in it is in the copy
        with contextlib.suppress(FileNotFoundError):  # a scene that its limit has removed meanwhile
            if is_database(home, file):
                for copied, ending in copies.of(file):
                    _add_file(tar, copied, f"{name}{ending}", file)
            else:
                _add_file(tar, file, name)
            count += 1
    return count


def _add_file(tar: tarfile.TarFile, file: Path, name: str, like: Path | None = None) -> None:
    """`like`: whose mode it has."""

    def with_mode(member: tarfile.TarInfo) -> tarfile.TarInfo:
        if like is not None:
            member.mode = stat.S_IMODE(like.stat().st_mode)
        return member

    tar.inodes.clear()  # type: ignore[attr-defined]  # of two names for one file each is a file of its own
    tar.add(file, name, recursive=False, filter=with_mode)


def _walk(folder: Path, beside: set[Path], top: bool = True) -> Iterator[Path]:
    """Everything below it but `beside`, folders before what is in them; links are not followed."""
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


def _add_parts(tar: tarfile.TarFile, parts: list[FrozenPart]) -> int:
    count = 0
    for part in parts:
        for file in sorted(part.folder.rglob("*")):
            if file.is_file():
                inside = file.relative_to(part.folder)
                _add_file(tar, file, f"{STORE}/{part.table}/{part.name}/{inside}")
                count += 1
    return count

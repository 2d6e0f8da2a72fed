"""Making a home of a backup. Its file is taken as something hostile: nothing leaves the home's folder."""

from __future__ import annotations

import os
import shutil
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

import msgspec
from relive_base.errors import Refused, ReliveError
from relive_store import StoreError, adopt, load_migrations, migrate, open_store

from relive_platform.registry.packages.content import remove_tree
from relive_platform.server.backup.manifest import FORMAT, HOME, MANIFEST, STORE, Manifest
from relive_platform.server.home import LOCK, RESTORING, own_home

__all__ = ["restore_backup"]

_MANIFEST_BYTES: Final = 65_536
_UNPACKED: Final = "store.restore"
_RUN: Final = "run"
_END: Final = bytes(2 * tarfile.BLOCKSIZE)
_LINK_PARTS: Final = 3  # "home/NAME/LINK": the home's own entries are no links


def restore_backup(path: Path, home: Path) -> Manifest:
    """The same home as when the backup was made, in `home`, which must be empty and in no use. If it fails,
    `home` is as it was; if it is killed, no server takes that for whole, and it can be done again. Raises
    AlreadyRunning, Refused, ReliveError."""
    with _opened(path) as tar:
        manifest = _manifest(tar, path)
        with _owned(home):
            _fill(tar, home, manifest)
        return manifest


def _fill(tar: tarfile.TarFile, home: Path, manifest: Manifest) -> None:
    try:
        _unpack(tar, home)
        _fill_store(home, manifest)
    except BaseException:
        _clear(home)
        raise


@contextmanager
def _opened(path: Path) -> Iterator[tarfile.TarFile]:
    try:
        with tarfile.open(path, "r:") as tar:
            yield tar
    except (tarfile.TarError, EOFError) as error:
        raise ReliveError(f"it is no whole backup: {error}", where=str(path)) from error
    except OSError as error:
        raise ReliveError(
            f"the backup cannot be restored: {error.strerror or error}", where=str(error.filename or path)
        ) from error


@contextmanager
def _owned(home: Path) -> Iterator[None]:
    """The home's lock, for a home that is empty."""
    if not (home / _RUN).is_dir():  # else a server may run on it, which is said first
        _require_empty(home)
    made = [path for path in (home / _RUN / LOCK, home / _RUN, home, *home.parents) if not path.exists()]
    lock = own_home(home, home / _RUN)
    mark = home / _RUN / RESTORING
    try:
        if mark.exists():  # a restore that was killed has left it: it had found the home empty
            _clear(home)
        _require_empty(home)
        mark.touch(mode=0o600)
        yield
        mark.unlink()
    except BaseException:
        mark.unlink(missing_ok=True)
        for path in made:  # what is refused leaves nothing, not even the lock
            with suppress(OSError):
                path.unlink() if path.name == LOCK else path.rmdir()
        raise
    finally:
        os.close(lock)


def _require_empty(home: Path) -> None:
    held = [entry.name for entry in home.iterdir() if entry.name != _RUN] if home.is_dir() else []
    if held:
        raise Refused(
            f"the home is not empty: it has {', '.join(sorted(held)[:5])}",
            where=str(home),
            hint="restore into an empty one: relive --home FOLDER store restore FILE",
        )


def _manifest(tar: tarfile.TarFile, path: Path) -> Manifest:
    member = tar.next()
    file = tar.extractfile(member) if member is not None and member.name == MANIFEST else None
    if file is None:
        raise ReliveError("it is no backup of Relive", where=str(path), hint="relive store backup FILE")
    try:
        manifest = msgspec.json.decode(file.read(_MANIFEST_BYTES), type=Manifest)
    except msgspec.MsgspecError as error:
        raise ReliveError(f"it is no backup of Relive: {error}", where=str(path)) from error
    known = load_migrations()[-1].version
    if manifest.format != FORMAT or manifest.schema > known:
        raise Refused(
            f"the backup is of Relive {manifest.version}, which is newer than this one",
            where=str(path),
            hint="upgrade Relive",
        )
    return manifest


def _unpack(tar: tarfile.TarFile, home: Path) -> None:
    """The home's files to their places, the store's parts beside them."""
    folders: list[tuple[Path, int]] = []
    for member in tar:
        name = _place(member)
        if not name:
            continue
        member.name = name
        if member.isdir():
            folders.append((home / name, member.mode & 0o777))
            member.mode = 0o700  # a version's folder may not be written: it gets its own mode once it is full
        mode = member.mode & 0o777
        # "tar" refuses what leads out of the home, also by symbolic links; owners are not taken over.
        tar.extract(member, home, filter="tar", numeric_owner=False, set_attrs=True)
        if member.isreg() and mode & 0o022:  # it takes these away: workers of other users write a database
            (home / name).chmod(mode)
    _require_end(tar)
    for folder, mode in reversed(folders):
        if not folder.is_symlink():
            folder.chmod(mode)


def _require_end(tar: tarfile.TarFile) -> None:
    """tarfile takes a file that was cut off between two members, or is damaged there, for a whole one."""
    file = tar.fileobj
    if file is not None:
        file.seek(tar.offset)
        if file.read(len(_END)) != _END:
            raise tarfile.ReadError(f"it ends after {tar.offset:,} bytes, in the middle")


def _place(member: tarfile.TarInfo) -> str:
    """Where it belongs in the home; "" for what is left out. Raises ReliveError for what no backup of ours
    holds: a hard link would be opened, and written through, wherever it leads."""
    parts = member.name.split("/")
    link = member.issym()
    wrong = any(part in ("", ".", "..") for part in parts) or not (member.isreg() or member.isdir() or link)
    if wrong or (link and len(parts) < _LINK_PARTS):
        raise ReliveError(f"the backup holds {member.name[:200]!r}, which is nothing that a home has")
    top, rest = parts[0], parts[1:]
    if not rest or top not in (HOME, STORE) or (top == HOME and rest[0] == _RUN):
        return ""
    return "/".join(rest if top == HOME else [_UNPACKED, *rest])


def _fill_store(home: Path, manifest: Manifest) -> None:
    unpacked = home / _UNPACKED
    store = open_store(f"chdb://{home / 'store'}")
    try:
        older = [one for one in load_migrations() if one.version <= manifest.schema]
        if len(older) < len(load_migrations()):
            migrate(store, older)
        else:
            store.migrate()
        for table in sorted(unpacked.iterdir()) if unpacked.is_dir() else ():
            for part in sorted(table.iterdir()):
                adopt(store, table.name, part.name, lambda folder, part=part: _move(part, folder))  # type: ignore[misc]
        store.migrate()
    except StoreError as error:
        raise ReliveError(f"the store cannot be restored: {error.message}", where=str(home)) from error
    finally:
        store.close()
    shutil.rmtree(unpacked, ignore_errors=True)


def _move(part: Path, folder: Path) -> None:
    folder.parent.mkdir(parents=True, exist_ok=True)
    part.rename(folder)


def _clear(home: Path) -> None:
    for entry in home.iterdir():
        if entry.name == _RUN:
            continue
        if entry.is_dir() and not entry.is_symlink():
            remove_tree(entry)
        else:
            entry.unlink(missing_ok=True)

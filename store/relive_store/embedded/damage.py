"""A store's folder that the engine cannot open: what it is, and what to do."""

from __future__ import annotations

import errno
import shlex
import tempfile
from pathlib import Path
from typing import Final

from relive_store.errors import StoreUnavailable

__all__ = ["not_opened", "not_usable"]

_NO_FOLDER: Final = (errno.EACCES, errno.EPERM, errno.EEXIST, errno.ENOTDIR, errno.EISDIR, errno.EIO)
_WITHOUT_DAMAGE: Final = ("alloc", "memory", "too many open files", "no space left", "already running")
_PREFIXES: Final = (
    "Failed to create connection:",
    "Code: 36.",
    "DB::Exception:",
    "Error initializing EmbeddedServer:",
)
_REASON_LIMIT: Final = 300


def not_opened(directory: Path, error: Exception) -> StoreUnavailable:
    """Why the engine did not open `directory`, from what it has raised."""
    said = _words(str(error))
    if any(word in said.lower() for word in _WITHOUT_DAMAGE):
        return StoreUnavailable(f"the engine cannot start: {said}", where=str(directory))
    try:
        with tempfile.TemporaryFile(dir=directory) as file:
            file.write(b"\0" * 65_536)
    except OSError as refused:
        return not_usable(directory, refused)
    return _damaged(directory, said or "the engine cannot open it, and its log says at which file")


def not_usable(directory: Path, error: OSError) -> StoreUnavailable:
    """Why there is nothing to be had of `directory`, from what the system has said."""
    why = error.strerror or str(error)
    if error.errno in _NO_FOLDER:
        return _damaged(directory, why)
    return StoreUnavailable(f"the store's folder cannot be written: {why}", where=str(directory))


def _damaged(directory: Path, why: str) -> StoreUnavailable:
    aside = f"mv {shlex.quote(str(directory))} {shlex.quote(str(_aside(directory)))}"
    return StoreUnavailable(
        f"the store's folder is damaged or unreadable: {why}",
        where=str(directory),
        hint=f"stop the server (relive stop), put the folder aside ({aside}), start again (relive serve):"
        " what waits in the spool arrives in a new store, and scenes stay",
    )


def _aside(directory: Path) -> Path:
    """A name beside it that is free."""
    number = 1
    while True:
        path = directory.with_name(f"{directory.name}.damaged{f'-{number}' if number > 1 else ''}")
        if not path.exists():
            return path
        number += 1


def _words(text: str) -> str:
    """What the engine has said, on a line, without its codes; "" if it gave no reason."""
    said = " ".join(text.partition("Stack trace")[0].split())
    for prefix in _PREFIXES:
        said = said.removeprefix(prefix).strip()
    return said.removesuffix("(BAD_ARGUMENTS)").strip(" .,:")[:_REASON_LIMIT]

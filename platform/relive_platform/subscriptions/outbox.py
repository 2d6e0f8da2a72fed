"""Records on their way from the collector's process to the server: files in a folder, in the order of their
names.

A batch of the collector is one file, whose name is the batch's number: written again, it is the same file.
Numbers of one run and kind only grow, so one that is not above the last that was taken has been taken before.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

import msgspec

__all__ = ["Entry", "Outbox"]

_ENDING: Final = ".batch"
_SEALED: Final = ".sealed"


class Entry(msgspec.Struct, array_like=True, gc=False):
    """One record for one rule. `place` counts the records of a batch. Of a failure `more` has the rest."""

    rule: str
    function: str
    version: int
    instance: str
    place: int
    timestamp_ns: int
    severity: str = ""
    body: str = ""
    trace_id: str = ""
    span_id: str = ""
    invocation_id: str = ""
    more: dict[str, str | int] = {}


class Sealed(msgspec.Struct, array_like=True):
    """Several batches together, and which ones."""

    batches: list[str]
    entries: list[Entry]


_encoder: Final = msgspec.msgpack.Encoder()
_entries: Final = msgspec.msgpack.Decoder(list[Entry])
_sealed: Final = msgspec.msgpack.Decoder(Sealed)


class Outbox:
    """Of a home. One process writes batches, one takes them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._taken: dict[str, str] = {}  # by run and kind: the number of the last batch that was sealed

    # ------------------------------------------------------------ the collector's process

    def open(self) -> None:
        """Remove what a process before was writing when it was killed: it comes again."""
        self._remove(list(self.folder.glob("*.new")))

    def write(self, number: str, entries: Iterable[Entry]) -> int:
        """A batch; gives its size in bytes. Raises OSError."""
        data = _encoder.encode(list(entries))
        path = self.folder / f"{number}{_ENDING}"
        try:
            path.with_suffix(".new").write_bytes(data)
        except FileNotFoundError:
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            path.with_suffix(".new").write_bytes(data)
        path.with_suffix(".new").replace(path)
        return len(data)

    def size_bytes(self) -> int:
        """Of all that waits, sealed or not."""
        return sum(size for ending in (_ENDING, _SEALED) for _, size, _ in self._files(ending))

    # ------------------------------------------------------------ the server

    def _files(self, ending: str) -> Iterator[tuple[Path, int, float]]:
        try:
            with os.scandir(self.folder) as found:
                names = sorted(entry.name for entry in found if entry.name.endswith(ending))
        except FileNotFoundError:
            return
        for name in names:
            path = self.folder / name
            try:
                status = path.stat()
            except FileNotFoundError:
                continue
            yield path, status.st_size, status.st_mtime

    def waiting(self) -> list[tuple[Path, int, float]]:
        """Batches, oldest first: path, size, time of writing. One that has been taken before is removed."""
        found = []
        for entry in self._files(_ENDING):
            series, number = _series(entry[0])
            if number and number <= self._taken.get(series, ""):
                self._remove([entry[0]])
            else:
                found.append(entry)
        return found

    def seal(self, paths: list[Path]) -> Path:
        """Make one file of these batches, for good: what is made of it is the same after a kill."""
        entries: list[Entry] = []
        for path in paths:
            try:
                entries += _entries.decode(path.read_bytes())
            except (msgspec.MsgspecError, FileNotFoundError):
                continue  # it costs itself alone
        sealed = paths[-1].with_suffix(_SEALED)
        draft = sealed.with_suffix(".draft")
        draft.write_bytes(_encoder.encode(Sealed([path.name for path in paths], entries)))
        draft.replace(sealed)
        for path in paths:
            series, number = _series(path)
            self._taken[series] = max(number, self._taken.get(series, ""))
        self._remove(paths)
        return sealed

    def sealed(self) -> list[Path]:
        """Those that are not done, oldest first; their batches are gone then, and so is what was being sealed
        when a server was killed."""
        self._remove(list(self.folder.glob("*.draft")))
        found = [path for path, _, _ in self._files(_SEALED)]
        for path in found:
            content = self._read(path)
            self._remove([self.folder / name for name in content.batches] if content is not None else [])
        return found

    def _read(self, path: Path) -> Sealed | None:
        try:
            return _sealed.decode(path.read_bytes())
        except (msgspec.MsgspecError, FileNotFoundError):
            return None

    def entries(self, path: Path) -> list[Entry]:
        """Of a sealed file."""
        content = self._read(path)
        return content.entries if content is not None else []

    def keep(self, path: Path, entries: list[Entry]) -> None:
        """Of a sealed file only these are left to do."""
        draft = path.with_suffix(".draft")
        draft.write_bytes(_encoder.encode(Sealed([], entries)))
        draft.replace(path)

    def done(self, path: Path) -> None:
        """It is durable elsewhere."""
        path.unlink(missing_ok=True)

    def _remove(self, paths: list[Path]) -> None:
        for path in paths:
            path.unlink(missing_ok=True)


def _series(path: Path) -> tuple[str, str]:
    """Run and kind of a batch, and its number; "" if it has none."""
    run, _, rest = path.stem.partition("-")
    number, _, kind = rest.partition("-")
    return f"{run}-{kind}", number if kind in ("r", "s") else ""

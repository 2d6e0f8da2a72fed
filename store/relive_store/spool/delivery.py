"""One file of the spool to the store, and what has become of it."""

from __future__ import annotations

import errno
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import msgspec

from relive_store.errors import (
    QueryCancelled,
    QueryError,
    QueryLimit,
    QueryTimeout,
    StoreError,
    StoreUnavailable,
)
from relive_store.interface import Store
from relive_store.packing import pack, unpack
from relive_store.spool.files import Batch, Spool, SpoolCorrupt

__all__ = ["Delivered", "Delivery"]

_RETRIED = (StoreUnavailable, QueryTimeout, QueryCancelled)
_LIMIT_TRIES = 5
_READ_TRIES = 5
_SALVAGE_TRIES = 64
"""Inserts for the good rows of a batch that the store refuses: enough for two wrong ones in 10,000."""


@runtime_checkable
class _PackedStore(Protocol):
    def insert_packed(
        self, table: str, packed: bytes, *, token: str = "", timeout_s: float = 60.0
    ) -> int: ...


@dataclass(frozen=True, slots=True)
class Delivered:
    """`again`: the same file is tried again, because of `error`. Else it is done with: the store has `rows`
    of it, and if `refused` not all of them, because of `error`."""

    again: bool = False
    rows: int = 0
    refused: bool = False
    error: Exception | None = None


class Delivery:
    """Used by one thread, which must not end: it never raises. The store is opened when it is needed."""

    def __init__(self, spool: Spool, store_factory: Callable[[], Store], insert_timeout_s: float) -> None:
        self._spool = spool
        self._store_factory = store_factory
        self._insert_timeout_s = insert_timeout_s
        self._store: Store | None = None

    def close(self) -> None:
        """Of the store."""
        if self._store is not None:
            self._store.close()

    def deliver(self, name: str, tries: int) -> Delivered:
        """Insert a file's batches. `tries`: how often it was tried, with this time."""
        try:
            batches = self._spool.read(name)
            refused = self._spool.refused(name)
        except SpoolCorrupt as error:
            return Delivered(refused=True, error=error)
        except Exception as error:
            lost = isinstance(error, OSError) and error.errno == errno.EIO  # by the disk
            gone = lost and tries >= _READ_TRIES
            return Delivered(again=not gone, refused=gone, error=error)
        if refused:  # this process or one before has begun to send its good rows
            return self._salvage(name, batches, refused, QueryError("the store has refused some of it"))
        return self._send(name, batches, tries)

    def _send(self, name: str, batches: Sequence[Batch], tries: int) -> Delivered:
        try:
            for index, batch in enumerate(batches):
                self._insert(batch, _token(name, index))
        except _RETRIED as error:
            return Delivered(again=True, error=error)
        except QueryLimit as error:
            if tries < _LIMIT_TRIES:  # memory may be short only now
                return Delivered(again=True, error=error)
            return Delivered(refused=True, error=error)
        except StoreError as error:
            return self._unusable() or self._salvage(name, batches, [], error)
        except msgspec.DecodeError as error:
            return Delivered(refused=True, error=error)
        except Exception as error:
            return Delivered(again=True, error=error)
        return Delivered(rows=sum(batch.rows for batch in batches))

    def _unusable(self) -> Delivered | None:
        """Whether the store, opened anew, is none at all: without its tables it refuses everything, which is
        no fault of the rows."""
        try:
            if self._store is not None:
                self._store.close()
            self._store = None
            self._store = self._store_factory()
        except Exception as error:
            return Delivered(again=True, error=error)
        return None

    def _salvage(
        self, name: str, batches: Sequence[Batch], refused: list[tuple[int, int, int]], reason: Exception
    ) -> Delivered:
        """Insert what the store takes of a file that it refuses: one wrong row costs itself. What was
        `refused` is noted before its halves are sent: it is never sent again as a whole, in which the store
        may find nothing wrong by then, beside a half that it has."""
        saved = 0
        try:
            for index, batch in enumerate(batches):
                saved += self._save_rows(name, index, batch, refused)
        except (*_RETRIED, OSError) as error:
            return Delivered(again=True, error=error)  # what it has got already has tokens of its own
        except Exception as error:
            reason = error
        return Delivered(rows=saved, refused=True, error=reason)

    def _save_rows(self, name: str, index: int, batch: Batch, refused: list[tuple[int, int, int]]) -> int:
        """What is refused is tried again in halves; how many rows the store has taken."""
        saved = 0
        token = _token(name, index)
        columns = unpack(batch.columns)
        parts = [(0, batch.rows)]  # start and length
        for _ in range(_SALVAGE_TRIES):
            if not parts:
                break
            start, count = parts.pop()
            whole = count == batch.rows
            if (index, start, count) not in refused:
                part = {key: values[start : start + count] for key, values in columns.items()}
                try:
                    packed = batch if whole else Batch(batch.table, count, pack(part))
                    self._insert(packed, token if whole else f"{token}-{start}-{count}")
                    saved += count
                    continue
                except _RETRIED:
                    raise
                except StoreError:
                    refused.append((index, start, count))
                    self._spool.refuse(name, refused)
            half = count // 2
            if half:
                parts += [(start, half), (start + half, count - half)]
        return saved

    def _insert(self, batch: Batch, token: str) -> None:
        if self._store is None:
            self._store = self._store_factory()
        store = self._store
        if isinstance(store, _PackedStore):
            store.insert_packed(batch.table, batch.columns, token=token, timeout_s=self._insert_timeout_s)
            return
        store.insert(batch.table, unpack(batch.columns), token=token, timeout_s=self._insert_timeout_s)


def _token(name: str, index: int) -> str:
    """Of one table's rows in a file of the spool: the same each time they are sent."""
    return f"{name.removesuffix('.batch')}-{index}"

"""One file of the spool to the store, and what has become of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import msgspec

from relive_store.errors import QueryCancelled, QueryLimit, QueryTimeout, StoreError, StoreUnavailable
from relive_store.interface import Store
from relive_store.packing import pack, unpack
from relive_store.spool.files import Batch, Spool, SpoolCorrupt

__all__ = ["Delivered", "Delivery"]

_RETRIED = (StoreUnavailable, QueryTimeout, QueryCancelled)
_LIMIT_TRIES = 5
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
            for index, batch in enumerate(batches):
                self._insert(batch, _token(name, index))
        except _RETRIED as error:
            return Delivered(again=True, error=error)
        except QueryLimit as error:
            if tries < _LIMIT_TRIES:  # memory may be short only now
                return Delivered(again=True, error=error)
            return Delivered(refused=True, error=error)
        except StoreError as error:
            return self._unusable() or self._salvage(name, error)
        except (SpoolCorrupt, msgspec.DecodeError) as error:
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

    def _salvage(self, name: str, refused: Exception) -> Delivered:
        """Insert what the store takes of a file that it refuses: one wrong row costs itself."""
        saved = 0
        try:
            for index, batch in enumerate(self._spool.read(name)):
                saved += self._save_rows(batch, _token(name, index))
        except _RETRIED as error:
            return Delivered(again=True, error=error)  # what it has got already has tokens of its own
        except Exception as error:
            refused = error
        return Delivered(rows=saved, refused=True, error=refused)

    def _save_rows(self, batch: Batch, token: str) -> int:
        """What is refused is tried again in halves; how many rows the store has taken."""
        saved = 0
        columns = unpack(batch.columns)
        parts = [(0, batch.rows)]  # start and length
        for _ in range(_SALVAGE_TRIES):
            if not parts:
                break
            start, count = parts.pop()
            whole = count == batch.rows
            part = {key: values[start : start + count] for key, values in columns.items()}
            try:
                packed = batch if whole else Batch(batch.table, count, pack(part))
                self._insert(packed, token if whole else f"{token}-{start}-{count}")
                saved += count
            except _RETRIED:
                raise
            except StoreError:
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

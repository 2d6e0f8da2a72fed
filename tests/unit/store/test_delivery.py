"""A file of the spool on its way into the store: each row once, whatever ends the process in between."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from relive_store.errors import QueryError, StoreUnavailable
from relive_store.packing import pack
from relive_store.spool.delivery import Delivery
from relive_store.spool.files import Batch, Mark, Spool

LIMIT = 1 << 20


class Table:
    """A store that does nothing twice under one token. `takes`: what it does with the values of an insert."""

    url = engine = "a table"

    def __init__(self) -> None:
        self.rows: dict[str, list[object]] = {}
        self.takes: Callable[[Sequence[object]], None] = lambda values: None

    def insert(
        self, table: str, columns: Mapping[str, Sequence[object]], *, token: str = "", timeout_s: float = 1.0
    ) -> int:
        self.takes(columns["a"])
        self.rows.setdefault(token, list(columns["a"]))
        return len(columns["a"])

    def close(self) -> None:
        pass

    @property
    def values(self) -> list[object]:
        return sorted(value for values in self.rows.values() for value in values)  # type: ignore[type-var]


def delivery(spool: Spool, store: Any) -> Delivery:
    return Delivery(spool, lambda: store, 1.0)


def numbers(count: int) -> list[Batch]:
    return [Batch("t", count, pack({"a": list(range(count))}))]


def refusing(value: int) -> Callable[[Sequence[object]], None]:
    def takes(values: Sequence[object]) -> None:
        if value in values:
            raise QueryError("no")

    return takes


def test_what_was_refused_is_not_taken_as_a_whole_beside_its_half(tmp_path: Path) -> None:
    # Given a batch that the store refuses, and a process that ends after half of it was sent by itself
    store = Table()
    spool = Spool(tmp_path, LIMIT)
    spool.put(numbers(8))
    name = spool.take()
    answers = iter([QueryError("no"), QueryError("no"), None, StoreUnavailable("gone")])

    def takes(values: Sequence[object]) -> None:
        answer = next(answers)
        if answer is not None:
            raise answer

    store.takes = takes
    assert delivery(spool, store).deliver(name, 1).again
    assert len(store.values) == 4

    # When the next one sends it to a store that finds nothing wrong in it any more
    store.takes = lambda values: None
    later = Spool(tmp_path, LIMIT)
    done = delivery(later, store).deliver(later.take(), 1)

    # I expect each row once, and nothing left once the file is done with
    assert (done.refused, done.rows, store.values) == (True, 8, list(range(8)))
    later.set_aside(name, done.rows)
    assert [path.name for path in tmp_path.iterdir()] == ["bad"]


def test_no_half_is_sent_before_it_is_noted_that_the_whole_was_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given a full disk, and a batch with one wrong row
    store = Table()
    store.takes = refusing(3)
    spool = Spool(tmp_path, LIMIT)
    spool.put(numbers(4))
    with monkeypatch.context() as full:
        full.setattr(os, "pwrite", lambda handle, data, offset: 0)
        # I expect it to wait
        assert delivery(spool, store).deliver(spool.take(), 1).again
        assert store.values == []
    # When there is room, I expect the others
    assert delivery(spool, store).deliver(spool.take(), 1).rows == 3
    assert store.values == [0, 1, 2]


@pytest.mark.parametrize("code", [errno.EMFILE, errno.ENOMEM, errno.EIO])
def test_a_file_that_cannot_be_read_now_waits(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    # Given a file of the spool, in a process that has no descriptor left, say
    store = Table()
    spool = Spool(tmp_path, LIMIT)
    spool.put(numbers(2))
    name = spool.take()
    sender = delivery(spool, store)

    def fails(path: Path) -> bytes:
        raise OSError(code, os.strerror(code))

    with monkeypatch.context() as short:
        short.setattr(Path, "read_bytes", fails)
        done = sender.deliver(name, 1)
        # Only what the disk has lost is given up, and not at once
        assert sender.deliver(name, 100).refused == (code == errno.EIO)
    assert (done.again, done.refused) == (True, False)
    # I expect it in the store when it can be read
    assert sender.deliver(name, 2).rows == 2
    assert store.values == [0, 1]


def test_a_file_stays_until_its_mark_stands_elsewhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given a file with the mark of its rows, whose own file cannot be written
    spool = Spool(tmp_path, LIMIT)
    spool.put(numbers(1), Mark(7, rows=1))
    with monkeypatch.context() as full:
        full.setattr(os, "pwrite", lambda handle, data, offset: 0)
        spool.put(numbers(1), Mark(7, rows=2))
        # When the store has its rows, and the process is killed
        while name := spool.take():
            spool.remove(name)
    # I expect the next one to know that they are spooled
    later = Spool(tmp_path, LIMIT)
    assert later.mark(7) == Mark(7, rows=2)
    # ... and the file gone as soon as the mark is written
    spool.advance(Mark(7))
    assert not list(tmp_path.glob("*.batch"))
    assert Spool(tmp_path, LIMIT).mark(7) == Mark(7, rows=2)


def test_no_file_is_written_whose_mark_would_have_no_room(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spool = Spool(tmp_path, LIMIT)
    with monkeypatch.context() as full:
        full.setattr(os, "pwrite", lambda handle, data, offset: 8)
        with pytest.raises(OSError, match="No space left"):
            spool.put(numbers(1), Mark(7, rows=1))
    assert not spool.take()
    assert Spool(tmp_path, LIMIT).mark(7) == Mark(7)


def test_a_run_that_is_over_keeps_no_file_back(tmp_path: Path) -> None:
    # Given files of a run of which nothing will come again
    spool = Spool(tmp_path, LIMIT)
    spool.put(numbers(1), Mark(7, rows=1))
    spool.forget(7)
    # When the store has them
    spool.remove(spool.take())
    # I expect nothing to be left
    assert list(tmp_path.iterdir()) == []

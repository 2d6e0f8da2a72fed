"""The writer's rhythm: how often the store is asked to insert."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, cast

from patience import PATIENCE_S
from relive_store import Store, StoreUnavailable, Writer
from relive_store.spool.writer import LEAST_REST_S


class _Counting:
    """Takes rows; counts them insert by insert. The engine itself would only hide the rhythm."""

    def __init__(self) -> None:
        self.inserts: list[int] = []
        self.inserted = threading.Event()

    def insert(
        self, table: str, columns: Mapping[str, Sequence[object]], *, token: str = "", timeout_s: float = 60.0
    ) -> int:
        rows = len(next(iter(columns.values())))
        self.inserts.append(rows)
        self.inserted.set()
        return rows

    def close(self) -> None:
        pass


def _writer(store: Any, folder: Path) -> Writer:
    return Writer(lambda: cast(Store, store), folder / "spool", flush_interval_s=0.01)


def test_rows_that_come_one_by_one_are_inserted_together(tmp_path: Path) -> None:
    # Given a writer that has just inserted
    store = _Counting()
    began = time.monotonic()
    writer = _writer(store, tmp_path)
    writer.add("t", {"a": [0]})
    assert store.inserted.wait(120)
    # When 30 rows come, every 10 ms one, or on a busy machine more slowly
    for number in range(30):
        writer.add("t", {"a": [number]})
        time.sleep(0.01)
    assert writer.flush(120)
    assert writer.close()
    took_s = time.monotonic() - began
    # I expect all of them in a few inserts, after each of which the store rests, and not in one each
    assert sum(store.inserts) == 31
    assert len(store.inserts) <= 5 + took_s / LEAST_REST_S


def test_the_first_row_after_a_pause_does_not_wait(tmp_path: Path) -> None:
    store = _Counting()
    writer = _writer(store, tmp_path)
    writer.add("t", {"a": [0]})
    assert store.inserted.wait(120)  # nobody asked for it
    assert writer.close()


def test_who_asks_for_a_flush_does_not_wait_for_the_rest(tmp_path: Path) -> None:
    # Given a store that is at rest after a large insert
    store = _Counting()
    writer = _writer(store, tmp_path)
    writer.add("t", {"a": list(range(5_000))})
    assert store.inserted.wait(120)
    # When more comes, and somebody asks for it
    writer.add("t", {"a": [1]})
    assert writer.flush(120)
    # I expect it in the store
    assert sum(store.inserts) == 5_001
    assert writer.close()


def test_an_error_that_cost_rows_is_told_again_when_one_that_cost_none_is_over(tmp_path: Path) -> None:
    # Given a writer that has lost rows, and whose store is away
    class Away(_Counting):
        away = True

        def insert(self, *arguments: Any, **more: Any) -> int:
            if self.away:
                raise StoreUnavailable("it is away")
            return super().insert(*arguments, **more)

    store = Away()
    writer = _writer(store, tmp_path)
    writer.add("t", {"a": [0], "b": [0, 1]})
    lost = writer.stats().last_error
    assert lost.startswith("t: ")
    writer.add("t", {"a": [0]})
    assert writer.flush(0.3) is False
    deadline = time.monotonic() + PATIENCE_S
    while writer.stats().last_error != "StoreUnavailable: it is away":
        assert time.monotonic() < deadline, writer.stats()
        time.sleep(0.01)
    # When it is back, I expect that the rows that it never got are told of
    store.away = False
    assert writer.flush(120)
    assert (writer.stats().last_error, writer.stats().dropped_rows) == (lost, 2)
    writer.close()

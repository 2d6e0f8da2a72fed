"""The writer against a real store process: what goes in arrives once, or is counted."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from patience import PATIENCE_S
from relive_store import Store, StoreProcess, StoreUnavailable, Writer, open_store
from relive_store.spool.files import Spool
from relive_store.spool.writer import AWAY_TRIES

NOW = time.time_ns()


@pytest.fixture
def process(short_dir: Path) -> Iterator[StoreProcess]:
    made = StoreProcess(short_dir / "store", short_dir / "s.sock", log_path=short_dir / "log")
    made.start()
    store = open_store(made.url)
    store.migrate()
    store.close()
    yield made
    made.kill()


def _spans(start: int, count: int) -> dict[str, list[object]]:
    return {
        "Timestamp": [NOW + number for number in range(start, start + count)],
        "SpanId": [f"{number:016x}" for number in range(start, start + count)],
    }


def _writer(process: StoreProcess, folder: Path, **options: int) -> Writer:
    return Writer(lambda: open_store(process.url), folder / "spool", flush_interval_s=0.05, **options)


def _distinct(process: StoreProcess) -> tuple[object, ...]:
    store = open_store(process.url)
    found = store.query("SELECT count(), uniqExact(SpanId) FROM otel_traces")
    store.close()
    return next(found.rows())


def test_what_is_added_arrives_and_the_spool_is_empty(process: StoreProcess, short_dir: Path) -> None:
    writer = _writer(process, short_dir)
    for start in range(0, 20_000, 100):
        writer.add("otel_traces", _spans(start, 100))
    assert writer.flush(120)
    stats = writer.stats()
    assert (stats.written_rows, stats.dropped_rows, stats.spooled_rows, stats.lag_s) == (20_000, 0, 0, 0.0)
    assert _distinct(process) == (20_000, 20_000)
    assert writer.close()
    assert not list((short_dir / "spool").glob("*.batch"))


def test_nothing_is_lost_while_the_store_is_down(process: StoreProcess, short_dir: Path) -> None:
    # Given a store that is killed
    writer = _writer(process, short_dir)
    writer.add("otel_traces", _spans(0, 1_000))
    assert writer.flush(120)
    process.kill()
    # When rows come meanwhile, I expect that add does not wait and that they are on disk
    writer.add("otel_traces", _spans(1_000, 1_000))  # nobody starts the store: it would wait for ever
    assert writer.spooled(120)
    assert writer.flush(0.5) is False
    deadline = time.monotonic() + PATIENCE_S
    while not writer.stats().last_error:
        assert time.monotonic() < deadline
    stats = writer.stats()
    assert (stats.spooled_rows, stats.buffered_rows, stats.dropped_rows) == (1_000, 0, 0)
    assert "StoreUnavailable" in stats.last_error
    assert stats.lag_s > 0
    # And when the store is back, that they arrive
    process.start()
    assert writer.flush(120)
    assert _distinct(process) == (2_000, 2_000)
    # And nothing is said to be wrong any more
    assert writer.stats().last_error == ""
    writer.close()


def test_a_new_writer_delivers_what_the_old_one_left(process: StoreProcess, short_dir: Path) -> None:
    process.kill()
    old = _writer(process, short_dir)
    old.add("otel_traces", _spans(0, 500))
    assert old.spooled(120)
    assert old.close(0.3) is False
    process.start()
    new = _writer(process, short_dir)
    assert new.flush(120)
    assert _distinct(process) == (500, 500)
    new.close()


def test_a_batch_that_was_inserted_but_not_removed_is_not_there_twice(
    process: StoreProcess, short_dir: Path
) -> None:
    # Given a writer whose acknowledgement is lost
    lost: list[str] = []

    class Forgetful:
        def __init__(self, store: Store) -> None:
            self._store = store

        def insert(
            self, table: str, columns: dict[str, list[object]], *, token: str, timeout_s: float
        ) -> int:
            rows = self._store.insert(table, columns, token=token, timeout_s=timeout_s)
            if not lost:
                lost.append(token)
                raise StoreUnavailable("the answer was lost")
            return rows

        def close(self) -> None:
            self._store.close()

    writer = Writer(lambda: Forgetful(open_store(process.url)), short_dir / "spool")  # type: ignore[arg-type,return-value]
    writer.add("otel_traces", _spans(0, 500))
    assert writer.flush(120)
    # I expect that the replay did nothing
    assert lost
    assert _distinct(process) == (500, 500)
    writer.close()


def test_a_corrupt_spool_file_is_moved_aside_and_counted(process: StoreProcess, short_dir: Path) -> None:
    # Given three batches on disk, of which two are damaged
    process.kill()
    old = _writer(process, short_dir)
    for start in (0, 100, 200):
        old.add("otel_traces", _spans(start, 100))
        assert old.spooled(120)
    old.close(0.1)
    first, second, _ = sorted((short_dir / "spool").glob("*.batch"))
    first.write_bytes(first.read_bytes()[:-10])
    data = bytearray(second.read_bytes())
    data[100] ^= 0xFF
    second.write_bytes(data)
    (short_dir / "spool" / "nonsense.batch").write_bytes(b"x")
    # When a writer replays them
    process.start()
    new = _writer(process, short_dir)
    assert new.flush(120)
    # I expect the whole one in the store and the others counted and kept
    assert _distinct(process) == (100, 100)
    assert new.stats().dropped_rows == 200
    assert len(list((short_dir / "spool" / "bad").iterdir())) == 3
    new.close()


def test_over_the_spool_limit_the_oldest_goes_first_and_is_counted(
    process: StoreProcess, short_dir: Path
) -> None:
    process.kill()
    writer = _writer(process, short_dir, spool_limit_bytes=40_000)
    for start in range(0, 5_000, 500):
        writer.add("otel_traces", _spans(start, 500))
        assert writer.spooled(120)
    stats = writer.stats()
    assert stats.spooled_bytes <= 40_000
    assert stats.dropped_rows > 0
    assert stats.dropped_rows + stats.spooled_rows == 5_000
    process.start()
    assert writer.flush(120)
    store = open_store(process.url)
    newest = store.query("SELECT max(SpanId) FROM otel_traces").scalar()
    assert newest == f"{4_999:016x}"
    store.close()
    writer.close()


def test_rows_that_the_store_refuses_do_not_hold_up_the_others(
    process: StoreProcess, short_dir: Path
) -> None:
    writer = _writer(process, short_dir)
    writer.add("otel_traces", {"NoSuchColumn": [1, 2]})
    writer.add("otel_traces", {"Timestamp": [1], "TraceId": ["a", "b"]})
    writer.add("otel_traces", {"Timestamp": [object()]})
    writer.add("otel_traces", {"Timestamp": [NOW], "SpanId": ["lone \ud800"]})
    writer.add("otel_traces", _spans(0, 10))
    assert writer.flush(120)
    stats = writer.stats()
    assert (stats.written_rows, stats.dropped_rows) == (11, 5)
    assert _distinct(process) == (11, 11)
    writer.close()


def test_a_full_buffer_drops_and_counts(process: StoreProcess, short_dir: Path) -> None:
    writer = Writer(
        lambda: open_store(process.url),
        short_dir / "spool",
        flush_interval_s=60,
        flush_rows=10**9,
        buffer_rows=100,
    )
    writer.add("otel_traces", _spans(0, 80))
    writer.add("otel_traces", _spans(80, 80))
    assert writer.stats().dropped_rows == 80
    assert writer.close()
    writer.add("otel_traces", _spans(160, 5))
    assert writer.stats().dropped_rows == 85
    assert _distinct(process) == (80, 80)


def test_a_row_that_the_store_refuses_costs_no_other(process: StoreProcess, short_dir: Path) -> None:
    # Given a time that no column can hold, as a hostile worker may send it
    writer = _writer(process, short_dir)
    rows = _spans(0, 1_000)
    rows["Timestamp"][321] = (1 << 63) + 5

    # When it is written among others
    writer.add("otel_traces", rows)
    assert writer.flush(120)

    # I expect all others in the store, and the batch kept to be looked at
    stats = writer.stats()
    writer.close()
    assert _distinct(process) == (999, 999)
    assert (stats.written_rows, stats.dropped_rows) == (999, 1)
    assert len(list((short_dir / "spool" / "bad").iterdir())) == 1


def test_who_ends_does_not_wait_for_a_store_that_is_away(short_dir: Path) -> None:
    # Given rows for a store that has refused several times
    writer = Writer(_nobody_there, short_dir / "spool", flush_interval_s=0.01)
    writer.add("otel_traces", _spans(0, 1))
    limit = time.monotonic() + PATIENCE_S
    while writer._tries < AWAY_TRIES:
        assert time.monotonic() < limit, writer.stats()
        time.sleep(0.01)

    # When it is closed with more time than any test has
    began = time.monotonic()
    assert not writer.close(10 * PATIENCE_S)

    # I expect it to end at once, with the rows on disk
    assert time.monotonic() - began < PATIENCE_S
    assert Spool(short_dir / "spool", 1 << 30).rows == 1


def _nobody_there() -> Store:
    raise StoreUnavailable("no connection")

"""A migration that computes something of rows does it in pieces, and goes on where it was cut off."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

import pytest
from relive_capture.explore.failures import FailureFilter, page
from relive_store import QueryTimeout, Store, StoreUnavailable
from relive_store.tables.schema import Migration, load_migrations, migrate

DAY_NS = 86_400 * 10**9
NOW = time.time_ns() // DAY_NS * DAY_NS
SUM = "SELECT sum(Attempts), sum(Failed), sum(DurationNs) FROM invocations_1m"
PIECES = "SELECT count() FROM system.tables WHERE database = currentDatabase() AND name = 'schema_pieces'"


class Failing:
    """A store whose backfill fails after `cut` pieces, or is too slow for pieces above `longest_ns`."""

    def __init__(self, store: Store, cut: int = 1_000, longest_ns: int = DAY_NS) -> None:
        self._store = store
        self._cut, self._longest_ns = cut, longest_ns
        self.pieces: list[tuple[int, int]] = []
        self.slow = 0

    def execute(self, sql: str, parameters: Mapping[str, Any] | None = None, **limits: Any) -> None:
        if sql.startswith("INSERT INTO invocations_1m"):
            assert parameters is not None
            if len(self.pieces) >= self._cut:
                raise StoreUnavailable("cut off")
            if parameters["end"] - parameters["begin"] > self._longest_ns:
                if not self.slow:  # some of it may be there
                    self._store.execute(sql, parameters, **limits)
                self.slow += 1
                raise QueryTimeout("too slow")
            self.pieces.append((parameters["begin"], parameters["end"]))
        self._store.execute(sql, parameters, **limits)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)


def _again(number: int) -> list[Migration]:
    """The backfill of the minutes, once more."""
    known = load_migrations()
    statements = next(one.statements for one in known if one.name == "0010_platform_metrics")
    at = next(index for index, text in enumerate(statements) if text.startswith("DROP VIEW"))
    return [*known, Migration(number, f"{number:04d}_again", statements[at:])]


def test_a_backfill_goes_on_where_it_was_cut_off(store: Store, caplog: pytest.LogCaptureFixture) -> None:
    # Given invocations of three days
    count = 300
    at = [NOW - n * DAY_NS // 100 for n in range(count)]
    rows: dict[str, list[Any]] = {
        "InvocationId": [f"i{n}" for n in range(count)],
        "StartedAt": at,
        "Status": ["error" if n % 4 == 0 else "ok" for n in range(count)],
        "DurationNs": list(range(count)),
        "RecordVersion": at,
    }
    store.insert("invocations", rows)
    expected = [(count, count // 4, sum(range(count)))]
    assert list(store.query(SUM).rows()) == expected
    # When their minutes are computed anew, and that is cut off after two days
    failing = Failing(store, cut=2)
    with pytest.raises(StoreUnavailable):
        migrate(failing, _again(901))
    assert len(failing.pieces) == 2
    # ... and something of the next one had been written
    third = {"begin": failing.pieces[1][1], "end": failing.pieces[1][1] + DAY_NS}
    backfill = next(text for text in _again(901)[-1].statements if text.startswith("INSERT"))
    store.execute(backfill, third)
    # I expect the next start to do the others alone, each once
    going_on = Failing(store)
    caplog.clear()
    assert migrate(going_on, _again(901)) == ["0901_again"]
    assert not set(going_on.pieces) & set(failing.pieces)
    said = [text for text in caplog.messages if text.startswith("migration 0901: invocations_1m of ")]
    assert [text.partition(", ")[2].partition(", in")[0] for text in said] == ["day 3 of 4", "day 4 of 4"]
    assert len(going_on.pieces) == 2  # the earliest begins at midnight: it is of another day
    assert list(store.query(SUM).rows()) == expected
    assert store.query(PIECES).scalar() == 0
    # ... and what takes too long to be halved until it does not
    slow = Failing(store, longest_ns=DAY_NS // 2)
    migrate(slow, _again(902))
    assert {end - begin for begin, end in slow.pieces} == {DAY_NS // 2}
    assert list(store.query(SUM).rows()) == expected
    # ... and all of it anew if somebody has recorded more in between
    with pytest.raises(StoreUnavailable):
        migrate(Failing(store, cut=2), _again(903))
    more: dict[str, list[Any]] = {
        "InvocationId": ["late"],
        "StartedAt": [at[-1]],
        "Status": ["ok"],
        "RecordVersion": [NOW + 1],
    }
    store.insert("invocations", more)
    migrate(store, _again(903))
    assert store.query("SELECT sum(Attempts) FROM invocations_1m").scalar() == count + 1


def test_failures_of_before_are_found_by_time(store: Store) -> None:
    # Given failures that were recorded before their order by time was kept
    store.execute("ALTER TABLE failure_scenes DROP PROJECTION by_time SETTINGS mutations_sync = 1")
    rows: dict[str, list[Any]] = {
        "InvocationId": [f"i{n}" for n in range(300)],
        "Attempt": [1] * 300,
        "CapturedAt": [NOW - n * 10**9 for n in range(300)],
        "Function": [f"f{n % 7}" for n in range(300)],
        "SizeBytes": list(range(300)),
    }
    store.insert("failure_scenes", rows)
    before = page(store, FailureFilter(), 20)
    # When the migration comes, and more of them
    statements = next(one for one in load_migrations() if one.name == "0014_failures_by_time").statements
    migrate(store, [*load_migrations(), Migration(901, "0901_again", statements)])
    store.insert("failure_scenes", {name: values[:5] for name, values in rows.items()})  # a replayed spool
    store.execute("OPTIMIZE TABLE failure_scenes FINAL")
    # I expect the same newest ones
    assert page(store, FailureFilter(), 20) == before
    assert [row.invocation_id for row in before] == [f"i{n}" for n in range(20)]
    assert store.query("SELECT count() FROM failure_scenes").scalar() == 300

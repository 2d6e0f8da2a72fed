"""Copies of databases that are in use: of one moment, with what comes meanwhile, and within a limit."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from relive_platform.durable.committer import Committer
from relive_platform.durable.copying import CopyFailed, SourceUnusable, copy_database
from relive_platform.durable.model import CommitLimits, QueueError, SystemClock

ROWS = 3_000  # of 4 KiB: several steps


def committer(path: Path) -> Committer:
    made = Committer(path, SystemClock(), CommitLimits(ballast_bytes=0))
    made.db.execute("CREATE TABLE t (n INTEGER, data BLOB)")
    made.db.execute("BEGIN")
    made.db.executemany("INSERT INTO t VALUES (?, zeroblob(4000))", [(n,) for n in range(ROWS)])
    made.db.execute("COMMIT")
    made.start()
    return made


def test_commits_go_on_while_a_file_is_copied_and_are_in_the_copy(tmp_path: Path) -> None:
    made = committer(tmp_path / "a.db")
    done: list[int] = []

    def wanted() -> bool:  # asked in the file's thread, between two steps
        done.append(len(done))
        made.submit(lambda: made.db.execute("INSERT INTO t VALUES (-1, 'later')"))
        return True

    made.copy(tmp_path / "b.db", 60.0, wanted).result(60.0)

    with closing(sqlite3.connect(tmp_path / "b.db")) as copy:
        assert copy.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        assert copy.execute("SELECT count(*) FROM t WHERE n >= 0").fetchone() == (ROWS,)
        # the last one came after the last look between steps
        assert copy.execute("SELECT count(*) FROM t WHERE n = -1").fetchone() == (len(done) - 1,)
    assert len(done) > 3
    made.close()


def test_a_copy_ends_when_nobody_waits_for_it_or_the_file_is_closed(tmp_path: Path) -> None:
    made = committer(tmp_path / "a.db")
    with pytest.raises(QueueError, match="nobody waits"):
        made.copy(tmp_path / "b.db", 60.0, lambda: False).result(60.0)
    assert made.submit(lambda: 7).result(60.0) == 7  # the file goes on

    closing_it = threading.Thread(target=made.close)

    def wanted() -> bool:
        if closing_it.ident is None:
            closing_it.start()
        return True

    found = made.copy(tmp_path / "c.db", 60.0, wanted)
    assert found.exception(60.0) is None or isinstance(found.exception(), QueueError)
    closing_it.join()
    with pytest.raises(QueueError, match="is closed"):
        made.copy(tmp_path / "d.db", 60.0).result(60.0)


class Watched(sqlite3.Connection):
    """`meanwhile` is called after each step of a copy."""

    meanwhile: Callable[[], object]

    def backup(  # type: ignore[override]
        self, target: sqlite3.Connection, *, progress: Callable[..., None], **more: Any
    ) -> None:
        def stepped(*told: int) -> None:
            self.meanwhile()
            progress(*told)

        super().backup(target, progress=stepped, **more)


def test_a_file_that_another_writes_all_the_time_is_copied_as_it_was_at_one_moment(tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    with (
        closing(sqlite3.connect(path, isolation_level=None)) as other,
        closing(sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True, factory=Watched)) as source,
    ):
        other.execute("PRAGMA journal_mode = WAL")
        other.execute("CREATE TABLE t (id INTEGER PRIMARY KEY, n INTEGER, data BLOB)")
        other.execute("BEGIN")
        other.executemany("INSERT INTO t VALUES (?, 0, zeroblob(4000))", [(n,) for n in range(ROWS)])
        other.execute("COMMIT")
        written = "UPDATE t SET n = n + 1 WHERE id IN (0, ?)"
        source.meanwhile = lambda: other.execute(written, (ROWS - 1,))

        copy_database(source, tmp_path / "b.db", 60.0)

        ends = "SELECT n FROM t WHERE id IN (0, ?)"
        assert other.execute(ends, (ROWS - 1,)).fetchone()[0] > 3  # steps
    with closing(sqlite3.connect(tmp_path / "b.db")) as copy:
        assert copy.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        assert copy.execute(ends, (ROWS - 1,)).fetchall() == [(0,), (0,)]


def test_what_is_no_database_is_told_from_a_disk_that_is_full(tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    path.write_bytes(b"no database" * 1000)
    with closing(sqlite3.connect(path)) as source, pytest.raises(SourceUnusable, match="not a database"):
        copy_database(source, tmp_path / "b.db", 60.0)
    with closing(sqlite3.connect(":memory:")) as source, pytest.raises(CopyFailed) as found:
        copy_database(source, tmp_path / "nowhere" / "b.db", 60.0)
    assert not isinstance(found.value, SourceUnusable)


def test_a_file_that_another_has_locked_is_given_up_within_the_limit(tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("CREATE TABLE t (n)")
        other.execute("PRAGMA locking_mode = EXCLUSIVE")
        other.execute("BEGIN EXCLUSIVE")
        with (
            closing(sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True, timeout=0.0)) as source,
            pytest.raises(CopyFailed, match=r"not copied within 0\.05 s: another process has it locked"),
        ):
            copy_database(source, tmp_path / "b.db", 0.05)

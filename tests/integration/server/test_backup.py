"""A home in one file, and the same home made of it."""

from __future__ import annotations

from fresh_process import in_a_fresh_process


@in_a_fresh_process
def test_a_backup_restored_into_an_empty_home_shows_the_same() -> None:
    import sqlite3
    import tarfile
    import tempfile
    import time
    from concurrent.futures import ThreadPoolExecutor
    from pathlib import Path

    import pytest
    from relive_base.errors import Refused, ReliveError
    from relive_platform.server.backup import restore_backup, write_backup
    from relive_store import Store, StoreProcess, open_store

    sql = """
    SELECT (SELECT groupArray(InvocationId) FROM (SELECT * FROM invocations ORDER BY InvocationId)),
        (SELECT sum(toUnixTimestamp64Nano(StartedAt)) FROM invocations),
        (SELECT sum(Attempts) FROM invocations_1m), (SELECT count() FROM otel_logs WHERE Body = 'hello')
    """

    def rows(store: Store) -> list[tuple[object, ...]]:
        return list(store.query(sql).rows())

    with tempfile.TemporaryDirectory(prefix="rlb") as name:
        base = Path(name)
        home, other, file = base / "home", base / "other", base / "b.tar"
        # Given a home whose store runs, with files, a database in use, and rows of two days
        for folder in ("run", "scenes/cache", "code/f/1", "cache/uv", "spool-otlp"):
            (home / folder).mkdir(parents=True)
        (home / "scenes" / "a.scene").write_bytes(b"scene")
        for made_again in ("scenes/cache/a.heap", "cache/uv/wheel", "spool-otlp/1.batch"):
            (home / made_again).write_bytes(b"made again")
        (home / "code/f/1/app.py").write_text("x = 1\n")
        (home / "code/f/1/poetry.lock").write_text("of the user's")
        (home / "code/f/1/some.db").write_bytes(b"no SQLite")
        (home / "code/f/1/link.py").symlink_to("app.py")
        (home / "code/f/1").chmod(0o555)
        (home / "run" / "token").write_text("secret")
        database = sqlite3.connect(home / "events.db")
        database.execute("PRAGMA journal_mode = WAL")
        database.execute("CREATE TABLE t (n)")
        database.execute("INSERT INTO t VALUES (7)")
        database.commit()
        users = {}
        for name in ("busy", "locked"):  # of functions: one with what is in its WAL alone, one that is locked
            (home / "databases" / name).mkdir(parents=True)
            users[name] = sqlite3.connect(home / "databases" / name / "database.db", isolation_level=None)
            users[name].execute("PRAGMA journal_mode = WAL")
            users[name].execute("CREATE TABLE t AS SELECT 8 AS n")
            (home / "databases" / name / "database.db").chmod(0o666)
        users["locked"].execute("PRAGMA locking_mode = EXCLUSIVE")
        users["locked"].execute("INSERT INTO t VALUES (9)")
        process = StoreProcess(home / "store", home / "run" / "s.sock", log_path=home / "run" / "log")
        process.start()
        store = open_store(process.url)
        store.migrate()
        now = time.time_ns()
        ids = [f"id-{n}" for n in range(500)]
        starts = [now - n * 400_000_000_000 for n in range(500)]
        store.insert("invocations", {"InvocationId": ids, "StartedAt": starts})
        store.insert("otel_logs", {"Timestamp": starts[:9], "Body": ["hello"] * 9})
        before = rows(store)
        # When it is backed up, and goes on
        told = write_backup(home, store, file, limit_s=0.1)
        assert told.in_use == ("databases/locked/database.db",)
        store.insert("invocations", {"InvocationId": ["later"], "StartedAt": [now]})
        with pytest.raises(Refused):
            write_backup(home, store, file)
        # ... and of two at once under one name one is made, and the other says so
        both = base / "both.tar"
        with ThreadPoolExecutor(2) as pool:
            made = [pool.submit(write_backup, home, store, both, limit_s=0.1) for _ in range(2)]
            outcomes = [one.exception() for one in made]
        assert outcomes.count(None) == 1
        assert [type(one) for one in outcomes if one is not None] == [Refused]
        assert both.exists()
        assert list(base.glob("*.part")) == []
        store.close()
        process.stop()
        # ... a restore that is refused leaves nothing in its target
        (base / "full").mkdir()
        (base / "full" / "mine").touch()
        (base / "no.tar").write_bytes(file.read_bytes()[:512])
        with tarfile.open(file) as tar:
            last = tar.getmembers()[-1].offset
        for cut, size in (("half", last + 600), ("between", last), ("header", last + 100)):
            (base / f"{cut}.tar").write_bytes(file.read_bytes()[:size])
        (base / "damaged.tar").write_bytes(file.read_bytes()[:last] + b"x" * 20_000)
        (base / "used" / "run").mkdir(parents=True)
        (base / "used" / "mine").touch()
        (base / "used").chmod(0o700)
        cut_off = ((base / f"{name}.tar", "fresh") for name in ("no", "half", "between", "header", "damaged"))
        refused = ((file, "full"), (file, "used"), *cut_off)
        for backup, target in ((backup, base / name) for backup, name in refused):
            with pytest.raises(ReliveError):
                restore_backup(backup, target)
        assert [entry.name for entry in (base / "full").iterdir()] == ["mine"]
        assert not (base / "fresh").exists()
        assert not list((base / "used" / "run").iterdir())
        assert told.tables >= 4
        assert file.stat().st_mode & 0o777 == 0o600
        assert not list((home / "store" / "data" / "shadow").glob("backup_*"))
        # I expect a home made of it to have all of that, and nothing of what came later
        restore_backup(file, other)
        process = StoreProcess(other / "store", other / "run" / "s.sock", log_path=other / "run" / "log")
        process.start()
        store = open_store(process.url)
        assert rows(store) == before
        store.insert(
            "invocations", {"InvocationId": ["new"], "StartedAt": [now]}
        )  # it goes on, with its views
        assert store.query("SELECT sum(Attempts) FROM invocations_1m").scalar() == 501
        store.close()
        process.stop()
        assert (other / "scenes" / "a.scene").read_bytes() == b"scene"
        assert (other / "code/f/1/link.py").resolve() == (other / "code/f/1/app.py").resolve()
        assert (other / "code/f/1/poetry.lock").read_text() == "of the user's"
        assert (other / "code/f/1/some.db").read_bytes() == b"no SQLite"
        assert (other / "code/f/1").stat().st_mode & 0o777 == 0o555
        assert not (other / "run" / "token").exists()
        for made_again in ("scenes/cache", "cache", "spool-otlp"):
            assert not (other / made_again).exists()
        assert sqlite3.connect(other / "events.db").execute("SELECT n FROM t").fetchall() == [(7,)]
        for name, rows_there in (("busy", [(8,)]), ("locked", [(8,), (9,)])):
            there = other / "databases" / name / "database.db"
            assert there.stat().st_mode & 0o777 == 0o666
            assert there.with_name("database.db-wal").exists() == (name == "locked")
            assert sqlite3.connect(there).execute("SELECT n FROM t").fetchall() == rows_there
        for one in (database, *users.values()):
            one.close()

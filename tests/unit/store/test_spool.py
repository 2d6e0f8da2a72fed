"""The spool: what was put at once is there as a whole, with its mark; and it has one owner."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from relive_store.spool.files import Batch, Mark, Spool, SpoolInUse, own_spool

LIMIT = 1 << 20


def batch(table: str, rows: int = 1) -> Batch:
    return Batch(table, rows, b"\x80")


def test_one_file_has_all_tables_and_the_mark(tmp_path: Path) -> None:
    # Given rows of two tables that were put at once
    spool = Spool(tmp_path, LIMIT)
    spool.put([batch("invocations", 3), batch("otel_logs", 4)], Mark(7, rows=12))
    # When another process adopts the folder
    later = Spool(tmp_path, LIMIT)
    # I expect both tables in one file, and the mark
    name = later.take()
    assert [(part.table, part.rows) for part in later.read(name)] == [("invocations", 3), ("otel_logs", 4)]
    assert later.rows == 7
    assert later.mark(7) == Mark(7, rows=12)


def test_a_mark_outlives_the_file_it_came_with(tmp_path: Path) -> None:
    spool = Spool(tmp_path, LIMIT)
    spool.put([batch("otel_logs")], Mark(7, rows=12))
    spool.put([batch("failure_scenes")], Mark(7, scenes=3))
    while name := spool.take():
        spool.remove(name)
    assert Spool(tmp_path, LIMIT).mark(7) == Mark(7, rows=12, scenes=3)
    spool.forget(7)
    assert Spool(tmp_path, LIMIT).mark(7) == Mark(7)


def test_a_mark_is_in_the_name_of_its_file_should_its_own_be_missing(tmp_path: Path) -> None:
    # Given a process that was killed between the file and the mark beside it
    spool = Spool(tmp_path, LIMIT)
    spool.put([batch("otel_logs")], Mark(0xAB, rows=5))
    (tmp_path / "ab.mark").unlink()
    assert Spool(tmp_path, LIMIT).mark(0xAB) == Mark(0xAB, rows=5)


def test_a_spool_has_one_owner_and_is_free_again_when_that_is_killed(tmp_path: Path) -> None:
    # Given a process that owns it
    code = f"""
import sys, time
from pathlib import Path
from relive_store import own_spool
handle = own_spool(Path({str(tmp_path)!r}))
print("mine", flush=True)
time.sleep(600)
"""
    owner = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    assert owner.stdout is not None
    assert owner.stdout.readline() == "mine\n"
    # When another one wants it, I expect to hear who has it
    with pytest.raises(SpoolInUse, match=str(owner.pid)):
        own_spool(tmp_path)
    os.kill(owner.pid, signal.SIGKILL)
    owner.wait()
    os.close(own_spool(tmp_path))


def test_a_mark_that_the_disk_has_lost_keeps_nothing_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given the marks of two runs, one of which is on a bad sector
    spool = Spool(tmp_path, LIMIT)
    for run in (7, 8):
        spool.put([batch("otel_logs")], Mark(run, rows=5))
    reads = Path.read_bytes

    def read(path: Path) -> bytes:
        if path.name == "7.mark":
            raise OSError(errno.EIO, "Input/output error")
        return reads(path)

    monkeypatch.setattr(Path, "read_bytes", read)
    while name := spool.take():
        spool.remove(name)
    spool.put([batch("otel_logs")])
    # When another process adopts the folder, I expect the rest of it
    later = Spool(tmp_path, LIMIT)
    assert (later.mark(8), later.mark(7), later.rows) == (Mark(8, rows=5), Mark(7), 1)
    # ... but one that has no descriptor left for now not to take it for lost
    monkeypatch.setattr(Path, "read_bytes", lambda path: (_ for _ in ()).throw(OSError(errno.EMFILE, "")))
    with pytest.raises(OSError, match="24"):
        Spool(tmp_path, LIMIT)

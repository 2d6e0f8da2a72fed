"""The store process: ownership, crashes, and what survives them."""

from __future__ import annotations

import os
import signal
import socket
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from import_cost import cost_and_modules, share_of_yardstick
from relive_store import QueryError, StoreProcess, StoreUnavailable, open_store
from relive_store.__main__ import NICENESS
from relive_store.process.client import UnixStore

NOW = time.time_ns()
ROWS, BLOCK = 200_000, 5_000


@pytest.fixture
def process(short_dir: Path) -> Iterator[StoreProcess]:
    made = StoreProcess(short_dir / "store", short_dir / "s.sock", log_path=short_dir / "log")
    made.start()
    yield made
    made.kill()


def test_every_acknowledged_row_is_there_once_after_kill_9(process: StoreProcess) -> None:
    # Given a load of 200,000 rows in blocks with tokens
    client = open_store(process.url)
    client.migrate()
    acknowledged: set[int] = set()
    doubtful: set[int] = set()
    under_way, killed = threading.Event(), threading.Event()

    def load(first: int) -> None:
        mine = open_store(process.url)
        for start in range(first, ROWS, 2 * BLOCK):
            assert start < ROWS * 3 // 4 or killed.wait(120)  # else all of it may be over before the kill
            try:
                mine.insert("otel_traces", _spans(start), token=f"load-{start}")
            except StoreUnavailable:
                doubtful.add(start)
            else:
                acknowledged.add(start)
            if len(acknowledged) >= 8:
                under_way.set()

    threads = [threading.Thread(target=load, args=(first,)) for first in (0, BLOCK)]
    for thread in threads:
        thread.start()
    # When the process is killed in the middle of it
    assert under_way.wait(60)
    process.kill()
    killed.set()
    for thread in threads:
        thread.join(60)
    assert doubtful
    process.start()
    # I expect every acknowledged row once
    for start in acknowledged:
        assert _count(client, start) == BLOCK
    # And when everything that was not acknowledged is sent again, all rows once
    for start in doubtful:
        client.insert("otel_traces", _spans(start), token=f"load-{start}")
    found = client.query("SELECT count(), uniqExact(SpanId), max(Duration) FROM otel_traces")
    assert next(found.rows()) == (ROWS, ROWS, ROWS - 1)
    client.close()


@pytest.mark.parametrize("table", ["otel_traces", "otel_traces_trace_id_ts", "otel_traces_red_1m"])
def test_rows_cut_off_between_the_engines_note_and_their_part_are_taken_again(
    process: StoreProcess, table: str
) -> None:
    # Given two blocks, and of the second one what a kill leaves: it is noted, and its part has no name yet
    client = open_store(process.url)
    client.migrate()
    client.execute(f"SYSTEM STOP MERGES {table}")
    for start in (0, BLOCK):
        client.insert("otel_traces", _spans(start), token=f"load-{start}")
    last = "SELECT argMax(path, min_block_number) FROM system.parts WHERE table = {t:String} AND active"
    part = Path(str(client.query(last, {"t": table}).scalar()))
    process.stop()
    assert part.parent.parent.parent.parent == process.directory / "data"
    part.rename(part.with_name(f"tmp_insert_{part.name}"))
    process.start()
    # When both are sent again
    for start in (0, BLOCK):
        client.insert("otel_traces", _spans(start), token=f"load-{start}")
    # I expect every row once, in what is derived from them, too
    found = client.query("SELECT count(), uniqExact(SpanId) FROM otel_traces")
    assert next(found.rows()) == (2 * BLOCK, 2 * BLOCK)
    assert client.query("SELECT uniqExact(TraceId) FROM otel_traces_trace_id_ts").scalar() == 2 * BLOCK
    assert client.query("SELECT sum(Spans) FROM otel_traces_red_1m").scalar() == 2 * BLOCK
    # And that merged ones are known as well
    client.execute("OPTIMIZE TABLE otel_traces FINAL")
    process.stop()
    process.start()
    client.insert("otel_traces", _spans(0), token="load-0")
    assert client.query("SELECT count() FROM otel_traces").scalar() == 2 * BLOCK
    assert client.query("SELECT sum(Spans) FROM otel_traces_red_1m").scalar() == 2 * BLOCK
    client.close()


def _spans(start: int) -> dict[str, list[object]]:
    numbers = range(start, start + BLOCK)
    return {
        "Timestamp": [NOW + number for number in numbers],
        "SpanId": [f"{number:016x}" for number in numbers],
        "TraceId": [f"{number:032x}" for number in numbers],
        "Duration": list(numbers),
    }


def _count(client: object, start: int) -> object:
    assert isinstance(client, UnixStore)
    where = {"first": start, "end": start + BLOCK}
    sql = "SELECT count() FROM otel_traces WHERE Duration >= {first:UInt64} AND Duration < {end:UInt64}"
    return client.query(sql, where).scalar()


def test_a_second_owner_is_refused_by_name(process: StoreProcess, short_dir: Path) -> None:
    second = StoreProcess(short_dir / "store", short_dir / "other.sock", log_path=short_dir / "log2")
    with pytest.raises(StoreUnavailable, match=f"in use by process {process.pid}"):
        second.start()
    assert not second.alive


def test_the_socket_is_for_its_owner_alone(process: StoreProcess) -> None:
    assert stat.S_IMODE(process.socket_path.stat().st_mode) == 0o600


def test_the_process_has_the_engine_without_what_its_package_brings(process: StoreProcess) -> None:
    mapped = Path(f"/proc/{process.pid}/maps").read_text()
    assert "/_chdb" in mapped
    assert not [name for name in ("pyarrow", "numpy") if name in mapped]


def test_dates_are_read_though_no_table_of_them_is_made(process: StoreProcess) -> None:
    sql = "SELECT toDate('2149-06-06'), toDate32('1900-01-01'), toDate32(NULL), [toDate('1970-01-01')]"
    client = open_store(process.url)
    assert next(client.query(sql).rows()) == ("2149-06-06", "1900-01-01", None, ["1970-01-01"])
    client.close()


def test_the_process_stands_back_once_it_is_ready_with_all_its_threads(process: StoreProcess) -> None:
    # Given a process that has listened, but has no tables yet: somebody waits for it
    ours = os.getpriority(os.PRIO_PROCESS, 0)
    assert max(_priorities(process.pid)) == ours
    # When it is ready
    client = open_store(process.url)
    client.migrate()
    # I expect it to be nicer than we are, the engine's own threads too
    wanted = {min(ours + NICENESS, 19)}
    _until(lambda: _priorities(process.pid) == wanted)
    client.query("SELECT sum(number) FROM numbers(1000000)")
    assert _priorities(process.pid) == wanted
    client.close()


def _priorities(pid: int) -> set[int]:
    """Niceness of every thread."""
    found = set()
    for thread in Path(f"/proc/{pid}/task").iterdir():
        with suppress(OSError):
            found.add(os.getpriority(os.PRIO_PROCESS, int(thread.name)))
    return found


def _until(condition: Callable[[], bool], limit_s: float = 120.0) -> None:
    deadline = time.monotonic() + limit_s
    while not condition():
        assert time.monotonic() < deadline, f"not within {limit_s} s"
        time.sleep(0.02)


def test_why_it_did_not_start_is_said_in_a_line_without_a_traceback(short_dir: Path) -> None:
    # Given a folder that is no store: the engine finds a file where it wants a folder
    (short_dir / "store").mkdir()
    (short_dir / "store" / "data").write_text("damaged")
    (short_dir / "store" / "metadata").write_text("damaged")
    made = StoreProcess(short_dir / "store", short_dir / "s.sock", log_path=short_dir / "log")
    # When it is started
    with pytest.raises(StoreUnavailable) as caught:
        made.start()
    # I expect the reason, on few lines, and no raw traceback
    assert "the store's process" in caught.value.message
    assert "Traceback" not in caught.value.message
    assert caught.value.message.rstrip(": ") == caught.value.message


def test_a_folder_that_the_engine_cannot_open_is_told_with_what_to_do(short_dir: Path) -> None:
    # Given a store with a table whose definition was damaged
    directory = short_dir / "store"
    made = StoreProcess(directory, short_dir / "s.sock", log_path=short_dir / "log")
    made.start()
    store = open_store(made.url)
    store.migrate()
    store.close()
    made.stop()
    definition = next(path for path in directory.rglob("invocations.sql") if path.is_file())
    definition.write_text("garbage")
    # When it is started
    with pytest.raises(StoreUnavailable) as caught:
        made.start()
    # I expect it to be named as damaged, and the way on; nothing of the engine's codes
    told = caught.value.message
    assert f"{directory}: the store's folder is damaged or unreadable" in told
    assert f"mv {directory} {directory}.damaged" in told
    assert "EmbeddedServer" not in told
    # ... and that to work
    directory.rename(f"{directory}.damaged")
    made.start()
    made.stop()


def test_a_process_that_says_nothing_has_a_reason_too(short_dir: Path) -> None:
    made = StoreProcess(short_dir / "store", short_dir / "s.sock", log_path=short_dir / "log")
    made.launch()
    os.kill(made.pid, signal.SIGKILL)

    def answers() -> None:
        while not made.answers():
            time.sleep(0.01)

    with pytest.raises(StoreUnavailable, match="was ended by SIGKILL: it has written nothing to log"):
        answers()


def test_a_client_goes_on_after_a_restart(process: StoreProcess) -> None:
    client = open_store(process.url)
    assert client.query("SELECT 1").scalar() == 1
    process.kill()
    with pytest.raises(StoreUnavailable, match="relive serve"):
        client.query("SELECT 1")
    process.start()
    assert client.query("SELECT 1").scalar() == 1
    client.close()


def test_sigterm_stops_it_cleanly(process: StoreProcess) -> None:
    client = open_store(process.url)
    client.execute("CREATE TABLE kept (a UInt8) ENGINE = MergeTree ORDER BY a")
    client.insert("kept", {"a": [1]})
    process.stop()
    assert process.exit_status == 0
    assert not process.socket_path.exists()
    process.start()
    assert client.query("SELECT a FROM kept").column("a") == [1]


@pytest.mark.parametrize(
    "junk", [b"GET / HTTP/1.1\r\n\r\n", b"\x00\x00\x00\x03\xc1\xc1\xc1", b"\xff\xff\xff\xff"]
)
def test_junk_on_the_socket_hurts_nobody_else(process: StoreProcess, junk: bytes) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as raw:
        raw.connect(str(process.socket_path))
        raw.sendall(junk)
        raw.shutdown(socket.SHUT_WR)
        raw.settimeout(120)
        with suppress(ConnectionResetError):
            raw.recv(65_536)  # an error message, an end or a reset: all the same to us
    assert open_store(process.url).query("SELECT 1").scalar() == 1


def test_a_value_that_no_message_can_carry_is_refused(process: StoreProcess) -> None:
    client = open_store(process.url)
    with pytest.raises(QueryError):
        client.query("SELECT {x:String}", {"x": object()})
    with pytest.raises(QueryError):
        client.insert("otel_traces", {"Timestamp": [2**70]})
    assert client.query("SELECT {x:String}", {"x": "\ud800"}).scalar() == "?"


def test_it_ends_with_its_parent(short_dir: Path) -> None:
    # Given a parent that starts a store process and is killed
    script = (
        "import sys, time; from relive_store import StoreProcess;"
        "p = StoreProcess(sys.argv[1] + '/store', sys.argv[1] + '/s.sock'); p.start();"
        "print(p.pid, flush=True); time.sleep(60)"
    )
    parent = subprocess.Popen([sys.executable, "-c", script, str(short_dir)], stdout=subprocess.PIPE)
    assert parent.stdout is not None
    child = int(parent.stdout.readline())
    parent.send_signal(signal.SIGKILL)
    parent.wait()
    parent.stdout.close()
    # I expect that the child goes too, and takes its socket along
    deadline = time.monotonic() + 120
    while (short_dir / "s.sock").exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not (short_dir / "s.sock").exists()
    _wait_gone(child, deadline)


def _wait_gone(pid: int, deadline: float) -> None:
    while time.monotonic() < deadline:
        status = Path(f"/proc/{pid}/stat")
        if not status.exists() or status.read_text().rsplit(")", 1)[1].split()[0] == "Z":
            return
        time.sleep(0.05)
    pytest.fail(f"process {pid} is still there")


def test_it_leaves_when_nobody_uses_it(short_dir: Path) -> None:
    process = StoreProcess(short_dir / "store", short_dir / "s.sock", idle_exit_s=2.0)
    process.start()
    deadline = time.monotonic() + 120
    while process.alive and time.monotonic() < deadline:
        time.sleep(0.05)
    assert process.exit_status == 0


CLIENT = "from relive_store import open_store\nopen_store('unix:///tmp/none.sock')"
CLIENT_SHARE = 0.6
"""Of the yardstick, some 0.42: what 45 ms are where that takes 75."""


def test_the_client_is_light_to_import(tmp_path: Path) -> None:
    _, modules = cost_and_modules(CLIENT, tmp_path)
    assert not {"chdb", "clickhouse_driver", "asyncio", "numpy"} & set(modules)
    assert share_of_yardstick(CLIENT, tmp_path, enough=CLIENT_SHARE) <= CLIENT_SHARE


def test_what_is_done_seldom_is_not_compiled_to_machine_code(process: StoreProcess) -> None:
    # Given a store that has got some batches, and a question that is asked again and again
    client = open_store(process.url)
    client.migrate()
    for number in range(8):
        row = {"InvocationId": [f"i{number}"], "StartedAt": [NOW], "Status": ["ok"], "DerivesSpans": [1]}
        client.insert("invocations", row)

    def asked(times: int) -> int:
        for _ in range(times):
            client.query(
                "SELECT Function, count() AS n, sum(DurationNs) * 2 + 1 AS d, max(CpuNs) AS m"
                " FROM invocations GROUP BY Function ORDER BY n DESC, d"
            )
        compiled = client.query("SELECT sum(value) FROM system.events WHERE event = 'CompileFunction'")
        return int(str(compiled.scalar()))

    # I expect that the first times cost nothing but the answer, and that the hundredth is compiled
    assert asked(10) == 0
    assert asked(110) > 0
    client.close()

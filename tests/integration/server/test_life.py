"""Starting, stopping, dying: real processes, real locks, real ports."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
from relive_base.errors import ReliveError
from relive_platform.engine.invocation import InvokeRequest
from relive_platform.metrics import minutes
from relive_platform.registry import Registry
from relive_platform.server.locate import find_server
from relive_platform.server.server import AlreadyRunning
from relive_platform.triggers.http.connections.listener import AddressTaken
from server_harness import served


async def test_a_second_server_on_one_home_is_refused(tmp_path: Path) -> None:
    async with served(tmp_path / "home"):
        with pytest.raises(AlreadyRunning, match="--home"):
            async with served(tmp_path / "home"):
                pass
        info = find_server(tmp_path / "home")

    assert info is not None
    assert info.pid == os.getpid()
    assert find_server(tmp_path / "home") is None


async def test_a_taken_port_is_named_and_nothing_stays_behind(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(AddressTaken, match=f"127.0.0.1:{port}"):
            async with served(tmp_path / "home", http=f"127.0.0.1:{port}"):
                pass

    async with served(tmp_path / "home"):
        pass  # the lock and the store were given back


async def test_running_events_are_finished_before_the_server_stops(
    tmp_path: Path, app: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async with served(tmp_path / "home") as running:
        await running.deploy(app)
        await running.invoke("slow", b"0")
        task = asyncio.ensure_future(running.invoke("slow", b"0.4"))
        await running.until(lambda: running.server.engine.dispatcher.running == 1)

        # ... while it takes samples of itself all the time
        monkeypatch.setattr(minutes, "SAMPLE_S", 0.0)
        keeper = running.server.metrics._keeper
        await keeper.close()
        keeper.start()

        await running.server.stop(120.0)

        assert (await task).body == b'"done"'
        assert not running.server.engine.host.workers
        assert "own figures" not in caplog.text  # nothing that a sample looks at was closed before


async def test_a_worker_crash_is_an_attempt_and_the_event_is_tried_again(tmp_path: Path, app: Path) -> None:
    async with served(tmp_path / "home") as running:
        await running.deploy(app)
        go = tmp_path / "go"

        accepted = await running.server.publish(
            InvokeRequest(function="flaky", event=b'{"go": "%s"}' % bytes(go))
        )
        await running.until(lambda: any(row.attempts for row in running.server.queue.list("ready").result()))
        go.touch()
        await running.until(lambda: not running.server.queue.list().result())

        rows = await running.rows("SELECT InvocationId, Attempt, Status FROM invocations ORDER BY Attempt")
        assert {row[0] for row in rows} == {accepted.invocation_id}
        assert [row[1] for row in rows] == list(range(1, len(rows) + 1))
        assert {row[2] for row in rows[:-1]} == {"crash"}  # one at least
        assert rows[-1][2] == "ok"


async def test_an_event_that_always_fails_ends_as_a_dead_letter_and_can_be_retried(
    tmp_path: Path, app: Path
) -> None:
    async with served(tmp_path / "home") as running:
        await running.deploy(app)

        accepted = await running.server.publish(InvokeRequest(function="fails", event=b"{}"))
        await running.until(lambda: running.server.queue.list("dead").result())

        [dead] = running.server.queue.list("dead").result()
        assert (dead.event_id, dead.attempts) == (accepted.event_id, 2)
        assert "KeyError" in dead.last_error
        rows = await running.rows("SELECT count() FROM otel_traces WHERE length(`Links.SpanId`) = 1")
        assert rows == [(2,)]


def _start(home: Path) -> subprocess.Popen[bytes]:
    env = {**os.environ, "RELIVE_HOME": str(home), "RELIVE_HTTP": "127.0.0.1:0"}
    process = subprocess.Popen(
        [sys.executable, "-m", "relive_platform.server.serving"], env=env, stdout=subprocess.PIPE
    )
    assert process.stdout is not None
    line = process.stdout.readline()
    assert line.startswith(b"http://"), line
    return process


def _group_of(home: Path) -> list[int]:
    """Processes that name this home in their command line."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and int(entry.name) != os.getpid():
            try:
                if str(home).encode() in (entry / "cmdline").read_bytes():
                    found.append(int(entry.name))
            except OSError:
                continue
    return found


def _await_end(home: Path) -> list[int]:
    deadline = time.monotonic() + 120
    while (left := _group_of(home)) and time.monotonic() < deadline:
        time.sleep(0.05)
    return left


def test_sigterm_ends_the_server_and_everything_it_started(tmp_path: Path) -> None:
    process = _start(tmp_path / "home")

    process.send_signal(signal.SIGTERM)

    assert process.wait(120) == 0
    assert _await_end(tmp_path / "home") == []


async def test_events_acknowledged_before_a_kill_run_after_the_restart(tmp_path: Path, app: Path) -> None:
    home = tmp_path / "home"
    registry = Registry(home)
    registry.deploy(app)
    registry.close()
    process = _start(home)
    info = find_server(home)
    assert info is not None
    accepted = [_post_async(info.http) for _ in range(20)]

    process.kill()
    process.wait()
    assert _await_end(home) == []
    assert len(set(accepted)) == 20
    async with served(home) as running:
        await running.until(lambda: not running.server.queue.list().result(), 120)

        [(done,)] = await running.rows("SELECT uniqExact(InvocationId) FROM invocations WHERE Status = 'ok'")
        assert done == 20


def _post_async(url: str) -> bytes:
    host, _, port = url.removeprefix("http://").rpartition(":")
    with socket.create_connection((host, int(port)), timeout=120) as client:
        client.sendall(
            b"POST /fn/slow HTTP/1.1\r\nhost: localhost\r\nx-amz-invocation-type: Event\r\n"
            b"connection: close\r\ncontent-length: 4\r\n\r\n0.01"
        )
        data = b""
        while part := client.recv(65_536):
            data += part
    assert b" 202 " in data, data
    return data.rpartition(b"\r\n\r\n")[2]


def test_the_error_tree_reaches_the_command_line(tmp_path: Path) -> None:
    process = _start(tmp_path / "home")
    try:
        env = {**os.environ, "RELIVE_HOME": str(tmp_path / "home"), "RELIVE_HTTP": "127.0.0.1:0"}
        command = [sys.executable, "-m", "relive_platform.server.serving"]
        second = subprocess.run(command, env=env, capture_output=True, timeout=120)
        assert second.returncode == ReliveError.exit_code
        assert b"another Relive server" in second.stderr
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(120)

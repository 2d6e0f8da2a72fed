"""Work of real clients that blocks in system calls and in native code: the same result is expected whether
the sampler's signals come or not.

Each function takes the folder for its files, or the URL of its server, and answers something that depends on
no time.
"""

from __future__ import annotations

import hashlib
import http.server
import sqlite3
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from relive_profiler.record import Sampler, SamplerLimits
from relive_profiler.record.stacks import StackTable
from relive_profiler.record.ticks import thread_ticks
from relive_profiler.record.timer import TICK_SIGNAL, ThreadTimer
from relive_runtime.worker.outlook import WorkerOutlook

__all__ = ["IN_THREADS", "LOCAL", "SERVERS", "with_signals", "with_ticks"]

OFTEN = SamplerLimits(interval_ns=500_000, fine_share=100_000, fine_samples=100_000, samples=100_000)
CHUNKS = 6
PAUSE_S = 0.01


def with_signals(work: Callable[[], Any], threads: bool) -> tuple[Any, int]:
    """The result of `work` while a look is due every half millisecond, and how many there were. `threads`:
    system calls do not restart."""
    outlook = WorkerOutlook(SimpleNamespace(own_span=lambda context=None: ""), threads)  # type: ignore[arg-type]
    # On the real clock: signals are wanted that meet code that waits.
    sampler = Sampler(limits=OFTEN, outlook=outlook, cpu_timer_factory=lambda signum: None)
    sampler.start("i")
    try:
        result = work()
        profile = sampler.stop()
    finally:
        sampler.close()
    assert not sampler.reason
    return result, sum(profile.counts) + profile.dropped if profile is not None else 0


def with_ticks(work: Callable[[], Any]) -> tuple[Any, int]:
    """The result of `work` in a thread that ticks every half millisecond, and how often it did. By the real
    clock, so that ticks come in the middle of waits, too, which those by its CPU time hardly ever do."""
    ticks = thread_ticks(StackTable(), depth=200, interval_ns=1_000_000)
    assert ticks is not None, "there is no extension"
    results: list[Any] = []

    def run() -> None:
        timer = ThreadTimer(TICK_SIGNAL)  # its signals name the first thread that is watched: this one
        timer.repeat_ns = 500_000
        timer.arm(500_000)
        try:
            results.append(work())
        except BaseException as error:
            results.append(error)
        finally:
            timer.delete()

    thread = threading.Thread(target=run)
    thread.start()
    count = 0
    while thread.is_alive():
        thread.join(0.01)
        count += len(ticks.fetch())
    count += len(ticks.fetch())
    ticks.close()
    if isinstance(results[0], BaseException):
        raise results[0]
    return results[0], count


# ------------------------------------------------------------ what needs nothing


def sleeps(folder: Path) -> Any:
    began = time.monotonic()
    for _ in range(5):
        time.sleep(0.01)
    return time.monotonic() - began >= 0.05


def runs_programs(folder: Path) -> Any:
    script = "sleep 0.03; cat; echo oops >&2; exit 3"
    done = subprocess.run(["sh", "-c", script], input=b"x" * 300_000, capture_output=True, check=False)
    with subprocess.Popen(["sh", "-c", "sleep 0.02; exit 5"]) as child:
        code = child.wait(timeout=60)
    return done.returncode, hashlib.sha256(done.stdout).hexdigest(), done.stderr, code


def queries_sqlite(folder: Path) -> Any:
    """Among it a wait for another connection's lock, in native code that sleeps by itself."""
    path = folder / "clients.db"
    path.unlink(missing_ok=True)
    other = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    other.execute("CREATE TABLE t (n)")
    other.execute("BEGIN IMMEDIATE")
    other.executemany("INSERT INTO t VALUES (?)", ((number,) for number in range(2_000)))
    timer = threading.Timer(0.05, other.execute, ("COMMIT",))
    own = sqlite3.connect(path, isolation_level=None, timeout=60)
    timer.start()
    own.execute("BEGIN IMMEDIATE")
    own.execute("INSERT INTO t VALUES (-1)")
    own.execute("COMMIT")
    timer.join()
    found = own.execute("SELECT count(*), sum(a.n * b.n % 7) FROM t a, t b WHERE b.n < 40").fetchone()
    own.close()
    other.close()
    return found


def computes_with_numpy(folder: Path) -> Any:
    import numpy as np

    numbers = np.random.default_rng(7).normal(size=(160, 160))
    path = folder / "numbers.npy"
    np.save(path, numbers)
    values, _ = np.linalg.eigh(np.load(path) @ numbers.T)
    return hashlib.sha256(np.sort(numbers, axis=None).tobytes()).hexdigest(), [
        round(v, 6) for v in values[:5]
    ]


class _Slow(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(200)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        for _ in range(CHUNKS):
            time.sleep(PAUSE_S)
            part = hashlib.sha256(body).hexdigest().encode() * 200
            self.wfile.write(b"%x\r\n%s\r\n" % (len(part), part))
        self.wfile.write(b"0\r\n\r\n")

    def log_message(self, format: str, *args: Any) -> None:
        pass


@contextmanager
def _slow_server() -> Iterator[str]:
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Slow) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/"
        finally:
            server.shutdown()
            thread.join()


def asks_with_requests(folder: Path) -> Any:
    import requests

    with _slow_server() as url, requests.Session() as session:
        session.trust_env = False
        answer = session.post(url, data=b"y" * 500_000, timeout=60)
        return answer.status_code, hashlib.sha256(answer.content).hexdigest()


def asks_with_uvloop(folder: Path) -> Any:
    import asyncio

    import uvloop

    async def main() -> Any:
        async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await asyncio.sleep(PAUSE_S)
            writer.write(await reader.readexactly(100_000))
            writer.close()

        server = await asyncio.start_server(echo, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]

        async def ask(number: int) -> str:
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(bytes([number]) * 100_000)
            answer = hashlib.sha256(await reader.read()).hexdigest()
            writer.close()
            return answer

        answers = await asyncio.gather(*(ask(number) for number in range(8)))
        child = await asyncio.create_subprocess_exec("sh", "-c", "sleep 0.02; exit 4")
        code = await child.wait()
        server.close()
        return answers, code

    return uvloop.run(main())


def asks_with_gevent(folder: Path) -> Any:
    import gevent
    from gevent import server, socket, subprocess

    def echo(connection: Any, address: Any) -> None:
        gevent.sleep(PAUSE_S)
        data = b""
        while len(data) < 100_000:
            data += connection.recv(65_536)
        connection.sendall(data)

    listening = server.StreamServer(("127.0.0.1", 0), echo)
    listening.start()

    def ask(number: int) -> str:
        with socket.create_connection(("127.0.0.1", listening.server_port)) as connection:
            connection.sendall(bytes([number]) * 100_000)
            return hashlib.sha256(b"".join(iter(lambda: connection.recv(65_536), b""))).hexdigest()

    jobs = [gevent.spawn(ask, number) for number in range(8)]
    gevent.joinall(jobs, raise_error=True)
    code = subprocess.call(["sh", "-c", "sleep 0.02; exit 4"])
    listening.stop()
    return [job.value for job in jobs], code


# ------------------------------------------------------------ what needs a server


def queries_postgres(url: str) -> Any:
    import psycopg

    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("CREATE TEMP TABLE clients (n int, text text)")
        with connection.cursor() as cursor:
            with cursor.copy("COPY clients FROM STDIN") as copy:
                for number in range(3_000):
                    copy.write_row((number, "x" * 50))
            cursor.execute("SELECT pg_sleep(0.05), count(*), sum(n) FROM clients")
            found = cursor.fetchone()
            try:
                cursor.execute("SELECT 1 / (count(*) - 3000) FROM clients")
            except psycopg.errors.DivisionByZero as error:
                return found, error.sqlstate
    return found


def queries_redis(url: str) -> Any:
    import redis

    with redis.Redis.from_url(url) as client, redis.Redis.from_url(url) as other:
        client.delete("clients", "answers")
        with client.pipeline() as pipeline:
            for number in range(500):
                pipeline.incrby("clients", number)
            counts = pipeline.execute()
        timer = threading.Timer(0.05, other.rpush, ("answers", b"z" * 100_000))
        timer.start()
        answer = client.blpop(["answers"], timeout=60)
        timer.join()
        return counts[-1], hashlib.sha256(answer[1]).hexdigest()


LOCAL: dict[str, Callable[[Path], Any]] = {
    "time.sleep": sleeps,
    "subprocess": runs_programs,
    "sqlite3": queries_sqlite,
    "numpy": computes_with_numpy,
    "requests": asks_with_requests,
    "uvloop": asks_with_uvloop,
    "gevent": asks_with_gevent,
}
IN_THREADS: frozenset[str] = frozenset(LOCAL) - {"uvloop", "gevent"}
"""The others' subprocesses need the main thread."""
SERVERS: dict[str, Callable[[str], Any]] = {"psycopg": queries_postgres, "redis-py": queries_redis}

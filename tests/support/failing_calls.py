# ruff: noqa: E501
"""Calls that fail, library by library, for programs that tell how: each gives `fails` what raises, by name.

`PLACES` has where servers are. A program runs with the recorder and without it; see
`tests/integration/worker/test_same_tracebacks.py`.
"""

from __future__ import annotations

from typing import Final

__all__ = ["FAILING", "PREAMBLE"]

PREAMBLE: Final = r"""
import asyncio, json, os, re, socket, sys, warnings
warnings.simplefilter("ignore")
recorder = None
if sys.argv[1] == "recorded":
    from relive_capture.record.recording import Recorder
    recorder = Recorder(skipped=("/usr/", sys.prefix, sys.base_prefix))
    recorder.install()
    recorder.loaded()
    recorder.begin(1)
PLACES = json.loads(sys.argv[2])
FOUND = {}

def told(error, depth=0):
    if error is None or depth > 6:
        return None
    frames, trace = [], error.__traceback__
    while trace is not None:
        code = trace.tb_frame.f_code
        frames.append([code.co_filename.rpartition("/")[2], code.co_name])
        trace = trace.tb_next
    text = re.sub(r"(?<='Sec-WebSocket-Key': ')[^']+", "N", f"{error} | {error!r}")
    text = re.sub(r"0x[0-9a-f]+|[0-9a-f]{24}|\d+(\.\d+)?", "N", text)
    return {
        "type": f"{type(error).__module__}.{type(error).__qualname__}", "text": text, "frames": frames,
        "hidden": error.__suppress_context__,
        "cause": told(error.__cause__, depth + 1), "context": told(error.__context__, depth + 1),
    }

def fails(name, call):
    try:
        call()
    except BaseException as error:
        FOUND[name] = told(error)
    else:
        FOUND[name] = "it did not fail"

async def fails_async(name, call):
    try:
        await call()
    except BaseException as error:
        FOUND[name] = told(error)
    else:
        FOUND[name] = "it did not fail"

def raising(*_arguments, **_options):
    raise LookupError("of the function's own")
"""

_FILES: Final = r"""
import inspect, io, pathlib, random, subprocess, tempfile
FOUND["parameters"] = [str(inspect.signature(one)) for one in (open, os.open, os.stat, os.listdir, os.rename, os.remove, os.urandom)]
fails("open", lambda: open("/nowhere/at/all"))
fails("write", lambda: open("/nowhere/at/all", "w"))
fails("pathlib", lambda: pathlib.Path("/nowhere/at/all").read_text())
fails("os_open", lambda: os.open("/nowhere/at/all", os.O_RDONLY))
fails("stat", lambda: os.stat("/nowhere/at/all"))
fails("listdir", lambda: os.listdir("/nowhere/at/all"))
fails("scandir", lambda: list(os.scandir("/nowhere/at/all")))
fails("remove", lambda: os.remove("/nowhere/at/all"))
fails("rename", lambda: os.rename("/nowhere/at/all", "/nowhere/else"))
fails("opener", lambda: open("/nowhere/at/all", opener=raising))
fails("program", lambda: subprocess.run(["/nowhere/at/all"]))
fails("environment", lambda: os.environ["RELIVE_NOT_THERE"])
fails("environment_bytes", lambda: os.environb[b"RELIVE_NOT_THERE"])
fails("urandom", lambda: os.urandom(-1))
fails("getrandom", lambda: os.getrandom(-1))
fails("seed", lambda: random.Random([]))
for name, arguments in {
    "open": [(), ("a",) * 9], "io.open": [()], "os.open": [(), ("a",)], "os.stat": [(), ("a", "b")], "os.lstat": [()],
    "os.listdir": [("a", "b")], "os.scandir": [("a", "b")], "os.remove": [(), ("a", "b")], "os.mkdir": [()],
    "os.rename": [(), ("a",), ("a", "b", "c")], "os.symlink": [()], "os.system": [()], "os.urandom": [(), ("a",)], "os.getrandom": [(), ("a",), (1, 2, 3)],
}.items():
    module, _, function = name.rpartition(".")
    called = getattr({"": __builtins__, "io": io, "os": os}[module], function)
    for given in arguments:
        fails(f"{name}{given}", lambda: called(*given))
    if name != "os.urandom":  # see docs/explanation/replay.md
        fails(f"{name}(no=1)", lambda: called(no=1))
"""

_HTTP: Final = r"""
import http.client, ssl, threading, urllib.request
import botocore.config, botocore.session, httpx, requests, urllib3, websockets.asyncio.client, websockets.sync.client

def serve(answers):
    listener = socket.create_server(("127.0.0.1", 0))
    def run():
        while True:
            try:
                accepted, _ = listener.accept()
            except OSError:
                return
            with accepted:
                accepted.recv(65536)
                accepted.sendall(answers)
    threading.Thread(target=run, daemon=True).start()
    return listener.getsockname()[1]

REFUSED = 1
ODD = serve(b"nothing of HTTP\r\n\r\n")
CUT = serve(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nabc")
CHUNKS = serve(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzzz\r\n")

def client(port, body=None, read=True):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    connection.request("POST", "/", body)
    response = connection.getresponse()
    return response.read() if read else response

class Unreadable:
    def read(self, *_size):
        raise LookupError("of the function's own")

def parts():
    yield b"one"
    raise LookupError("of the function's own")

for name, port in {"refused": REFUSED, "odd": ODD, "cut": CUT, "chunks": CHUNKS}.items():
    url = f"http://127.0.0.1:{port}/"
    fails(f"http.client {name}", lambda: client(port))
    fails(f"urllib {name}", lambda: urllib.request.urlopen(url, timeout=20).read())
    fails(f"urllib3 {name}", lambda: urllib3.PoolManager(retries=False).request("GET", url))
    fails(f"requests {name}", lambda: requests.get(url, timeout=20))
    fails(f"httpx {name}", lambda: httpx.get(url, timeout=20))
FOUND["response"] = re.sub(r"0x[0-9a-f]+", "N", repr(client(CUT, read=False).fp.raw))
fails("http.client body", lambda: client(CUT, Unreadable()))
fails("http.client parts", lambda: client(CUT, parts()))
fails("http.client number", lambda: client(CUT, [5]))
fails("http.client send", lambda: http.client.HTTPConnection("127.0.0.1", REFUSED).send(b"a"))
fails("http.client arguments", lambda: http.client.HTTPConnection("127.0.0.1", REFUSED).send())
fails("requests parts", lambda: requests.post(f"http://127.0.0.1:{CUT}/", data=parts(), timeout=20))
fails("httpx parts", lambda: httpx.post(f"http://127.0.0.1:{CUT}/", content=parts()))
fails("tls", lambda: urllib.request.urlopen(f"https://127.0.0.1:{ODD}/", timeout=20))
fails("httpx tls", lambda: httpx.get(f"https://127.0.0.1:{ODD}/", timeout=20))
fails("unknown host", lambda: socket.create_connection(("no-such-host.invalid", 80)))
fails("socket", lambda: socket.socket().connect(("127.0.0.1", REFUSED)))
fails("socket arguments", lambda: socket.socket().connect())
fails("create_connection arguments", lambda: socket.create_connection())

for name, port in {"refused": REFUSED, "odd": ODD, "cut": CUT}.items():
    fails(f"websockets {name}", lambda: websockets.sync.client.connect(f"ws://127.0.0.1:{port}/", close_timeout=0.1))
    options = botocore.config.Config(retries={"max_attempts": 0}, connect_timeout=20, read_timeout=20)
    def lists():
        session = botocore.session.Session()
        session.set_credentials("a", "b")
        session.create_client("s3", "eu-west-1", endpoint_url=f"http://127.0.0.1:{port}", config=options).list_buckets()
    fails(f"botocore {name}", lists)

async def streams():
    yield b"one"
    raise LookupError("of the function's own")

async def given_up(port):
    listener = socket.create_server(("127.0.0.1", 0))
    await asyncio.wait_for(aiohttp.ClientSession().get(f"http://127.0.0.1:{listener.getsockname()[1]}/"), 1.0)

async def connects(port):
    async with websockets.asyncio.client.connect(f"ws://127.0.0.1:{port}/", close_timeout=0.1):
        pass

async def loop():
    for name, port in {"refused": REFUSED, "odd": ODD, "cut": CUT, "chunks": CHUNKS}.items():
        url = f"http://127.0.0.1:{port}/"
        async with httpx.AsyncClient(timeout=20) as client:
            await fails_async(f"httpx asyncio {name}", lambda: client.get(url))
        async with aiohttp.ClientSession() as session:
            async def get():
                async with session.get(url) as response:
                    await response.read()
            await fails_async(f"aiohttp {name}", get)
            await fails_async(f"aiohttp websocket {name}", lambda: session.ws_connect(url))
        await fails_async(f"websockets asyncio {name}", lambda: connects(port))
    async with httpx.AsyncClient() as client:
        await fails_async("httpx asyncio parts", lambda: client.post(f"http://127.0.0.1:{CUT}/", content=streams()))
    async with aiohttp.ClientSession() as session:
        await fails_async("aiohttp parts", lambda: session.post(f"http://127.0.0.1:{CUT}/", data=streams()))
    await fails_async("open_connection", lambda: asyncio.open_connection("127.0.0.1", REFUSED))
    await fails_async("given up", lambda: given_up(0))

import aiohttp
asyncio.run(loop())
"""

_SQLITE: Final = r"""
import sqlite3
FILE = PLACES["file"]
def once(work, **more):
    connection = sqlite3.connect(FILE, **more)
    try:
        return work(connection)
    finally:
        connection.close()

def locked(connection):
    other = sqlite3.connect(FILE, timeout=0, isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")
    try:
        connection.execute("INSERT INTO items VALUES (9, 'nine')")
    finally:
        other.close()

def deferred(connection, end):
    connection.execute("PRAGMA foreign_keys = 1")
    connection.execute("INSERT INTO orders VALUES (5, 99)")
    end(connection)

def in_with(connection):
    with connection:
        pass

def with_factory(work, factory=raising):
    def run(connection):
        connection.row_factory = factory
        return work(connection.execute("SELECT id FROM items"))
    return lambda: once(run, timeout=0)

class Mine(sqlite3.Cursor):
    def execute(self, sql, *arguments):
        return super().execute(sql + "!", *arguments)

class Own(sqlite3.Connection):
    def cursor(self, *arguments):
        return super().cursor(Mine)
    def commit(self):
        super().execute("SELECT")

FOUND["texts"] = once(lambda connection: [connection.commit.__doc__, connection.cursor().execute.__doc__, connection.cursor().fetchmany.__name__])
fails("no folder", lambda: sqlite3.connect("/nowhere/at/all.db"))
fails("a folder", lambda: sqlite3.connect("/"))
fails("no database", lambda: sqlite3.connect(PLACES["text"]).execute("SELECT * FROM a"))
fails("option", lambda: sqlite3.connect(FILE, isolation_level="none of it"))
fails("unknown option", lambda: sqlite3.connect(FILE, no_such=1))
fails("no path", lambda: sqlite3.connect())
fails("number as path", lambda: sqlite3.connect(1.5))
for method in ("execute", "executemany", "executescript"):
    given = ("INSERT INTO nowhere VALUES (?)", [(1,)]) if method == "executemany" else ("SELECT nothing FROM nowhere",)
    fails(f"connection {method}", lambda: once(lambda connection: getattr(connection, method)(*given)))
    fails(f"cursor {method}", lambda: once(lambda connection: getattr(connection.cursor(), method)(*given)))
    for wrong in ((), (5,), ("SELECT 1", 5), ("SELECT 1", (), ())):
        fails(f"connection {method}{wrong}", lambda: once(lambda connection: getattr(connection, method)(*wrong)))
        fails(f"cursor {method}{wrong}", lambda: once(lambda connection: getattr(connection.cursor(), method)(*wrong)))
    fails(f"{method} by name", lambda: once(lambda connection: getattr(connection.cursor(), method)(sql="SELECT 1")))
fails("memory", lambda: sqlite3.connect(":memory:").execute("SELECT nothing FROM nowhere"))
fails("memory cursor", lambda: sqlite3.connect(":memory:").cursor().execute("SELECT nothing FROM nowhere"))
fails("duplicate", lambda: once(lambda connection: connection.execute("INSERT INTO items VALUES (1, 'a')")))
fails("binding", lambda: once(lambda connection: connection.execute("SELECT ?", (object,))))
fails("parameters", lambda: once(lambda connection: connection.execute("SELECT ?", (1, 2))))
fails("generator", lambda: once(lambda connection: connection.executemany("INSERT INTO items VALUES (?, ?)", (raising() for _ in range(2)))))
fails("locked", lambda: once(locked, timeout=0))
fails("commit", lambda: once(lambda connection: deferred(connection, lambda one: one.commit())))
fails("with", lambda: once(lambda connection: deferred(connection, in_with)))
fails("factory fetchone", with_factory(lambda cursor: cursor.fetchone()))
fails("factory fetchmany", with_factory(lambda cursor: cursor.fetchmany(2)))
fails("factory fetchall", with_factory(lambda cursor: cursor.fetchall()))
fails("factory next", with_factory(next))
fails("factory for", with_factory(list))
fails("end", with_factory(lambda cursor: [next(cursor) for _ in range(9)], None))
fails("fetchmany text", with_factory(lambda cursor: cursor.fetchmany("a"), None))
fails("fetchmany arguments", with_factory(lambda cursor: cursor.fetchmany(1, 2), None))
fails("fetchmany option", with_factory(lambda cursor: cursor.fetchmany(no=2), None))
fails("fetchone arguments", with_factory(lambda cursor: cursor.fetchone(1), None))
fails("fetchall arguments", with_factory(lambda cursor: cursor.fetchall(1), None))
fails("division", lambda: once(lambda connection: connection.create_function("own", 0, raising) or connection.execute("SELECT own()").fetchone()))
fails("mine", lambda: once(lambda connection: connection.cursor(Mine).execute("SELECT 1")))
fails("own", lambda: once(lambda connection: connection.cursor().execute("SELECT 1"), factory=Own))
fails("own commit", lambda: once(lambda connection: connection.commit(), factory=Own))
fails("cursor raising", lambda: once(lambda connection: connection.cursor(raising)))
fails("cursor arguments", lambda: once(lambda connection: connection.cursor(1, 2)))
fails("commit arguments", lambda: once(lambda connection: connection.commit(1)))
fails("exit arguments", lambda: once(lambda connection: connection.__exit__(1)))
fails("backup", lambda: once(lambda connection: connection.backup(5)))
fails("blobopen", lambda: once(lambda connection: connection.blobopen("nowhere", "nothing", 1)))
for method in ("cursor", "commit", "rollback", "serialize"):
    def closed():
        connection = sqlite3.connect(FILE)
        connection.close()
        return getattr(connection, method)()
    fails(f"closed {method}", closed)
def closed_cursor():
    connection = sqlite3.connect(FILE)
    cursor = connection.execute("SELECT 1")
    connection.close()
    cursor.fetchone()
fails("closed cursor", closed_cursor)
def closed_execute():
    cursor = sqlite3.connect(FILE).cursor()
    cursor.close()
    cursor.execute("SELECT 1")
fails("closed execute", closed_execute)
"""

_PSYCOPG2: Final = r"""
import io, psycopg2, psycopg2.extras
def once(work, **more):
    connection = psycopg2.connect(PLACES["postgres"], **more)
    try:
        return work(connection)
    finally:
        connection.close()

def cursors(work, *arguments, **more):
    return lambda: once(lambda connection: work(connection.cursor(*arguments, **more)))

def asked(cursor, work):
    cursor.execute("SELECT generate_series(1, 3) AS a")
    return work(cursor)

def deferred(connection):
    cursor = connection.cursor()
    cursor.execute("CREATE TEMP TABLE t (a int UNIQUE DEFERRABLE INITIALLY DEFERRED); INSERT INTO t VALUES (1), (1)")
    connection.commit()

class Unreadable:
    def read(self, size=-1):
        raise LookupError("of the function's own")
    def readline(self, size=-1):
        raise LookupError("of the function's own")

class Unwritable:
    def write(self, data):
        raise LookupError("of the function's own")

class Mine(psycopg2.extensions.cursor):
    def execute(self, query, *arguments):
        return super().execute("SELECT nothing " + query, *arguments)

fails("refused", lambda: psycopg2.connect("postgresql://nobody@127.0.0.1:1/x"))
fails("no database", lambda: psycopg2.connect(PLACES["postgres"] + "_no"))
fails("dsn", lambda: psycopg2.connect("no such thing"))
fails("factory", lambda: psycopg2.connect(PLACES["postgres"], connection_factory=raising))
fails("no dsn", lambda: psycopg2.connect())
fails("option", lambda: psycopg2.connect(PLACES["postgres"], no_such_option=1))
fails("execute", cursors(lambda cursor: cursor.execute("SELECT nothing FROM nowhere")))
fails("parameters", cursors(lambda cursor: cursor.execute("SELECT %s, %s", (1,))))
fails("type", cursors(lambda cursor: cursor.execute("SELECT %s", (object(),))))
fails("executemany", cursors(lambda cursor: cursor.executemany("INSERT INTO nowhere VALUES (%s)", [(1,), (2,)])))
fails("executemany generator", cursors(lambda cursor: cursor.executemany("SELECT %s", (raising() for _ in "ab"))))
fails("callproc", cursors(lambda cursor: cursor.callproc("nowhere", [1])))
fails("copy_expert", cursors(lambda cursor: cursor.copy_expert("COPY nowhere TO STDOUT", io.StringIO())))
fails("copy_to", cursors(lambda cursor: cursor.copy_to(io.StringIO(), "nowhere")))
fails("copy_from", cursors(lambda cursor: cursor.copy_from(io.StringIO("1\n"), "nowhere")))
fails("copy write", cursors(lambda cursor: cursor.copy_expert("COPY (SELECT 1) TO STDOUT", Unwritable())))
fails("copy read", cursors(lambda cursor: cursor.execute("CREATE TEMP TABLE c (a int)") or cursor.copy_from(Unreadable(), "c")))
fails("nothing to fetch", cursors(lambda cursor: cursor.fetchone()))
fails("fetch no rows", cursors(lambda cursor: cursor.execute("CREATE TEMP TABLE d (a int)") or cursor.fetchall()))
fails("end", cursors(lambda cursor: asked(cursor, lambda one: [next(one) for _ in range(9)])))
fails("fetchmany", cursors(lambda cursor: asked(cursor, lambda one: one.fetchmany("a"))))
fails("nextset", cursors(lambda cursor: asked(cursor, lambda one: one.nextset())))
fails("scroll", cursors(lambda cursor: asked(cursor, lambda one: one.scroll(99))))
fails("named", cursors(lambda cursor: cursor.execute("SELECT nothing FROM nowhere"), "named"))
fails("named fetch", cursors(lambda cursor: asked(cursor, lambda one: one.connection.rollback() or one.fetchall()), "named"))
fails("mine", cursors(lambda cursor: cursor.execute("FROM nowhere"), cursor_factory=Mine))
fails("dict", cursors(lambda cursor: cursor.execute("SELECT nothing FROM nowhere"), cursor_factory=psycopg2.extras.DictCursor))
fails("dict fetch", cursors(lambda cursor: cursor.fetchone(), cursor_factory=psycopg2.extras.RealDictCursor))
fails("execute_values", cursors(lambda cursor: psycopg2.extras.execute_values(cursor, "INSERT INTO nowhere VALUES %s", [(1,)])))
fails("cursor factory", lambda: once(lambda connection: connection.cursor(cursor_factory=int)))
fails("cursor raising", lambda: once(lambda connection: connection.cursor(cursor_factory=raising)))
fails("commit", lambda: once(deferred))
for method in ("cursor", "commit", "rollback"):
    fails(f"closed {method}", lambda: once(lambda connection: connection.close() or getattr(connection, method)()))
    fails(f"{method} arguments", lambda: once(lambda connection: getattr(connection, method)(no=1)))
fails("closed execute", cursors(lambda cursor: cursor.close() or cursor.execute("SELECT 1")))
fails("closed fetch", cursors(lambda cursor: asked(cursor, lambda one: one.close() or one.fetchone())))
for method in ("execute", "executemany", "callproc", "copy_expert", "copy_to", "copy_from"):
    for wrong in ((), ("a",), (5, 5), ("a",) * 9):
        fails(f"{method}{wrong}", cursors(lambda cursor: getattr(cursor, method)(*wrong)))
    fails(f"{method} no", cursors(lambda cursor: getattr(cursor, method)(no=1)))
for method in ("fetchone", "fetchmany", "fetchall", "nextset"):
    fails(f"{method} arguments", cursors(lambda cursor: asked(cursor, lambda one: getattr(one, method)(1, 2))))
"""

_PSYCOPG: Final = r"""
import psycopg
from psycopg import sql
LATE = "SELECT 1 / (CASE WHEN pg_sleep(0.3) IS NULL THEN 1 ELSE 0 END)"
def once(work, **more):
    with psycopg.connect(PLACES["postgres"], **more) as connection:
        return work(connection)

def copies(connection):
    with connection.cursor() as cursor:
        with cursor.copy("COPY (SELECT 1) TO STDOUT") as copy:
            for _ in copy:
                raising()

def copies_in(connection):
    connection.execute("CREATE TEMP TABLE t (a int)")
    with connection.cursor() as cursor:
        with cursor.copy("COPY t FROM STDIN") as copy:
            copy.write_row(("no number",))

def pipes(connection):
    with connection.pipeline():
        connection.execute(LATE)  # else either the statement or the end of the pipeline raises

def named(connection, statement, work=lambda cursor: cursor.fetchall()):
    with connection.cursor("named") as cursor:
        cursor.execute(statement)
        return work(cursor)

def prepared(connection):
    for _ in range(8):
        connection.execute("SELECT 1 / %s", (0 if _ == 7 else 1,))

def ended(connection):
    connection.execute("SELECT pg_terminate_backend(pg_backend_pid())")

def deferred(connection):
    connection.execute("CREATE TEMP TABLE t (a int UNIQUE DEFERRABLE INITIALLY DEFERRED)")
    connection.execute("INSERT INTO t VALUES (1), (1)")
    connection.commit()

ASKS = {
    "execute": lambda one: one.execute("SELECT nothing FROM nowhere"),
    "parameters": lambda one: one.execute("SELECT %s", ()),
    "type": lambda one: one.execute("SELECT %s", (object(),)),
    "composed": lambda one: one.execute(sql.SQL("SELECT {}").format(sql.Identifier("nothing"))),
    "executemany": lambda one: one.cursor().executemany("INSERT INTO nowhere VALUES (%s)", [(1,), (2,)]),
    "client": lambda one: psycopg.ClientCursor(one).execute("SELECT %s FROM nowhere", (1,)),
    "client binary": lambda one: psycopg.ClientCursor(one).execute("SELECT 1", binary=True),
    "binary": lambda one: one.execute("SELECT nothing", binary=True),
    "copy out": copies,
    "copy in": copies_in,
    "no copy": lambda one: one.cursor().copy("SELECT 1").__enter__(),
    "pipeline": pipes,
    "prepared": prepared,
    "named": lambda one: named(one, "SELECT nothing FROM nowhere"),
    "named fetch": lambda one: named(one, "SELECT 1 / (2 - i) FROM generate_series(1, 3) i"),
    "named rolled back": lambda one: named(one, "SELECT 1", lambda cursor: one.rollback() or cursor.fetchone()),
    "stream": lambda one: list(one.cursor().stream("SELECT 1 / (2 - i) FROM generate_series(1, 3) i")),
    "stream size": lambda one: list(one.cursor().stream("SELECT 1", size=0)),
    "row factory": lambda one: one.cursor(row_factory=raising).execute("SELECT 1"),
    "nothing to fetch": lambda one: one.cursor().fetchone(),
    "commit": deferred,
    "ended": ended,
    "closed": lambda one: one.close() or one.execute("SELECT 1"),
    "aborted": lambda one: [one.execute(each) if number else _quietly(one) for number, each in enumerate(("", "SELECT 1"))],
    "isolation": lambda one: one.execute("SELECT 1") and one.set_isolation_level(1),
}
def _quietly(one):
    try:
        one.execute("SELECT nothing")
    except psycopg.Error:
        pass
for name, ask in ASKS.items():
    fails(name, lambda: once(ask))
fails("refused", lambda: psycopg.connect("postgresql://nobody@127.0.0.1:1/x"))
fails("no database", lambda: psycopg.connect(PLACES["postgres"] + "_no"))
fails("conninfo", lambda: psycopg.connect("no such thing"))
fails("autocommit", lambda: once(lambda one: one.execute("SELECT nothing"), autocommit=True))
fails("arguments", lambda: once(lambda one: one.execute()))

async def loop():
    async def asks(work):
        async with await psycopg.AsyncConnection.connect(PLACES["postgres"]) as connection:
            await work(connection)
    async def pipes(one):
        async with one.pipeline():
            await one.execute(LATE)
    async def named(one):
        async with one.cursor("named") as cursor:
            await cursor.execute("SELECT 1 / (2 - i) FROM generate_series(1, 3) i")
            async for _ in cursor:
                pass
    async def given_up(one):
        await asyncio.wait_for(one.execute("SELECT pg_sleep(20)"), 1.0)
    async def copies(one):
        async with one.cursor().copy("COPY (SELECT 1) TO STDOUT") as copy:
            async for _ in copy:
                raising()
    for name, work in {
        "execute": lambda one: one.execute("SELECT nothing FROM nowhere"),
        "pipeline": pipes, "named": named, "given up": given_up, "copy": copies, "ended": ended,
    }.items():
        await fails_async(f"asyncio {name}", lambda: asks(work))
    await fails_async("asyncio refused", lambda: psycopg.AsyncConnection.connect("postgresql://nobody@127.0.0.1:1/x"))
asyncio.run(loop())
"""

_ASYNCPG: Final = r"""
import asyncpg
async def loop():
    async def asks(work, **more):
        connection = await asyncpg.connect(PLACES["postgres"], **more)
        try:
            await work(connection)
        finally:
            connection.terminate()
    async def cursor(one):
        async with one.transaction():
            async for _ in one.cursor("SELECT 1 / (2 - i) FROM generate_series(1, 3) i"):
                pass
    async def codec(one):
        await one.set_type_codec("json", encoder=raising, decoder=raising, schema="pg_catalog")
        await one.fetch("SELECT '1'::json")
    async def encoder(one):
        await one.set_type_codec("json", encoder=raising, decoder=raising, schema="pg_catalog")
        await one.fetch("SELECT $1::json", 1)
    async def closed(one):
        await one.close()
        await one.fetch("SELECT 1")
    async def prepared(one):
        statement = await one.prepare("SELECT 1 / $1::int")
        await statement.fetchval(0)
    async def pool():
        async with asyncpg.create_pool(PLACES["postgres"], min_size=1, max_size=1) as found:
            await found.fetch("SELECT nothing")
    for name, work in {
        "fetch": lambda one: one.fetch("SELECT nothing FROM nowhere"),
        "execute": lambda one: one.execute("SELECT nothing; SELECT 1"),
        "executemany": lambda one: one.executemany("SELECT 1 / $1::int", [(1,), (0,)]),
        "parameters": lambda one: one.fetch("SELECT $1::int", "a"),
        "copy": lambda one: one.copy_to_table("nowhere", source="/nowhere/at/all"),
        "copy out": lambda one: one.copy_from_query("SELECT 1 / 0", output=print),
        "copy in": lambda one: one.copy_records_to_table("nowhere", records=[(1,)]),
        "given up": lambda one: asyncio.wait_for(one.fetch("SELECT pg_sleep(20)"), 1.0),
        "timeout": lambda one: one.fetch("SELECT pg_sleep(20)", timeout=1.0),
        "ended": lambda one: one.fetch("SELECT pg_terminate_backend(pg_backend_pid())"),
        "cursor": cursor, "codec": codec, "encoder": encoder, "closed": closed, "prepared": prepared,
    }.items():
        await fails_async(name, lambda: asks(work))
    await fails_async("pool", pool)
    await fails_async("refused", lambda: asyncpg.connect("postgresql://nobody@127.0.0.1:1/x"))
    await fails_async("no database", lambda: asyncpg.connect(PLACES["postgres"] + "_no"))
asyncio.run(loop())
"""

_PYMYSQL: Final = r"""
import pymysql, pymysql.cursors
def connect(**more):
    return pymysql.connect(**{"host": "127.0.0.1", "port": PLACES["mariadb"], "user": "relive", "password": "relive", "database": "shop", **more})
def cursors(work, kind=pymysql.cursors.Cursor, **more):
    def run():
        connection = connect(**more)
        try:
            return work(connection.cursor(kind))
        finally:
            if connection.open:
                connection.close()
    return run
def asked(cursor, work):
    cursor.execute("SELECT 1 UNION SELECT 2")
    return work(cursor)
def killed(cursor, work):
    other = connect()
    other.cursor().execute(f"KILL {cursor.connection.thread_id()}")
    other.close()
    return work(cursor)
FAILING = "SELECT (SELECT seq FROM seq_1_to_9 t WHERE t.seq >= s.seq) FROM seq_1_to_9 s ORDER BY s.seq DESC"
fails("refused", lambda: connect(port=1))
fails("password", lambda: connect(password="other"))
fails("no database", lambda: connect(database="nowhere"))
fails("charset", lambda: connect(charset="nothing"))
for kind in (pymysql.cursors.Cursor, pymysql.cursors.DictCursor, pymysql.cursors.SSCursor):
    name = kind.__name__
    fails(f"{name} execute", cursors(lambda cursor: cursor.execute("SELECT nothing FROM nowhere"), kind))
    fails(f"{name} rows", cursors(lambda cursor: cursor.execute(FAILING) and cursor.fetchall(), kind))
    fails(f"{name} parameters", cursors(lambda cursor: cursor.execute("SELECT %s, %s", (1,)), kind))
    fails(f"{name} error", cursors(lambda cursor: cursor.execute("SELECT * FROM nowhere WHERE a = %s", (1,)), kind))
    fails(f"{name} many", cursors(lambda cursor: cursor.executemany("INSERT INTO nowhere VALUES (%s)", [(1,), (2,)]), kind))
    fails(f"{name} many parameters", cursors(lambda cursor: cursor.executemany("UPDATE nowhere SET a = %s", [(1, 2)]), kind))
    fails(f"{name} killed", cursors(lambda cursor: killed(cursor, lambda one: one.execute("SELECT 1")), kind))
    fails(f"{name} arguments", cursors(lambda cursor: cursor.execute(), kind))
    fails(f"{name} many arguments", cursors(lambda cursor: cursor.executemany("a"), kind))
    fails(f"{name} option", cursors(lambda cursor: cursor.execute("a", no=1), kind))
fails("end", cursors(lambda cursor: asked(cursor, lambda one: [next(iter(one)) for _ in range(9)])))
fails("commit", cursors(lambda cursor: killed(cursor, lambda one: one.connection.commit())))
fails("ping", cursors(lambda cursor: killed(cursor, lambda one: one.connection.ping(reconnect=False))))
fails("select_db", cursors(lambda cursor: cursor.connection.select_db("nowhere")))
fails("closed", cursors(lambda cursor: cursor.connection.close() or cursor.execute("SELECT 1")))
fails("closed commit", cursors(lambda cursor: cursor.connection.close() or cursor.connection.commit()))
fails("timeout", cursors(lambda cursor: cursor.execute("SELECT SLEEP(20)"), read_timeout=1))
fails("connect arguments", cursors(lambda cursor: cursor.connection.connect(1, 2)))
"""

_REDIS: Final = r"""
import redis, redis.asyncio
from redis.backoff import NoBackoff
from redis.retry import Retry
ONCE = {"retry": Retry(NoBackoff(), 0)}
def client(**more):
    return redis.Redis(**{"port": PLACES["redis"], **ONCE, **more})
def silent():
    listener = socket.create_server(("127.0.0.1", 0))
    SILENT.append(listener)
    return listener.getsockname()[1]
def closing():
    import threading
    listener = socket.create_server(("127.0.0.1", 0))
    def run():
        while True:
            accepted, _ = listener.accept()
            accepted.recv(1000)
            accepted.close()
    threading.Thread(target=run, daemon=True).start()
    return listener.getsockname()[1]
SILENT = []
CLOSING = closing()
def connection():
    one = redis.Connection(port=PLACES["redis"])
    one.connect()
    fails("socket", lambda: one._sock + one._sock)
    FOUND["socket of redis"] = re.sub(r"\d+", "N", repr(one._sock))
connection()
fails("wrong type", lambda: client().lpush("a" if client().set("a", 1) else "", 1))
fails("no such command", lambda: client().execute_command("NOSUCH"))
fails("pipeline", lambda: client().pipeline().lpush("a", 1).execute())
fails("value", lambda: client().set("a", object()))
fails("script", lambda: client().eval("return nothing()", 0))
fails("refused", lambda: client(port=1).get("a"))
fails("refused with retries", lambda: redis.Redis(port=1, retry=Retry(NoBackoff(), 2)).get("a"))
fails("unknown host", lambda: client(host="no-such-host.invalid").get("a"))
fails("unix", lambda: client(unix_socket_path="/nowhere/at/all").get("a"))
fails("password", lambda: client(username="nobody", password="wrong").get("a"))
fails("database", lambda: client(db=999).get("a"))
fails("silent", lambda: client(port=silent(), socket_timeout=0.2).get("a"))
fails("slow", lambda: client(socket_timeout=1.0).blpop("nothing", 5))
fails("closing", lambda: client(port=CLOSING).get("a"))
fails("tls", lambda: client(port=CLOSING, ssl=True).get("a"))
def killed():
    other, own = client(), client(single_connection_client=True, protocol=2)
    number = own.client_id()
    other.client_kill_filter(_id=number)
    own.get("a")
fails("killed", killed)

async def loop():
    def client(**more):
        return redis.asyncio.Redis(**{"port": PLACES["redis"], "retry": redis.asyncio.retry.Retry(NoBackoff(), 0), **more})
    async def once(work, **more):
        async with client(**more) as one:
            await work(one)
    for name, (work, more) in {
        "wrong type": (lambda one: one.lpush("a", 1), {}),
        "pipeline": (lambda one: one.pipeline().lpush("a", 1).execute(), {}),
        "refused": (lambda one: one.get("a"), {"port": 1}),
        "unix": (lambda one: one.get("a"), {"unix_socket_path": "/nowhere/at/all"}),
        "password": (lambda one: one.get("a"), {"username": "nobody", "password": "wrong"}),
        "silent": (lambda one: one.get("a"), {"port": silent(), "socket_timeout": 0.2}),
        "closing": (lambda one: one.get("a"), {"port": CLOSING}),
        "given up": (lambda one: asyncio.wait_for(one.blpop("nothing", 5), 1.0), {}),
    }.items():
        await fails_async(f"asyncio {name}", lambda: once(work, **more))
asyncio.run(loop())
"""

_GRPC: Final = r"""
import grpc, logging, io
LOGGED = io.StringIO()
logging.basicConfig(stream=LOGGED, level=logging.ERROR, format="%(message)s")
PLACE = f"127.0.0.1:{PLACES['grpc']}"
def kinds(channel, **more):
    return {
        "unary_unary": lambda: channel.unary_unary("/shop/Fails", **more)(b"a", timeout=20),
        "with_call": lambda: channel.unary_unary("/shop/Fails", **more).with_call(b"a", timeout=20),
        "future": lambda: channel.unary_unary("/shop/Fails", **more).future(b"a", timeout=20).result(),
        "unary_stream": lambda: list(channel.unary_stream("/shop/Parts", **more)(b"a", timeout=20)),
        "stream_unary": lambda: channel.stream_unary("/shop/Fails", **more)(iter([b"a"]), timeout=20),
        "stream_future": lambda: channel.stream_unary("/shop/Fails", **more).future(iter([b"a"]), timeout=20).result(),
        "stream_stream": lambda: list(channel.stream_stream("/shop/Parts", **more)(iter([b"a"]), timeout=20)),
        "raising requests": lambda: channel.stream_unary("/shop/Fails", **more)((raising() for _ in "a"), timeout=20),
        "metadata": lambda: channel.unary_unary("/shop/Fails", **more)(b"a", metadata=[("no", 1)], timeout=20),
        "arguments": lambda: channel.unary_unary("/shop/Fails", **more)(),
        "option": lambda: channel.unary_unary("/shop/Fails", **more)(b"a", no=1),
        "future arguments": lambda: channel.unary_unary("/shop/Fails", **more).future(),
    }
for name, place in {"fails": PLACE, "refused": "127.0.0.1:1"}.items():
    with grpc.insecure_channel(place) as channel:
        for kind, call in kinds(channel).items():
            if name == "fails" or kind != "raising requests":  # either may be the first to fail
                fails(f"{name} {kind}", call)
with grpc.insecure_channel(PLACE) as channel:
    for kind, call in kinds(channel, request_serializer=raising).items():
        fails(f"serializer {kind}", call)
    fails("deserializer", lambda: channel.unary_unary("/shop/Works", response_deserializer=raising)(b"a", timeout=20))
    fails("deserializer stream", lambda: list(channel.unary_stream("/shop/Parts", response_deserializer=raising)(b"a", timeout=20)))
    fails("slow", lambda: channel.unary_unary("/shop/Slow")(b"a", timeout=1.0))
channel.close()
fails("closed", lambda: channel.unary_unary("/shop/Fails")(b"a"))
FOUND["logged"] = sorted(set(re.findall(r'File "[^"]*?([^/"]+)", line \d+, in (\S+)', LOGGED.getvalue())))

async def loop():
    async def asks():
        yield b"a"
    async def reads(call):
        async for _ in call:
            pass
    async def given_up(channel):
        await asyncio.wait_for(channel.unary_unary("/shop/Slow")(b"a"), 1.0)
    for name, place in {"fails": PLACE, "refused": "127.0.0.1:1"}.items():
        async with grpc.aio.insecure_channel(place) as channel:
            async def alone(call):
                return await call()
            for kind, call in {
                "unary_unary": lambda: channel.unary_unary("/shop/Fails")(b"a", timeout=20),
                "unary_stream": lambda: reads(channel.unary_stream("/shop/Parts")(b"a", timeout=20)),
                "stream_unary": lambda: channel.stream_unary("/shop/Fails")(asks(), timeout=20),
                "stream_stream": lambda: reads(channel.stream_stream("/shop/Parts")(asks(), timeout=20)),
                "serializer": lambda: channel.unary_unary("/shop/Fails", request_serializer=raising)(b"a", timeout=20),
                "given up": lambda: given_up(channel),
                "metadata": lambda: channel.unary_unary("/shop/Fails")(b"a", metadata=[("no", 1)], timeout=20),
            }.items():
                await fails_async(f"asyncio {name} {kind}", lambda: alone(call))
    await fails_async("asyncio closed", lambda: alone(lambda: channel.unary_unary("/shop/Fails")(b"a")))
asyncio.run(loop())
"""

_MONGO: Final = r"""
import bson, pymongo, time
def patience_ms(place, replicaSet="", **_more):
    return 60_000 if place == PLACES["mongo"] and not replicaSet else 300
def client(place=PLACES["mongo"], **more):
    return pymongo.MongoClient(place, serverSelectionTimeoutMS=patience_ms(place, **more), **more)
def once(work, **more):
    with client(**more) as one:
        return work(one)
def looked(one):
    # What no server answers fails by what the client's own thread has found by then
    servers = one.topology_description.server_descriptions().values()
    return all(server.error for server in servers)
def find(one):
    while not looked(one):
        time.sleep(0.005)
    return one.shop.items.find_one()
def twice(one):
    one.shop.items.drop()
    one.shop.items.insert_one({"_id": 1})
    one.shop.items.insert_one({"_id": 1})
def silent():
    listener = socket.create_server(("127.0.0.1", 0))
    SILENT.append(listener)
    return listener.getsockname()[1]
SILENT = []
fails("duplicate", lambda: once(twice))
fails("bulk", lambda: once(lambda one: one.shop.items.insert_many([{"_id": 1}, {"_id": 1}])))
fails("encoding", lambda: once(lambda one: one.shop.items.insert_one({"a": object()})))
fails("end", lambda: once(lambda one: next(one.shop.items.find({"_id": "none"}))))
fails("refused", lambda: once(find, place="mongodb://127.0.0.1:1"))
fails("silent", lambda: once(lambda one: one.shop.items.find_one(), place=f"mongodb://127.0.0.1:{silent()}"))
fails("unknown host", lambda: once(find, place="mongodb://no-such-host.invalid"))
fails("password", lambda: once(lambda one: one.shop.items.find_one(), username="a", password="b"))
fails("transaction", lambda: once(lambda one: one.start_session().commit_transaction()))
fails("session", lambda: once(lambda one: one.start_session(no=1)))
fails("replica set", lambda: once(find, replicaSet="none"))
fails("closed", lambda: once(lambda one: one.close() or one.shop.items.find_one()))

async def loop():
    async def once(work, place=PLACES["mongo"], **more):
        async with pymongo.AsyncMongoClient(place, serverSelectionTimeoutMS=patience_ms(place), **more) as one:
            await work(one)
    await fails_async("asyncio duplicate", lambda: once(lambda one: one.shop.items.insert_one({"_id": 1})))
    await fails_async("asyncio silent", lambda: once(lambda one: one.shop.items.find_one(), f"mongodb://127.0.0.1:{silent()}"))
    async def find(one):
        await one.aconnect()
        while not looked(one):
            await asyncio.sleep(0.005)
        await one.shop.items.find_one()
    await fails_async("asyncio refused", lambda: once(find, "mongodb://127.0.0.1:1"))
    await fails_async("asyncio password", lambda: once(lambda one: one.shop.items.find_one(), username="a", password="b"))
asyncio.run(loop())
"""

_IMPORTS: Final = r"""
import importlib.util
os.path.exists("/nowhere/at/all")
FOLDER = os.path.dirname(os.path.abspath(__file__))
os.makedirs(FOLDER + "/imports", exist_ok=True)
sys.path.insert(0, FOLDER + "/imports")
for name, failing in {
    "httpcore": "raise LookupError('of the module')", "aiohttp": "import nothing_of_this_name",
    "psycopg": "this is no Python", "pymysql": "import psycopg2", "psycopg2": "raise LookupError('of the module')",
}.items():
    os.makedirs(f"{FOLDER}/imports/{name}", exist_ok=True)
    with open(f"{FOLDER}/imports/{name}/__init__.py", "w") as file:
        file.write(failing)
importlib.invalidate_caches()
fails("looked for", lambda: importlib.util.find_spec("psycopg2").loader.no_such_attribute)
FOUND["source"] = importlib.util.find_spec("psycopg2").loader.get_source("psycopg2")
for name in ("httpcore", "aiohttp", "psycopg"):
    fails(name, lambda: importlib.import_module(name))
fails("statement", lambda: exec("import pymysql.connections"))
"""

FAILING: Final[dict[str, str]] = {
    "files": _FILES,
    "http": _HTTP,
    "imports": _IMPORTS,
    "sqlite3": _SQLITE,
    "psycopg2": _PSYCOPG2,
    "psycopg": _PSYCOPG,
    "psycopg_in_python": "os.environ['PSYCOPG_IMPL'] = 'python'\n" + _PSYCOPG,
    "asyncpg": _ASYNCPG,
    "pymysql": _PYMYSQL,
    "redis": _REDIS,
    "grpc": _GRPC,
    "pymongo": _MONGO,
}
"""Programs by library."""

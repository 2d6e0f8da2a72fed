"""One server with a service of ASGI and one of WSGI, each with one worker, for all tests of a module."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from gate import Gate
from server_harness import Served, served, write_app

__all__ = ["gate", "services"]

SOURCE = """
import asyncio, logging, os, sys, threading, time, urllib.request, uuid

log = logging.getLogger("shop")
started = []


async def answer(send, body, status=200, headers=()):
    head = [(b"content-type", b"text/plain"), *headers]
    await send({"type": "http.response.start", "status": status, "headers": head})
    await send({"type": "http.response.body", "body": body})


async def until(path):
    while not os.path.exists(path):
        await asyncio.sleep(0.005)


async def lifespan(scope, receive, send):
    await receive()
    scope["state"]["greeting"] = "hello"
    started.append(os.getpid())
    await send({"type": "lifespan.startup.complete"})
    await receive()
    print("the shop closes")
    await send({"type": "lifespan.shutdown.complete"})


async def app(scope, receive, send):
    if scope["type"] == "lifespan":
        return await lifespan(scope, receive, send)
    path = scope["path"].removeprefix(scope["root_path"])
    query = dict(part.split("=", 1) for part in scope["query_string"].decode().split("&") if part)
    if path == "/greet":
        await answer(send, f"{scope['state']['greeting']} {os.getpid()}".encode())
    elif path == "/scope":
        shown = {name: scope[name] for name in ("method", "path", "root_path", "http_version", "scheme")}
        shown["raw_path"] = scope["raw_path"].decode()
        shown["traceparent"] = dict(scope["headers"])[b"traceparent"].decode()
        await answer(send, repr(shown).encode())
    elif path == "/held":
        print("held begins", query["name"])
        log.warning("%s waits", query["name"])
        await until(query["go"])
        print("held ends", query["name"])
        await answer(send, b"let go")
    elif path == "/fails":
        basket = {"sku": query["sku"]}
        await asyncio.sleep(0)
        await checkout(basket)
    elif path == "/calls":
        first = await asyncio.to_thread(call, query, "first")
        open(query["go"] + query["sku"], "w").close()
        await until(query["go"])
        loop = asyncio.get_running_loop()
        rest = await asyncio.gather(*(loop.run_in_executor(None, call, query, name) for name in "ab"))
        raise LookupError(f"{first} {rest} {uuid.uuid4().hex}")
    elif path == "/swallowed":
        try:
            raise LookupError("no stock")
        except LookupError:
            log.exception("answered all the same")
        await answer(send, b"sorry", 503)
    elif path == "/handled":
        try:
            raise LookupError(query["sku"])
        except LookupError:
            await answer(send, b"sorry", int(query["status"]))
    elif path == "/forever":
        order = query["order"]
        await asyncio.sleep(3600)
    elif path == "/spins":
        while True:
            time.sleep(0.001)
    elif path == "/blocks":
        if "told" in query:
            open(query["told"], "w").close()
            while not os.path.exists(query["go"]):
                time.sleep(0.005)
        time.sleep(float(query["s"]))
        await answer(send, b"blocked")
    elif path == "/exits":
        os._exit(3)
    elif path == "/crashes":
        import ctypes

        ctypes.string_at(0)
    elif path == "/spans":
        from opentelemetry import trace

        with trace.get_tracer("fastapi").start_as_current_span("of the framework"):
            trace.get_current_span().set_attribute("order.id", 7)
            with trace.get_tracer("shop").start_as_current_span("of the application"):
                pass
        await answer(send, b"traced")
    elif path == "/stream":
        head = [(b"content-type", b"text/event-stream")]
        await send({"type": "http.response.start", "status": 200, "headers": head})
        for number in range(3):
            await send({"type": "http.response.body", "body": b"data: %d\\n\\n" % number, "more_body": True})
        await until(query["go"])
        await send({"type": "http.response.body", "body": b"data: end\\n\\n"})
    elif path == "/until-gone":
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"first", "more_body": True})
        await receive()
        message = await receive()
        open(query["told"], "w").write(message["type"])
    elif path == "/waits-for-gone":
        open(query["told"] + ".begun", "w").close()
        await receive()
        message = await receive()
        open(query["told"], "w").write(message["type"])
    elif path.startswith("/deaf/"):
        open(query["told"] + ".begun", "w").close()
        try:
            if path == "/deaf/sends":
                await send({"type": "http.response.start", "status": 200, "headers": []})
                while True:
                    await send({"type": "http.response.body", "body": b"more", "more_body": True})
                    await asyncio.sleep(0.01)
            await asyncio.sleep(3600)
        except asyncio.CancelledError:
            await asyncio.sleep(0.7 if path == "/deaf/cleans" else 0)
            open(query["told"], "w").write("cancelled")
            raise
    elif path == "/length":
        size = parts = 0
        while True:
            message = await receive()
            size += len(message.get("body", b""))
            parts += 1
            if not message.get("more_body"):
                break
        await answer(send, f"{size} in {'many' if parts > 1 else 'one'}".encode())
    elif path == "/early":
        await answer(send, b"before its work")
        await until(query["go"])
        print("its work is done")
    elif path == "/nothing":
        return
    elif path == "/short":
        await answer(send, b"four", headers=[(b"content-length", b"9")])
    elif path == "/big":
        await answer(send, b"x" * 3_000_000)
    elif path == "/splits":
        await answer(send, b"x", headers=[(b"x-evil", b"a\\r\\nset-cookie: b")])
    elif path == "/head":
        await answer(send, b"", headers=[(b"content-length", b"123")])
    else:
        await answer(send, b"no such page", 404)


def call(query, name):
    with urllib.request.urlopen(f"{query['at']}/{name}?sku={query['sku']}") as response:
        return response.read().decode()


async def checkout(basket):
    total = 3
    raise KeyError(basket["sku"])


def plain(environ, start_response):
    size = len(environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0)))
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [f"{size} by the rules".encode()]


def valid(environ, start_response):
    from wsgiref.validate import validator

    return validator(plain)(environ, start_response)


def web(environ, start_response):
    path = environ["PATH_INFO"]
    query = dict(part.split("=", 1) for part in environ["QUERY_STRING"].split("&") if part)
    if path == "/held":
        print("held begins", query["name"])
        while not os.path.exists(query["go"]):
            time.sleep(0.005)
        print("held ends", query["name"])
    elif path == "/fails":
        basket = {"sku": query["sku"]}
        raise KeyError(basket["sku"])
    elif path == "/forever":
        order = query["order"]
        while True:
            time.sleep(0.001)
    elif path == "/stream":
        def parts():
            yield b"first "
            while not os.path.exists(query["go"]):
                time.sleep(0.005)
            yield b"last"
        start_response("200 OK", [("content-type", "text/plain")])
        return parts()
    elif path == "/handled":
        try:
            raise LookupError(query["sku"])
        except LookupError:
            found = sys.exc_info()
        start_response(query["status"] + " Told", [("content-type", "text/plain")], found)
        return [b"sorry"]
    elif path == "/length":
        start_response("200 OK", [("content-type", "text/plain")])
        return [str(len(environ["wsgi.input"].read())).encode()]
    elif path.startswith("/environ"):
        start_response("200 OK", [("content-type", "text/plain")])
        shown = {name: environ[name] for name in ("SCRIPT_NAME", "PATH_INFO", "RAW_URI", "HTTP_TRACEPARENT")}
        return [repr(shown).encode()]
    start_response("200 OK", [("content-type", "text/plain")])
    return [f"{threading.current_thread() is threading.main_thread()}".encode()]
"""
FUNCTIONS = """
[functions.shop]
kind = "service"
app = "app:app"
timeout_s = 60
disconnect_timeout_s = 0.5
max_workers = 1
isolation_tier = 0
[[functions.shop.triggers]]
type = "http"
path = "/shop/{rest+}"

[functions.hasty]
kind = "service"
app = "app:app"
timeout_s = 3
max_workers = 1
isolation_tier = 0

[functions.web]
kind = "service"
app = "app:web"
timeout_s = 60
max_workers = 1
isolation_tier = 0

[functions.valid]
kind = "service"
app = "app:valid"
timeout_s = 60
max_workers = 1

[functions.hasty_web]
kind = "service"
app = "app:web"
timeout_s = 3
max_workers = 1
isolation_tier = 0
"""


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def services(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Served]:
    folder = tmp_path_factory.mktemp("services")
    async with served(folder / "home", service_heap_s=3_600) as running:
        await running.deploy(write_app(folder / "app", SOURCE, FUNCTIONS))
        yield running


@pytest.fixture
def gate(tmp_path: Path) -> Gate:
    return Gate(tmp_path / "go")

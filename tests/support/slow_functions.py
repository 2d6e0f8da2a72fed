"""Functions that are slow in known ways: `{"slow": true}` makes them so. What is right stands first."""

from __future__ import annotations

import contextlib
import http.server
import json
import threading
import time
from collections.abc import Iterator
from typing import Any, Final

__all__ = ["ANSWERS", "FILES", "events", "peer", "toml_of"]

ANSWERS: Final = {
    "slow_api": "dependency",
    "slow_callee": "dependency",
    "hot_loop": "cpu",
    "hot_hash": "cpu",
    "thread_lock": "lock",
    "file_lock": "lock",
    "cold_import": "import",
    "lazy_import": "import",
    "gc_full": "gc",
    "gc_cycles": "gc",
    "disk_fsync": "disk",
    "disk_files": "disk",
    "dns_http": "dns",
    "dns_async": "dns",
    "retry_status": "retries",
    "retry_refused": "retries",
    "n_plus_one_http": "more_calls",
    "n_plus_one_spans": "more_calls",
    "big_event_lines": "larger_input",
    "big_event_sort": "larger_input",
}
"""What is right, by function: two of each."""

SLOW_S: Final = 0.06

_COMMON = f"""
import gc, hashlib, http.client, os, socket, sys, threading, time, urllib.parse
import relive
PEER = urllib.parse.urlsplit(os.environ["PEER"])
SLOW_S = {SLOW_S}

def get(path):
    connection = http.client.HTTPConnection(PEER.hostname, PEER.port, timeout=30)
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        answer.read()
        return answer.status
    finally:
        connection.close()

def compute(cpu_s):
    end = time.thread_time() + cpu_s
    total = 0
    while time.thread_time() < end:
        total += sum(range(300))
    return total
"""

FILES: Final = {
    "calls.py": _COMMON
    + """
from opentelemetry import trace

def slow_api(event, context):
    return get("/slow" if event.get("slow") else "/fast")

def callee(event, context):
    time.sleep(event["sleep_s"])

def slow_callee(event, context):
    relive.invoke("callee", {"sleep_s": SLOW_S if event.get("slow") else 0.001})

def retry_status(event, context):
    for attempt in range(7 if event.get("slow") else 1):
        if get("/busy" if event.get("slow") and attempt < 6 else "/fast") == 200:
            return attempt
        time.sleep(0.004)

def retry_refused(event, context):
    if event.get("slow"):
        for attempt in range(8):
            try:
                socket.create_connection(("127.0.0.1", 1), timeout=1)
            except OSError:
                time.sleep(SLOW_S / 8)
    return get("/fast")

def n_plus_one_http(event, context):
    for number in range(40 if event.get("slow") else 1):
        get("/fast")

def select(number):
    with trace.get_tracer("shop").start_as_current_span("SELECT orders", kind=trace.SpanKind.CLIENT):
        time.sleep(0.0015)

def n_plus_one_spans(event, context):
    for number in range(40 if event.get("slow") else 1):
        select(number)
""",
    "computing.py": _COMMON
    + """
def hot_loop(event, context):
    total = 0
    for number in range(1_200_000 if event.get("slow") else 10_000):
        total += number % 7
    return total

def hot_hash(event, context):
    return hashlib.pbkdf2_hmac("sha256", b"secret", b"salt", 150_000 if event.get("slow") else 1_000).hex()

def big_event_lines(event, context):
    return sum(len(word) % 3 for line in event["text"].splitlines() for word in line.split(","))

def big_event_sort(event, context):
    numbers = [int(text) for text in event["text"].replace("\\n", ",").split(",") if text]
    for number in range(6):
        numbers.sort(key=lambda one: one * (number + 7) % 1009)
    return numbers[:3]
""",
    "waiting.py": _COMMON
    + """
import fcntl
LOCK = threading.Lock()

def hold(seconds, begun):
    with LOCK:
        begun.set()
        time.sleep(seconds)

def thread_lock(event, context):
    if event.get("slow"):
        begun = threading.Event()
        threading.Thread(target=hold, args=(SLOW_S, begun)).start()
        begun.wait(30)
    with LOCK:
        return 1

def hold_file(path, seconds, begun):
    with open(path, "w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        begun.set()
        time.sleep(seconds)

def file_lock(event, context):
    path = os.path.join(os.environ["HOME"], "lock")
    if event.get("slow"):
        begun = threading.Event()
        threading.Thread(target=hold_file, args=(path, SLOW_S, begun)).start()
        begun.wait(30)
    with open(path, "w") as mine:
        fcntl.flock(mine, fcntl.LOCK_EX)
        return 1

def disk_fsync(event, context):
    end = time.monotonic() + (SLOW_S if event.get("slow") else 0)
    with open(os.path.join(os.environ["HOME"], "journal"), "wb", buffering=0) as file:
        while True:
            file.write(bytes(65536))
            os.fsync(file.fileno())
            if time.monotonic() >= end:
                return file.tell()

def disk_files(event, context):
    count = 0
    end = time.monotonic() + (SLOW_S if event.get("slow") else 0)
    while not count or time.monotonic() < end:
        with open(f"{os.environ['HOME']}/part{count % 10}", "wb") as file:
            file.write(bytes(1 << 17))
        count += 1
    return count

import _socket
real_lookup = _socket.getaddrinfo

def slow_lookup(*arguments):
    time.sleep(SLOW_S)
    return real_lookup(*arguments)

def dns_http(event, context):
    _socket.getaddrinfo = slow_lookup if event.get("slow") else real_lookup
    return get("/fast")

async def dns_async(event, context):
    import asyncio

    _socket.getaddrinfo = slow_lookup if event.get("slow") else real_lookup
    return len(await asyncio.get_running_loop().getaddrinfo("127.0.0.1", 80))
""",
    "memory.py": _COMMON
    + """
KEPT = [[number] for number in range(400_000)]

def gc_full(event, context):
    for _ in range(3 if event.get("slow") else 0):
        gc.collect()
    return len(KEPT)

class Order:
    def __init__(self):
        self.lines = [self]

def gc_cycles(event, context):
    gc.set_threshold(20, 2, 1_000_000)
    orders = [Order() for _ in range(40_000 if event.get("slow") else 50)]
    return len(orders)
""",
    "loading.py": _COMMON
    + """
import rules

def cold_import(event, context):
    return rules.RULES
""",
    "rules.py": _COMMON + "RULES = compute(0.08) * 0 + 3\n",
    "lazily.py": _COMMON
    + """
def lazy_import(event, context):
    if event.get("slow"):
        import tables

        return tables.TABLES
    return 1
""",
    "tables.py": _COMMON + "TABLES = compute(SLOW_S) * 0 + 5\n",
}
_MODULES: Final = {
    name: module.removesuffix(".py")
    for module, text in FILES.items()
    for name in [*ANSWERS, "callee"]
    if f"def {name}(" in text
}


def toml_of(peer_url: str) -> str:
    """The application's relive.toml."""
    parts = ['[app]\nname = "slow"\n']
    for name, module in _MODULES.items():
        parts.append(
            f'[functions.{name}]\nsource = "."\nhandler = "{module}:{name}"\n'
            f"timeout_s = 30\nmemory_mb = 512\n"
            f'environment = {{ PEER = "{peer_url}" }}\n'
        )
    return "\n".join(parts)


def events(name: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """An ordinary event of a function, and one that it is slow with."""
    if name.startswith("big_event"):
        line = ",".join(map(str, range(100)))
        return {"text": line}, {"text": "\n".join([line] * 1_800)}
    return {}, {"slow": True}


class _Peer(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        if self.path == "/slow":
            time.sleep(SLOW_S)
        body = json.dumps({}).encode()
        self.send_response(503 if self.path == "/busy" else 200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_arguments: object) -> None:
        pass


@contextlib.contextmanager
def peer() -> Iterator[str]:
    """A server that functions call: /fast, /slow, /busy."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Peer)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()

"""A small HTTP server on loopback, for functions that call one. It counts, echoes, streams, compresses and
hangs up."""

from __future__ import annotations

import gzip
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import brotli

__all__ = ["serving"]


_DELAYS_S = {"/slow": 2.0}  # long beside 0.2 s, on a busy machine too


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_: object) -> None: ...

    def do_GET(self) -> None:
        body = self.rfile.read(int(self.headers.get("content-length") or 0))
        self.server.count += 1  # type: ignore[attr-defined]
        path = self.path.partition("?")[0]
        answer = {"n": self.server.count, "path": self.path, "echo": body.decode("utf-8", "replace")}  # type: ignore[attr-defined]
        if path == "/chunked":
            self._chunks(b'{"price": ', b"null, ", b'"currency": "EUR"}')
        elif path == "/hangup":
            self.close_connection = True
            self.connection.close()
        elif path == "/token":
            self._answer(json.dumps({"access_token": "tok-1234567890", "price": None}).encode())
        elif path == "/missing":
            self._answer(b"no such thing", status=404)
        elif path == "/gzip":
            self._answer(gzip.compress(json.dumps(answer).encode()), encoding="gzip")
        elif path == "/silence":
            self.server.closing.wait(120)  # type: ignore[attr-defined]
        elif path == "/half":
            self.send_response(200)
            self.send_header("Content-Length", "100")
            self.end_headers()
            self.wfile.write(b"the first half")
            self.server.closing.wait(120)  # type: ignore[attr-defined]
        elif path == "/brotli":
            self._answer(brotli.compress(json.dumps(answer).encode()), encoding="br")
        elif path == "/large":
            self._answer(b"x" * 600_000)
        else:
            self.server.closing.wait(_DELAYS_S.get(path, 0.0))  # type: ignore[attr-defined]
            self._answer(json.dumps(answer).encode())

    do_POST = do_PUT = do_DELETE = do_HEAD = do_GET

    def _answer(self, data: bytes, *, status: int = 200, encoding: str = "") -> None:
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        if encoding:
            self.send_header("Content-Encoding", encoding)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(data)

    def _chunks(self, *chunks: bytes) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        for chunk in (*chunks, b""):
            self.wfile.write(b"%x\r\n%s\r\n" % (len(chunk), chunk))
            self.wfile.flush()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    count = 0

    def __init__(self, *arguments: object) -> None:
        self.closing = threading.Event()
        super().__init__(*arguments)  # type: ignore[arg-type]

    def handle_error(self, *_: object) -> None: ...


@contextmanager
def serving() -> Iterator[str]:
    """Its address, such as http://127.0.0.1:54321; it is gone at the end."""
    server = _Server(("127.0.0.1", 0), _Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.closing.set()
        server.shutdown()
        server.server_close()
        thread.join()

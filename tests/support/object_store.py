"""What of S3 is needed to put, list, get and delete objects, on loopback: boto3 is the client."""

from __future__ import annotations

import contextlib
import threading
import urllib.parse
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from xml.sax.saxutils import escape

__all__ = ["ObjectStore", "object_store"]


class ObjectStore:
    """Objects by "bucket/key"."""

    def __init__(self) -> None:
        self.objects: dict[str, bytes] = {}
        store = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *arguments: Any) -> None: ...

            def _name(self) -> str:
                return urllib.parse.unquote(urllib.parse.urlsplit(self.path).path).lstrip("/")

            def _answer(self, status: int, body: bytes = b"") -> None:
                self.send_response(status)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def do_PUT(self) -> None:
                data = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                if "aws-chunked" in self.headers.get("Content-Encoding", ""):
                    data = _unchunked(data)
                store.objects[self._name()] = data
                self._answer(200)

            def do_DELETE(self) -> None:
                store.objects.pop(self._name(), None)
                self._answer(204)

            def do_GET(self) -> None:
                name = self._name()
                if "/" in name.rstrip("/"):
                    found = store.objects.get(name)
                    self._answer(404 if found is None else 200, found or b"")
                    return
                query = urllib.parse.parse_qs(urllib.parse.urlsplit(self.path).query)
                self._answer(200, store._listing(name.rstrip("/"), query.get("prefix", [""])[0]))

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def _listing(self, bucket: str, prefix: str) -> bytes:
        keys = [name.partition("/")[2] for name in self.objects if name.startswith(f"{bucket}/{prefix}")]
        rows = "".join(f"<Contents><Key>{escape(key)}</Key><Size>1</Size></Contents>" for key in sorted(keys))
        name = '<ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/">'
        return (
            f"{name}<Name>{bucket}</Name><IsTruncated>false</IsTruncated>{rows}</ListBucketResult>".encode()
        )

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


def _unchunked(data: bytes) -> bytes:
    """Of chunks with their sizes, and trailers."""
    parts = []
    while data:
        head, _, data = data.partition(b"\r\n")
        size = int(head.split(b";")[0], 16)
        if not size:
            break
        parts.append(data[:size])
        data = data[size + 2 :]
    return b"".join(parts)


@contextlib.contextmanager
def object_store() -> Iterator[ObjectStore]:
    """For as long as the block."""
    store = ObjectStore()
    try:
        yield store
    finally:
        store.close()

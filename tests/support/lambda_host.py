"""AWS Lambda's Runtime API on loopback, for its own runtime (awslambdaric) to be a host with."""

from __future__ import annotations

import contextlib
import json
import os
import queue
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from patience import PATIENCE_S
from recorded_hosts import environment

__all__ = ["LambdaHost", "lambda_host"]

# What Lambda starts: /var/runtime/bootstrap.py does the same.
BOOTSTRAP = """
import os
from awslambdaric.__main__ import main
main(["bootstrap", os.environ["_HANDLER"]])
"""


class LambdaHost:
    """Events to a runtime, and its answers: (path's last part, body)."""

    def __init__(self, timeout_s: float = PATIENCE_S) -> None:
        self.timeout_s = timeout_s
        self.events: queue.Queue[bytes] = queue.Queue()
        self.answers: queue.Queue[tuple[str, bytes]] = queue.Queue()
        self.process: subprocess.Popen[bytes] | None = None
        host = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *arguments: Any) -> None: ...

            def do_GET(self) -> None:
                host._next(self)

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                host.answers.put((self.path.rsplit("/", 1)[1], body))
                self.send_response(202)
                self.send_header("Content-Length", "0")
                self.end_headers()

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.address = f"127.0.0.1:{self._server.server_port}"
        self._number = 0
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def _next(self, request: BaseHTTPRequestHandler) -> None:
        event = self.events.get()
        self._number += 1
        request.send_response(200)
        request.send_header("Lambda-Runtime-Aws-Request-Id", f"request-{self._number}")
        request.send_header("Lambda-Runtime-Deadline-Ms", str(int((time.time() + self.timeout_s) * 1_000)))
        arn = "arn:aws:lambda:eu-west-1:000000000000:function:shop"
        request.send_header("Lambda-Runtime-Invoked-Function-Arn", arn)
        trace = "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1"
        request.send_header("Lambda-Runtime-Trace-Id", trace)
        request.send_header("Content-Type", "application/json")
        request.send_header("Content-Length", str(len(event)))
        request.end_headers()
        request.wfile.write(event)

    def invoke(self, event: object) -> tuple[str, Any]:
        """ "response" or "error", and what was answered."""
        self.events.put(json.dumps(event).encode())
        kind, body = self.answers.get(timeout=PATIENCE_S)
        return kind, json.loads(body) if body else None

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


@contextlib.contextmanager
def lambda_host(
    folder: Path,
    layer: Path | None,
    *,
    timeout_s: float = PATIENCE_S,
    command: tuple[str, ...] = (),
    **more: str,
) -> Iterator[LambdaHost]:
    """The runtime with the function in `folder`/task (shop.handler), and the layer if there is one.

    `command`: that of a container's image, which names the handler itself."""
    host = LambdaHost(timeout_s)
    task = folder / "task"
    (folder / "bootstrap.py").write_text(BOOTSTRAP)
    given = {
        **environment(folder),
        "AWS_LAMBDA_RUNTIME_API": host.address,
        "AWS_LAMBDA_FUNCTION_NAME": "shop",
        "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "512",
        "AWS_REGION": "eu-west-1",
        "LAMBDA_TASK_ROOT": str(task),
        **({} if command else {"_HANDLER": "shop.handler"}),
        "PYTHONPATH": str(task) if layer is None else f"{task}{os.pathsep}{layer / 'python'}",
        **more,
    }
    wrapper = [] if layer is None else [str(layer / "relive-record")]
    with (folder / "host.log").open("ab") as log:
        process = subprocess.Popen(
            [*wrapper, sys.executable, *(command or (str(folder / "bootstrap.py"),))],
            cwd=task,
            env=given,
            stdout=log,
            stderr=log,
        )
    host.process = process
    try:
        yield host
    finally:
        process.kill()
        process.wait()
        host.close()

"""Runs OpenTelemetry's own programs against a Relive server, and prints what came of it.

    python scripts/otlp_peers/run.py [node] [go] [collector]

node: the Node SDK's exporters from npm, HTTP with JSON and protobuf and gRPC, all with gzip.
go: the Go SDK's, over gRPC and HTTP.
collector: an OpenTelemetry Collector, built here of its own modules, which receives what one Relive sends
(traces, logs, and the platform's metrics) and passes it on to another one.

Go downloads and compiles for minutes. Without names: all for which npm or go is there. Ends with 1 if
something is missing in the store.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

sys.path.insert(0, str(Path(__file__).parents[2] / "tests" / "support"))

from free_ports import free_port

HERE: Final = Path(__file__).parent
_PACKAGES: Final = (
    *(f"@opentelemetry/{name}" for name in ("api", "api-logs", "resources")),
    *(f"@opentelemetry/sdk-{name}" for name in ("trace-node", "metrics", "logs")),
    *(
        f"@opentelemetry/exporter-{signal}-otlp-{way}"
        for signal in ("trace", "metrics", "logs")
        for way in ("http", "proto", "grpc")
    ),
)
_SPANS: Final = "SELECT ServiceName, SpanName, SpanAttributes['order.items'] FROM otel_traces"
_METRICS: Final = """
SELECT ServiceName, MetricName, max(Value) FROM otel_metrics_sum GROUP BY ALL
UNION ALL SELECT ServiceName, MetricName, max(Sum) FROM otel_metrics_histogram GROUP BY ALL
"""
_LOGS: Final = "SELECT ServiceName, SeverityText, Body FROM otel_logs"
_COLLECTOR: Final = """
receivers:
  otlp: {{protocols: {{grpc: {{endpoint: "127.0.0.1:{port}"}}}}}}
exporters:
  otlp: {{endpoint: "127.0.0.1:{target}", tls: {{insecure: true}}}}
service:
  telemetry: {{metrics: {{level: none}}}}
  pipelines:
    traces: {{receivers: [otlp], exporters: [otlp]}}
    metrics: {{receivers: [otlp], exporters: [otlp]}}
    logs: {{receivers: [otlp], exporters: [otlp]}}
"""
_APP: Final = {
    "relive.toml": '[app]\nname = "peers"\n[functions.cart]\nhandler = "app:handler"\n',
    "app.py": 'def handler(event, context):\n    print("packed")\n    return 3\n',
}
_PATIENCE_S: Final = 180.0


class Relive:
    """A server with a home of its own, which receives OTLP."""

    def __init__(self, home: Path, **options: str) -> None:
        self.home = home
        self.grpc, self.http = (f"127.0.0.1:{free_port()}" for _ in range(2))
        named = [part for name, value in options.items() for part in (f"--{name}", value)]
        self.run(
            "serve",
            "--daemon",
            "--http",
            "127.0.0.1:0",
            "--otlp-grpc",
            self.grpc,
            "--otlp-http",
            self.http,
            *named,
        )

    def run(self, *arguments: str) -> str:
        command = [sys.executable, "-m", "relive", "--home", str(self.home), *arguments]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout

    def rows(self, sql: str) -> set[tuple[str, ...]]:
        """Of what the store has."""
        lines = self.run("sql", sql, "--json").splitlines()
        return {tuple(str(value) for value in json.loads(line).values()) for line in lines}

    def eventually(self, sql: str, wanted: set[tuple[str, ...]]) -> set[tuple[str, ...]]:
        """What is missing of `wanted` in the end."""
        deadline = time.monotonic() + _PATIENCE_S
        while (missing := wanted - self.rows(sql)) and time.monotonic() < deadline:
            time.sleep(1)
        return missing


@contextmanager
def serving(**options: str) -> Iterator[Relive]:
    """A server, until the end."""
    folder = Path(tempfile.mkdtemp(prefix="relive-peers-"))
    server = Relive(folder / "home", **options)
    try:
        yield server
    finally:
        server.run("stop")
        shutil.rmtree(folder, ignore_errors=True)


def _sent_by(services: tuple[str, ...]) -> tuple[set[tuple[str, ...]], ...]:
    spans = {(name, span, items) for name in services for span, items in (("order", "3"), ("price", ""))}
    metrics = {
        (name, metric, value) for name in services for metric, value in (("sold", "3.0"), ("took", "12.5"))
    }
    return spans, metrics, {(name, "WARN", "no stock") for name in services}


def _check(peer: str, server: Relive, services: tuple[str, ...]) -> int:
    missing = [
        row
        for sql, wanted in zip((_SPANS, _METRICS, _LOGS), _sent_by(services), strict=True)
        for row in server.eventually(sql, wanted)
    ]
    print(
        f"{peer}: {', '.join(services)}: "
        + (f"missing {missing}" if missing else "spans, metrics and logs are there")
    )
    return len(missing)


def node(folder: Path) -> int:
    """The Node SDK."""
    npm = [
        "npm",
        "install",
        "--no-audit",
        "--no-fund",
        "--ignore-scripts",
        "--silent",
        "--prefix",
        str(folder),
    ]
    subprocess.run([*npm, *_PACKAGES], check=True, timeout=900)
    client = shutil.copy(HERE / "node_client.mjs", folder)
    with serving() as server:
        subprocess.run(["node", client, server.http, server.grpc], check=True, timeout=300)
        return _check("node", server, ("node-http", "node-proto", "node-grpc"))


def _built(source: str, folder: Path) -> Path:
    go = shutil.which("go") or "/usr/local/go/bin/go"
    shutil.copy(HERE / source, folder / "main.go")
    environment = {"GOCACHE": "/var/tmp/go-build", **os.environ, "GOFLAGS": "-buildvcs=false"}
    for arguments in (["mod", "init", "peers"], ["mod", "tidy"], ["build", "-o", "peer", "."]):
        subprocess.run([go, *arguments], check=True, cwd=folder, env=environment, capture_output=True)
    return folder / "peer"


def go(folder: Path) -> int:
    """The Go SDK."""
    client = _built("go_client.go", folder)
    with serving() as server:
        subprocess.run([client, server.http, server.grpc], check=True, timeout=300)
        return _check("go", server, ("go-grpc", "go-http"))


def collector(folder: Path) -> int:
    """From one Relive through a Collector to another one."""
    program = _built("collector.go", folder)
    port = free_port()
    app = folder / "app"
    app.mkdir()
    for name, text in _APP.items():
        (app / name).write_text(text)
    with serving() as target:
        config = _COLLECTOR.format(port=port, target=target.grpc.rpartition(":")[2])
        (folder / "collector.yaml").write_text(config)
        command = [program, "--config", f"file:{folder / 'collector.yaml'}"]
        with subprocess.Popen(command, stderr=(folder / "log").open("wb")) as process:
            try:
                return _through(f"http://127.0.0.1:{port}", app, target)
            finally:
                process.terminate()


def _through(endpoint: str, app: Path, target: Relive) -> int:
    with serving(otlp=endpoint) as source:
        source.run("deploy", str(app))
        source.run("invoke", "cart")
        wanted: dict[str, tuple[str, set[tuple[str, ...]]]] = {
            "spans": ("SELECT ServiceName, SpanName FROM otel_traces", {("cart", "cart")}),
            "logs": ("SELECT ServiceName, Body FROM otel_logs", {("cart", "packed")}),
            "platform's metrics": (
                "SELECT ServiceName, MetricName FROM otel_metrics_gauge",
                {("relive", "relive.store.up"), ("relive", "relive.workers")},
            ),
        }
        missing = {
            name: left for name, (sql, rows) in wanted.items() if (left := target.eventually(sql, rows))
        }
        print(f"collector: {missing or 'spans, logs and metrics came through'}")
        return len(missing)


PEERS: Final[dict[str, Callable[[Path], int]]] = {"node": node, "go": go, "collector": collector}


def main(names: list[str]) -> int:
    """How many things are missing."""
    has_go = bool(shutil.which("go")) or os.access("/usr/local/go/bin/go", os.X_OK)
    there: dict[str, Any] = {"node": shutil.which("npm"), "go": has_go, "collector": has_go}
    missing = 0
    for name in names or [peer for peer in PEERS if there[peer]]:
        folder = Path(tempfile.mkdtemp(prefix="relive-peer-"))
        try:
            missing += PEERS[name](folder)
        finally:
            shutil.rmtree(folder, ignore_errors=True)
    return missing


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]) > 0)

"""1M spans from Python columns through the store process, against a plain RowBinary insert by the engine
itself.

The baseline gets its bytes ready made: only the engine's own work is timed there. Both insert into the
same table definition
with its views, in the same run, one after the other, in blocks of the same size.
"""

from __future__ import annotations

import json
import struct
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from relive_store import StoreProcess, open_store
from relive_store.interface import INSERT_CHUNK_ROWS

__all__ = ["run", "try_out"]

TARGET_RATIO = 0.6
_SECOND_NS = 1_000_000_000


def spans(start: int, rows: int) -> dict[str, list[Any]]:
    """Spans as a busy platform makes them: 8 per trace, 20 functions, 6 attributes."""
    now = time.time_ns() // _SECOND_NS * _SECOND_NS
    numbers = range(start, start + rows)
    return {
        "Timestamp": [now + number * 1_000 for number in numbers],
        "TraceId": [f"{number // 8 * 0x9E3779B97F4A7C15 % (1 << 128):032x}" for number in numbers],
        "SpanId": [f"{number * 0x9E3779B97F4A7C15 % (1 << 64):016x}" for number in numbers],
        "ParentSpanId": [f"{number // 2 * 0x9E3779B97F4A7C15 % (1 << 64):016x}" for number in numbers],
        "SpanName": [f"step {number % 12}" for number in numbers],
        "SpanKind": ["Internal"] * rows,
        "ServiceName": [f"function-{number % 20}" for number in numbers],
        "ResourceAttributes": [
            {"service.name": f"function-{number % 20}", "faas.version": "3"} for number in numbers
        ],
        "ScopeName": ["relive"] * rows,
        "SpanAttributes": [
            {
                "faas.invocation_id": f"0192f1c0-7c3e-7000-8000-{number // 8:012x}",
                "faas.name": f"function-{number % 20}",
                "http.request.method": "GET",
                "http.response.status_code": "200",
                "url.path": f"/orders/{number % 1000}",
                "relive.attempt": "1",
            }
            for number in numbers
        ],
        "Duration": [number * 7919 % 50_000_000 for number in numbers],
        "StatusCode": ["Error" if number % 100 == 0 else "Unset" for number in numbers],
    }


def row_binary(columns: Mapping[str, Sequence[Any]]) -> bytes:
    """The same rows as RowBinary."""
    packers = []
    for name in columns:
        if name == "Timestamp":
            packers.append(struct.Struct("<q").pack)
        elif name == "Duration":
            packers.append(struct.Struct("<Q").pack)
        else:
            packers.append(_map if "Attributes" in name else _text)
    return b"".join(
        pack(cell)
        for row in zip(*columns.values(), strict=True)
        for pack, cell in zip(packers, row, strict=True)
    )


def _text(cell: str) -> bytes:
    data = cell.encode()
    return bytes((len(data),)) + data


def _map(cell: Mapping[str, str]) -> bytes:
    return bytes((len(cell),)) + b"".join(_text(key) + _text(value) for key, value in cell.items())


def _baseline(directory: str, rows: int) -> float:
    """Seconds of the engine's own RowBinary insert. Runs in a process of its own: see __main__."""
    from relive_store.embedded.engine import ChdbStore

    store = ChdbStore(directory)
    store.migrate()
    seconds = 0.0
    for start in range(0, rows, INSERT_CHUNK_ROWS):
        columns = spans(start, min(INSERT_CHUNK_ROWS, rows - start))
        data = row_binary(columns)
        with store._writers.session(60) as session:
            begun = time.perf_counter()
            stream = session.send_insert(f"INSERT INTO otel_traces ({', '.join(columns)})", "RowBinary")
            session.insert_append(stream, data)
            session.insert_done(stream)
            seconds += time.perf_counter() - begun
    count = store.query("SELECT count() FROM otel_traces").scalar()
    store.close()
    if count != rows:
        raise RuntimeError(f"the baseline has {count} of {rows} rows")
    return seconds


def _through_process(home: Path, rows: int) -> float:
    """Seconds of the same rows from columns through the store process."""
    process = StoreProcess(home / "store", home / "s.sock", log_path=home / "log")
    process.start()
    store = open_store(process.url)
    try:
        store.migrate()
        seconds = 0.0
        step = INSERT_CHUNK_ROWS * 4
        for start in range(0, rows, step):
            columns = spans(start, min(step, rows - start))
            begun = time.perf_counter()
            store.insert("otel_traces", columns, token=f"bench-{start}", timeout_s=120)
            seconds += time.perf_counter() - begun
        count = store.query("SELECT count() FROM otel_traces").scalar()
    finally:
        store.close()
        process.stop()
    if count != rows:
        raise RuntimeError(f"the store has {count} of {rows} rows")
    return seconds


def _measured(rows: int) -> tuple[float, float]:
    """Rows per second: the engine's own insert, and ours."""
    with tempfile.TemporaryDirectory(prefix="rlb") as name:
        command = [sys.executable, __file__, "--baseline", f"{name}/baseline", str(rows)]
        plain = rows / float(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
        return plain, rows / _through_process(Path(name) / "ours", rows)


def run(quick: bool) -> list[dict[str, object]]:
    """Rows per second of both, and their ratio (target: at least TARGET_RATIO)."""
    rows = 200_000 if quick else 1_000_000
    plain, ours = _measured(rows)
    ratio = ours / plain
    return [
        {
            "name": "store insert, plain RowBinary",
            "value": round(plain),
            "unit": "rows/s",
            "target": "",
            "ok": True,
        },
        {"name": "store insert, columns", "value": round(ours), "unit": "rows/s", "target": "", "ok": True},
        {
            "name": "store insert, ratio",
            "value": round(ratio, 2),
            "unit": "x",
            "target": f">= {TARGET_RATIO}",
            "ok": ratio >= TARGET_RATIO,
        },
    ]


def try_out() -> None:
    """The smallest run of everything that is set up here; nothing is measured."""
    _measured(100)


if __name__ == "__main__":
    if "--baseline" in sys.argv:
        print(_baseline(sys.argv[2], int(sys.argv[3])))
    else:
        for line in run("--quick" in sys.argv):
            print(json.dumps(line))

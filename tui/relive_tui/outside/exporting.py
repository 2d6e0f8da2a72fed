"""What `x` writes or sends. Called by worker threads."""

from __future__ import annotations

import json
import os
import re
import time
from dataclasses import asdict
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from relive_store import Columns, Store
    from relive_views.profiles.trees import FlameTree

    from relive_tui.models.heap.view import HeapView

__all__ = [
    "FLAME_KINDS",
    "export_flame",
    "export_heap",
    "export_scene",
    "export_trace_file",
    "send_trace",
    "write_new",
    "write_result",
]

SEND_LIMIT_S = 30.0
FLAME_KINDS = {
    "speedscope": "speedscope.json",
    "html": "html",
    "pprof": "pb.gz",
    "collapsed": "collapsed.txt",
    "otlp_profile": "otlp.pb",
}
"""What a flame graph can be written as, and how the files end."""


def write_new(folder: Path, name: str, data: bytes) -> str:
    """Write a file that was not there before, readable by its owner only; gives its path. Raises OSError."""
    stem, dot, rest = re.sub(r"[^\w.-]+", "_", name).partition(".")
    for number in range(1, 1000):
        path = folder / (f"{stem}-{number}{dot}{rest}" if number > 1 else f"{stem}{dot}{rest}")
        try:
            handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
        except FileExistsError:
            continue
        with os.fdopen(handle, "wb") as file:
            file.write(data)
        return str(path)
    raise FileExistsError(f"{folder / name}: there are a thousand of them already")


def write_result(columns: Columns, path: Path) -> str:
    """A query's result as CSV or JSON, by the ending of a file that was not there before, readable by its
    owner only; gives its path. Raises OSError."""
    from relive_tui.models.sql.result import as_csv, as_json

    text = as_json(columns) if path.suffix == ".json" else as_csv(columns)
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    with os.fdopen(handle, "wb") as file:
        file.write(text.encode("utf-8", "backslashreplace"))
    return str(path.absolute())


def export_trace_file(store: Store, trace_id: str, folder: Path, limit: int) -> str:
    """All spans of a trace as JSON."""
    from relive_tracer.explore import traces

    found = traces.trace(store, trace_id, limit)
    goes_on = traces.goes_on(store, trace_id, found)  # has spans that are not in the file
    document = {"trace_id": trace_id, "goes_on": goes_on, "spans": [asdict(span) for span in found]}
    text = json.dumps(document, ensure_ascii=False, indent=1)
    return write_new(folder, f"trace-{trace_id[:16]}.json", text.encode("utf-8", "backslashreplace"))


def send_trace(store: Store, trace_id: str, endpoint: str, limit: int) -> str:
    """Send a trace and its logs to an OTLP collector; the standard variables say with which headers and
    certificates. Raises ReliveError if it does not take it."""
    from relive_base.addresses import without_password
    from relive_tracer.explore import logs, otlp, traces
    from relive_tracer.explore.otlp_settings import endpoint_settings

    spans = traces.trace(store, trace_id, limit)
    settings = endpoint_settings(endpoint, "", env=os.environ)
    stats = otlp.export_rows(settings, spans, timeout_s=SEND_LIMIT_S)
    failed = stats.failed + stats.dropped
    told = f"{stats.sent} spans sent to {without_password(endpoint)}"
    if settings.logs is not None and not failed:
        lines = logs.page(store, logs.LogFilter(trace_id=trace_id))
        lines_stats = otlp.export_rows(settings, logs=lines, timeout_s=SEND_LIMIT_S)
        failed += lines_stats.failed + lines_stats.dropped
        told += f", {lines_stats.sent} log lines" if lines_stats.sent else ""
        told += f", {lines_stats.off}" if lines_stats.off else ""
    return told + (f", {failed} failed: {stats.last_error}" if failed else "")


def export_scene(store: Store, scenes_dir: Path, invocation_id: str, attempt: int, folder: Path) -> str:
    """A failure's scene, as its archive."""
    from relive_capture.explore import scenes

    name, data = scenes.archive_bytes(store, scenes_dir, invocation_id, attempt)
    return write_new(folder, name, data)


def export_heap(found: HeapView, ident: str, folder: Path) -> str:
    """A heap as V8's `.heapsnapshot`; some seconds for a million objects."""
    from relive_base.errors import NotFound
    from relive_views.heaps import write_v8

    if found.heap is None:
        raise NotFound(f"no heap: {found.reason}")
    path = write_new(folder, f"{ident[:13] or 'heap'}.heapsnapshot", b"")  # the name is ours from here on
    write_v8(found.heap, path)
    return f"{path}\nChrome: DevTools, Memory, Load profile"


def export_flame(tree: FlameTree, function: str, kind: str, folder: Path) -> str:
    """A flame graph as one of FLAME_KINDS."""
    from relive_profiler.explore import export

    name = f"{function or 'all'}-{time.strftime('%Y%m%d-%H%M%S')}.{FLAME_KINDS[kind]}"
    return write_new(folder, name, export.export_bytes(tree, kind.removesuffix("_profile")))

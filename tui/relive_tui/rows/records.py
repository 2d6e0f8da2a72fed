"""From what the other rooms answer to the rows that the screens show."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from relive_base.attributes import attribute_texts
from relive_base.json_text import parse_bounded
from relive_base.source_text import split_source

from relive_tui.models.data import (
    EventChange,
    EventDiff,
    EventView,
    ExceptionView,
    FailureGroup,
    FrameView,
    FunctionRow,
    HeapRef,
    InvocationRow,
    LogRow,
    ReplayView,
    SceneView,
    SpanRow,
    StackView,
    ValueView,
)
from relive_tui.models.failure.stacks import RELATIONS
from relive_tui.models.health import Health
from relive_tui.models.heap.view import HeapView
from relive_tui.models.home import failure_title
from relive_tui.models.layout.format import short_id
from relive_tui.rows.scene_calls import calls_of
from relive_tui.rows.scene_facts import SceneFacts
from relive_tui.source.untrusted import attempt_in, number_in

if TYPE_CHECKING:
    from pathlib import Path

    from relive_base.values import ValueNode
    from relive_base.wire.messages import LogLine, SpanData
    from relive_capture import model
    from relive_capture.explore.failures import FailureGroup as GroupRow
    from relive_capture.explore.failures import FailureRow
    from relive_capture.explore.scene import SceneFile
    from relive_platform.replay.history import ReplayNote
    from relive_tracer.explore import models as tracer

__all__ = [
    "baseline_ref",
    "function_row",
    "group_row",
    "health_of",
    "heap_ref",
    "invocation_row",
    "log_row",
    "replay_view",
    "scene_of_record",
    "scene_span",
    "scene_view",
    "span_row",
    "without_scene",
]

MAX_SOURCE_LINES = 5_000
MAX_EVENT_BYTES = 1_048_576


def invocation_row(row: tracer.InvocationRow) -> InvocationRow:
    """Of the listing's row."""
    same = {
        name: getattr(row, name) for name in InvocationRow.__dataclass_fields__ if name not in ("started_ns",)
    }
    return InvocationRow(**same, started_ns=row.started_at)


def function_row(row: tracer.FunctionStats) -> FunctionRow:
    """Of a function's statistics."""
    return FunctionRow(
        name=row.name,
        invocations=row.invocations,
        errors=row.errors,
        rps=row.rps,
        p50_ms=row.p50_ms,
        p95_ms=row.p95_ms,
        p99_ms=row.p99_ms,
        cold_starts=row.cold_starts,
        max_rss_bytes=row.max_rss_bytes,
        memory_limit_bytes=row.memory_limit_bytes,
        last_failure_ns=row.last_failure_ns,
        spark=tuple(row.spark),
    )


def span_row(row: tracer.SpanRow) -> SpanRow:
    """Of a stored span."""
    events = tuple(EventView(event.timestamp_ns, event.name, event.attributes) for event in row.events)
    return SpanRow(
        row.span_id,
        row.parent_span_id,
        row.name,
        row.start_ns,
        row.duration_ns,
        row.trace_id,
        row.kind,
        row.service,
        row.status,
        row.status_message,
        row.attributes,
        events,
    )


def scene_span(span: SpanData, service: str) -> SpanRow:
    """Of a span in a scene."""
    events = tuple(
        EventView(event.timestamp_ns, event.name, attribute_texts(event.attributes)) for event in span.events
    )
    return SpanRow(
        span.span_id,
        span.parent_span_id,
        span.name,
        span.start_ns,
        max(span.end_ns - span.start_ns, 0),
        span.trace_id,
        span.kind,
        service,
        span.status,
        span.status_message,
        attribute_texts(span.attributes),
        events,
    )


def log_row(row: tracer.LogRow) -> LogRow:
    """Of a stored log line."""
    return LogRow(
        row.timestamp_ns,
        row.severity,
        row.body,
        row.function,
        row.invocation_id,
        row.trace_id,
        row.span_id,
        row.source,
        attempt_in(row.attributes),
        row.attributes.get("exception.stacktrace", ""),
    )


def group_row(row: GroupRow) -> FailureGroup:
    """Of a group of failures."""
    return FailureGroup(
        row.fingerprint,
        row.function,
        row.error_type,
        row.message,
        row.kind,
        row.file,
        row.line,
        row.count,
        row.first_ns,
        row.last_ns,
        row.invocation_id,
        row.attempt,
        tuple(row.spark),
        row.versions,
    )


# ---------------------------------------------------------------- scenes


def scene_view(scene: SceneFile) -> SceneView:
    """Of an opened archive. Raises SceneError if a member is damaged."""
    from relive_capture.model import every_exception

    manifest = scene.manifest
    sources = _Sources(scene)
    exceptions = [_exception(view, depth, sources) for view, depth in every_exception(scene.exceptions)]
    facts = SceneFacts(scene)
    lines: list[LogLine] = facts.read("logs", [])
    result: model.ResultView | None = facts.read("result", None)
    return SceneView(
        invocation_id=scene.invocation_id,
        attempt=scene.attempt,
        function=str(manifest.get("function", "")),
        kind=str(manifest.get("kind", "exception")),
        exceptions=tuple(exceptions),
        version=int(manifest.get("version", 0)),
        trace_id=str(manifest.get("trace_id", "")),
        span_id=str(manifest.get("span_id", "")),
        captured_ns=int(manifest.get("captured_ns", 0)),
        fingerprint=str(manifest.get("fingerprint", "")),
        event=_event(scene.event, scene.context),
        parts=tuple((name, part.state, part.reason) for name, part in scene.parts.items()),
        stacks=tuple(_stacks(facts, sources)),
        logs=tuple(_scene_log(line, scene) for line in lines),
        difference=_difference(facts),
        has_heap=scene.has_heap,
        heap_elsewhere=scene.heap_elsewhere,
        result=(result.path, result.reason, value_view(result.value) if result.value else None)
        if result
        else None,
        calls=tuple(calls_of(facts.read("recorded_calls", []))),
        facts=tuple(facts.lines()),
    )


def _stacks(facts: SceneFacts, sources: _Sources) -> Iterator[StackView]:
    """What failed beside the handler first, then the other threads and tasks as they stood."""
    from relive_capture.model import every_exception

    background: list[model.BackgroundView] = facts.read("background", [])
    for failed in background:
        for view, depth in every_exception(failed.exceptions):
            title = failure_title(view.type, view.message)
            state = f"{RELATIONS[view.relation]} {title}" if view.relation in RELATIONS else f"✖ {title}"
            found = _exception(view, depth, sources)
            yield StackView(failed.origin, failed.name, found.frames, state, found)
    threads: list[model.ThreadView] = facts.read("threads", [])
    for thread in threads:
        yield StackView("thread", thread.name, _frames(thread.frames, sources))
    tasks: list[model.TaskView] = facts.read("tasks", [])
    for task in tasks:
        frames = _frames(task.frames, sources)
        state, error = task.state, None
        if task.error:
            state = f"✖ {failure_title(task.error, task.message)}"
            error = ExceptionView(task.error, task.message, "", frames)
        if task.awaits:
            state += f", awaits {task.awaits}"
        yield StackView(task.kind, task.name, frames, state, error)


def _difference(facts: SceneFacts) -> EventDiff | None:
    from relive_capture.explore.text import healthy_diff

    found = facts.attempt(healthy_diff, None)
    if found is None:
        return None
    changes = tuple(EventChange(row.path, row.change, row.before, row.after) for row in found.changes)
    return EventDiff(changes, found.more, found.invocation_id, found.started_ns)


def without_scene(row: InvocationRow, missing: str) -> HeapView:
    """Of an invocation that has no scene, and so no heap; `missing` is what was said of its scene."""
    name = f"{row.function} {short_id(row.invocation_id)}"
    if row.status == "ok":
        command = f"relive heap {shlex.quote(row.function)} --next"
        return HeapView(reason=f"{name} succeeded, and only a failure has one", next_command=command)
    if row.status == "rejected":
        return HeapView(reason=f"{name} was rejected: it did not run")
    return HeapView(reason=f"{name} has no scene: {missing}")


def heap_ref(row: FailureRow) -> HeapRef:
    """Of a failure that has a heap."""
    return HeapRef(
        row.invocation_id, row.attempt, row.captured_ns, failure_title(row.error_type, row.message)
    )


def baseline_ref(scene: SceneFile, path: Path) -> HeapRef:
    """Of the heap of a healthy invocation."""
    captured = number_in(scene.manifest, "captured_ns")
    version = number_in(scene.manifest, "version")
    return HeapRef(
        scene.invocation_id, scene.attempt, captured, f"a healthy invocation, v{version}", str(path)
    )


def replay_view(note: ReplayNote) -> ReplayView:
    """Of a replay's note."""
    return ReplayView(
        note.outcome, note.at_ns, note.code, note.runs, tuple(note.counts.items()), note.difference
    )


class _Sources:
    """The lines of a scene's source files, each split once."""

    def __init__(self, scene: SceneFile) -> None:
        self._scene = scene
        self._files: dict[str, tuple[str, ...]] = {}

    def of(self, frame: model.FrameView) -> tuple[tuple[str, ...], int]:
        """(lines, number of the first one): the whole file if the scene has it."""
        if frame.in_app:
            if frame.file not in self._files:
                self._files[frame.file] = tuple(split_source(self._scene.source(frame.file)))
            whole = self._files[frame.file]
            if 0 < len(whole) <= MAX_SOURCE_LINES and frame.line <= len(whole):
                return whole, 1
        return tuple(frame.source), frame.source_first_line or 1


def _frames(frames: Iterable[model.FrameView], sources: _Sources) -> tuple[FrameView, ...]:
    return tuple(_frame(frame, sources) for frame in frames)


def _exception(view: model.ExceptionView, depth: int, sources: _Sources) -> ExceptionView:
    return ExceptionView(
        view.type,
        view.message,
        view.relation,
        _frames(view.frames, sources),
        tuple(view.notes),
        view.module,
        depth,
        len(view.group),
        view.group_more,
        view.frames_cut,
        view.frames_cut_at,
        view.suppressed,
        _attributes(view),
        tuple(view.details),
        tuple(view.place),
    )


def _attributes(view: model.ExceptionView) -> tuple[tuple[str, ValueView], ...]:
    values = [(name, value_view(node)) for name, node in view.attributes]
    if view.attributes_more:
        values.append(("…", ValueView("", f"{view.attributes_more} more attributes were not captured")))
    return tuple(values)


def _frame(frame: model.FrameView, sources: _Sources) -> FrameView:
    from relive_tui.models.failure.code import names_in, relevant_first

    source, first = sources.of(frame)
    view = FrameView(
        frame.file,
        frame.line,
        frame.function,
        frame.in_app,
        (),
        source,
        first,
        max(frame.end_line, 0),
        frame.column,
        frame.end_column,
    )
    values = [(name, value_view(node)) for name, node in frame.locals]
    if values:
        values = list(relevant_first(values, names_in(view)))
    if frame.locals_more:
        values.append(("…", ValueView("", f"{frame.locals_more} more locals were not captured")))
    return replace(view, locals=tuple(values))


def value_view(node: ValueNode) -> ValueView:
    """Of a captured value; the archive's reader has bounded its depth."""
    children = tuple((name, value_view(child)) for name, child in node.children)
    return ValueView(node.type, node.text, node.length, children, node.more, node.redacted, node.ref, node.id)


def _scene_log(line: LogLine, scene: SceneFile) -> LogRow:
    return LogRow(
        line.timestamp_ns,
        line.severity,
        line.body,
        str(scene.manifest.get("function", "")),
        scene.invocation_id,
        line.trace_id,
        line.span_id,
        line.source,
        scene.attempt,
        str(line.attributes.get("exception.stacktrace", "")),
    )


def _event(body: bytes, context: Mapping[str, Any]) -> str:
    """The event as it came; of an HTTP request the whole of it, as JSON."""
    text = body[:MAX_EVENT_BYTES].decode("utf-8", "replace")
    http = context.get("http")
    if not isinstance(http, dict):
        return text
    content: object = text
    try:
        content = parse_bounded(text)
    except ValueError:
        content = text
    return json.dumps({**http, **({"body": content} if text else {})}, ensure_ascii=False)


def scene_of_record(row: InvocationRow, why: str) -> SceneView:
    """What is known of a failure that left no scene."""
    frames: tuple[FrameView, ...] = ()
    if row.error_file:
        frames = (FrameView(row.error_file, row.error_line, row.error_function or "?"),)
    failed = row.error_type or row.status
    exception = ExceptionView(failed, row.error_message, "", frames)
    return SceneView(
        row.invocation_id,
        row.attempt,
        row.function,
        row.status,
        (exception,),
        row.version,
        row.trace_id,
        row.span_id,
        row.started_ns + row.queue_ns + row.init_ns + row.duration_ns,
        note=why,
    )


# ---------------------------------------------------------------- health


def health_of(status: Mapping[str, Any] | None) -> Health:
    """Of the object that `relive status --json` prints; None: no server."""
    if not status:
        return Health(False)
    store, workers, queue = (_part(status, name) for name in ("store", "workers", "queue"))
    return Health(
        True,
        float(store.get("lag_s", 0.0)),
        int(store.get("dropped_rows", 0)),
        int(store.get("spooled_rows", 0)),
        " ".join(f"{workers[name]} {name}" for name in ("busy", "idle", "frozen") if workers.get(name)),
        " ".join(f"{queue[name]} {name}" for name in ("ready", "leased", "dead") if queue.get(name)),
        f"isolation tier {status['isolation_tier']}" if "isolation_tier" in status else "",
        _store_problem(store),
    )


def _store_problem(store: Mapping[str, Any]) -> str:
    state = str(store.get("state", "ready"))
    return "" if state == "ready" else f"{state}: {store.get('reason', '')}"


def _part(status: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    part = status.get(name)
    return part if isinstance(part, Mapping) else {}

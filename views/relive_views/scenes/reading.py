"""From an opened archive, or from what is known without one, to what is shown of a failure."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from relive_base.attributes import attribute_texts
from relive_base.json_text import parse_bounded
from relive_base.source_text import split_source
from relive_base.values import ValueNode

from relive_views.records import InvocationRow, LogRow, SpanEventRow, SpanRow
from relive_views.scenes.calls import calls_of
from relive_views.scenes.model import ExceptionView, FrameView, SceneView, StackView
from relive_views.scenes.parts import SceneParts
from relive_views.scenes.relevance import names_in, relevant_first

if TYPE_CHECKING:
    from relive_base.wire.messages import LogLine, SpanData
    from relive_capture import model
    from relive_capture.explore.scene import SceneFile

__all__ = ["scene_of_record", "scene_span", "scene_view"]

MAX_SOURCE_LINES: Final = 5_000
MAX_EVENT_BYTES: Final = 1_048_576


def scene_span(span: SpanData, service: str) -> SpanRow:
    """Of a span in a scene."""
    events = tuple(
        SpanEventRow(event.timestamp_ns, event.name, attribute_texts(event.attributes))
        for event in span.events
    )
    return SpanRow(
        span_id=span.span_id,
        parent_span_id=span.parent_span_id,
        name=span.name,
        start_ns=span.start_ns,
        duration_ns=max(span.end_ns - span.start_ns, 0),
        trace_id=span.trace_id,
        kind=span.kind,
        service=service,
        status=span.status,
        status_message=span.status_message,
        attributes=attribute_texts(span.attributes),
        events=events,
    )


def scene_view(scene: SceneFile) -> SceneView:
    """Of an opened archive. Raises SceneError if a member is damaged."""
    from relive_capture.explore.parts import outside_facts
    from relive_capture.model import every_exception

    from relive_views.scenes.differences import healthy_diff

    manifest = scene.manifest
    outside = outside_facts(scene)
    sources = _Sources(scene)
    exceptions = [_exception(view, depth, sources) for view, depth in every_exception(scene.exceptions)]
    parts = SceneParts(scene)
    lines: list[LogLine] = parts.read("logs", [])
    result: model.ResultView | None = parts.read("result", None)
    return SceneView(
        invocation_id=scene.invocation_id,
        attempt=scene.attempt,
        function=str(manifest.get("function", "")),
        kind=str(manifest.get("kind", "exception")),
        exceptions=tuple(exceptions),
        version=int(manifest.get("version", 0)),
        host=outside.host[:20] if outside is not None else "",
        trace_id=str(manifest.get("trace_id", "")),
        span_id=str(manifest.get("span_id", "")),
        captured_ns=int(manifest.get("captured_ns", 0)),
        fingerprint=str(manifest.get("fingerprint", "")),
        event=_event(scene.event, scene.context),
        parts=tuple((name, part.state, part.reason) for name, part in scene.parts.items()),
        stacks=tuple(_stacks(parts, sources)),
        logs=tuple(_scene_log(line, scene) for line in lines),
        difference=parts.attempt(healthy_diff, None),
        has_heap=scene.has_heap,
        heap_elsewhere=scene.heap_elsewhere,
        result=(result.path, result.reason, result.value) if result else None,
        calls=tuple(calls_of(parts.read("recorded_calls", []))),
        facts=parts.facts(),
    )


def _stacks(parts: SceneParts, sources: _Sources) -> Iterator[StackView]:
    """What failed beside the handler first, then the other threads and tasks as they stood."""
    from relive_capture.model import every_exception

    background: list[model.BackgroundView] = parts.read("background", [])
    for failed in background:
        for view, depth in every_exception(failed.exceptions):
            found = _exception(view, depth, sources)
            yield StackView(failed.origin, failed.name, found.frames, exception=found)
    threads: list[model.ThreadView] = parts.read("threads", [])
    for thread in threads:
        yield StackView("thread", thread.name, _frames(thread.frames, sources))
    tasks: list[model.TaskView] = parts.read("tasks", [])
    for task in tasks:
        frames = _frames(task.frames, sources)
        error = ExceptionView(task.error, task.message, "", frames) if task.error else None
        yield StackView(task.kind, task.name, frames, task.state, error, task.awaits)


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


def _attributes(view: model.ExceptionView) -> tuple[tuple[str, ValueNode], ...]:
    values = list(view.attributes)
    if view.attributes_more:
        values.append(
            ("…", ValueNode(type="", text=f"{view.attributes_more} more attributes were not captured"))
        )
    return tuple(values)


def _frame(frame: model.FrameView, sources: _Sources) -> FrameView:
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
    values = list(relevant_first(frame.locals, names_in(view))) if frame.locals else []
    if frame.locals_more:
        values.append(("…", ValueNode(type="", text=f"{frame.locals_more} more locals were not captured")))
    return replace(view, locals=tuple(values))


def _scene_log(line: LogLine, scene: SceneFile) -> LogRow:
    return LogRow(
        timestamp_ns=line.timestamp_ns,
        severity=line.severity,
        body=line.body,
        function=str(scene.manifest.get("function", "")),
        invocation_id=scene.invocation_id,
        trace_id=line.trace_id,
        span_id=line.span_id,
        source=line.source,
        attributes={**attribute_texts(line.attributes), "relive.attempt": str(scene.attempt)},
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
        row.started_at + row.queue_ns + row.init_ns + row.duration_ns,
        note=why,
    )

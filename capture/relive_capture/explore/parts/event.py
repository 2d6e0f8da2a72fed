"""What the function was called with: the event, the request around it, and the last event that went well."""

from __future__ import annotations

from typing import Any

import msgspec
from relive_base.json_text import parse_bounded, pretty
from relive_base.parts import Why, missing, ok, partial
from relive_base.redaction.paths import hide_path
from relive_base.redaction.redactor import Redactor
from relive_base.terminal import one_line
from relive_base.wire.messages import HttpRequest

from relive_capture.explore.parts.part import Extent, SceneInput, SceneMembers, ScenePart, always
from relive_capture.explore.scene import SceneFile
from relive_capture.explore.scene.event_bodies import clean_event
from relive_capture.explore.text import Line, healthy_diff

__all__ = ["CONTEXT", "EVENT", "HEALTHY"]


def _collect_event(source: SceneInput, built: SceneMembers) -> None:
    redactor = built.redactor
    data = source.http.body if source.http is not None else source.event
    if data:
        before = len(built.redactions)
        clean = clean_event(data, source.http, redactor, "event", built.redactions)
        if clean is None:
            built.parts["event"] = missing(Why.NOT_SEARCHED)
            return
        built.files["event.bin"] = clean
        hidden = len(built.redactions) - before
        state = partial(Why.REDACTED, hidden) if hidden else ok()
        built.parts["event"] = state
    elif source.http is not None:
        built.parts["event"] = ok(Why.NO_BODY)


def _collect_context(source: SceneInput, built: SceneMembers) -> None:
    record, redactor = source.record, built.redactor
    context: dict[str, Any] = {
        "trigger": record.trigger,
        "event_id": redactor.text(record.event_id),
        "caller_invocation_id": record.caller_invocation_id,
        "timeout_ns": record.timeout_ns,
        "memory_limit_bytes": record.memory_limit_bytes,
        "attributes": redactor.value(record.attributes, "context.attributes", built.redactions),
    }
    request = source.http
    if request is not None:
        context["http"] = _http(request, redactor, "context.http", built.redactions)
    built.files["context.json"] = msgspec.json.encode(context)
    built.parts["context"] = ok()


def _http(request: HttpRequest, redactor: Redactor, where: str, redactions: list[str]) -> dict[str, Any]:
    query = redactor.text(request.query)
    if query is not request.query:
        redactions.append(f"{where}.query")
    path = hide_path(redactor.text(request.path), request.route, redactor.secret_key)
    if path != request.path:
        redactions.append(f"{where}.path")
    return {
        "method": request.method,
        "path": path,
        "query": query,
        "headers": redactor.headers(request.headers, f"{where}.headers", redactions),
        "scheme": request.scheme,
        "host": request.host,
        "client": request.client,
        "mount": request.mount,
        "route": request.route,
    }


def _collect_healthy(source: SceneInput, built: SceneMembers) -> None:
    healthy, redactor = source.healthy, built.redactor
    if healthy is None:
        return
    request = healthy.http
    context: dict[str, Any] = {
        "invocation_id": healthy.invocation_id,
        "started_ns": healthy.started_ns,
        "trigger": healthy.trigger,
    }
    if request is not None:
        context["http"] = _http(request, redactor, "healthy.http", built.redactions)
    data = request.body if request is not None else healthy.event
    clean = clean_event(data, request, redactor, "healthy.event", built.redactions)
    if clean is None:
        built.parts["healthy"] = missing(Why.NOT_SEARCHED)
        return
    built.files["healthy/event.bin"] = clean
    built.files["healthy/context.json"] = msgspec.json.encode(context)
    built.parts["healthy"] = ok()


def _event_value(scene: SceneFile) -> object:
    """The event as JSON if it is JSON, else as text."""
    try:
        return parse_bounded(scene.event) if scene.event else None
    except ValueError:
        return scene.event[:65536].decode("utf-8", "backslashreplace")


def _render_event(scene: SceneFile, extent: Extent) -> list[Line]:
    width = extent.wide
    http = scene.context.get("http")
    lines = [Line(""), Line("Event", "heading")]
    if isinstance(http, dict):
        query = f"?{http['query']}" if http.get("query") else ""
        lines.append(
            Line(one_line(f"  {http.get('method', '')} {http.get('path', '')}{query}", width), "local")
        )
    value = _event_value(scene)
    if value is None:
        return lines if isinstance(http, dict) else []
    text, cut = (value[:65536], len(value) > 65536) if isinstance(value, str) else pretty(value, 65536)
    rows = text.split("\n")
    lines += [Line(f"  {one_line(row, width - 2)}", "local") for row in rows[: extent.event_lines]]
    if len(rows) > extent.event_lines:
        left = len(rows) - extent.event_lines
        more = f"more than {left}" if cut else str(left)
        lines.append(Line(f"  … {more} more lines", "dim"))
    return lines


def _render_difference(scene: SceneFile, extent: Extent) -> list[Line]:
    """How the event differs from the last one that succeeded."""
    width = extent.wide
    found = healthy_diff(scene)
    if found is None:
        return []
    name = one_line(f"the last successful event ({found.invocation_id[:8]})")
    if not found.changes:
        return [Line(""), Line(f"The same as {name}", "heading")]
    lines = [Line(""), Line(f"Differs from {name}", "heading")]
    lines += [
        Line(one_line(f"  {change.text()}", width), "local") for change in found.changes[: extent.changes]
    ]
    more = len(found.changes) - extent.changes + found.more
    return [*lines, Line(f"  … {more} more", "dim")] if more > 0 else lines


def _read_difference(scene: SceneFile) -> Any:
    found = healthy_diff(scene)
    return None if found is None else found.as_json()


EVENT = ScenePart(
    name="event",
    absent=always(missing(Why.EVENT_EMPTY)),
    collect=_collect_event,
    json_key="event",
    read=_event_value,
    render=_render_event,
)
CONTEXT = ScenePart(
    name="context",
    absent=always(missing()),
    collect=_collect_context,
    json_key="context",
    read=lambda scene: scene.context,
)
HEALTHY = ScenePart(
    name="healthy",
    absent=always(missing(Why.NO_HEALTHY)),
    collect=_collect_healthy,
    json_key="healthy",
    read=_read_difference,
    render=_render_difference,
)

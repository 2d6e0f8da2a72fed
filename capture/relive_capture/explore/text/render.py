"""A failure as text for the terminal: plain, escaped, one list of lines with a style name each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import msgspec
from relive_base.json_text import parse_bounded, pretty
from relive_base.terminal import cells, one_line
from relive_base.values import render, render_lines
from relive_base.wire.messages import PartState

from relive_capture.explore.scene import SceneFile, own_frame
from relive_capture.explore.text.beside import beside_lines, waiting_lines
from relive_capture.explore.text.calls import call_lines, calls_json
from relive_capture.explore.text.event_diff import healthy_diff
from relive_capture.explore.text.exceptions import (
    attribute_lines,
    detail_lines,
    message_lines,
    title_of,
    wrapped,
)
from relive_capture.explore.text.lines import Line
from relive_capture.model import ExceptionView, FrameView

__all__ = ["RELATIONS", "Line", "failure_lines", "render_text", "source_lines", "to_json"]

_WHOLE = 1_000_000  # cells: no line is cut
_INTERRUPTED = ("timeout", "memory", "signal", "cancelled")
_LINKED_LINES = 6
_LINKED_TOLD = 12
RELATIONS = {"cause": "caused by", "context": "while handling", "group": "in the group", "": ""}


@dataclass(frozen=True, slots=True)
class _Extent:
    """How much of each is shown."""

    locals: int = 20
    local_lines: int = 12  # of one value
    depth: int = 1  # of values that do not fit one line
    frames: int = 12
    calls: int = 8
    event_lines: int = 24
    changes: int = 12
    logs: int = 10


_BRIEF = _Extent()
_FULL = _Extent(
    locals=10_000,
    local_lines=10_000,
    depth=10,
    calls=10_000,
    event_lines=100_000,
    changes=10_000,
    logs=1_000_000,
)


def render_text(
    scene: SceneFile,
    width: int = 120,
    commands: Sequence[str] = (),
    heap: str = "",
    *,
    all_frames: bool = False,
    full: bool = False,
) -> str:
    """The whole failure as plain text. `commands`: what to type next, if it is not the usual; `heap`: what
    there is to say of the heap; `all_frames`: with each frame's line and locals, also those of libraries;
    `full`: everything that the scene has, and no line cut."""
    lines = failure_lines(scene, width, commands, heap, all_frames=all_frames, full=full)
    return "\n".join(line.text for line in lines)


def to_json(scene: SceneFile) -> dict[str, Any]:
    """The same for machines: manifest, exception, event, calls, context, how the event differs from the last
    one that succeeded, failures beside it, tasks, threads, logs, parts, redactions."""
    difference = healthy_diff(scene)
    return {
        "manifest": scene.manifest,
        "exception": msgspec.to_builtins(scene.exceptions),
        "event": _event_value(scene),
        "calls": calls_json(scene.recorded_calls),
        "context": scene.context,
        "healthy": None if difference is None else difference.as_json(),
        "background": msgspec.to_builtins(scene.background),
        "tasks": msgspec.to_builtins(scene.tasks),
        "threads": msgspec.to_builtins(scene.threads),
        "result": msgspec.to_builtins(scene.result),
        "logs": [
            {"timestamp_ns": line.timestamp_ns, "severity": line.severity, "body": line.body}
            for line in scene.logs
        ],
        "parts": {name: {"state": part.state, "reason": part.reason} for name, part in scene.parts.items()},
        "redactions": scene.redactions,
    }


def failure_lines(
    scene: SceneFile,
    width: int = 120,
    commands: Sequence[str] = (),
    heap: str = "",
    *,
    all_frames: bool = False,
    full: bool = False,
) -> list[Line]:
    """Headline, root line with source and locals, chain, calls, event, log tail, completeness, what to type
    next."""
    extent = _FULL if full else _BRIEF
    width = max(width, 40)
    wide = _WHOLE if full else width
    lines = _headline(scene, wide)
    root = scene.exceptions[0]
    beside = beside_lines(scene, width)
    waited = scene.manifest.get("kind") in _INTERRUPTED
    lines += beside if waited else []  # what it waited for, most likely
    shown, where = _focus(root)
    frame = own_frame(shown)
    if frame is not None:
        lines += [Line(""), Line(one_line(where, width), "error")] if where else []
        lines += _root(frame, width, scene.parts.get("exception"), extent)
    lines += _told(root, wide)
    if frame is not None:
        lines += _every_frame(shown, width, extent) if all_frames or full else _stack(shown, width)
    lines += _chain(scene.exceptions, wide)
    lines += [] if waited else beside
    lines += waiting_lines(scene, width)
    lines += call_lines(scene.recorded_calls, wide, extent.calls, bodies=full)
    lines += _result(scene, wide)
    lines += _event(scene, wide, extent)
    lines += _difference(scene, wide, extent)
    lines += _logs(scene, wide, extent)
    lines += _parts(scene, wide, heap)
    return lines + _next(scene, commands)


def _focus(root: ExceptionView) -> tuple[ExceptionView, str]:
    """(the exception whose frame is shown in full, which one that is if it is not the raised one). A group
    only says where it was put together: its first member is shown."""
    view = root
    while view.group:
        view = view.group[0]
    if view is root or own_frame(view) is None:
        return root, ""
    return view, f"the first in the group: {title_of(view)}"


def _headline(scene: SceneFile, width: int) -> list[Line]:
    manifest, root = scene.manifest, scene.exceptions[0]
    captured = datetime.fromtimestamp(int(manifest.get("captured_ns", 0)) / 1e9, UTC)
    title, *rest = message_lines(root, width)
    lines = [Line(title, "title"), *(Line(text, "error") for text in rest)]
    place = f"{manifest.get('function', '?')} v{manifest.get('version', '?')}"
    facts = [
        place,
        f"kind {manifest.get('kind', '?')}",
        f"attempt {scene.attempt}",
        f"{captured:%Y-%m-%d %H:%M:%S} UTC",
    ]
    lines.append(Line(one_line("  " + " · ".join(facts), width), "meta"))
    ids = f"  invocation {scene.invocation_id}  trace {manifest.get('trace_id', '')}"
    # Ids are there to be copied, so they are never cut.
    lines.append(Line(one_line(f"{ids}  group {manifest.get('fingerprint', '')}"), "meta"))
    return lines


def _told(view: ExceptionView, width: int) -> list[Line]:
    """What a known type has to tell, and the exception's own attributes."""
    lines: list[Line] = []
    if details := detail_lines(view.details, width - 2):
        lines += [Line(""), Line("Details", "heading"), *(Line(f"  {text}", "local") for text in details)]
    if attributes := attribute_lines(view, width - 4):
        heading = one_line(f"Attributes of {view.type}", width)
        lines += [Line(""), Line(heading, "heading"), *(Line(f"  {text}", "local") for text in attributes)]
    return lines


def _root(frame: FrameView, width: int, part: PartState | None, extent: _Extent) -> list[Line]:
    lines = [Line(""), Line(one_line(f"{frame.file}:{frame.line} in {frame.function}", width), "heading")]
    lines += source_lines(frame, width)
    if not frame.locals:
        return lines
    lines += [Line(""), Line("Locals", "heading")]
    for name, node in frame.locals[: extent.locals]:
        depth = extent.depth if len(render(node, 400)) > width - 20 else 0
        texts = render_lines(node, name, width - 4, depth=depth)
        lines += [Line(f"  {text}", "local") for text in texts[: extent.local_lines]]
    more = len(frame.locals) - extent.locals + frame.locals_more
    lines += [Line(f"  … {more} more", "dim")] if more > 0 else []
    if part is not None and part.state == "partial":
        lines.append(Line(one_line(f"  cut: {part.reason}", width), "dim"))
    return lines


def source_lines(frame: FrameView, width: int = 120) -> list[Line]:
    """The lines around the failing one, which is marked with > and ^."""
    lines: list[Line] = []
    last = frame.source_first_line + len(frame.source) - 1
    digits = len(str(max(last, 1)))
    for offset, text in enumerate(frame.source):
        number = frame.source_first_line + offset
        hit = number == frame.line
        shown = one_line(text.expandtabs(4), max(width - digits - 4, 10))
        lines.append(
            Line(f"{'>' if hit else ' '} {number:>{digits}}  {shown}".rstrip(), "mark" if hit else "source")
        )
        if hit:
            marks = _marks(frame, text)
            if marks:
                lines.append(Line(one_line(f"  {'':>{digits}}  {marks}", width), "mark"))
    return lines


def _marks(frame: FrameView, text: str) -> str:
    """^ under the failing expression; nothing if it is the whole line or not known."""
    if frame.column < 0 or frame.end_column < 0:
        return ""
    raw = text.encode("utf-8", "replace")
    start = _cells(raw[: frame.column])
    end_column = frame.end_column if frame.end_line == frame.line else len(raw)
    end = _cells(raw[:end_column])
    if end <= start or raw[frame.column : end_column].strip() == raw.strip():
        return ""
    return " " * start + "^" * (end - start)


def _cells(beginning: bytes) -> int:
    """How many columns of a terminal the beginning of a line takes, as it is shown."""
    return cells(one_line(beginning.decode("utf-8", "replace").expandtabs(4)))


def _stack(view: ExceptionView, width: int) -> list[Line]:
    if len(view.frames) < 2:
        return []
    lines = [Line(""), Line("Frames, innermost first", "heading")]
    hidden = 0
    shown = 0
    for frame in reversed(view.frames):
        if not frame.in_app or shown >= _BRIEF.frames:
            hidden += 1
            continue
        shown += 1
        lines.append(Line(one_line(f"  {frame.function:<28} {frame.file}:{frame.line}", width), "frame"))
    hidden += view.frames_cut
    return [*lines, Line(f"  … {hidden} more frames", "dim")] if hidden else lines


def _every_frame(view: ExceptionView, width: int, extent: _Extent) -> list[Line]:
    """All frames, innermost first, each with its line and its locals; those of libraries are marked."""
    lines = [Line(""), Line("Frames, innermost first", "heading")]
    for number in range(len(view.frames) - 1, -1, -1):
        frame = view.frames[number]
        place = f"  {frame.function:<28} {frame.file}:{frame.line}"
        lines.append(Line(one_line(place if frame.in_app else f"{place}  (library)", width), "frame"))
        index = frame.line - frame.source_first_line
        if 0 <= index < len(frame.source):
            lines.append(Line(one_line(f"    > {frame.source[index].strip()}", width), "source"))
        for name, node in frame.locals[: extent.locals]:
            lines.append(Line(one_line(f"    {name} = {render(node, width)}", width), "local"))
        more = len(frame.locals) - extent.locals + frame.locals_more
        lines += [Line(f"    … {more} more", "dim")] if more > 0 else []
        if view.frames_cut and number == view.frames_cut_at:
            lines.append(Line(f"  … {view.frames_cut} more frames", "dim"))
    return lines


def _chain(views: list[ExceptionView], width: int) -> list[Line]:
    lines: list[Line] = []
    for number, view in enumerate(views):
        lines += _linked(view, width, "") if number else []
        for member in view.group[: _BRIEF.frames]:
            lines += _linked(member, width, "  ")
            for link in member.chain[: _BRIEF.frames]:
                lines += _linked(link, width, "    ")
    return [Line(""), *lines] if lines else []


def _linked(view: ExceptionView, width: int, indent: str) -> list[Line]:
    relation = RELATIONS.get(view.relation, view.relation)
    inner = width - len(indent) - 2
    first, *rest = wrapped(f"{relation} {title_of(view)}".strip(), inner, _LINKED_LINES)
    lines = [Line(f"{indent}{first}", "error")]
    rest += [one_line(text, inner) for text in (*view.place, *(f"note: {note}" for note in view.notes))]
    lines += [Line(f"{indent}  {text}", "error") for text in rest]
    frame = own_frame(view)
    if frame is not None:
        place = f"{indent}  {frame.file}:{frame.line} in {frame.function}"
        index = frame.line - frame.source_first_line
        code = frame.source[index].strip() if 0 <= index < len(frame.source) else ""
        lines.append(Line(one_line(f"{place}:  {code}" if code else place, width), "frame"))
        texts = "  ".join(f"{name}={render(node, 60)}" for name, node in frame.locals[:6])
        if texts:
            lines.append(Line(one_line(f"{indent}    {texts}", width), "local"))
    told = [*detail_lines(view.details, inner - 2), *attribute_lines(view, inner - 2)][:_LINKED_TOLD]
    return lines + [Line(f"{indent}    {text}", "local") for text in told]


def _result(scene: SceneFile, width: int) -> list[Line]:
    result = scene.result
    if result is None:
        return []
    lines = [Line(""), Line("Result", "heading")]
    if found := ": ".join(filter(None, (result.path, result.reason))):
        lines.append(Line(one_line(f"  not JSON: {found}", width), "error"))
    if result.value is not None:
        lines.append(Line(f"  {render(result.value, width - 2)}", "local"))
    return lines


def _event_value(scene: SceneFile) -> object:
    """The event as JSON if it is JSON, else as text."""
    try:
        return parse_bounded(scene.event) if scene.event else None
    except ValueError:
        return scene.event[:65536].decode("utf-8", "backslashreplace")


def _event(scene: SceneFile, width: int, extent: _Extent) -> list[Line]:
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


def _difference(scene: SceneFile, width: int, extent: _Extent) -> list[Line]:
    """How the event differs from the last one that succeeded."""
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


def _logs(scene: SceneFile, width: int, extent: _Extent) -> list[Line]:
    tail = scene.logs[-extent.logs :]
    if not tail:
        return []
    part = scene.parts.get("logs")
    cut = f" ({part.reason})" if part is not None and part.state == "partial" and part.reason else ""
    head = one_line(f"Logs, the last {len(tail)} of {len(scene.logs)}{cut}", width)
    lines = [Line(""), Line(head, "heading")]
    return lines + [Line(one_line(f"  {line.severity:<5} {line.body}", width), "log") for line in tail]


def _parts(scene: SceneFile, width: int, heap: str) -> list[Line]:
    """What the scene has, what is missing of what it could have had and why, and what does not apply."""
    whole = [name for name, part in scene.parts.items() if part.state == "ok"]
    lines = [Line(""), Line(one_line(f"The scene has {', '.join(whole)}", width), "meta")]
    if heap:
        lines.append(Line(one_line(f"  heap: {heap}", width), "meta"))
    other: list[str] = []
    for name, part in scene.parts.items():
        state = part.state
        if state == "not_applicable":
            other.append(name)
        elif state != "ok":
            lines.append(Line(one_line(f"  {state}: {name} ({part.reason})", width), "meta"))
    if other:
        lines.append(Line(one_line(f"  not for this failure: {', '.join(other)}", width), "dim"))
    if scene.redactions:
        lines.append(Line(one_line(f"  redacted: {', '.join(scene.redactions[:8])}", width), "dim"))
    return lines


def _next(scene: SceneFile, commands: Sequence[str]) -> list[Line]:
    ident = scene.invocation_id
    commands = commands or (
        f"relive debug {ident}",
        *([f"relive heap {ident}"] if scene.has_heap else []),
        f"relive replay {ident}",
        f"relive trace {ident}",
        f"relive flame {ident}",
        f"relive scene {ident} --output failure.scene",
    )
    return [
        Line(""),
        Line("Next", "heading"),
        *(Line(f"  {one_line(command)}", "command") for command in commands),
    ]

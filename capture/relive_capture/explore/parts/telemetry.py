"""What the function said and did meanwhile: its log lines, its spans, its profile."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import msgspec
from relive_base.attributes import json_safe
from relive_base.parts import PartState, State, Why, not_applicable, ok, partial
from relive_base.redaction.redactor import KeyBlocks
from relive_base.terminal import one_line
from relive_base.wire.messages import LogLine, Profile, SpanData, StackFrames

from relive_capture.explore.parts.part import Extent, SceneInput, SceneMembers, ScenePart, always
from relive_capture.explore.scene import SceneFile
from relive_capture.explore.text import Line

__all__ = ["LOGS", "PROFILE", "SPANS"]

MAX_LOG_LINES: Final = 5_000
MAX_SPANS: Final = 10_000


def _collect_logs(source: SceneInput, built: SceneMembers) -> None:
    lines, before, redactor = source.logs, source.logs_left_out, built.redactor
    if not lines:
        return
    kept = lines[-MAX_LOG_LINES:]
    rows = []
    blocks = KeyBlocks()
    for number, line in enumerate(kept):
        row = {name: getattr(line, name) for name in LogLine.__struct_fields__}
        body = blocks.line(line.source, line.body, redactor)
        if body is not line.body:
            built.redactions.append(f"logs[{number}]")
            row["body"] = body
        row["attributes"] = json_safe(
            redactor.value(line.attributes, f"logs[{number}].attributes", built.redactions)
        )
        rows.append(msgspec.json.encode(row))
    built.files["logs.jsonl"] = b"\n".join(rows) + b"\n"
    left_out = before + len(lines) - len(kept)
    built.parts["logs"] = _cut(left_out, "earlier lines")


def _collect_spans(source: SceneInput, built: SceneMembers) -> None:
    spans, redactor = source.spans, built.redactor
    if not spans:
        return
    rows = []
    for number, span in enumerate(spans[:MAX_SPANS]):
        row = {name: getattr(span, name) for name in SpanData.__struct_fields__}
        row["attributes"] = redactor.value(span.attributes, f"spans[{number}].attributes", built.redactions)
        row["name"] = redactor.text(span.name)
        row["status_message"] = redactor.text(span.status_message)
        row["links"] = redactor.value(
            msgspec.to_builtins(span.links), f"spans[{number}].links", built.redactions
        )
        row["events"] = redactor.value(
            msgspec.to_builtins(span.events), f"spans[{number}].events", built.redactions
        )
        rows.append(json_safe(row))
    built.files["spans.json"] = msgspec.json.encode(rows)
    left_out = len(spans) - len(rows)
    built.parts["spans"] = _cut(left_out, "spans")


def _collect_profile(source: SceneInput, built: SceneMembers) -> None:
    if not source.profiles:
        return
    known = dict(source.stacks)
    for profile in source.profiles:
        known.update({stack.stack_hash: stack for stack in profile.new_stacks})
    built.files["profile.json"] = msgspec.json.encode(
        [_profile(profile, known) for profile in source.profiles]
    )
    built.parts["profile"] = ok()


def _profile(profile: Profile, known: Mapping[int, StackFrames]) -> dict[str, Any]:
    stacks = []
    columns = (profile.stack_hashes, profile.counts, profile.wall_ns, profile.cpu_ns)
    for stack_hash, count, wall_ns, cpu_ns in zip(*columns, strict=False):
        stack = known.get(stack_hash)
        stacks.append(
            {
                "functions": [] if stack is None else stack.functions,
                "files": [] if stack is None else stack.files,
                "lines": [] if stack is None else stack.lines,
                "count": count,
                "wall_ns": wall_ns,
                "cpu_ns": cpu_ns,
            }
        )
    return {
        "phase": profile.phase,
        "engine": profile.engine,
        "started_ns": profile.started_ns,
        "duration_ns": profile.duration_ns,
        "stacks": stacks,
    }


def _cut(left_out: int, what: str) -> PartState:
    return partial(Why.LEFT_OUT, left_out, what) if left_out else ok()


def _render_logs(scene: SceneFile, extent: Extent) -> list[Line]:
    width = extent.wide
    tail = scene.logs[-extent.logs :]
    if not tail:
        return []
    part = scene.parts.get("logs")
    cut = f" ({part.reason})" if part is not None and part.state is State.PARTIAL and part.reason else ""
    head = one_line(f"Logs, the last {len(tail)} of {len(scene.logs)}{cut}", width)
    lines = [Line(""), Line(head, "heading")]
    return lines + [Line(one_line(f"  {line.severity:<5} {line.body}", width), "log") for line in tail]


def _read_logs(scene: SceneFile) -> list[dict[str, Any]]:
    return [
        {"timestamp_ns": line.timestamp_ns, "severity": line.severity, "body": line.body}
        for line in scene.logs
    ]


LOGS = ScenePart(
    name="logs",
    absent=always(not_applicable(Why.NO_LOGS)),
    collect=_collect_logs,
    json_key="logs",
    read=_read_logs,
    render=_render_logs,
)
SPANS = ScenePart(
    name="spans",
    absent=always(not_applicable(Why.NO_SPANS)),
    collect=_collect_spans,
    read=lambda scene: scene.spans,
)
PROFILE = ScenePart(
    name="profile",
    absent=always(not_applicable(Why.NO_PROFILE)),
    collect=_collect_profile,
    read=lambda scene: scene.profile,
)

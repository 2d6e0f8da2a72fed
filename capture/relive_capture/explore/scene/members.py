"""The members of a scene: what each is made of. Everything is redacted here, whatever the worker did
already."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import msgspec
from relive_base.attributes import json_safe
from relive_base.records import InvocationRecord
from relive_base.redaction.memory import SecretMemory
from relive_base.redaction.paths import hide_path
from relive_base.redaction.redactor import KeyBlocks, Redactor
from relive_base.wire.messages import (
    NOT_APPLICABLE,
    ErrorInfo,
    HttpRequest,
    LogLine,
    PartState,
    Profile,
    Scene,
    SpanData,
    StackFrames,
)

from relive_capture.explore.scene.cleaning import clean_member
from relive_capture.explore.scene.event_bodies import UNSEARCHED, clean_event
from relive_capture.explore.scene.names import is_safe_name
from relive_capture.explore.scene.recorded import recorded_members

__all__ = ["WENT_ON", "HealthyEvent", "SceneInput", "SceneMembers", "build_members"]

MAX_LOG_LINES = 5_000
MAX_SPANS = 10_000
MAX_MEMBER_BYTES = 16 * 1024 * 1024


# Every part that a scene can have: its state if nobody gives it, and why.
PARTS: Final[dict[str, tuple[str, str]]] = {
    "event": ("missing", "the event was empty"),
    "context": ("missing", ""),
    "result": (NOT_APPLICABLE, "the handler gave no result"),
    "exception": ("missing", "the process ended before it could save its frames"),
    "source": ("missing", "no frames to take source files from"),
    "logs": (NOT_APPLICABLE, "no line was written"),
    "spans": (NOT_APPLICABLE, "the function made no spans of its own"),
    "profile": (NOT_APPLICABLE, "no profile was taken"),
    "threads": ("missing", "the process ended before it could save them"),
    "tasks": ("missing", "the process ended before it could save them"),
    "background": (NOT_APPLICABLE, "no thread or task failed unseen"),
    "environment": ("missing", "the process ended before it could save it"),
    "heap": ("missing", "the process ended before its heap could be walked"),
    "live": ("missing", "the process has ended"),
    "healthy": ("missing", "no event of this version, of at most 64 KiB, has succeeded yet"),
    "native": (NOT_APPLICABLE, "not needed: the process could speak for itself"),
    "replay": ("missing", ""),
    "cassette": (NOT_APPLICABLE, "the function made no calls"),
}

WENT_ON: Final = "the invocation went well, and its process went on"


class HealthyEvent(msgspec.Struct, array_like=True):
    """The event of the newest success of the same function version."""

    invocation_id: str
    started_ns: int
    trigger: str = "api"
    event: bytes = b""
    http: HttpRequest | None = None


# Members that are made here: a worker, whose code may be hostile, cannot put others in their place.
_OWN: Final = frozenset(
    (
        "manifest.json",
        "event.bin",
        "context.json",
        "logs.jsonl",
        "spans.json",
        "profile.json",
        "redactions.json",
    )
)


@dataclass(slots=True, kw_only=True)
class SceneInput:
    """Everything that is known of one failed attempt. `scene` is None if the process could save nothing;
    `members` and `parts` then come from outside (external.dump)."""

    record: InvocationRecord
    scene: Scene | None = None
    error: ErrorInfo | None = None  # if neither `scene` nor `record` has one
    captured_ns: int = 0
    event: bytes = b""
    http: HttpRequest | None = None
    healthy: HealthyEvent | None = None
    logs: Sequence[LogLine] = ()
    logs_left_out: int = 0  # lines before those in `logs`
    spans: Sequence[SpanData] = ()
    profiles: Sequence[Profile] = ()
    stacks: Mapping[int, StackFrames] = field(default_factory=dict)  # by hash, those of earlier invocations
    members: Mapping[str, bytes] = field(default_factory=dict)
    parts: Mapping[str, PartState] = field(default_factory=dict)
    redactions: Sequence[str] = ()  # places that were redacted in `members`
    redact_keys: Sequence[str] = ()
    python: str = ""


@dataclass(slots=True)
class SceneMembers:
    """Archive members by name, parts by name, redacted places."""

    files: dict[str, bytes]
    parts: dict[str, PartState]
    redactions: list[str]
    redactor: Redactor = field(default_factory=Redactor)  # which knows the scene's secrets


def build_members(source: SceneInput) -> SceneMembers:
    """All members but manifest.json, in no particular order. What is a secret in one place of the scene is
    one in all of it: if something was found, all is looked at once more."""
    memory = SecretMemory(source.scene.secrets if source.scene is not None else ())
    redactor = Redactor(source.redact_keys)
    known = len(memory)
    built = _built(source, redactor.remembering(memory))
    if len(memory) > known:
        built = _built(source, redactor.remembering(memory))
    return built


def _built(source: SceneInput, redactor: Redactor) -> SceneMembers:
    parts = {name: PartState(state, why) for name, (state, why) in PARTS.items()}
    built = SceneMembers({}, parts, [], redactor)
    _add_given(built, source.members, source.parts, redactor)
    built.redactions.extend(source.redactions)
    if source.scene is not None:
        if source.scene.error.kind == "background":
            for name in ("heap", "live"):
                built.parts[name] = PartState(NOT_APPLICABLE, WENT_ON)
        _add_given(built, source.scene.members, source.scene.parts, redactor)
        built.redactions.extend(source.scene.redactions)
    _add_event(built, source, redactor)
    _add_context(built, source, redactor)
    _add_healthy(built, source.healthy, redactor)
    _add_logs(built, source.logs, source.logs_left_out, redactor)
    _add_spans(built, source.spans, redactor)
    _add_profile(built, source)
    _add_recorded(built, source, redactor)
    built.redactions = list(dict.fromkeys(built.redactions))
    built.files["redactions.json"] = msgspec.json.encode(built.redactions)
    _bound(built)
    return built


def _add_given(
    built: SceneMembers, files: Mapping[str, bytes], parts: Mapping[str, PartState], redactor: Redactor
) -> None:
    for name, data in files.items():
        if name not in _OWN and is_safe_name(name):
            built.files[name] = clean_member(name, data, redactor)
    for part_name, state in parts.items():
        built.parts[redactor.text(part_name)] = PartState(state.state, redactor.text(state.reason))
    for name in files:
        part = name.split("/", 1)[0].split(".", 1)[0]
        if part not in parts and part in built.parts:
            built.parts[part] = PartState("ok")


def _add_event(built: SceneMembers, source: SceneInput, redactor: Redactor) -> None:
    data = source.http.body if source.http is not None else source.event
    if data:
        before = len(built.redactions)
        clean = clean_event(data, source.http, redactor, "event", built.redactions)
        if clean is None:
            built.parts["event"] = PartState("missing", UNSEARCHED)
            return
        built.files["event.bin"] = clean
        hidden = len(built.redactions) - before
        state = PartState("partial", f"{hidden} values were redacted") if hidden else PartState("ok")
        built.parts["event"] = state
    elif source.http is not None:
        built.parts["event"] = PartState("ok", "a request without a body: see context")


def _add_context(built: SceneMembers, source: SceneInput, redactor: Redactor) -> None:
    record = source.record
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
    built.parts["context"] = PartState("ok")


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


def _add_healthy(built: SceneMembers, healthy: HealthyEvent | None, redactor: Redactor) -> None:
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
        built.parts["healthy"] = PartState("missing", UNSEARCHED)
        return
    built.files["healthy/event.bin"] = clean
    built.files["healthy/context.json"] = msgspec.json.encode(context)
    built.parts["healthy"] = PartState("ok")


def _add_logs(built: SceneMembers, lines: Sequence[LogLine], before: int, redactor: Redactor) -> None:
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
    _partial(built, "logs", left_out, "earlier lines left out")


def _add_spans(built: SceneMembers, spans: Sequence[SpanData], redactor: Redactor) -> None:
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
    _partial(built, "spans", left_out, "spans left out")


def _add_profile(built: SceneMembers, source: SceneInput) -> None:
    if not source.profiles:
        return
    known = dict(source.stacks)
    for profile in source.profiles:
        known.update({stack.stack_hash: stack for stack in profile.new_stacks})
    built.files["profile.json"] = msgspec.json.encode(
        [_profile(profile, known) for profile in source.profiles]
    )
    built.parts["profile"] = PartState("ok")


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


def _add_recorded(built: SceneMembers, source: SceneInput, redactor: Redactor) -> None:
    given = source.scene.parts if source.scene is not None else {}
    found = recorded_members(source.record, source.scene, given, redactor)
    built.files.update(found.files)
    built.parts.update(found.parts)
    built.redactions.extend(found.redactions)


def _bound(built: SceneMembers) -> None:
    """A member over the limit is left out, and its part says so: one giant must not spoil the scene."""
    for name in [name for name, data in built.files.items() if len(data) > MAX_MEMBER_BYTES]:
        size = len(built.files.pop(name))
        part = name.split("/", 1)[0].split(".", 1)[0]
        built.parts[part] = PartState("missing", f"{size} bytes are over the limit of {MAX_MEMBER_BYTES}")


def _partial(built: SceneMembers, part: str, left_out: int, what: str) -> None:
    built.parts[part] = PartState("partial", f"{left_out} {what}") if left_out else PartState("ok")


def json_text(data: bytes) -> object:
    """Parsed JSON, or None if it is none."""
    try:
        return json.loads(data)
    except (ValueError, RecursionError):
        return None

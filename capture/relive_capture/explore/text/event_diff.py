"""What is different between two events: paths that were added, removed, or have another value or type."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from typing import Any, Final

from relive_base.json_text import parse_bounded

from relive_capture.explore.scene import SceneFile

__all__ = ["EventChange", "EventDiff", "diff_values", "healthy_diff"]

MAX_CHANGES: Final = 50
_MAX_NODES: Final = 20_000
_MAX_DEPTH: Final = 40
_MAX_ITEMS: Final = 1_000  # of one object or list
_TEXT: Final = 80
_QUIET_HEADERS: Final = (
    *("accept", "accept-encoding", "accept-language", "connection", "content-length", "date", "host"),
    *("traceparent", "tracestate", "user-agent", "x-request-id"),
)
"""Headers that differ between requests without meaning anything."""


@dataclass(frozen=True, slots=True)
class EventChange:
    """`change`: "added", "removed", "changed" or "type" (another kind of value). Texts are JSON, cut at 80
    characters, "" for what is not there."""

    path: str
    change: str
    before: str = ""
    after: str = ""

    def text(self) -> str:
        """One line: "- sku missing (was "A1")", "+ coupon new ("X")", "~ count 3 -> "3""."""
        if self.change == "removed":
            return f"- {self.path} missing (was {self.before})"
        if self.change == "added":
            return f"+ {self.path} new ({self.after})"
        return f"~ {self.path} {self.before} -> {self.after}"


@dataclass(slots=True)
class EventDiff:
    """Changes from the last successful event to the failed one, at most 50; `more` others were left out.

    `invocation_id` and `started_ns` are the successful one's.
    """

    invocation_id: str = ""
    started_ns: int = 0
    changes: list[EventChange] = field(default_factory=list)
    more: int = 0

    def as_json(self) -> dict[str, Any]:
        """For machines."""
        return asdict(self)


def healthy_diff(scene: SceneFile) -> EventDiff | None:
    """How the failed event differs from the last successful one; None if the scene has no such event.

    Raises SceneError.
    """
    healthy = scene.healthy_context
    if not healthy:
        return None
    before = _event(scene.healthy_event, healthy.get("http"))
    after = _event(scene.event, scene.context.get("http"))
    found = diff_values(before, after)
    found.invocation_id = str(healthy.get("invocation_id", ""))
    started = healthy.get("started_ns")
    found.started_ns = started if type(started) is int else 0
    return found


def diff_values(before: object, after: object) -> EventDiff:
    """Two JSON values. Bounded in depth, nodes and changes; never raises."""
    differ = _Differ()
    differ.compare("", before, after, 0)
    return differ.found


class _Differ:
    def __init__(self) -> None:
        self.found = EventDiff()
        self._nodes = 0

    def compare(self, path: str, before: object, after: object, depth: int) -> None:
        self._nodes += 1
        if self._nodes > _MAX_NODES or depth > _MAX_DEPTH:
            return
        if isinstance(before, dict) and isinstance(after, dict):
            self._objects(path, before, after, depth)
        elif isinstance(before, list) and isinstance(after, list):
            self._lists(path, before, after, depth)
        elif _kind(before) != _kind(after):
            self._add(path, "type", _text(before), _text(after))
        elif before != after:
            self._add(path, "changed", _text(before), _text(after))

    def _objects(self, path: str, before: dict[Any, Any], after: dict[Any, Any], depth: int) -> None:
        for key in list(before)[:_MAX_ITEMS]:
            inner = _inside(path, key)
            if key in after:
                self.compare(inner, before[key], after[key], depth + 1)
            else:
                self._add(inner, "removed", _text(before[key]), "")
        for key in list(after)[:_MAX_ITEMS]:
            if key not in before:
                self._add(_inside(path, key), "added", "", _text(after[key]))

    def _lists(self, path: str, before: list[Any], after: list[Any], depth: int) -> None:
        both = min(len(before), len(after), _MAX_ITEMS)
        for index in range(both):
            self.compare(f"{path}[{index}]", before[index], after[index], depth + 1)
        for index, value in enumerate(before[both:_MAX_ITEMS], both):
            self._add(f"{path}[{index}]", "removed", _text(value), "")
        for index, value in enumerate(after[both:_MAX_ITEMS], both):
            self._add(f"{path}[{index}]", "added", "", _text(value))

    def _add(self, path: str, change: str, before: str, after: str) -> None:
        if len(self.found.changes) >= MAX_CHANGES:
            self.found.more += 1
        else:
            self.found.changes.append(EventChange(path or "the event", change, before, after))


def _inside(path: str, key: object) -> str:
    name = str(key)[:120]
    if not name.replace("-", "_").isidentifier():
        return f"{path}[{json.dumps(name)}]"
    return f"{path}.{name}" if path else name


def _kind(value: object) -> str:
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, int | float):
        return "number"
    return type(value).__name__


def _text(value: object) -> str:
    try:
        text = json.dumps(value, ensure_ascii=False)
    except (TypeError, ValueError, RecursionError):
        text = f"<{type(value).__name__}>"
    return text if len(text) <= _TEXT else f"{text[: _TEXT - 1]}…"


def _event(data: bytes, http: object) -> object:
    """The event as one JSON value; a request as an object of its parts."""
    value = _parsed(data)
    if not isinstance(http, dict):
        return value
    headers = http.get("headers")
    pairs = headers if isinstance(headers, list) else []
    kept = {str(pair[0]): str(pair[1]) for pair in pairs if isinstance(pair, list) and len(pair) == 2}
    return {
        **{name: http.get(name) for name in ("method", "path", "query")},
        "headers": {name: text for name, text in kept.items() if name not in _QUIET_HEADERS},
        "body": value,
    }


def _parsed(data: bytes) -> object:
    try:
        return parse_bounded(data) if data else None
    except ValueError:
        return data[:65_536].decode("utf-8", "backslashreplace")

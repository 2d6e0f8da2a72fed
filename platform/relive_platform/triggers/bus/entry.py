"""What somebody puts on a bus, checked, as the event that functions get."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from typing import Any, Final

from relive_base.errors import UsageError
from relive_runtime.adapters.event.decoding import BadEvent, decode_event

from relive_platform.triggers.shapes import ACCOUNT, REGION, now_text

__all__ = ["BadEntry", "event_of"]

_TEXT_CHARS: Final = 256
_RESOURCES: Final = 100
_KEYS: Final = ("source", "detail-type", "detail", "resources", "time", "id")
_SPELLED: Final = {"DetailType": "detail-type", "detail_type": "detail-type", "type": "detail-type"}
_HINT: Final = 'an event is {"source": "shop", "detail-type": "order placed", "detail": {...}}'


class BadEntry(UsageError):
    """What is put on a bus is no event."""  # HTTP 400


def event_of(body: bytes, ident: str = "") -> dict[str, Any]:
    """The event of an entry: `source`, `detail-type` and `detail`, also as Amazon EventBridge's PutEvents
    spells them. `ident`: its id, a new one if it has none. Raises BadEntry."""
    try:
        document = decode_event(body)
    except BadEvent as error:
        raise BadEntry(str(error), hint=_HINT) from None
    if not isinstance(document, Mapping):
        raise BadEntry("an event is a JSON object", hint=_HINT)
    entry: dict[str, Any] = {}
    for name, value in document.items():
        lower = _SPELLED.get(name) or (name.lower() if name.lower() in _KEYS else name)
        if lower not in _KEYS:
            raise BadEntry(
                f"an event has no {name[:80]!r}", hint=f"it has {', '.join(_KEYS)}; the rest is in detail"
            )
        entry[lower] = value
    detail = _detail(entry.get("detail", {}))
    for name in ("source", "detail-type"):
        value = entry.get(name)
        if not isinstance(value, str) or not 1 <= len(value) <= _TEXT_CHARS:
            raise BadEntry(f"{name} has to be a text of 1 to {_TEXT_CHARS} characters", hint=_HINT)
    return {
        "version": "0",
        "id": _ident(entry, ident),
        "detail-type": entry["detail-type"],
        "source": entry["source"],
        "account": ACCOUNT,
        "time": _time(entry.get("time")),
        "region": REGION,
        "resources": _resources(entry.get("resources", [])),
        "detail": detail,
    }


def _detail(value: Any) -> Any:
    if isinstance(value, str):  # as PutEvents has it
        try:
            value = decode_event(value.encode("utf-8", "replace"))
        except BadEvent as error:
            raise BadEntry(f"detail: {error}", hint=_HINT) from None
    if not isinstance(value, Mapping):
        raise BadEntry("detail is an object", hint=_HINT)
    return value


def _ident(entry: Mapping[str, Any], ident: str) -> str:
    found = ident or entry.get("id") or str(uuid.uuid4())
    if not isinstance(found, str) or len(found) > _TEXT_CHARS:
        raise BadEntry(
            f"the id has to be a text of up to {_TEXT_CHARS} characters", hint="leave it out for a new one"
        )
    return found


def _time(value: Any) -> str:
    if value is None:
        return now_text()
    if not isinstance(value, str) or not 1 <= len(value) <= _TEXT_CHARS:
        raise BadEntry("time is a text as RFC 3339 has it", hint="leave it out for now")
    return value


def _resources(value: Any) -> list[str]:
    if (
        not isinstance(value, list)
        or len(value) > _RESOURCES
        or not all(isinstance(one, str) for one in value)
    ):
        raise BadEntry(f"resources is a list of up to {_RESOURCES} texts", hint=_HINT)
    return value

"""One CloudEvent: its context attributes, checked, and its data."""

from __future__ import annotations

import base64
import json
import re
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

__all__ = ["SPEC_VERSION", "BadCloudEvent", "CloudEvent", "is_json_type"]

SPEC_VERSION: Final = "1.0"
_NAME: Final = re.compile(r"[a-z0-9]{1,64}")
_REQUIRED: Final = ("specversion", "id", "source", "type")
_TEXTS: Final = (*_REQUIRED, "subject", "datacontenttype", "dataschema", "time")
_TIME: Final = re.compile(
    r"([0-9]{4}-[0-9]{2}-[0-9]{2})[Tt]([0-9]{2}:[0-9]{2}:[0-9]{2})(?:\.[0-9]{1,30})?(?:[Zz]|[+-][0-9]{2}:[0-9]{2})"
)
_JSON_TYPE: Final = re.compile(r"[a-z0-9.+-]+/(?:[a-z0-9.-]+\+)?json", re.IGNORECASE)
_BAD_CHARACTER: Final = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff]")
_INTEGER: Final = 2**31
_ATTRIBUTES: Final = 64


class BadCloudEvent(ValueError):
    """Not an event by the specification; the text says why."""


@dataclass(frozen=True, slots=True)
class CloudEvent:
    """`attributes`: text, true or false, or a whole number. `data`: what JSON can hold, or bytes; without any
    if `has_data` is False. `raw`, `raw_data`: the JSON text that the document or the data came as, if it
    did."""

    attributes: dict[str, Any] = field(default_factory=dict)
    data: Any = None
    has_data: bool = False
    raw: bytes = b""
    raw_data: bytes = b""

    @property
    def key(self) -> str:
        """What makes it one event: source and id together."""
        return f"{self.attributes['source']}\n{self.attributes['id']}"

    def text(self, name: str) -> str:
        """An attribute's text; "" without one."""
        value = self.attributes.get(name, "")
        return value if isinstance(value, str) else ""

    def check(self) -> CloudEvent:
        """Itself. Raises BadCloudEvent."""
        found = self.attributes
        if len(found) > _ATTRIBUTES:
            raise BadCloudEvent(f"the event has over {_ATTRIBUTES} attributes")
        for name in _REQUIRED:
            if not found.get(name):
                raise BadCloudEvent(f"the event has no {name}")
        for name, value in found.items():
            _check(name, value)
        if found["specversion"] != SPEC_VERSION:
            raise BadCloudEvent(f"specversion is {found['specversion'][:32]!r}; {SPEC_VERSION} is supported")
        return self

    def document(self) -> dict[str, Any]:
        """As the JSON format of the specification has it."""
        if not self.has_data:
            return dict(self.attributes)
        if isinstance(self.data, bytes):
            return {**self.attributes, "data_base64": base64.b64encode(self.data).decode()}
        return {**self.attributes, "data": self.data}

    def encode(self) -> bytes:
        """Its document as JSON text: what the sender wrote, where it wrote JSON. Raises BadCloudEvent."""
        if self.raw:
            return self.raw
        if self.raw_data:
            return b'%s,"data":%s}' % (_json(self.attributes)[:-1], self.raw_data)
        return _json(self.document())


def _json(document: Any) -> bytes:
    try:
        return json.dumps(document, separators=(",", ":"), allow_nan=False).encode()
    except ValueError:
        raise BadCloudEvent("the event has a number that no float can hold") from None


def _check(name: str, value: Any) -> None:
    if not _NAME.fullmatch(name):
        raise BadCloudEvent(f"{name[:80]!r} is no name of an attribute: a to z and 0 to 9")
    if name in _TEXTS and (not isinstance(value, str) or not value):
        raise BadCloudEvent(f"{name} is not a text")
    if isinstance(value, int) and not isinstance(value, bool) and not -_INTEGER <= value < _INTEGER:
        raise BadCloudEvent(f"{name} does not fit in 32 bits")
    if not isinstance(value, str | int):
        raise BadCloudEvent(f"{name} is neither a text nor a whole number nor true or false")
    if isinstance(value, str) and _BAD_CHARACTER.search(value):
        raise BadCloudEvent(f"{name} holds characters that no text may have")
    if name == "time" and not _is_time(str(value)):
        raise BadCloudEvent("time is not as RFC 3339 has it")


def _is_time(text: str) -> bool:
    match = _TIME.fullmatch(text)
    if match is None:
        return False
    try:
        datetime.fromisoformat(f"{match[1]}T{match[2].replace(':60', ':59')}")
    except ValueError:
        return False
    return True


def is_json_type(content_type: str) -> bool:
    """Whether data of this type is JSON; without a type it is."""
    plain = content_type.partition(";")[0].strip()
    return not plain or _JSON_TYPE.fullmatch(plain) is not None

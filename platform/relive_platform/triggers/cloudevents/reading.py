"""An HTTP request to the CloudEvents in it."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final
from urllib.parse import unquote_to_bytes

from relive_runtime.adapters.event.decoding import BadEvent, decode_event

from relive_platform.triggers.cloudevents.event import BadCloudEvent, CloudEvent, is_json_type

__all__ = ["MAX_BATCH", "UnknownFormat", "read_events"]

MAX_BATCH: Final = 1_000
_PREFIX: Final = "ce-"
_STRUCTURED: Final = "application/cloudevents"
_BATCH: Final = "application/cloudevents-batch"
_QUOTED: Final = re.compile(r"\\(.)")


class UnknownFormat(ValueError):
    """The media type is no format of CloudEvents that is read here."""


def read_events(headers: Mapping[str, str], body: bytes) -> tuple[list[CloudEvent], bool]:
    """The events, and whether they came as a batch. Header names are lower case. Raises BadCloudEvent,
    UnknownFormat."""
    content_type = headers.get("content-type", "")
    media = content_type.partition(";")[0].strip().lower()
    if media.startswith(_STRUCTURED):
        charset = re.search(r"charset\s*=\s*\"?([^\s;\"]+)", content_type, re.IGNORECASE)
        if charset is not None and charset[1].lower() not in ("utf-8", "utf8", "us-ascii"):
            raise UnknownFormat(f"the charset {charset[1][:40]} is not supported; send UTF-8")
    if media == f"{_BATCH}+json":
        return _batch(_json(body)), True
    if media == f"{_STRUCTURED}+json":
        return [replace(_structured(_json(body)), raw=body)], False
    if media.startswith(_STRUCTURED):
        raise UnknownFormat(f"the format {media[:80]} is not supported; send JSON")
    if f"{_PREFIX}specversion" not in headers:
        message = (
            f"this is no CloudEvent: send {_STRUCTURED}+json, {_BATCH}+json, or headers ce-specversion, ce-id"
        )
        raise UnknownFormat(f"{message}, ce-source and ce-type")
    return [_binary(headers, body, content_type)], False


def _json(body: bytes) -> Any:
    try:
        return decode_event(body)
    except BadEvent as error:
        raise BadCloudEvent(str(error)) from None


def _batch(document: Any) -> list[CloudEvent]:
    if not isinstance(document, list):
        raise BadCloudEvent("a batch is a list of events")
    if len(document) > MAX_BATCH:
        raise BadCloudEvent(f"the batch has {len(document):,} events; send at most {MAX_BATCH:,}")
    events = []
    for index, one in enumerate(document):
        try:
            events.append(_structured(one))
        except BadCloudEvent as error:
            raise BadCloudEvent(f"event {index + 1} of the batch: {error}") from None
    return events


def _structured(document: Any) -> CloudEvent:
    if not isinstance(document, dict):
        raise BadCloudEvent("an event is a JSON object")
    attributes = {
        name: value
        for name, value in document.items()
        if value is not None and name not in ("data", "data_base64")
    }
    encoded = document.get("data_base64")
    if encoded is None:
        return CloudEvent(attributes, document.get("data"), "data" in document).check()
    if document.get("data") is not None:
        raise BadCloudEvent("an event has data or data_base64, not both")
    try:
        data = base64.b64decode(encoded, validate=True)
    except (binascii.Error, ValueError, TypeError):
        raise BadCloudEvent("data_base64 is not base64") from None
    return CloudEvent(attributes, data, True).check()


def _binary(headers: Mapping[str, str], body: bytes, content_type: str) -> CloudEvent:
    attributes = {
        name[len(_PREFIX) :]: _value(value) for name, value in headers.items() if name.startswith(_PREFIX)
    }
    attributes.pop("datacontenttype", None)
    if content_type:
        attributes["datacontenttype"] = content_type
    event = CloudEvent(attributes).check()
    if not body:
        return event
    if is_json_type(content_type):
        return CloudEvent(attributes, _json(body), True, raw_data=body)
    if content_type.lower().startswith("text/"):
        try:
            return CloudEvent(attributes, body.decode(), True)
        except UnicodeDecodeError:
            pass  # text of another charset: its bytes are kept
    return CloudEvent(attributes, body, True)


def _value(text: str) -> str:
    """Quoted as HTTP does it, then percent-encoded."""
    text = text.strip()
    if len(text) > 1 and text[0] == text[-1] == '"':
        text = _QUOTED.sub(r"\1", text[1:-1])
    try:
        return unquote_to_bytes(text.encode("latin-1")).decode() if "%" in text else _utf8(text)
    except UnicodeDecodeError:
        raise BadCloudEvent("a header is not UTF-8 below its percent encoding") from None


def _utf8(text: str) -> str:
    """Some senders write UTF-8 as it is."""
    try:
        return text.encode("latin-1").decode()
    except UnicodeDecodeError:
        return text

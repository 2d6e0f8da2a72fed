"""From what an event function returned to the answer to an HTTP request."""

from __future__ import annotations

import base64
from typing import Any

from relive_runtime.adapters.base import JSON_TYPE, Answer
from relive_runtime.adapters.results import BadResult, check_head, encode_result, encode_text

__all__ = ["event_answer"]


def event_answer(value: object) -> Answer:
    """What an event function returned, as an HTTP answer: the object of payload 1.0 or 2.0, or any value as
    JSON with 200."""
    if not isinstance(value, dict) or "statusCode" not in value:
        return Answer(encode_result(value))
    status = value["statusCode"]
    try:
        code = int(status)
    except (TypeError, ValueError):
        raise BadResult(f"statusCode is {status!r}", hint="return an integer, such as 200") from None
    headers = _headers_of(value)
    content_type = next((text for name, text in headers if name == "content-type"), JSON_TYPE)
    kept = [pair for pair in headers if pair[0] not in ("content-type", "content-length")]
    kept += [("set-cookie", str(cookie)) for cookie in value.get("cookies") or ()]
    check_head(code, kept)
    return Answer(_answer_body(value), code, content_type, kept)


def _headers_of(value: dict[str, Any]) -> list[tuple[str, str]]:
    """Names in lower case; those of `multiValueHeaders` win, as they do on AWS."""
    single, multiple = value.get("headers") or {}, value.get("multiValueHeaders") or {}
    for name, table in (("headers", single), ("multiValueHeaders", multiple)):
        if not isinstance(table, dict):
            raise BadResult(f"{name} is a {type(table).__name__}", hint="make it a dict")
    pairs: list[tuple[str, str]] = []
    for name, values in multiple.items():
        listed = values if isinstance(values, list | tuple) else [values]
        pairs += [(str(name).lower(), str(text)) for text in listed]
    taken = {name for name, _ in pairs}
    more = [(str(name).lower(), str(text)) for name, text in single.items()]
    return pairs + [pair for pair in more if pair[0] not in taken]


def _answer_body(value: dict[str, Any]) -> bytes:
    body = value.get("body")
    if body is None:
        return b""
    if not isinstance(body, str):
        return bytes(body) if isinstance(body, bytes) else encode_result(body, 'result["body"]')
    if not value.get("isBase64Encoded"):
        return encode_text(body)
    try:
        return base64.b64decode(body, validate=True)
    except ValueError as error:
        raise BadResult(f"the body is said to be base64 but is not: {error}") from None

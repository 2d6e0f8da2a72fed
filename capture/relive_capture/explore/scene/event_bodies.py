"""The event of a scene without its secrets, compressed by the client or not."""

from __future__ import annotations

from typing import Final

from relive_base.redaction.redactor import Redactor
from relive_base.wire.messages import HttpRequest

from relive_capture.explore.scene.content_coding import decoded, encoded

__all__ = ["clean_event"]

_UNSEARCHED: Final = "its Content-Encoding cannot be searched for secrets"
_UNPACKED_BYTES: Final = 16 * 1024 * 1024


def clean_event(
    data: bytes, request: HttpRequest | None, redactor: Redactor, path: str, redactions: list[str]
) -> bytes | None:
    """An event, or the body of a request, without its secrets. One with a Content-Encoding is looked into and
    packed again: a replay gets it as its headers say. None if it cannot be looked into."""
    coding = _content_coding(request)
    if not coding:
        return redactor.json_bytes(data, path, redactions)
    plain = decoded(data, coding, _UNPACKED_BYTES)
    if plain is not None:
        clean = redactor.json_bytes(plain, path, redactions)
        return data if clean is plain else encoded(clean, coding)
    if _is_text(data):  # whatever its headers say
        return redactor.json_bytes(data, path, redactions)
    redactions.append(f"{path} ({_UNSEARCHED})")
    return None


def _content_coding(request: HttpRequest | None) -> str:
    headers = request.headers if request is not None else ()
    values = [value.strip().lower() for name, value in headers if name.lower() == "content-encoding"]
    return ", ".join(value for value in values if value and value != "identity")


def _is_text(data: bytes) -> bool:
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return True

"""Bodies of calls: as text if they are UTF-8, else in base64."""

from __future__ import annotations

import base64

from relive_capture.recording_format import Body

__all__ = ["body_bytes", "body_of"]


def body_of(data: bytes, *, complete: bool = True, cut: int = 0) -> Body:
    """`data` as it is written."""
    try:
        return Body(text=data.decode(), complete=complete, cut=cut)
    except UnicodeDecodeError:
        return Body(base64=base64.b64encode(data).decode(), complete=complete, cut=cut)


def body_bytes(body: Body) -> bytes:
    """The bytes again; empty if the base64 is none."""
    try:
        return base64.b64decode(body.base64, validate=True) if body.base64 else body.text.encode()
    except ValueError:
        return b""

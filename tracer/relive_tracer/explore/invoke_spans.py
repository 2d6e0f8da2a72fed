"""What the function's code put on its invoke span, piece by piece, as one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from relive_base.wire.messages import SpanData, SpanUpdate

__all__ = ["merged"]

_LIMIT: Final = 128
"""Of attributes, events and links each, as in the worker: what comes from there is not trusted to keep it."""


def merged(updates: Sequence[SpanUpdate]) -> SpanData:
    """All of `updates`, in their order, of which there is at least one. The newest stays if there is too
    much of anything, as with the SDK."""
    span = updates[0].span
    for update in updates[1:]:
        newer = update.span
        if update.whole:
            span = newer
            continue
        span.name, span.status, span.status_message = newer.name, newer.status, newer.status_message
        span.attributes.update(newer.attributes)
        span.events += newer.events
        span.links += newer.links
    over = len(span.attributes) - _LIMIT
    if over > 0:
        span.attributes = dict(list(span.attributes.items())[over:])
    del span.events[:-_LIMIT], span.links[:-_LIMIT]
    return span

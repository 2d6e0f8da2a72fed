"""What the function's code put on the invoke span: it becomes part of the attempt's record."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
from relive_base.attributes import attribute_texts
from relive_base.records import InvocationRecord
from relive_base.wire.messages import SpanUpdate
from relive_tracer.explore.invoke_spans import merged

__all__ = ["add_updates"]

_update = msgspec.msgpack.Decoder(SpanUpdate)


def add_updates(record: InvocationRecord, payloads: Sequence[bytes]) -> int:
    """Add the SpanUpdate frames; gives how many of them cannot be read."""
    updates = []
    malformed = 0
    for payload in payloads:
        try:
            updates.append(_update.decode(payload))
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            malformed += 1
    if updates:
        record.span = merged(updates)
        record.attributes = {**record.attributes, **attribute_texts(record.span.attributes)}
    return malformed

"""Which messages of a queue a function wants, by patterns as Lambda's event filters have them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import msgspec

from relive_platform.resources.queue.model import Received
from relive_platform.resources.queue.naming import QueueNaming
from relive_platform.triggers.batches.event import record_of
from relive_platform.triggers.patterns import Pattern, compile_pattern

__all__ = ["filter_of"]


def filter_of(filters: Sequence[Mapping[str, Any]], naming: QueueNaming) -> Callable[[Received], bool] | None:
    """Whether a message fits one of the patterns; None without any. Raises PatternError."""
    if not filters:
        return None
    patterns = [
        (compile_pattern(document), isinstance(document.get("body"), Mapping)) for document in filters
    ]

    def fits(received: Received) -> bool:
        record = record_of(received, naming)
        return any(_fits(pattern, as_json, record) for pattern, as_json in patterns)

    return fits


def _fits(pattern: Pattern, as_json: bool, record: dict[str, Any]) -> bool:
    """`as_json`: the pattern looks into the body, which has to be JSON then."""
    if not as_json:
        return pattern.matches(record)
    try:
        body = msgspec.json.decode(record["body"])
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        return False
    return pattern.matches({**record, "body": body})

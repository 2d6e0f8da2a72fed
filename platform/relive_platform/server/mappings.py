"""The event source mappings of Lambda's API whose sources are queues, as the registry's notes keep them."""

from __future__ import annotations

from typing import Any, Final

import msgspec
from relive_base.errors import ReliveError

from relive_platform.registry import Notes
from relive_platform.triggers.batches.mapping import QueueMapping
from relive_platform.triggers.patterns import compile_pattern

__all__ = ["queue_mappings"]

_KIND: Final = "mapping"
_CONCURRENCY: Final = 5  # as many batches as Lambda begins with


def queue_mappings(notes: Notes) -> list[QueueMapping]:
    """All of them. Blocks: it reads the registry's file."""
    return [
        _mapping(uuid, kept)
        for uuid, _, kept in notes.all(_KIND)
        if ":sqs:" in kept.get("EventSourceArn", "")
    ]


def _mapping(uuid: str, kept: dict[str, Any]) -> QueueMapping:
    filters, problem = [], ""
    for text in _patterns(kept):
        try:
            document = msgspec.json.decode(text)
            if document != {}:
                compile_pattern(document)
        except (msgspec.MsgspecError, RecursionError, ReliveError) as error:
            problem = f"its filter {text[:100]!r} cannot be read: {error}"
        else:
            filters.append(document)
    return QueueMapping(
        uuid=uuid,
        function=kept["function"],
        qualifier=kept["qualifier"],
        queue=kept["EventSourceArn"].rpartition(":")[2],
        batch_size=kept["BatchSize"],
        batch_window_s=float(kept.get("MaximumBatchingWindowInSeconds", 0)),
        enabled=kept["enabled"],
        report_batch_item_failures="ReportBatchItemFailures" in kept.get("FunctionResponseTypes", []),
        max_concurrency=kept.get("ScalingConfig", {}).get("MaximumConcurrency", 0) or _CONCURRENCY,
        filters=() if {} in filters else tuple(filters),  # an empty one fits all
        problem=problem,
    )


def _patterns(kept: dict[str, Any]) -> list[str]:
    found: list[dict[str, Any]] = (kept.get("FilterCriteria") or {}).get("Filters") or []
    return [entry["Pattern"] for entry in found if entry.get("Pattern")]

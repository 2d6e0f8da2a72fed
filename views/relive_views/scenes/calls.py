"""The calls that a failed function made, from its recording."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from relive_views.scenes.model import CallView

if TYPE_CHECKING:
    from relive_capture.recording_format import RecordedCall

__all__ = ["calls_of"]


def calls_of(recorded_calls: Iterable[RecordedCall]) -> Iterator[CallView]:
    """In the order in which they were made."""
    for row in sorted(recorded_calls, key=lambda row: row.started_ns):
        what = f"call {row.url}" if row.kind == "invoke" else f"{row.method} {row.url}".strip()
        error = "" if row.failure is None else _error_of(row)
        yield CallView(row.started_ns, what, row.status, row.took_ns, error)


def _error_of(row: RecordedCall) -> str:
    failure = row.failure
    assert failure is not None
    first = str(failure.arguments[0]) if failure.arguments else ""
    return f"{failure.type}: {first}" if first else failure.type

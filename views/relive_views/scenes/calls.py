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
        what = _what(row)
        error = "" if row.failure is None else _error_of(row)
        yield CallView(row.started_ns, what, row.status, row.took_ns, error, _answer_of(row))


def _what(row: RecordedCall) -> str:
    if row.kind == "invoke":
        return f"call {row.url}"
    if row.kind != "values":
        return f"{row.method} {row.url}".strip()
    from relive_capture.typed_bodies import values_text

    return values_text(row)


def _answer_of(row: RecordedCall) -> str:
    if row.kind != "values" or row.failure is not None:
        return ""
    from relive_capture.typed_bodies import answer_text

    return answer_text(row.response_body.text) or "ok"


def _error_of(row: RecordedCall) -> str:
    failure = row.failure
    assert failure is not None
    first = str(failure.arguments[0]) if failure.arguments else ""
    return f"{failure.type}: {first}" if first else failure.type

"""What went over a connection to MongoDB, as a recorded call of documents (bson_values.py)."""

from __future__ import annotations

from relive_base.redaction.redactor import Redactor

from relive_capture.bodies import body_of
from relive_capture.bson_values import as_line
from relive_capture.mongo_wire import Command, answers, command, split
from relive_capture.recording_format import RawCall, RecordedCall

__all__ = ["from_mongo"]


def from_mongo(raw: RawCall, _redactor: Redactor) -> RecordedCall:
    """Method: the command; statement: with database and collection; the answer: a document on each line."""
    found = RecordedCall(kind="values", method=raw.method, url=raw.origin, library=raw.library)
    asked: Command | None = None
    try:
        for code, _, content in split(raw.request):
            asked = command(code, content)
        lines = [as_line(value) for value in answers(raw.response)]
    except (ValueError, RecursionError):
        found.method = raw.method or "message"
        found.response_body = body_of(b"", complete=False, cut=len(raw.response) + raw.response_cut)
        return found
    if asked is not None:
        found.method, found.statement = asked.name, asked.statement
        cut = 0 if asked.whole else max(raw.request_cut, 1)
        found.request_body = body_of(as_line(asked.arguments), complete=not cut, cut=cut)
    ended = bool(lines) or (asked is not None and not asked.answered)
    found.response_body = body_of(
        b"\n".join(lines), complete=ended and not raw.response_cut, cut=raw.response_cut
    )
    return found

"""What went over a connection to Redis, as a recorded call of typed values."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from relive_base.redaction.redactor import Redactor

from relive_capture.bodies import body_of
from relive_capture.recording_format import RawCall, RecordedCall
from relive_capture.resp import as_line, clean_pairs, commands, label, values

__all__ = ["from_redis"]


def from_redis(raw: RawCall, redactor: Redactor) -> RecordedCall:
    """Method: the command, or PIPELINE; statement: commands and keys; the answer: one value for each."""
    try:
        asked, used = commands(raw.request)
        answered, read = values(raw.response)
    except (ValueError, RecursionError):
        return RecordedCall(kind="values", method="BYTES", url=raw.origin, library=raw.library)
    request = as_line([clean_pairs(command, redactor, command) for command in asked])
    clean = [clean_pairs(value, redactor, command) for value, command in _paired(answered, asked)]
    found = RecordedCall(kind="values", library=raw.library, url=raw.origin)
    found.method = str(asked[0][0]).upper() if len(asked) == 1 else "PIPELINE"
    found.statement = "; ".join(map(label, asked))[:1_000]
    lost = raw.request_cut + len(raw.request) - used
    found.request_body = body_of(request, complete=not lost, cut=lost)
    lost = raw.response_cut + (len(raw.response) - read if raw.response_cut else 0)
    found.response_body = body_of(b"\n".join(map(as_line, clean)), complete=raw.ended, cut=lost)
    return found


def _paired(answered: list[Any], asked: list[list[Any]]) -> Iterator[tuple[Any, list[Any] | None]]:
    """Each value and the command that it answers, where that is clear: within MULTI it is not."""
    clear = len(asked) == len(answered) and str(asked[0][0]).upper() != "MULTI"
    for number, value in enumerate(answered):
        yield value, asked[number] if clear else None

"""What one message of OTLP may hold; every limit is a number with a default."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["OtlpLimits"]


@dataclass(frozen=True, slots=True)
class OtlpLimits:
    """What is longer is cut, what is more is left out and counted in the record itself
    (`otel.dropped_attributes_count`), what is too old or of the future is refused."""

    body_bytes: int = 8 * 1_048_576  # of a request, unpacked
    attributes: int = 128  # of one resource, scope, span, event, link, log record or point
    value_chars: int = 8_192
    shared_chars: int = 65_536  # of the attributes of one resource, or of one scope: each row repeats them
    name_chars: int = 512
    body_chars: int = 65_536  # of a log record
    events: int = 128  # of one span
    links: int = 128
    buckets: int = 1_000  # of one histogram
    exemplars: int = 20  # of one point
    ahead_days: int = 1
    row_times: int = 8
    row_own_bytes: int = 128  # of ids, times and the like, which a row has even if its record is empty

    @property
    def row_bytes(self) -> int:
        """Of the request, and what its rows add: ids, resource and scope. A character counts as one."""
        return self.body_bytes * self.row_times

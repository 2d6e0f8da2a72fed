"""How large all rows of one request may be: each repeats what its resource and its scope say."""

from __future__ import annotations

from collections.abc import Mapping

from relive_platform.signals.receivers.otlp.decoding import Refused
from relive_platform.signals.receivers.otlp.limits import OtlpLimits

__all__ = ["RowBudget", "chars_of"]


class RowBudget:
    """Of one request, which itself has `own_bytes`. Asked before rows are made: a bomb costs nothing."""

    def __init__(self, limits: OtlpLimits, own_bytes: int) -> None:
        self._limits = limits
        self._left = limits.row_bytes - own_bytes

    def take(self, rows: int, chars: int) -> None:
        """For so many rows that repeat so many characters. Raises Refused."""
        self._left -= rows * (chars + self._limits.row_own_bytes)
        if self._left < 0:
            raise Refused(
                413,
                f"its rows would be over {self._limits.row_bytes} bytes, as each repeats its resource and its"
                f" scope: send smaller batches; the limit is {self._limits.row_times} times"
                " RELIVE_OTLP_BODY_LIMIT_BYTES",
            )


def chars_of(attributes: Mapping[str, str]) -> int:
    """Of names and values."""
    return sum(map(len, attributes)) + sum(map(len, attributes.values()))

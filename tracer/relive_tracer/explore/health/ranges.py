"""A range of time, in whole minutes and equal buckets."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

__all__ = ["MINUTE_S", "Range"]

MINUTE_S: Final = 60
_NS: Final = 1_000_000_000


@dataclass(frozen=True, slots=True)
class Range:
    """`begin_s` is the beginning of a minute; `buckets` of `width_s`, a number of minutes, reach up to
    `until_s` or beyond it."""

    begin_s: int
    until_s: float
    width_s: int
    buckets: int

    @classmethod
    def of(cls, since_ns: int, until_ns: int, buckets: int) -> Range:
        """From the minute that `since_ns` is in up to `until_ns`, in at most `buckets` buckets."""
        begin = since_ns // _NS // MINUTE_S * MINUTE_S
        until = max(until_ns / _NS, begin + 1.0)
        minutes = int(-(-(until - begin) // MINUTE_S))
        width = -(-minutes // max(buckets, 1))
        return cls(begin, until, width * MINUTE_S, -(-minutes // width))

    @property
    def seconds(self) -> float:
        """Its length."""
        return self.until_s - self.begin_s

    def start_ns(self, bucket: int) -> int:
        """When a bucket begins."""
        return (self.begin_s + bucket * self.width_s) * _NS

    def seconds_of(self, bucket: int) -> float:
        """How long a bucket lasts: the last one may not be over yet."""
        begin = self.begin_s + bucket * self.width_s
        return max(min(float(self.width_s), self.until_s - begin), 1.0)

    @property
    def parameters(self) -> dict[str, object]:
        """For queries: {begin}, {until} and {width}, in seconds."""
        return {"begin": self.begin_s, "until": int(-(-self.until_s // 1)), "width": self.width_s}

"""Building WHERE clauses: constant fragments joined by AND, values only as server-side parameters."""

from __future__ import annotations

from typing import Final

__all__ = ["Conditions", "Page", "invocation_since_ns"]

_BUCKET: Final = "toStartOfFiveMinutes"
_SLACK_NS: Final = 60_000_000_000  # clocks of the id's maker and of the row's may differ by this much


class Conditions:
    """Fragments and their parameters. The fragments are constants of this package, never user input."""

    def __init__(self) -> None:
        self._fragments: list[str] = []
        self.parameters: dict[str, object] = {}

    def add(self, fragment: str, **parameters: object) -> None:
        """One more condition and the values of its `{name:Type}` parameters."""
        self._fragments.append(fragment)
        self.parameters.update(parameters)

    def text(self, column: str, name: str, value: str) -> None:
        """`column` equals `value`, if a value is given."""
        if value:
            self.add(column + " = {" + name + ":String}", **{name: value})

    def time_range(self, column: str, since_ns: int, until_ns: int) -> None:
        """since <= column < until, if given, told to the index of five-minute buckets as well."""
        if since_ns > 0:
            moment = "fromUnixTimestamp64Nano({since:Int64}, 'UTC')"
            self.add(f"{column} >= {moment} AND {_BUCKET}({column}) >= {_BUCKET}({moment})", since=since_ns)
        if until_ns > 0:
            moment = "fromUnixTimestamp64Nano({until:Int64}, 'UTC')"
            self.add(f"{column} < {moment} AND {_BUCKET}({column}) <= {_BUCKET}({moment})", until=until_ns)

    def into(self, query: str) -> str:
        """`query` with its `__WHERE__` replaced."""
        return query.replace("__WHERE__", " AND ".join(self._fragments) or "1")


class Page:
    """Limits that every page keeps."""

    MAX_ROWS: Final = 100_000


def invocation_since_ns(invocation_id: str) -> int:
    """The earliest time that rows of this invocation can have, from its UUIDv7; 0 if it does not tell."""
    digits = invocation_id.replace("-", "")
    if len(digits) != 32 or digits[12] != "7":
        return 0
    try:
        return max(int(digits[:12], 16) * 1_000_000 - _SLACK_NS, 0)
    except ValueError:
        return 0

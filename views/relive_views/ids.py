"""Short ids: the beginning of an id that means no other one, as listings show it and commands take it."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Sequence
from typing import Final

from relive_base.errors import ReliveError
from relive_store import Store

__all__ = ["UUID_DIGITS", "abbreviation", "short_ids", "shortest"]

UUID_DIGITS: Final = 13
"""Characters of a UUIDv7 that name its millisecond: ids of later invocations never begin like that."""
_OTHER_DIGITS: Final = 8
_SLACK_NS: Final = 60_000_000_000  # clocks of the id's maker and of the row's may differ by this much
_TIMEOUT_S: Final = 5.0
_MAX_NEIGHBOURS: Final = 100_000

_NEIGHBOURS: Final = """
SELECT DISTINCT InvocationId
FROM invocations
WHERE StartedAt >= fromUnixTimestamp64Nano({since:Int64}, 'UTC')
    AND toStartOfFiveMinutes(StartedAt) >= toStartOfFiveMinutes(fromUnixTimestamp64Nano({since:Int64}, 'UTC'))
    AND substring(InvocationId, 1, {digits:UInt8}) IN {beginnings:Array(String)}
"""


def abbreviation(ident: str) -> str:
    """The beginning of an id, without a look at other ones: 13 characters of a UUIDv7, 8 of a trace id."""
    return ident[:UUID_DIGITS] if ident.count("-") == 4 else ident[:_OTHER_DIGITS]


def shortest(idents: Iterable[str], known: Sequence[str]) -> dict[str, str]:
    """For each of `idents` its shortest unique beginning among them and `known`, at least `abbreviation`."""
    wanted = list(dict.fromkeys(idents))
    ordered = sorted({*wanted, *known})
    found = {}
    for ident in wanted:
        position = bisect_left(ordered, ident)
        beside = ordered[max(position - 1, 0) : position] + ordered[position + 1 : position + 2]
        length = max([len(abbreviation(ident)), *(_shared(ident, other) + 1 for other in beside)])
        while ident[length - 1 : length] == "-":  # nobody ends an id with one
            length += 1
        found[ident] = ident[:length]
    return found


def _shared(one: str, other: str) -> int:
    """How many characters both begin with."""
    count = 0
    for left, right in zip(one, other, strict=False):
        if left != right:
            break
        count += 1
    return count


def short_ids(store: Store, idents: Iterable[str]) -> dict[str, str]:
    """For each invocation id the shortest beginning that means no other invocation of the store."""
    wanted = [ident for ident in dict.fromkeys(idents) if ident]
    return shortest(wanted, _neighbours(store, wanted))


def _neighbours(store: Store, idents: Sequence[str]) -> list[str]:
    """Invocations of the same milliseconds; [] if the store does not say in time."""
    beginnings = {abbreviation(ident) for ident in idents if ident.count("-") == 4}
    times = [int(text.replace("-", ""), 16) for text in beginnings if _is_hex(text)]
    if not times:
        return []
    parameters = {
        "since": max(min(times) * 1_000_000 - _SLACK_NS, 0),
        "digits": UUID_DIGITS,
        "beginnings": sorted(beginnings),
    }
    try:
        rows = store.query(_NEIGHBOURS, parameters, timeout_s=_TIMEOUT_S, max_rows=_MAX_NEIGHBOURS).rows()
        return [str(row[0]) for row in rows]
    except ReliveError:
        return []


def _is_hex(text: str) -> bool:
    return all(character in "0123456789abcdef-" for character in text)

"""WHERE clauses of a filter: only what constrains, for a statement can take longer to plan than to run.

A statement has marks where conditions go: `__PROFILES__` for those of one filter; for two, of which the
other's parameters begin with `other_`, `__PROFILES_OF_BOTH__` for what both demand or either of them, and
`__OLD_PROFILES__`, `__NEW_PROFILES__` for what is left to say of each. The same for `__INVOCATIONS__` and
`__STACKS__`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

__all__ = ["OTHER", "fitted"]

OTHER: Final = "other_"
"""How parameters of the side that is compared with begin."""
_EVERYTHING: Final = "1"

_MOMENT: Final = "fromUnixTimestamp64Nano({0})"
# The five-minute bucket is part of the sorting key: a range of time that does not constrain it too reads all.
_SINCE: Final = "toStartOfFiveMinutes(__TIME__) >= toStartOfFiveMinutes(__AT__) AND __TIME__ >= __AT__"
_UNTIL: Final = "toStartOfFiveMinutes(__TIME__) <= toStartOfFiveMinutes(__AT__) AND __TIME__ < __AT__"


def _moment(condition: str, column: str, parameter: str) -> str:
    return condition.replace("__TIME__", column).replace("__AT__", _MOMENT.format(f"{{{parameter}:Int64}}"))


def _conditions(column: str) -> dict[str, str]:
    """By the parameter without which a condition is left out."""
    return {
        "function": "Function = {function:String}",
        "since": _moment(_SINCE, column, "since"),
        "until": _moment(_UNTIL, column, "until"),
        "version": "Version = {version:UInt32}",
        "ids": "has({ids:Array(String)}, InvocationId)",
        "statuses": "has({statuses:Array(String)}, Status)",
        "min_duration": "DurationNs >= {min_duration:UInt64}",
        "max_duration": "DurationNs < {max_duration:UInt64}",
    }


_FILTERS: Final = {
    "PROFILES": {
        **_conditions("Timestamp"),
        "phase": "Phase = {phase:String}",
        "engine": "Engine = {engine:String}",
    },
    "INVOCATIONS": _conditions("StartedAt"),
    "STACKS": {"function": "Function = {function:String}"},
}
_ALWAYS: Final = {"INVOCATIONS": "HandlerStartedAt > toDateTime64(0, 9)"}


def fitted(statement: str, values: Mapping[str, object]) -> str:
    """The statement with the conditions that `values`, its parameters, make; no value is part of the text."""
    for table in _FILTERS:
        if f"__{table}_OF_BOTH__" in statement:
            statement = _of_both(statement, table, values)
        if f"__{table}__" in statement:
            found = [condition for _, condition in _constraining(table, values, "")]
            statement = statement.replace(f"__{table}__", _joined([_ALWAYS.get(table, ""), *found]))
    return statement


def _of_both(statement: str, table: str, values: Mapping[str, object]) -> str:
    """What both sides demand stands once, outside: the engine looks up its index by it."""
    sides = [dict(_constraining(table, values, prefix)) for prefix in ("", OTHER)]
    common = [name for name in sides[0] if name in sides[1] and values[name] == values[OTHER + name]]
    old, new = (
        _joined([condition for name, condition in side.items() if name not in common]) for side in sides
    )
    outside = _joined([_ALWAYS.get(table, ""), *(sides[0][name] for name in common)])
    either = _EVERYTHING if _EVERYTHING in (old, new) else f"({old} OR {new})"
    return (
        statement.replace(f"__{table}_OF_BOTH__", _joined([outside, either]))
        .replace(f"__OLD_{table}__", old)
        .replace(f"__NEW_{table}__", new)
    )


def _constraining(table: str, values: Mapping[str, object], prefix: str) -> Iterator[tuple[str, str]]:
    """What is empty or 0 demands nothing."""
    for name, condition in _FILTERS[table].items():
        if values[prefix + name]:
            yield name, condition.replace("{", "{" + prefix)


def _joined(conditions: list[str]) -> str:
    found = [condition for condition in conditions if condition not in ("", _EVERYTHING)]
    return " AND ".join(found) or _EVERYTHING

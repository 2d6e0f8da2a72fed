"""How much there is on the two sides of a difference, by one look at profiles and one at invocations."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from relive_base.errors import UsageError

from relive_profiler.explore.conditions import OTHER, fitted
from relive_profiler.explore.filters import HotFilter, parameters
from relive_profiler.explore.folding import Totals

if TYPE_CHECKING:
    from relive_store import Store

__all__ = ["sides"]


def _counts(side: str) -> str:
    return (
        f"countIf({side}), sumIf(Samples, {side}), sumIf(DurationNs, {side}),\n"
        f"minIf(Function, {side}), maxIf(Function, {side}),\n"
        f"minIf(toUnixTimestamp64Nano(Timestamp), {side}), maxIf(toUnixTimestamp64Nano(Timestamp), {side})"
    )


_PROFILES: Final = f"""
SELECT Engine, {_counts("Old")}, {_counts("New")}
FROM (
    SELECT Engine, Samples, DurationNs, Function, Timestamp, (__OLD_PROFILES__) AS Old,
        (__NEW_PROFILES__) AS New
    FROM profiles WHERE __PROFILES_OF_BOTH__
) GROUP BY Engine
"""  # noqa: S608 - all parts are from here
_INVOCATIONS: Final = """
SELECT uniqExactIf(Id, Old), uniqExactIf(Id, New)
FROM (
    SELECT cityHash64(InvocationId, Attempt) AS Id, (__OLD_INVOCATIONS__) AS Old, (__NEW_INVOCATIONS__) AS New
    FROM invocations WHERE __INVOCATIONS_OF_BOTH__
)
"""
_WIDTH: Final = 7
"""Columns of a side."""


def sides(
    store: Store, before: HotFilter, after: HotFilter, *, timeout_s: float = 30.0
) -> tuple[Totals, Totals]:
    """How much there is to compare, of one engine: the one that is named, or that both sides have most
    profiles of, or "sampled". One or two queries. Raises UsageError if they name different engines; store
    errors pass through."""
    engines = {engine for engine in (before.engine, after.engine) if engine}
    if len(engines) > 1:
        raise UsageError(
            "a sampled and a precise profile cannot be compared",
            hint="name one engine for both sides, or none",
        )
    named = "".join(engines)
    before, after = before.with_engine(""), after.with_engine("")  # others than that one are counted, too
    values = {**parameters(before), **{OTHER + name: value for name, value in parameters(after).items()}}
    rows: list[Sequence[Any]] = list(
        store.query(fitted(_PROFILES, values), values, timeout_s=timeout_s).rows()
    )
    engine = named or _most(rows, 1)
    if not named and (not engine or engine != _most(rows, 1 + _WIDTH)):
        engine = "sampled"
    found = next((row for row in rows if row[0] == engine), None)
    if found is None:
        return Totals(before.with_engine(engine)), Totals(after.with_engine(engine))
    old, new = _totals(before, engine, found[1 : 1 + _WIDTH]), _totals(after, engine, found[1 + _WIDTH :])
    if engine != "sampled" or "invoke" not in (before.phase, after.phase):
        return old, new
    # Short invocations often have no sample: profiles alone would overstate time per invocation.
    counts = next(iter(store.query(fitted(_INVOCATIONS, values), values, timeout_s=timeout_s).rows()))
    others = [sum(row[at] for row in rows if row is not found) for at in (1, 1 + _WIDTH)]
    return _counted(old, counts[0] - others[0]), _counted(new, counts[1] - others[1])


def _most(rows: Sequence[Sequence[Any]], at: int) -> str:
    """The engine with most profiles on a side."""
    return max(((row[at], row[0]) for row in rows if row[at]), default=(0, ""))[1]


def _totals(side: HotFilter, engine: str, row: Sequence[Any]) -> Totals:
    profiles, samples, duration_ns, first, last, since_ns, until_ns = row
    wanted = side.with_engine(engine)
    if not profiles:
        return Totals(wanted)
    if first == last:
        wanted = replace(wanted, function=first)
    if side.invocation_ids:
        wanted = replace(wanted, since_ns=since_ns, until_ns=until_ns + 1)
    return Totals(wanted, profiles, samples, duration_ns, profiles)


def _counted(side: Totals, invocations: Any) -> Totals:
    if not side.profiles or side.wanted.phase != "invoke":
        return side
    return replace(side, invocations=max(int(invocations), side.profiles))

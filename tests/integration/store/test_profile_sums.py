"""Frames that the engine adds up are what Python makes of the same stacks, to the last digit."""

from __future__ import annotations

import itertools
import random
import time
from dataclasses import replace
from typing import Any

import pytest
from relive_profiler.explore import sums
from relive_profiler.explore.diff import DiffList, diff, diff_folded, diff_with_tree, sides
from relive_profiler.explore.diff_tree import diff_tree
from relive_profiler.explore.folding import Folded, Totals, load, on_cpu, totals
from relive_profiler.explore.hot import HotFilter, hot, hot_list
from relive_profiler.explore.spread import Spread, spread_of
from relive_profiler.explore.sums import frame_sums
from relive_store import Store

HOUR_NS = 3_600 * 10**9
BEGIN_NS = (time.time_ns() // HOUR_NS - 1) * HOUR_NS
FUNCTIONS = ("orders", "reports")
FILES = ("app/a.py", "app/b.py", "site-packages/lib/c.py", "python3.11/json.py", "<string>", "/opt/d.py")
STACKS = 60
UNKNOWN = 3  # of them, the store has lost the frames
Frames = tuple[list[str], list[str], list[int]]


def _stacks(chance: random.Random) -> dict[tuple[str, int], Frames]:
    """Few names, so that frames repeat: within a stack, between stacks, and between functions."""
    found = {}
    for function in FUNCTIONS:
        for number in range(1, STACKS + 1):
            depth = chance.randint(1, 9)
            names = [f"f{chance.randint(0, 6)}" for _ in range(depth)]
            files = [chance.choice(FILES) for _ in range(depth)]
            found[function, number] = (names, files, [chance.randint(1, 3) for _ in range(depth)])
    return found


def _profiles(chance: random.Random, count: int) -> list[dict[str, Any]]:
    rows = []
    for number in range(count):
        stacks = [chance.randint(1, STACKS) for _ in range(chance.randint(1, 12))]
        walls = [chance.choice((1_000_000, chance.randint(1, 10**9))) for _ in stacks]
        rows.append(
            {
                "Function": chance.choice(FUNCTIONS),
                "Version": chance.randint(1, 2),
                "Timestamp": BEGIN_NS + number * 10**9,
                "InvocationId": f"i-{number}",
                "Attempt": 1,
                "Phase": "invoke",
                "Engine": "sampled",
                "Status": "ok",
                "DurationNs": sum(walls),
                "Samples": len(stacks),
                "StackIds": stacks,
                "Counts": [chance.randint(1, 5) for _ in stacks],
                "WallNs": walls,
                "CpuNs": [chance.randint(0, wall * 2) for wall in walls],  # clocks differ
            }
        )
    return rows


def _fill(store: Store, stacks: dict[tuple[str, int], Frames], profiles: list[dict[str, Any]]) -> None:
    store.insert("profiles", {name: [row[name] for row in profiles] for name in profiles[0]})
    known = [item for item in stacks.items() if item[0][1] > UNKNOWN]
    for seen in (BEGIN_NS, BEGIN_NS + 1):  # written again after a week, and not merged yet
        columns = {
            "Function": [key[0] for key, _ in known],
            "StackHash": [key[1] for key, _ in known],
            "Functions": [frames[0] for _, frames in known],
            "Files": [frames[1] for _, frames in known],
            "Lines": [frames[2] for _, frames in known],
            "LastSeen": [seen] * len(known),
        }
        store.insert("profile_stacks", columns)


def _spread(
    stacks: dict[tuple[str, int], Frames], rows: list[dict[str, Any]], by: str, column: str
) -> Spread:
    innermost = {
        (function, number): (function, frames[0][-1], frames[1][-1], frames[2][-1] if by == "line" else 0)
        for (function, number), frames in stacks.items()
        if number > UNKNOWN
    }
    return spread_of([(row["Function"], row["StackIds"], row[column]) for row in rows], innermost)


def test_sums_of_the_engine_are_those_of_python(store: Store) -> None:
    # Given random profiles: recursion, equal weights, lost frames, and stacks of more than 64 invocations
    chance = random.Random(store.engine)
    stacks, profiles = _stacks(chance), _profiles(chance, 400)
    _fill(store, stacks, profiles)
    for wanted in (HotFilter(), HotFilter(function="reports", version=2)):
        python = load(store, wanted)
        assert python.profiles > 64
        for by in ("function", "line"):
            for waits in (False, True):
                for limit in (7, 10_000):
                    # When the engine adds them up
                    found = hot(store, wanted, by, limit, waits_to_caller=waits)
                    # I expect every number to be what Python makes of the stacks
                    assert found == hot_list(python, by, limit, waits_to_caller=waits)
                    assert len(found.rows) > 30 or limit < 10_000
            for limit in (7, 10_000):
                # ... also of the time on the CPU
                found = hot(store, wanted, by, limit, weight="cpu")
                assert found == hot_list(on_cpu(python), by, limit)
                assert all(row.self_s == row.self_cpu_s for row in found.rows)


def test_who_has_time_of_its_own_is_found_first(store: Store) -> None:
    # Given random profiles
    chance = random.Random(store.engine)
    stacks, profiles = _stacks(chance), _profiles(chance, 200)
    _fill(store, stacks, profiles)
    for wanted in (HotFilter(engine="sampled"), HotFilter(function="reports", version=2, engine="sampled")):
        for by in ("function", "line"):
            for waits in (False, True):
                for limit in (1, 9, 10_000):
                    # When those with time of their own are looked for first
                    found = frame_sums(store, wanted, by, limit, waits_to_caller=waits, own_first=True)
                    # I expect what all frames of all stacks give, ties too
                    whole = frame_sums(store, wanted, by, limit, waits_to_caller=waits)
                    assert (found.wall_ns, found.stacks, found.cut) == (whole.wall_ns, whole.stacks, False)
                    hottest = sorted(found.rows, key=lambda row: (-row.self_ns, -row.total_ns))[:limit]
                    expected = sorted(whole.rows, key=lambda row: (-row.self_ns, -row.total_ns))[:limit]
                    assert [row.self_ns for row in hottest] == [row.self_ns for row in expected]
                    assert set(hottest) <= set(whole.rows)


def test_changes_of_the_engine_are_those_of_python(store: Store) -> None:
    # Given two versions
    chance = random.Random(store.engine)
    stacks, profiles = _stacks(chance), _profiles(chance, 300)
    _fill(store, stacks, profiles)
    for function in ("orders", ""):
        compared = [HotFilter(function=function, version=version) for version in (1, 2)]
        loaded = [load(store, side) for side in compared]
        counted = sides(store, compared[0], compared[1])
        for by, weight in itertools.product(("function", "line"), ("wall", "cpu")):
            before, after = loaded if weight == "wall" else map(on_cpu, loaded)
            column = "WallNs" if weight == "wall" else "CpuNs"
            margins = [
                _spread(stacks, [row for row in profiles if _is_of(row, side)], by, column)
                for side in compared
            ]
            for limit in (5, 10_000):
                # When they are compared, by all of their time or by that on the CPU
                found = diff(store, compared[0], compared[1], by, limit, weight=weight)
                # I expect the same differences, and the same margins
                expected = diff_folded(before, after, by, limit, (margins[0], margins[1]))
                assert _without_margins(found) == _without_margins(expected)
                assert [row.margin_ms for row in found.rows] == pytest.approx(
                    [row.margin_ms for row in expected.rows], rel=1e-6, abs=1e-9
                )
                # And of the stacks of both sides, read at once
                listed, tree = diff_with_tree(store, counted, by, limit, weight=weight)
                assert listed == found
                assert tree == diff_tree(before, after)
    assert diff(store, HotFilter(version=8), HotFilter(version=9)) == diff_folded(Folded(), Folded())


def _of_all_kinds(store: Store, chance: random.Random, count: int) -> list[dict[str, Any]]:
    profiles = _profiles(chance, count)
    for row in profiles:
        row["Engine"] = chance.choice(("sampled", "sampled", "precise"))
        row["Phase"] = chance.choice(("invoke", "invoke", "init"))
        row["Status"] = chance.choice(("ok", "error", "timeout"))
    store.insert("profiles", {name: [row[name] for row in profiles] for name in profiles[0]})
    return profiles


def test_both_sides_are_counted_as_each_by_itself(store: Store) -> None:
    # Given profiles of both engines and phases, and invocations of which some have none
    chance = random.Random(store.engine)
    profiles = _of_all_kinds(store, chance, 200)
    names = ("Function", "Version", "InvocationId", "Attempt", "Status", "DurationNs")
    invocations = {name: [row[name] for row in profiles] * 2 for name in names}  # written again, not merged
    invocations["InvocationId"][:50] = [f"short-{number}" for number in range(50)]
    begun = [row["Timestamp"] for row in profiles] * 2
    store.insert("invocations", {**invocations, "StartedAt": begun, "HandlerStartedAt": begun})
    seen = BEGIN_NS + 120 * 10**9
    known = ("019abcde-f012-7000-8000-000000000000",)
    filters = (
        HotFilter(), HotFilter(function="orders", version=1), HotFilter(function="reports", version=2),
        HotFilter(since_ns=seen), HotFilter(until_ns=seen, status=("error",)), HotFilter(engine="precise"),
        HotFilter(phase="init"), HotFilter(invocation_ids=("i-3", "i-180")), HotFilter(version=8),
        HotFilter(min_duration_ns=10**9), HotFilter(max_duration_ns=10**9), HotFilter(invocation_ids=known),
    )  # fmt: skip
    for before, after in zip(filters, (*filters[1:], filters[0]), strict=True):
        # When two of them are counted at once
        found = sides(store, before, after)
        # I expect what each of them has, of one engine
        assert found == _each(store, before, after)
        assert sides(store, after, before) == found[::-1]


def test_filters_mean_what_they_say(store: Store) -> None:
    # Given profiles of all kinds, and an invocation of each, written twice
    chance = random.Random(store.engine)
    profiles = _of_all_kinds(store, chance, 300)
    names = ("Function", "Version", "InvocationId", "Attempt", "Status", "DurationNs")
    begun = [row["Timestamp"] for row in profiles]
    # 0: it had no handler yet, as nobody has who was profiled precisely
    started = [
        moment if number % 7 or profiles[number]["Engine"] == "precise" else 0
        for number, moment in enumerate(begun)
    ]
    columns = {name: [row[name] for row in profiles] for name in names}
    for _ in range(2):
        store.insert("invocations", {**columns, "StartedAt": begun, "HandlerStartedAt": started})
    handled = [row for row, moment in zip(profiles, started, strict=True) if moment]
    for _ in range(20):
        # When some are asked for, and two of them at once
        pair = (_any_filter(chance), _any_filter(chance))
        both = (replace(pair[0], engine="sampled"), replace(pair[1], engine="sampled"))
        for wanted, found in (
            *((one, totals(store, one)) for one in pair),
            *zip(both, sides(store, *both), strict=True),
        ):
            # I expect those that Python finds, row by row
            engine = found.engine
            rows = [row for row in profiles if _matches(row, wanted, engine)]
            counted = len(
                {row["InvocationId"] for row in handled if _matches(row, wanted, "")}
                - {row["InvocationId"] for row in profiles if _matches(row, wanted, "precise")}
            )
            assert found.profiles == len(rows)
            assert found.samples == sum(row["Samples"] for row in rows)
            assert found.duration_ns == sum(row["DurationNs"] for row in rows)
            if rows and wanted.phase == "invoke" and engine == "sampled":
                assert found.invocations == max(counted, len(rows))


def test_few_stacks_are_named_and_many_looked_for(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    # Given random profiles
    chance = random.Random(store.engine)
    stacks, profiles = _stacks(chance), _profiles(chance, 200)
    _fill(store, stacks, profiles)
    for by in ("function", "line"):
        for wanted in (HotFilter(engine="sampled"), HotFilter(function="orders", engine="sampled")):
            # When a statement names the stacks, and when it looks for them
            named = frame_sums(store, wanted, by, 8)
            with monkeypatch.context() as patch:
                patch.setattr(sums, "_MOST_NAMED", 1)
                looked_for = frame_sums(store, wanted, by, 8)
            # I expect the same of both
            assert named == looked_for
            assert len(named.rows) > 7


def _any_filter(chance: random.Random) -> HotFilter:
    """Some of its fields constrain."""
    moment = BEGIN_NS + chance.randint(0, 300) * 10**9
    fields: dict[str, Any] = {
        "function": chance.choice(FUNCTIONS),
        "version": chance.randint(1, 2),
        "since_ns": moment,
        "until_ns": moment + chance.randint(1, 200) * 10**9,
        "engine": chance.choice(("sampled", "precise")),
        "phase": chance.choice(("invoke", "init")),
        "invocation_ids": tuple(f"i-{chance.randint(0, 299)}" for _ in range(40)),
        "status": chance.choice((("ok",), ("error", "timeout"))),
        "min_duration_ns": chance.randint(1, 2 * 10**9),
        "max_duration_ns": chance.randint(10**9, 4 * 10**9),
    }
    return HotFilter(**{name: fields[name] for name in chance.sample(sorted(fields), chance.randint(0, 4))})


def _matches(row: dict[str, Any], wanted: HotFilter, engine: str) -> bool:
    """`engine` "": as an invocation, which has neither engine nor phase."""
    return (
        (not engine or (row["Engine"] == engine and row["Phase"] == wanted.phase))
        and wanted.function in ("", row["Function"])
        and wanted.version in (0, row["Version"])
        and row["Timestamp"] >= wanted.since_ns
        and (not wanted.until_ns or row["Timestamp"] < wanted.until_ns)
        and (not wanted.invocation_ids or row["InvocationId"] in wanted.invocation_ids)
        and (not wanted.status or row["Status"] in wanted.status)
        and row["DurationNs"] >= wanted.min_duration_ns
        and (not wanted.max_duration_ns or row["DurationNs"] < wanted.max_duration_ns)
    )


def _each(store: Store, before: HotFilter, after: HotFilter) -> tuple[Totals, Totals]:
    named = before.engine or after.engine
    engines = {totals(store, side.with_engine(named)).engine for side in (before, after)}
    engine = engines.pop() if len(engines) == 1 else ""
    old, new = (totals(store, side.with_engine(engine or "sampled")) for side in (before, after))
    return old, new


def _is_of(row: dict[str, Any], side: HotFilter) -> bool:
    return row["Version"] == side.version and side.function in ("", row["Function"])


def _without_margins(found: DiffList) -> DiffList:
    return replace(found, rows=[replace(row, margin_ms=None) for row in found.rows])

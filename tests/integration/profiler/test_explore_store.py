"""Rows through a real engine, in its own process, and what is read from them."""

from __future__ import annotations

import json
import time
from dataclasses import replace

import pytest
from relive_base.errors import NotFound, UsageError
from relive_base.records import InvocationRecord
from relive_base.wire.messages import Costs, Profile, StackFrames
from relive_profiler.explore import diff, export, flame, folding, hot, single
from relive_profiler.explore.filters import HotFilter
from relive_profiler.explore.rows import StackCache, profile_columns, stack_columns
from relive_profiler.explore.slow import profiles_of
from relive_profiler.record.stacks import stack_hash
from relive_store import QueryTimeout
from relive_views.invocations import InvocationFilter, invocations
from relive_views.profiles import spans

MS = 1_000_000
# An hour and more ago, on the hour: older rows would be expired at once.
BASE_NS = (time.time_ns() // 3_600_000_000_000 - 1) * 3_600_000_000_000


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    from relive_store import StoreProcess, open_store

    folder = tmp_path_factory.mktemp("s")
    process = StoreProcess(folder / "store", folder / "s.sock", log_path=folder / "log")
    process.start(60.0)
    store = open_store(process.url)
    try:
        store.migrate()
        _fill(store)
        yield store
    finally:
        store.close()
        process.stop()


def _stack(path, line=1):
    locations = [(name, f"{name}.py", line) for name in path.split()]
    functions, files, lines = (list(values) for values in zip(*locations, strict=True))
    return StackFrames(stack_hash(locations), functions, files, lines)


def _pair(number, stacks, *, function="checkout", version=1, engine="sampled", phase="invoke", status="ok"):
    """`stacks`: {path: (samples, ms)}."""
    started = BASE_NS + number * 1000 * MS
    record = InvocationRecord(
        invocation_id=f"{function}-{version}-{engine}-{number}", function=function, version=version,
        trace_id="ab" * 16, span_id="cd" * 8, trigger_span_id="", accepted_ns=started, started_ns=started,
        ended_ns=started + 50 * MS, status=status,
    )  # fmt: skip
    found = [_stack(path) for path in stacks]
    weights = list(stacks.values())
    profile = Profile(
        invocation_id=record.invocation_id, phase=phase, engine=engine, started_ns=started,
        duration_ns=50 * MS, stack_hashes=[stack.stack_hash for stack in found],
        counts=[samples for samples, _ in weights], wall_ns=[ms * MS for _, ms in weights],
        cpu_ns=[ms * MS for _, ms in weights], new_stacks=found,
    )  # fmt: skip
    return profile, record


def _fill(store):
    pairs = [_pair(number, {"h load parse": (6, 6), "h load": (3, 3), "h": (1, 1)}) for number in range(20)]
    pairs += [_pair(100 + number, {"h load parse": (12, 12)}, version=2) for number in range(10)]
    pairs += [_pair(200, {"h exact": (1, 100)}, engine="precise")]
    pairs += [_pair(300, {"<module>": (4, 70)}, phase="init")]
    pairs += [_pair(400, {"h quick": (2, 2)}, status="error", version=3)]
    pairs += [_pair(1, {"fib fib fib": (9, 9)}, function="report")]
    pairs += [_spanned(), *_half_precise()]
    store.insert("profiles", profile_columns(pairs))
    store.insert("profile_stacks", stack_columns(pairs, StackCache(), BASE_NS))
    # Twice as many invocations as profiles: the others were too short for a sample.
    records = [record for _, record in pairs]
    silent = [_pair(1000 + number, {"h": (1, 1)})[1] for number in range(20)]
    silent += [_pair(3100 + number, {"h": (1, 1)}, function="mixed", version=2)[1] for number in range(4)]
    rows = records + silent
    store.insert(
        "invocations",
        {
            "InvocationId": [record.invocation_id for record in rows],
            "Attempt": [1] * len(rows),
            "Function": [record.function for record in rows],
            "Version": [record.version for record in rows],
            "Status": [record.status for record in rows],
            "StartedAt": [record.accepted_ns for record in rows],
            "HandlerStartedAt": [record.started_ns for record in rows],
            "DurationNs": [record.duration_ns for record in rows],
        },
    )


OUTER, INNER, CALL = "0a" * 8, "0b" * 8, "0c" * 8


def _half_precise():
    """Twenty invocations of 20 ms in each of two versions; half of the second's were profiled precisely."""
    return [
        _pair(
            3000 + number, {"burn": (10, 20)}, function="mixed", version=version,
            engine="precise" if version == 2 and number % 2 else "sampled",
        )
        for version in (1, 2)
        for number in range(20)
    ]  # fmt: skip


def _spanned():
    """An invocation with samples in a span, in the one inside it, and in none."""
    profile, record = _pair(2000, {"h load": (6, 6), "h load parse": (5, 5), "h": (9, 9)}, function="spanned")
    profile.spans = [OUTER, INNER]
    profile.stack_spans = [1, 2, 0]
    return profile, record


@pytest.fixture(scope="module")
def traced(store):
    """Its trace, too, and the invocation of another function that it calls."""
    _, record = _spanned()
    own = {"faas.invocation_id": record.invocation_id}
    spans = [
        (record.span_id, "", "spanned", {**own, "relive.status": "ok"}),
        (OUTER, record.span_id, "read", own),
        (INNER, OUTER, "parse", own),
        (CALL, record.span_id, "invoke other", own),
        ("0d" * 8, CALL, "other", {"faas.invocation_id": "another"}),
        ("0e" * 8, "", "of another program", {}),
    ]
    store.insert(
        "otel_traces",
        {
            "Timestamp": [record.started_ns] * len(spans),
            "TraceId": ["ef" * 16] * len(spans),
            "SpanId": [span[0] for span in spans],
            "ParentSpanId": [span[1] for span in spans],
            "SpanName": [span[2] for span in spans],
            "ScopeName": ["relive"] * len(spans),
            "SpanAttributes": [span[3] for span in spans],
        },
    )
    return store


def test_a_span_has_the_samples_taken_in_it_and_below_it(traced):
    def found(ident):
        tree = flame.flame(traced, spans.filter_of(spans.span(traced, ident)))
        return dict(zip(tree.name[1:], [ns // MS for ns in tree.value[1:]], strict=True)), tree.note

    assert found(OUTER)[0] == {"h": 11, "load": 11, "parse": 5}
    assert found("0b0b")[0] == {"h": 5, "load": 5, "parse": 5}
    # And the handler's own span has all of the invocation, a call without samples too, which is said
    assert found("cdcd")[0]["h"] == 20
    whole, note = found(CALL)
    assert whole["h"] == 20
    assert note.startswith("this span has no samples; shown: its invocation")


def test_a_span_behind_the_limit_is_found_and_the_cut_is_said(traced):
    # Given an invocation of more spans than are looked through: the first is the outer one
    last = spans.span(traced, CALL, limit=1)
    assert (last.row.name, last.span_ids) == ("invoke other", (CALL,))
    assert last.note == "of the first 1 spans of its invocation"
    outer = spans.span(traced, OUTER, limit=1)
    assert (outer.span_ids, outer.note) == ((OUTER,), last.note)
    # I expect nothing of a cut where there is none; spans of others do not count
    whole = spans.span(traced, OUTER, limit=4)
    assert (set(whole.span_ids), whole.note) == ({OUTER, INNER}, "")


@pytest.mark.parametrize(
    ("ident", "says"), [("0e0e", "of no invocation"), ("99ff", "begins with"), ("x", "no span id")]
)
def test_a_span_without_samples_to_ask_for_is_refused_in_words(traced, ident, says):
    with pytest.raises(NotFound, match=says):
        spans.span(traced, ident)


def test_the_hot_list_of_a_version(store):
    found = hot.hot(store, HotFilter(function="checkout", version=1))
    rows = {row.name: row for row in found.rows}
    assert [row.name for row in found.rows] == ["parse", "load", "h"]
    assert rows["parse"].self_s == pytest.approx(0.120)
    assert rows["load"].total_s == pytest.approx(0.180)
    assert rows["h"].invocations == 20
    assert (found.samples, found.profiles, found.engine) == (200, 20, "sampled")
    assert found.invocations == 20 + 20 + 1  # with the silent ones and the cold one, not the precise one


def test_recursion_and_all_functions(store):
    rows = {row.name: row for row in hot.hot(store, HotFilter(), limit=100).rows}
    assert rows["fib"].total_s == pytest.approx(0.009)
    assert rows["fib"].function == "report"
    assert "exact" not in rows  # another engine


def test_time_status_phase_and_engine_constrain(store):
    def names(**values):
        return {row.name for row in hot.hot(store, HotFilter(function="checkout", **values)).rows}

    assert names(phase="init") == {"<module>"}
    assert names(engine="precise") == {"h", "exact"}
    assert names(status=("error",)) == {"h", "quick"}
    since = BASE_NS + 100 * 1000 * MS
    assert names(since_ns=since, until_ns=since + 1000 * 1000 * MS) == {"h", "load", "parse", "quick"}
    assert names(until_ns=BASE_NS) == set()
    assert names(min_duration_ns=51 * MS) == set()


def test_a_flame_tree_of_a_filter(store):
    tree = flame.flame(store, HotFilter(function="checkout", version=2))
    assert tree.name == ["checkout v2", "h", "load", "parse"]
    assert tree.value[0] == 120 * MS
    assert tree.aggregate
    assert json.loads(export.to_speedscope(tree))["profiles"]


def test_a_flame_tree_of_one_invocation(store):
    tree = flame.flame(store, "checkout-1-sampled-3")
    assert tree.value[0] == 10 * MS
    assert not tree.aggregate
    assert tree.name[0] == "checkout-1-sampled-3"


@pytest.mark.parametrize("phase", ["invoke", "init"])
@pytest.mark.parametrize("engine", ["", "sampled", "precise"])
@pytest.mark.parametrize(
    "name",
    [
        "checkout-1-sampled-3",
        "checkout-1-precise-200",
        "checkout-1-sampled-300",
        "spanned-1-sampled-2000",
        "nobody",
    ],
)
def test_one_invocation_is_read_from_its_row_as_a_filter_of_it_is(store, name, engine, phase):
    wanted = HotFilter(invocation_ids=(name,), engine=engine, phase=phase)
    assert single.is_single(wanted)
    found, expected = single.load_single(store, wanted).folded, folding.load(store, wanted)
    assert replace(found, stacks=[]) == replace(expected, stacks=[])
    assert [replace(stack, invocations=(1,)) for stack in found.stacks] == [
        replace(stack, invocations=(1,)) for stack in expected.stacks
    ]


def test_a_filter_of_more_than_the_invocation_is_none_of_one():
    assert not single.is_single(HotFilter(invocation_ids=("a", "b")))
    assert not single.is_single(HotFilter(invocation_ids=("a",), status=("ok",)))
    assert not single.is_single(HotFilter(invocation_ids=("a",), span_ids=("b",)))


def test_an_invocation_with_too_few_samples_shows_its_function_and_says_so(store):
    tree = flame.flame(store, "checkout-3-sampled-400")
    assert tree.aggregate
    assert tree.value[0] > 200 * MS
    assert "only 2 samples" in tree.note
    assert "checkout" in tree.note
    silent = flame.flame(store, "checkout-1-sampled-1003")
    assert "no samples" in silent.note
    with pytest.raises(NotFound):
        flame.flame(store, "nobody")


def test_versions_compare_per_invocation(store):
    result = diff.diff(
        store, HotFilter(function="checkout", version=1), HotFilter(function="checkout", version=2)
    )
    rows = {row.name: row for row in result.rows}
    assert rows["parse"].after_self_ms == pytest.approx(12)
    # twenty profiles, the one that loads, and twenty without; not the one that was profiled precisely
    assert rows["parse"].before_self_ms == pytest.approx(120 / 41)
    assert rows["load"].after_self_ms == 0
    assert result.rows[0].name == "parse"
    # ... and it is said how certain that is: the first version has many invocations without a sample
    assert rows["parse"].margin_ms == pytest.approx(1.05, abs=0.1)
    assert rows["parse"].certain
    assert json.dumps(_view(store, "version", 1, 2)).count('"certain": true') >= 1
    with pytest.raises(UsageError):
        diff.diff(store, HotFilter(engine="sampled"), HotFilter(engine="precise"))


@pytest.mark.parametrize("engine", ["", "sampled"])
def test_invocations_that_the_other_engine_profiled_do_not_count(store, engine):
    # Given versions that take as long, one sampled in every second invocation, and with four too short
    before, after = (HotFilter(function="mixed", version=version, engine=engine) for version in (1, 2))
    # I expect the ten sampled ones and the four to count, wherever invocations are counted
    result = diff.diff(store, before, after)
    assert (result.before_invocations, result.after_invocations) == (20, 14)
    (row,) = result.rows
    assert (row.before_self_ms, row.after_self_ms) == (20, pytest.approx(200 / 14))
    assert folding.totals(store, replace(after, engine="sampled")).invocations == 14
    assert hot.hot(store, replace(after, engine="sampled"), "function", 5).invocations == 14
    assert folding.totals(store, replace(after, engine="precise")).invocations == 10
    # ... of one function as of all
    everything = folding.totals(store, HotFilter(engine="sampled"))
    names = ["checkout", "mixed", "report", "spanned"]
    each = [folding.totals(store, HotFilter(function=name, engine="sampled")).invocations for name in names]
    assert everything.invocations == sum(each)


def test_why_slow_counts_the_others_of_its_engine_and_those_too_short_for_a_sample(store):
    ids = [f"mixed-2-{engine}-{number}" for number in (3000, 3001, 3100) for engine in ("sampled", "precise")]
    profiles = profiles_of(store, "mixed", ids)
    keys = [("mixed-2-sampled-3000", 1), ("mixed-2-precise-3001", 1), ("mixed-2-sampled-3100", 1)]
    assert profiles.folded("mixed", keys, "sampled").invocations == 2
    assert profiles.folded("mixed", keys, "precise").invocations == 1


def _view(store, what, before, after):
    from relive_views.profiles import diff as views

    sides = [HotFilter(function="checkout", **{what: value}) for value in (before, after)]
    return views.diff(store, (*sides, "before", "after"), "function").as_json()


def test_slow_and_failed_ones_against_the_others(store):
    from relive_views.profiles import diff as views

    # Given one failed invocation of checkout, which loads nothing
    found = views.diff(store, views.sides_of_failed(HotFilter(function="checkout")), "line")
    rows = {row["name"]: row for row in found.as_json()["rows"]}
    assert rows["quick"]["after_self_ms"] == pytest.approx(2)
    assert rows["quick"]["certain"] is None  # of one invocation
    assert found.tree.name[:2] == ["per invocation", "h"]
    # Given that all took as long, none is slower than the slowest twentieth
    before, after, *_ = views.sides_of_slow(store, HotFilter(function="checkout"))
    assert before.max_duration_ns == after.min_duration_ns == 50 * MS
    sides = [HotFilter(function="checkout", version=version) for version in (9, 10)]
    with pytest.raises(NotFound, match="no invocation of checkout of version 9 has a profile"):
        views.diff(store, (*sides, "of version 9", "of version 10"), "line")
    with pytest.raises(NotFound):
        views.diff(store, views.sides_of_slow(store, HotFilter(function="checkout")), "line")


def test_a_hostile_filter_is_a_value_and_not_sql(store):
    assert hot.hot(store, HotFilter(function="x' OR 1=1 --")).rows == []
    assert hot.hot(store, HotFilter(invocation_ids=("a'b", 'c"d', "\\"))).rows == []


class _Slow:
    """A store that finds no profile in time."""

    def __init__(self, store):
        self._store = store
        self.asked = 0

    def query(self, sql, parameters=None, **limits):
        if "FROM profiles" in sql:
            self.asked += 1
            raise QueryTimeout("too slow")
        return self._store.query(sql, parameters, **limits)

    def __getattr__(self, name):
        return getattr(self._store, name)


def test_by_how_much_memory_grew_costs_a_list_nothing_unless_it_is_wanted(store):
    # Given an invocation whose profile has its memory
    profile, record = _pair(700, {"h": (1, 1)}, function="grower")
    profile.costs = Costs(growth_bytes=4_096, memory_bytes=8_192)
    store.insert("profiles", profile_columns([(profile, record)]))
    row = {"InvocationId": record.invocation_id, "Attempt": 1, "Function": "grower", "Status": "ok"}
    row |= {"StartedAt": record.accepted_ns}
    store.insert("invocations", {name: [value] for name, value in row.items()})
    wanted = InvocationFilter(function="grower")

    # I expect it in the list; not known if that takes too long; and not to be looked for if nobody asks
    assert [one.growth_bytes for one in invocations(store, wanted)] == [4_096]
    slow = _Slow(store)
    assert [one.growth_bytes for one in invocations(slow, wanted)] == [None]
    assert [one.growth_bytes for one in invocations(slow, wanted, memory=False)] == [None]
    assert slow.asked == 1

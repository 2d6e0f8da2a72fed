from __future__ import annotations

from relive_base.records import InvocationRecord
from relive_base.wire.messages import CallCount, Costs, Profile, StackFrames
from relive_profiler.explore.rows import REFRESH_AFTER_NS, StackCache, profile_columns, stack_columns


def _record(**values):
    fields = {"function": "checkout", "version": 3, "trace_id": "ab" * 16, "span_id": "cd" * 8}
    return InvocationRecord(invocation_id="i-1", trigger_span_id="", accepted_ns=5, **fields, **values)


def _profile(*hashes, **values):
    stacks = [StackFrames(number, ["handler", "total"], ["app.py", "cart.py"], [3, 17]) for number in hashes]
    return Profile(
        invocation_id="", stack_hashes=list(hashes), counts=[1] * len(hashes), wall_ns=[7] * len(hashes),
        cpu_ns=[6] * len(hashes), new_stacks=stacks, **values,
    )  # fmt: skip


def test_a_profile_is_a_row_that_the_record_identifies():
    columns = profile_columns([(_profile(1, 2, started_ns=9, duration_ns=20, phase="init"), _record())])
    assert {name: values[0] for name, values in columns.items()} == {
        "Function": "checkout", "Version": 3, "Timestamp": 9, "InvocationId": "i-1", "Attempt": 1,
        "TraceId": "ab" * 16, "Phase": "init", "Engine": "sampled", "Status": "ok", "DurationNs": 20,
        "Samples": 2, "StackIds": [1, 2], "Counts": [1, 1], "WallNs": [7, 7], "CpuNs": [6, 6],
        "SpanIds": [], "StackSpans": [], "Measured": 0, "GcNs": 0, "Collections": 0, "RunQueueNs": -1,
        "SystemNs": 0, "Waits": 0, "Preemptions": 0, "MajorFaults": 0, "ReadBytes": 0, "WrittenBytes": 0,
        "MemoryBytes": 0, "MemoryGrowthBytes": 0, "MemoryPeakBytes": 0, "CallsKnown": 0, "CallTargets": [],
        "CallCounts": [], "CallFailures": [], "CallWaitNs": [],
        "CallRetries": [], "CallRetryNs": [], "CallPauseNs": [],
    }  # fmt: skip


def test_what_it_cost_and_whom_it_called_are_in_its_row():
    costs = Costs(gc_ns=5, collections=1, runqueue_ns=7, waits=2, growth_bytes=-4096, memory_bytes=8192)
    calls = [CallCount("http://pricing", 3, 1, 40)]
    profile = _profile(1, 2, costs=costs, calls=calls, spans=["ab" * 8], stack_spans=[0, 1])
    found = {name: values[0] for name, values in profile_columns([(profile, _record())]).items()}
    assert (found["Measured"], found["GcNs"], found["RunQueueNs"], found["Waits"]) == (1, 5, 7, 2)
    assert (found["MemoryGrowthBytes"], found["ReadBytes"]) == (-4096, 0)  # not known is no negative number
    assert (found["CallsKnown"], found["CallTargets"], found["CallCounts"]) == (1, ["http://pricing"], [3])
    assert (found["CallFailures"], found["CallWaitNs"]) == ([1], [40])
    assert (found["SpanIds"], found["StackSpans"]) == (["ab" * 8], [0, 1])


def test_a_stack_is_written_once_per_function_and_week():
    cache = StackCache()
    pair = (_profile(1, 2), _record())
    first = stack_columns([pair, pair], cache, 100)
    assert first["StackHash"] == [1, 2]
    assert first["Functions"][0] == ["handler", "total"]
    assert first["LastSeen"] == [100, 100]
    assert stack_columns([pair], cache, 200)["StackHash"] == []
    assert stack_columns([(_profile(1), _record())], cache, 100 + REFRESH_AFTER_NS)["StackHash"] == [1]
    other = _record()
    other.function = "report"
    assert stack_columns([(_profile(1), other)], cache, 200)["Function"] == ["report"]


def test_the_cache_forgets_what_was_written_longest_ago():
    cache = StackCache(limit=2)
    assert [cache.take("f", number, 0) for number in (1, 2, 1, 3)] == [True, True, False, True]
    assert len(cache) == 2
    assert cache.take("f", 1, 0)  # forgotten: written again, which costs a row and harms nothing
    assert not cache.take("f", 3, 0)

from __future__ import annotations

import pytest
from relive_profiler.explore.diff_tree import diff_tree, render_diff_tree
from relive_profiler.explore.folding import Folded, Stack
from relive_profiler.explore.slow import Blocked, CallSum, Observed, Spent, explain, trimmed
from relive_profiler.explore.slow.waiting import wait_of

MS = 1_000_000


def _one(ident="i", *, ms=10.0, cpu_ms=2.0, **values):
    spent = values.pop("spent", Spent(runqueue_ns=0, waits=2))
    calls = values.pop("calls", {})
    return Observed(
        invocation_id=ident, function="f", version=3, duration_ns=round(ms * MS), cpu_ns=round(cpu_ms * MS),
        event_bytes=values.pop("event_bytes", 100), spent=spent, calls=calls, **values,
    )  # fmt: skip


def _others(**values):
    return [_one(str(number), **values) for number in range(10)]


def _stacks(*stacks, invocations=1):
    """(frames as "name file line ...", wall ms, cpu ms)"""
    found = []
    for frames, wall_ms, cpu_ms in stacks:
        names, files, lines = zip(*(frame.split() for frame in frames), strict=True)
        found.append(
            Stack("f", names, files, tuple(map(int, lines)), 5, round(wall_ms * MS), round(cpu_ms * MS))
        )
    return Folded(found, samples=5 * len(found), profiles=invocations, invocations=invocations)


HANDLER = "handler app.py 3"
AGAIN = CallSum(6, 5, 40 * MS, retried=5, retry_ns=35 * MS, pause_ns=40 * MS)
USUAL = _stacks(((HANDLER,), 100, 20), invocations=10)


def _explain(now, others, after, source=lambda file, line: "", before=USUAL, init=None):
    return explain(now, others, before, after, init or Folded(), source)


def test_an_invocation_that_took_its_time_is_not_slow():
    answer = _explain(_one(ms=11), _others(), _stacks(((HANDLER,), 11, 2)))
    assert (answer.slow, answer.cause) == (False, "none")
    assert answer.sentence == "Not slow: took 11 ms, usually 10 ms."


def test_without_others_nothing_is_claimed():
    answer = _explain(_one(ms=500), _others()[:2], _stacks(((HANDLER,), 500, 2)))
    assert answer.cause == "unknown"
    assert "only 2 other invocations of" in answer.sentence
    alone = _explain(_one(ms=500), _others()[:1], _stacks(((HANDLER,), 500, 2)))
    assert "only 1 other invocation of" in alone.sentence


def test_parts_add_up_to_the_whole():
    spent = Spent(gc_ns=5 * MS, runqueue_ns=7 * MS, waits=3, preemptions=1)
    answer = _explain(_one(ms=60, cpu_ms=20, spent=spent, queue_ns=4 * MS), _others(), USUAL)
    after = {part.name: part.after_ns / MS for part in answer.parts}
    assert after == {"queue": 4, "init": 0, "gc": 5, "cpu": 15, "runqueue": 7, "blocked": 0, "wait": 33}
    assert sum(after.values()) == answer.now.total_ns / MS


@pytest.mark.parametrize(
    ("now", "cause", "words"),
    [
        (_one(queue_ns=90 * MS), "queue", "waiting for a worker"),
        (_one(init_ns=90 * MS, cold=True), "cold_start", "its cold start took 90 ms"),
        (_one(ms=90, cpu_ms=80), "cpu", "78 ms more of its own CPU time in app.py:3"),
        (_one(ms=90, cpu_ms=80, event_bytes=90_000), "larger_input", "its event is 900 times larger"),
        (_one(ms=90, cpu_ms=80, spent=Spent(gc_ns=70 * MS, collections=2)), "gc", "in 2 collections"),
        (_one(ms=90, spent=Spent(runqueue_ns=80 * MS, preemptions=9)), "no_cpu", "taken from it 9 times"),
        (_one(ms=90, blocked_ns=80 * MS, blocks=(Blocked("i2", 80, "b.py", 4),)), "blocked", "at b.py:4"),
        (_one(ms=90, calls={"http://a": CallSum(1, 0, 85 * MS)}), "dependency", "waiting for http://a"),
        (_one(ms=90, calls={"http://a": CallSum(30, 0, 85 * MS)}), "more_calls", "30 times instead of 1"),
        (_one(ms=90, calls={"http://a": AGAIN}), "retries", "5 of 6 calls of http://a"),
        (_one(ms=90, spans={"SELECT": CallSum(30, 0, 85 * MS)}), "more_calls", "had SELECT 30 times"),
        (_one(ms=90, spans={"SELECT": CallSum(1, 0, 85 * MS)}), "dependency", "more waiting for SELECT"),
        (_one(ms=90, cpu_ms=80, spans={"render": CallSum(1, 0, 85 * MS)}), "cpu", "more of its own CPU"),
    ],
)  # fmt: skip
def test_the_part_that_differs_is_the_cause(now, cause, words):
    # Given others that called one place once, and an invocation in which one part is larger
    others = _others(calls={"http://a": CallSum(1, 0, 5 * MS)})
    cpu = now.cpu_ns / MS
    after = _stacks(((HANDLER, "get site-packages/requests/api.py 9"), now.duration_ns / MS, cpu))
    # Then it is named, and where
    answer = _explain(now, others, after)
    assert answer.cause == cause, answer.sentence
    assert words in answer.sentence
    assert "slower than usual" in answer.sentence


CALLING = "handler app.py 5", "request python3.11/http/client.py 9"
SLEEPING = "handler app.py 6"
COMPUTING = "handler app.py 7"
LINES = {5: "get(url)", 6: "time.sleep(0.05)", 7: "total += number"}


def _lines(file, line):
    return LINES.get(line, "") if file == "app.py" else ""


def test_calls_that_failed_and_were_made_again_took_their_own_time_and_the_waits_between_them():
    # Given four of five calls that failed after 2 ms, each followed by 50 ms of sleep and the same call
    calls = {"http://a": CallSum(5, 4, 10 * MS, retried=4, retry_ns=8 * MS, pause_ns=202 * MS)}
    after = _stacks((CALLING, 10, 4), ((SLEEPING,), 200, 0), ((COMPUTING,), 8, 8))
    others = _others(calls={"http://a": CallSum(1, 0, 2 * MS)})
    answer = _explain(_one(ms=226, cpu_ms=10, calls=calls), others, after, _lines)
    # I expect all of that, at the line of the calls
    assert (answer.cause, answer.change_ns, answer.place) == ("retries", 208 * MS, "app.py:5")
    assert "4 of 5 calls of http://a failed and were made again, which took 208 ms more" in answer.sentence


def test_calls_that_failed_are_no_retries_if_nothing_was_made_again():
    # Given four calls that failed, of one place but not for the same, and a loop that computes
    calls = {"http://a": CallSum(5, 4, 5 * MS)}
    after = _stacks((CALLING, 5, 2), ((COMPUTING,), 300, 299))
    others = _others(calls={"http://a": CallSum(1, 0, MS)})
    answer = _explain(_one(ms=310, cpu_ms=301, calls=calls), others, after, _lines)
    # I expect the loop
    assert (answer.cause, answer.place) == ("cpu", "app.py:7")


def test_what_was_computed_between_calls_is_not_their_time():
    # Given three calls that failed and were made again, after 100 ms of computing each
    calls = {"http://a": CallSum(4, 3, 4 * MS, retried=3, retry_ns=3 * MS, pause_ns=300 * MS)}
    after = _stacks((CALLING, 4, 2), ((COMPUTING,), 300, 299))
    others = _others(calls={"http://a": CallSum(1, 0, MS)})
    answer = _explain(_one(ms=312, cpu_ms=302, calls=calls), others, after, _lines)
    assert (answer.cause, answer.place) == ("cpu", "app.py:7")


def test_the_line_of_a_slow_call_is_one_that_calls_and_not_one_that_computes():
    calls = {"http://a": CallSum(1, 0, 80 * MS)}
    after = _stacks((CALLING, 80, 1), ((COMPUTING,), 90, 90))
    answer = _explain(_one(ms=120, cpu_ms=40, calls=calls), _others(calls={}), after, _lines)
    assert (answer.cause, answer.place) == ("dependency", "app.py:5")


def test_blocked_time_before_its_beginning_is_not_waiting_for_a_worker_too():
    # Given one that another request held up for 80 of the 85 ms that it waited, and for 10 while it ran
    held = _one(ms=20, queue_ns=85 * MS, blocked_ns=90 * MS, blocked_before_ns=80 * MS)
    answer = _explain(held, _others(), USUAL)
    after = {part.name: part.after_ns / MS for part in answer.parts}
    # I expect each millisecond once
    assert (answer.cause, answer.change_ns) == ("blocked", 90 * MS)
    assert after == {"queue": 5, "init": 0, "gc": 0, "cpu": 2, "runqueue": 0, "blocked": 90, "wait": 8}
    assert sum(after.values()) == answer.now.total_ns / MS


def test_the_time_that_several_requests_took_is_not_given_to_one():
    blocks = tuple(Blocked(f"r{number}", 10 + number, "b.py", number) for number in range(1, 9))
    answer = _explain(_one(ms=120, blocked_ns=110 * MS, blocks=blocks), _others(), USUAL)
    assert (answer.cause, answer.target) == ("blocked", "r8")
    told = "other requests kept the event loop for themselves for 110 ms, longest r8 at b.py:8."
    assert answer.sentence.endswith(told)


def test_more_computing_on_a_busy_machine_is_not_the_machines_fault():
    # Given ten times the CPU time, and a longer wait for a CPU that comes of it
    spent = Spent(runqueue_ns=150 * MS, preemptions=40)
    answer = _explain(_one(ms=200, cpu_ms=50, spent=spent), _others(), _stacks(((HANDLER,), 200, 50)))
    assert answer.cause == "cpu"
    assert "with that it waited 150 ms for a CPU" in answer.sentence


def test_what_the_cold_start_loads_is_named():
    init = _stacks((("<module> app.py 1", "<module> site-packages/pandas/__init__.py 3"), 70, 60))
    answer = _explain(_one(init_ns=90 * MS, cold=True), _others(), USUAL, init=init)
    assert (answer.cause, answer.target) == ("import", "site-packages/pandas/__init__.py")
    assert "70 ms for importing pandas" in answer.sentence


def test_an_import_in_the_handler_is_told_at_the_line_that_asks_for_it():
    after = _stacks(((HANDLER, "<module> tables.py 2", "compute tables.py 9"), 90, 80))
    answer = _explain(_one(ms=90, cpu_ms=80), _others(), after)
    assert (answer.cause, answer.place) == ("import", "app.py:3")


@pytest.mark.parametrize(
    ("frames", "line", "wait"),
    [
        (("h app.py 1", "getaddrinfo python3.11/socket.py 5"), "", "dns"),
        (("h app.py 1",), "with self._LOCK:", "lock"),
        (("h app.py 1",), "with block:", "unknown"),
        (("h app.py 1",), "fcntl.flock(file, fcntl.LOCK_EX)", "lock"),
        (("h app.py 1",), "time.sleep(3)", "sleep"),
        (("h app.py 1",), "os.fsync(file.fileno())", "disk"),
        (("h app.py 1",), "connection.commit()", "unknown"),
        (("h app.py 1", "commit site-packages/psycopg/connection.py 9"), "self.commit()", "network"),
        (("h app.py 1",), "answer = sock.recv(4096)", "network"),
        (("h app.py 1", "Condition.wait python3.12/threading.py 355"), "", "lock"),
        (("h app.py 1", "Thread.join python3.12/threading.py 1"), "", "thread"),
        (("h app.py 1", "sleep python3.12/asyncio/tasks.py 665"), "", "sleep"),
        (("h app.py 1", "execute site-packages/psycopg/cursor.py 1"), "", "network"),
        (("h app.py 1", "Popen.wait python3.11/subprocess.py 1"), "", "subprocess"),
        (("h app.py 1",), "rows = model.predict(x)", "unknown"),
    ],
)
def test_what_a_stack_waits_for(frames, line, wait):
    names, files, _ = zip(*(frame.split() for frame in frames), strict=True)
    assert wait_of(names, files, line) == wait


def test_the_differential_tree_has_both_sides_and_the_largest_change_first():
    before = _stacks(((HANDLER, "a a.py 1"), 50, 50), ((HANDLER, "gone g.py 1"), 5, 5), invocations=10)
    after = _stacks(((HANDLER, "a a.py 2"), 6, 6), ((HANDLER, "new n.py 1"), 40, 1))
    tree = diff_tree(before, after)
    assert tree.name == ["per invocation", "handler", "new", "a", "gone"]
    assert [round(tree.change(node) / MS, 1) for node in range(5)] == [40.5, 40.5, 40, 1, -0.5]
    assert tree.end == [5, 5, 3, 4, 5]
    assert (tree.after_cpu[2], tree.after[2]) == (1 * MS, 40 * MS)
    lines = render_diff_tree(tree)
    assert "+40.00" in lines[3]
    assert "new  n.py:1" in lines[3]
    assert [node["name"] for node in tree.as_json()["nodes"]] == tree.name


def test_a_node_of_the_tree_shows_the_line_where_its_time_was_spent():
    # Given a function that usually takes its time at line 104, and now for much longer at line 101
    usual, slow = "retry m.py 104", "retry m.py 101"
    before = _stacks(((HANDLER, usual), 20, 2), invocations=10)
    after = _stacks(((HANDLER, usual), 3, 1), ((HANDLER, slow), 103, 1))
    tree = diff_tree(before, after)
    assert dict(zip(tree.name, tree.line, strict=True))["retry"] == 101
    assert "retry  m.py:101" in "".join(render_diff_tree(tree))
    assert tree.as_json()["nodes"][-1]["line"] == 101
    # ... however much it takes at its usual line both times
    before = _stacks(((HANDLER, usual), 5_000, 2), invocations=10)
    after = _stacks(((HANDLER, usual), 510, 1), ((HANDLER, slow), 103, 1))
    assert diff_tree(before, after).line[-1] == 101
    # If it became faster, it is the line where it still takes longest; if it is gone, where it took longest
    faster = _stacks(((HANDLER, usual), 30, 1), ((HANDLER, slow), 10, 1))
    assert diff_tree(after, faster).line[-1] == 104
    gone = diff_tree(after, _stacks(((HANDLER,), 1, 1)))
    assert dict(zip(gone.name, gone.line, strict=True))["retry"] == 104


def test_lines_are_compared_with_those_that_were_not_slow_themselves():
    # Given ten invocations of 10 ms, of which two took 300 ms, and one that was fast
    others = [*_others()[:7], _one("fast", ms=2), _one("slow", ms=300), _one("slower", ms=301)]

    # I expect the slow ones left out, and as many of the fastest: the mean stays at the median
    assert [one.duration_ns for one in trimmed(others)] == [10 * MS] * 6
    spread = [_one(str(ms), ms=ms) for ms in range(101)]
    assert sum(one.duration_ns for one in trimmed(spread)) / len(trimmed(spread)) == 50 * MS
    assert trimmed([]) == []


def test_a_thread_that_computes_on_a_busy_machine_does_not_wait():
    # Given a request in a thread, whose waits for a CPU nobody measures, and which computes at a line
    now = _one(ms=110, cpu_ms=42, spent=None)
    others = _others(spent=None)
    answer = _explain(now, others, _stacks(((HANDLER,), 40, 40)))
    # I expect the computing named, and the rest told apart from it
    assert (answer.cause, answer.place) == ("cpu", "app.py:3")
    assert answer.sentence.startswith(
        "100 ms slower than usual (110 ms instead of 10 ms): 40 ms more of its own"
    )
    assert answer.sentence.endswith(
        "for another 60 ms none of its lines waited: probably others had the CPU."
    )
    # ... but a wait if a line waits, or if nothing is known of its lines
    assert _explain(now, others, _stacks(((HANDLER,), 100, 40))).cause == "wait"
    assert _explain(now, others, Folded()).cause == "wait"


def test_a_span_in_which_a_request_computes_on_a_busy_machine_is_no_dependency():
    # Given a request that computes 300 ms within a span of 900, at a line that was met waiting for 9
    now = _one(ms=910, cpu_ms=302, spent=None, spans={"inner": CallSum(1, 0, 900 * MS)})
    others = _others(spent=None, spans={"inner": CallSum(1, 0, 5 * MS)})
    answer = _explain(now, others, _stacks(((COMPUTING,), 309, 300)), _lines)
    # I expect its computing, and how long it neither computed nor waited
    assert (answer.cause, answer.place) == ("cpu", "app.py:7")
    assert "none of its lines waited: probably others had the CPU" in answer.sentence
    # ... but the span if a line in it waits
    answer = _explain(now, others, _stacks(((COMPUTING,), 300, 300), ((SLEEPING,), 590, 0)), _lines)
    assert (answer.cause, answer.target, answer.place) == ("dependency", "inner", "app.py:6")


def test_without_samples_of_the_others_no_line_has_a_usual_time():
    answer = _explain(_one(ms=60), _others(), _stacks(((HANDLER,), 60, 2)), before=Folded())
    assert answer.notes == ("the others have no samples: what a line usually takes is not known",)
    assert _explain(_one(ms=60), _others(), _stacks(((HANDLER,), 60, 2))).notes == ()


def test_hostile_names_stay_on_their_line():
    after = _stacks((("h\x1b[31m app.py\x1b[0m 1",), 90, 80))
    answer = _explain(_one(ms=90, cpu_ms=80), _others(), after)
    assert "\x1b" not in answer.sentence
    assert not any("\x1b" in line for line in render_diff_tree(diff_tree(USUAL, after)))

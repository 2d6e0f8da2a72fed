"""What threads tell of themselves, and what is made of it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from contextvars import ContextVar, copy_context

import pytest
from relive_base.wire.messages import StackFrames
from relive_profiler.record.native import ticking
from relive_profiler.record.stacks import StackTable
from relive_profiler.record.threads import TickingThreads
from relive_profiler.record.ticks import ThreadTicks, thread_ticks
from relive_profiler.record.timer import TICK_SIGNAL

MS = 1_000_000
HERE = os.path.dirname(__file__)
needs_ticks = pytest.mark.skipif(ticking() is None, reason="the C extension was not built")
whose: ContextVar[object] = ContextVar("whose")


class Extension:
    """Threads that tick when the test says so."""

    def __init__(self) -> None:
        self.watched: set[int] = set()
        self.refuses: set[int] = set()
        self.ticks: list[tuple[int, int, int, int, tuple[int | None, ...]]] = []
        self.names: list[tuple[int, str, str]] = []
        self.told: set[int] = set()

    def watch(self, tid, tick_ns, interval_ns, share):
        if tid in self.refuses:
            return False
        self.watched.add(tid)
        return True

    def forget(self, tid):
        self.watched.discard(tid)

    def anew(self):
        self.told.clear()

    def tick(self, tid, cpu_ms, *codes, owner=0, count=1):
        for code in codes:
            if code not in self.told:
                self.told.add(code)
                self.names.append((code, f"f{code}", f"{HERE}/a.py"))
        self.ticks.append(
            (tid, cpu_ms * MS, count, owner, tuple(part for code in codes for part in (code, code * 10)))
        )

    def fetch(self):
        if not self.ticks:
            return None
        found = self.ticks, self.names, 0
        self.ticks, self.names = [], []
        return found


@pytest.fixture
def extension():
    return Extension()


@pytest.fixture
def ticks(extension):
    return ThreadTicks(extension, StackTable(HERE), 3, 2 * MS, 50, 4 * MS)


def told(ticks):
    return [
        (one.native, one.cpu_ns // MS, one.owner, one.stack and one.stack.functions) for one in ticks.fetch()
    ]


def test_a_tick_stands_for_as_many_of_the_kernels_as_there_were(ticks, extension):
    ticks.watch([7, 8])
    extension.tick(7, 101, 2, 1, owner=5)
    extension.tick(7, 109, 3, 1, count=2)
    extension.tick(8, 3, 1, count=3)
    assert told(ticks) == [(7, 4, 5, ["f1", "f2"]), (7, 8, 0, ["f1", "f3"]), (8, 12, 0, ["f1"])]
    assert told(ticks) == []


def test_it_does_not_stand_for_the_cpu_time_since_the_one_before(ticks, extension):
    # Given turns of 6 ms, which the kernel's ticks meet after 1 and 5, or only after 3
    ticks.watch([7])
    used, kinds = 0, {"begin": 0, "end": 0}
    for _ in range(600):
        for at in ((1, 5), (3,)):
            for ms in at:
                extension.tick(7, used + ms, 1 if ms < 2 else 2)
            used += 6
    # Then what is done first, for 2 of the 6, has its share
    for one in ticks.fetch():
        kinds["begin" if one.stack.functions == ["f1"] else "end"] += one.cpu_ns
    assert abs(kinds["begin"] / sum(kinds.values()) - 1 / 3) < 0.01


@pytest.mark.parametrize(("every", "counted"), [(5, 4), (3, 4), (100, 4)])
def test_what_the_kernels_ticks_have_missed_or_told_too_much_is_made_up_for(ticks, extension, every, counted):
    # Given ticks that come with more, or less, of CPU time than they count
    ticks.watch([7])
    for number in range(1, 501):
        extension.tick(7, number * every, 1)
    # Then in the long run it is that of the clock
    told_ns = sum(one.cpu_ns for one in ticks.fetch())
    assert abs(told_ns / (500 * every * MS) - 1) < 0.05


def test_lines_and_files_are_those_of_the_table(ticks, extension):
    ticks.watch([7])
    extension.tick(7, 1, 2, 1)
    (tick,) = ticks.fetch()
    assert (tick.stack.files, tick.stack.lines) == (["a.py", "a.py"], [10, 20])


def test_a_deep_stack_keeps_its_innermost_frames(ticks, extension):
    ticks.watch([7])
    extension.tick(7, 1, 5, 4, 3, 2, 1)
    assert told(ticks)[0][3] == ["(deeper than the limit)", "f3", "f4", "f5"]


def test_names_that_got_lost_are_told_again(ticks, extension):
    # Given a code whose names had no room
    ticks.watch([7])
    extension.told.add(1)
    extension.tick(7, 1, 1)
    # Then its stack is not known, the time is not lost for the next one, and that is
    assert told(ticks) == [(7, 4, 0, None)]
    extension.tick(7, 9, 1, count=2)
    assert told(ticks) == [(7, 8, 0, ["f1"])]


def test_threads_that_are_not_watched_any_more_tell_nothing(ticks, extension):
    ticks.watch([7, 8])
    ticks.watch([8])
    assert extension.watched == {8}
    extension.tick(7, 1, 1)
    assert told(ticks) == []


def test_an_invocation_begins_anew(ticks, extension):
    ticks.watch([7])
    extension.tick(7, 50, 1)
    ticks.begin()
    extension.tick(7, 60, 1)
    assert told(ticks) == [(7, 4, 0, ["f1"])]


# ---------------------------------------------------------------- beside looks


def shares(found):
    return [(stack.functions[-1], count, wall // MS, cpu // MS) for stack, count, wall, cpu in found]


def test_where_it_ticks_it_computes_and_where_it_is_met_it_waits(ticks, extension):
    threads = TickingThreads(ticks)
    met, frame = StackFrames(1, ["met"], ["a.py"], [1]), sys._getframe()
    threads.begin([(7, frame, 100 * MS)], 0)
    extension.tick(7, 104, 1)
    extension.tick(7, 112, 2, count=2)
    # When a look meets it after 20 ms, of which it has computed 15
    found = threads.look([(7, frame, 115 * MS)], lambda _: met, 0, 20 * MS)
    # Then each tick has its time, and the rest is waiting
    assert shares(found) == [("f1", 1, 4, 4), ("f2", 1, 8, 8), ("met", 1, 5, 0)]
    # And what comes after the last look is told at the end
    extension.tick(7, 116, 1)
    assert shares(threads.end()) == [("f1", 1, 4, 4)]


def test_a_thread_that_cannot_tick_has_computed_where_it_is_met(ticks, extension):
    threads = TickingThreads(ticks)
    met, frame = StackFrames(1, ["met"], ["a.py"], [1]), sys._getframe()
    extension.refuses.add(7)
    threads.begin([(7, frame, 0)], 0)
    found = threads.look([(7, frame, 5 * MS), (8, None, 3 * MS)], lambda _: met, 0, 20 * MS)
    assert shares(found) == [("met", 1, 20, 5)]


# ---------------------------------------------------------------- in a real thread


def _busy(cpu_ns):
    end = time.thread_time_ns() + cpu_ns
    while time.thread_time_ns() < end:
        pass


def _generated(cpu_ns):
    yield _busy(cpu_ns)


class Café:
    def übung(self, cpu_ns):
        for _ in _generated(cpu_ns):
            pass


@needs_ticks
def test_a_real_thread_tells_its_stack_and_whose_code_it_runs():
    # Given more variables than one node of a context has room for, and a thread with a context of its own
    found = []
    ticks = thread_ticks(StackTable(HERE), depth=200, interval_ns=MS, variable=whose)
    owner = object()
    others = [ContextVar(f"other{number}") for number in range(300)]
    context = copy_context()
    for other in others:
        context.run(other.set, 1)
    context.run(whose.set, owner)
    thread = threading.Thread(target=context.run, args=(Café().übung, 60 * MS))
    # When it computes in a generator
    thread.start()
    thread.join()
    found = ticks.fetch()
    ticks.close()
    # Then it has told so, from its first frame on
    assert len(found) >= 2
    assert {one.owner for one in found if one.stack} == {id(owner)}
    stacks = {tuple(one.stack.functions[-3:]) for one in found if one.stack}
    assert ("Café.übung", "_generated", "_busy") in stacks
    lines = {one.stack.lines[-1] for one in found if one.stack and one.stack.functions[-1] == "_busy"}
    first = _busy.__code__.co_firstlineno
    assert lines <= {first + 1, first + 2, first + 3}


@needs_ticks
def test_a_signal_that_is_anothers_is_left_alone():
    program = (
        "import signal\n"
        "from relive_profiler.record.ticks import thread_ticks\n"
        "from relive_profiler.record.stacks import StackTable\n"
        f"signal.signal({TICK_SIGNAL}, handler := lambda *_: None)\n"
        "assert thread_ticks(StackTable(), depth=9, interval_ns=1) is None\n"
        f"assert signal.getsignal({TICK_SIGNAL}) is handler\n"
    )
    subprocess.run([sys.executable, "-c", program], check=True)


@needs_ticks
def test_a_signal_that_is_taken_away_ends_the_ticks():
    program = (
        "import signal, threading\n"
        "from relive_profiler.record.ticks import thread_ticks\n"
        "from relive_profiler.record.stacks import StackTable\n"
        "ticks = thread_ticks(StackTable(), depth=9, interval_ns=1)\n"
        f"signal.signal({TICK_SIGNAL}, lambda *_: None)\n"
        "ticks.watch([threading.get_native_id()])\n"
        "assert not ticks.ticks(threading.get_native_id())\n"
    )
    subprocess.run([sys.executable, "-c", program], check=True)


@needs_ticks
def test_a_signal_that_somebody_sends_does_nothing():
    extension = ticking()
    assert extension.install(TICK_SIGNAL, None)
    extension.fetch()
    signal.pthread_kill(threading.get_ident(), TICK_SIGNAL)
    assert extension.fetch() is None


@needs_ticks
def test_code_that_is_made_and_dropped_while_it_ticks_is_no_trouble():
    # Given threads whose code objects, frames and contexts come and go all the time
    ticks = thread_ticks(StackTable(HERE), depth=50, interval_ns=MS, variable=whose)
    text = "def f(n):\n    return [x for x in range(n)] and (f(n - 1) if n else 0)\n"

    def work():
        for number in range(150):
            spaces: dict = {}
            exec(compile(text, f"made{number}.py", "exec"), spaces)  # noqa: S102 - the text above
            copy_context().run(spaces["f"], 60)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    found = []
    while any(thread.is_alive() for thread in threads):
        found += ticks.fetch()
        time.sleep(0.001)
    ticks.close()
    # Then what they told has a name each, and nothing has crashed
    assert all(all(one.stack.functions) for one in found if one.stack)

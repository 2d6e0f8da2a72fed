"""Whose the CPU time of other threads is."""

from __future__ import annotations

import sys

import pytest
from relive_base.wire.messages import StackFrames
from relive_profiler.record.threads import OtherThreads

MS = 1_000_000
HERE = sys._getframe()


class Machine:
    """Clocks that stand where a test puts them, and one stack for each thread."""

    def __init__(self) -> None:
        self.process_ns = self.main_ns = 0
        self.threads: dict[int, int] = {}
        self.waiting: set[int] = set()
        self.others = OtherThreads(lambda: self.process_ns)

    def pass_time(self, main: int = 0, **spent: int) -> None:
        """CPU time in ms, of the main thread and of those named t1, t2."""
        self.main_ns += main * MS
        self.process_ns += (main + sum(spent.values())) * MS
        for name, ms in spent.items():
            number = int(name[1:])
            self.threads[number] = self.threads.get(number, 0) + ms * MS

    def seen(self):
        return [(n, None if n in self.waiting else HERE, used) for n, used in self.threads.items()]

    def look(self, wall_ms: int, name: str = "a"):
        stack = StackFrames(1, [name], ["a.py"], [1])
        shares = self.others.look(self.seen(), lambda _frame: stack, self.main_ns, wall_ms * MS)
        return [(at.functions[0], count, wall // MS, cpu // MS) for at, count, wall, cpu in shares]


@pytest.fixture
def machine() -> Machine:
    return Machine()


def begin(machine: Machine) -> None:
    machine.others.begin(machine.seen(), machine.main_ns)


def test_what_a_thread_used_before_is_not_the_invocations(machine):
    machine.pass_time(t1=50)
    begin(machine)
    machine.pass_time(t1=3, t2=2)
    assert machine.look(4) == [("a", 1, 4, 3), ("a", 1, 4, 2)]


def test_what_an_ended_thread_used_last_is_of_the_stack_at_which_it_was_met(machine):
    begin(machine)
    machine.pass_time(t1=2, t2=2)
    machine.look(4, "early")
    # When one computes on and ends, beside the main thread and the other one
    machine.pass_time(main=1, t1=6, t2=2)
    del machine.threads[1]
    assert machine.look(10, "late") == [("late", 1, 10, 2), ("early", 0, 6, 6)]
    # Then it is told of once
    machine.pass_time(main=1, t2=1)
    assert machine.look(2, "late") == [("late", 1, 2, 1)]


def test_more_than_the_time_that_passed_is_nobodys(machine):
    # Given threads of native code, which Python does not know
    begin(machine)
    machine.pass_time(t1=1)
    machine.look(2)
    machine.process_ns += 100 * MS
    del machine.threads[1]
    assert machine.look(5) == [("a", 0, 5, 5)]


def test_a_thread_that_was_never_met_is_nobodys(machine):
    begin(machine)
    machine.pass_time(main=1)
    machine.look(2)
    machine.process_ns += 3 * MS
    assert machine.look(3) == []


def test_what_a_pools_thread_used_before_it_waits_is_of_its_work(machine):
    begin(machine)
    machine.pass_time(t1=2)
    machine.look(2, "work")
    machine.pass_time(t1=1)
    machine.waiting.add(1)
    assert machine.look(4) == [("work", 0, 1, 1)]
    # And while it waits there is nothing to tell of it
    machine.pass_time(main=4)
    assert machine.look(4) == []

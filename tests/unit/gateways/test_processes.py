"""CPU time by process and invocation."""

from __future__ import annotations

import os

from relive_platform.server.processes import ProcessTimes, cpu_s


def test_time_is_that_of_the_last_ten_seconds_over_the_invocations_of_all_processes() -> None:
    # Given a server whose two processes have used time before, and ten seconds in which they use more
    now, ended = 0.0, 1_000
    spent = {1: 50.0, 2: 7.0}
    times = ProcessTimes(
        lambda: {"server": 1, "gateway 2": 2, "store": 0}, lambda: ended, spent.__getitem__, lambda: now
    )
    for _ in range(30):
        times.look()
        now += 1.0
        ended += 100
        spent[1] += 0.002
        spent[2] += 0.001
    # I expect each process's time per invocation of either, and nothing of one that does not run
    found, per_s = times.usage()
    assert list(found) == ["server", "gateway 2"]
    assert found["server"].cpu_us_per_invocation == 20.0
    assert found["gateway 2"].cpu_us_per_invocation == 10.0
    assert per_s == 100.0


def test_a_process_that_was_started_again_begins_anew() -> None:
    pids = {"gateway 2": 2}
    spent = {2: 90.0, 3: 0.5}
    ended = iter((0, 10))
    times = ProcessTimes(lambda: pids, lambda: next(ended), spent.__getitem__, lambda: 1.0)
    times.look()
    pids["gateway 2"] = 3

    found, _ = times.usage()

    assert found["gateway 2"].pid == 3
    assert found["gateway 2"].cpu_us_per_invocation == 50_000.0


def test_the_kernel_s_own_count_is_read() -> None:
    sum(range(3_000_000))

    assert cpu_s(os.getpid()) > 0
    assert cpu_s(0) == 0.0

"""The timer thread on real clocks."""

from __future__ import annotations

import threading

from relive_platform.triggers.queue import EventQueue
from relive_platform.triggers.timer import Timer, TimerService


def test_the_thread_fires_each_second_until_it_is_stopped(tmp_path) -> None:
    # Given a queue that tells when an event is ready
    ready = threading.Semaphore(0)
    queue = EventQueue(tmp_path / "events.db", on_ready=ready.release)
    timers = TimerService(queue)
    timers.start()

    # When a timer is set while the thread waits for nothing
    timers.set_timers([Timer(function="f", schedule="rate(1 second)")])

    # Then its events come, and none after the stop
    assert ready.acquire(timeout=120)
    assert ready.acquire(timeout=120)
    timers.stop()
    count = queue.counts().result(60).ready
    queue.close()
    assert count >= 2

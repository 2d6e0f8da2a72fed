"""Firings become events once: on time, late, after a restart, and when the queue refuses."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from relive_platform.triggers.queue import EventQueue, QueueLimits
from relive_platform.triggers.timer import Timer, TimerService

START_NS = 1_800_000_000 * 10**9  # 2027-01-15T08:00:00Z
MINUTE = Timer(function="report", schedule="cron(* * * * *)", payload='{"x": 1}')


class Clock:
    def __init__(self) -> None:
        self.now = START_NS

    def time_ns(self) -> int:
        return self.now

    def monotonic_ns(self) -> int:
        return self.now

    def advance(self, seconds: float) -> None:
        self.now += int(seconds * 1e9)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def open_queue(tmp_path: Path, clock: Clock) -> Iterator[Callable[..., EventQueue]]:
    opened = []

    def open_one(events: int = 1000) -> EventQueue:
        queue = EventQueue(tmp_path / "e.db", clock, limits=QueueLimits(ballast_bytes=0, events=events))
        opened.append(queue)
        return queue

    yield open_one
    for queue in opened:
        queue.close()


def service(queue: EventQueue, clock: Clock, *timers: Timer) -> TimerService:
    made = TimerService(queue, clock, grace_s=30)
    made.set_timers(timers)
    return made


def published(queue: EventQueue) -> list[dict[str, object]]:
    return [json.loads(lease.event.body) for lease in queue.lease(1000).result(60)]


def test_each_firing_is_one_event_that_says_when_it_was_due(open_queue, clock) -> None:
    queue = open_queue()
    timers = service(queue, clock, MINUTE)

    assert timers.next_due_ns() == START_NS + 60 * 10**9
    assert timers.tick() == 0
    clock.advance(60.5)
    assert (timers.tick(), timers.tick()) == (1, 0)

    (event,) = published(queue)
    assert event["time"] == "2027-01-15T08:01:00Z"
    assert event["source"] == "timer"
    assert event["schedule"] == "cron(* * * * *)"
    assert event["detail"] == {"x": 1}


def test_a_restart_neither_loses_nor_doubles_a_firing(open_queue, clock) -> None:
    queue = open_queue()
    timers = service(queue, clock, MINUTE)
    clock.advance(60)
    timers.tick()
    queue.close()

    # When the server starts again at the same moment, and lives on for a minute
    again = open_queue()
    timers = service(again, clock, MINUTE)
    first = timers.tick()
    clock.advance(60)
    second = timers.tick()

    assert (first, second) == (0, 1)
    assert sorted(str(event["time"]) for event in published(again)) == [
        "2027-01-15T08:01:00Z",
        "2027-01-15T08:02:00Z",
    ]


@pytest.mark.parametrize(("misfire", "fired"), [("skip", 0), ("once", 1)])
def test_missed_firings_follow_the_policy_and_never_come_in_a_burst(
    open_queue, clock, misfire: str, fired: int
) -> None:
    # Given a server that was down for three and a half hours
    queue = open_queue()
    hourly = Timer(function="f", schedule="rate(1 hour)", misfire=misfire)
    service(queue, clock, hourly)
    clock.advance(3.5 * 3600)

    # When it is back
    timers = service(queue, clock, hourly)
    assert timers.tick() == fired
    times = [event["time"] for event in published(queue)]
    clock.advance(0.5 * 3600)

    # Then at most the newest missed firing came, and the rate keeps its beat
    assert times == ["2027-01-15T11:00:00Z"][:fired]
    assert timers.missed == 3 - fired
    assert timers.tick() == 1


def test_a_long_outage_of_a_short_rate_is_caught_up_at_once(open_queue, clock) -> None:
    queue = open_queue()
    timers = service(queue, clock, Timer(function="f", schedule="rate(1 minute)", misfire="once"))
    clock.advance(400 * 86_400)

    assert timers.tick() == 1
    assert timers.next_due_ns() == clock.now + 60 * 10**9


def test_a_firing_that_the_queue_refuses_is_tried_again(open_queue, clock) -> None:
    queue = open_queue(events=1)
    errors: list[BaseException] = []
    timers = TimerService(queue, clock, on_error=lambda timer, error: errors.append(error))
    timers.set_timers([MINUTE, Timer(function=MINUTE.function, schedule="cron(*/1 * * * *)")])
    clock.advance(60)

    assert timers.tick() == 1
    assert "its limit" in str(errors[0])
    queue.complete(queue.lease(1).result(60)[0]).result(60)
    assert timers.tick() == 1


def test_a_removed_timer_is_forgotten_and_begins_anew(open_queue, clock) -> None:
    queue = open_queue()
    timers = service(queue, clock, MINUTE)
    timers.set_timers([])
    clock.advance(3600)
    assert timers.next_due_ns() is None
    assert queue.marks().result(60) == {}

    timers.set_timers([MINUTE])

    assert timers.tick() == 0
    assert timers.next_due_ns() == clock.now + 60 * 10**9


def test_a_timer_that_stays_keeps_its_beat_over_a_deploy(open_queue, clock) -> None:
    queue = open_queue()
    five = Timer(function="f", schedule="rate(5 minutes)")
    timers = service(queue, clock, five)
    clock.advance(200)
    timers.set_timers([five, MINUTE])
    clock.advance(100)

    assert timers.tick() == 2

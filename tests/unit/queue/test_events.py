"""What the queue promises, one promise a test, on a real file with a fake clock."""

from __future__ import annotations

import pytest
from relive_platform.triggers.queue import (
    Conflict,
    EventQueue,
    QueueBusy,
    QueuedEvent,
    QueueError,
    QueueFull,
    StaleLease,
    UnknownEvent,
)


def event(function: str = "f", body: bytes = b"{}", event_id: str = "", **more: object) -> QueuedEvent:
    return QueuedEvent(function=function, body=body, event_id=event_id, **more)  # type: ignore[arg-type]


def take(queue: EventQueue, limit: int = 1, **more: object) -> list:  # type: ignore[type-arg]
    return queue.lease(limit, **more).result(60)  # type: ignore[arg-type]


def totals(queue: EventQueue) -> tuple[int, int, int]:
    counts = queue.counts().result(60)
    return counts.ready, counts.leased, counts.dead


def test_an_event_comes_out_as_it_went_in(open_queue, clock) -> None:
    # Given an event with odd bytes and everything set
    queue = open_queue()
    sent = event(
        body=b"\x00\xff not json", event_id="e-1", trace_id="a" * 32, span_id="b" * 16, attributes={"k": "v"}
    )

    # When it is published and leased
    receipt = queue.publish(sent).result(60)
    (lease,) = take(queue)

    # Then nothing of it has changed, and the time of acceptance is on it
    assert receipt.event_id == "e-1"
    assert not receipt.duplicate
    assert lease.attempt == 1
    assert lease.event.body == sent.body
    assert lease.event.trace_id == sent.trace_id
    assert lease.event.attributes == {"k": "v"}
    assert lease.event.enqueued_ns == clock.wall


def test_a_second_publish_of_the_same_event_gets_the_first_ones_result(open_queue) -> None:
    queue = open_queue()
    queue.publish(event(event_id="e")).result(60)

    # While it waits
    waiting = queue.publish(event(event_id="e")).result(60)
    # And when it is done
    (lease,) = take(queue)
    queue.complete(lease, invocation_id="inv", result=b'"done"').result(60)
    done = queue.publish(event(event_id="e")).result(60)

    assert (waiting.duplicate, waiting.state) == (True, "ready")
    assert (done.duplicate, done.state, done.invocation_id, done.result) == (True, "done", "inv", b'"done"')
    assert totals(queue) == (0, 0, 0)


@pytest.mark.parametrize("finished", [False, True])
def test_the_same_id_with_another_body_is_a_conflict(open_queue, finished: bool) -> None:
    queue = open_queue()
    queue.publish(event(event_id="e", body=b"1")).result(60)
    if finished:
        queue.complete(take(queue)[0]).result(60)

    with pytest.raises(Conflict, match="another body"):
        queue.publish(event(event_id="e", body=b"2")).result(60)

    # The id is one of its function: another function may use it
    assert not queue.publish(event("g", event_id="e", body=b"2")).result(60).duplicate


def test_a_failed_event_waits_longer_each_time_and_ends_as_a_dead_letter(open_queue, clock) -> None:
    queue = open_queue()
    queue.publish(event(event_id="e", retries=2)).result(60)
    waits = []
    for attempt in (1, 2):
        (lease,) = take(queue)
        assert lease.attempt == attempt
        outcome = queue.fail(lease, f"boom {attempt}").result(60)
        waits.append((outcome.next_at_ns - clock.wall) / 1e9)
        assert take(queue) == []  # not before its time
        clock.advance(waits[-1] + 1e-6)  # a float of seconds may lie a nanosecond before it
    (lease,) = take(queue)

    outcome = queue.fail(lease, "boom 3").result(60)

    assert outcome.state == "dead"
    assert 0.5 <= waits[0] <= 1.0 <= waits[1] <= 2.0
    (row,) = queue.list("dead").result(60)
    assert (row.event_id, row.attempts, row.last_error) == ("e", 3, "boom 3")


def test_a_dead_letter_can_be_tried_again_by_the_beginning_of_its_id(open_queue) -> None:
    queue = open_queue()
    queue.publish(event(event_id="abc-1", retries=0)).result(60)
    queue.publish(event(event_id="abd-1", retries=0)).result(60)
    for lease in take(queue, 2):
        queue.fail(lease, "boom").result(60)

    with pytest.raises(UnknownEvent, match="more than one"):
        queue.retry("ab").result(60)
    with pytest.raises(UnknownEvent, match="no event"):
        queue.retry("x").result(60)
    assert queue.retry("abc").result(60).event_id == "abc-1"

    (lease,) = take(queue, 9)
    assert (lease.event.event_id, lease.attempt) == ("abc-1", 1)
    with pytest.raises(Conflict, match="being delivered"):
        queue.retry("abc").result(60)


def test_a_dead_letter_can_be_discarded_and_makes_room(open_queue) -> None:
    queue = open_queue(events=1)
    queue.publish(event(event_id="e", retries=0)).result(60)
    (lease,) = take(queue)
    with pytest.raises(Conflict):
        queue.discard("e").result(60)
    queue.fail(lease, "boom").result(60)

    assert queue.discard("e").result(60) == "e"

    assert totals(queue) == (0, 0, 0)
    queue.publish(event(event_id="e", body=b"other")).result(60)


def test_an_event_over_its_age_is_dead_not_delivered(open_queue, clock) -> None:
    queue = open_queue()
    queue.publish(event(max_age_s=10)).result(60)
    clock.advance(11)

    assert take(queue) == []
    assert "older than 10 s" in queue.list("dead").result(60)[0].last_error


def test_no_retry_is_planned_beyond_the_maximum_age(open_queue, clock) -> None:
    queue = open_queue()
    queue.publish(event(max_age_s=10, retries=9)).result(60)
    (lease,) = take(queue)

    assert queue.fail(lease, "boom", clock.wall + 11_000_000_000).result(60).state == "dead"


def test_a_lease_that_runs_out_counts_as_an_attempt_and_fences_the_late_worker_off(open_queue, clock) -> None:
    # Given a worker whose lease ran out
    queue = open_queue(lease_s=30.0)
    queue.publish(event(retries=1)).result(60)
    (late,) = take(queue)
    clock.advance(31)
    assert queue.expire().result(60) == 1
    clock.advance(60)

    # When another one has the event
    (second,) = take(queue)

    # Then the first one can do nothing to it any more
    assert second.attempt == 2
    for call in (queue.complete(late), queue.fail(late, "late"), queue.extend(late), queue.release(late)):
        with pytest.raises(StaleLease):
            call.result(60)
    queue.complete(second).result(60)
    assert totals(queue) == (0, 0, 0)


def test_a_heartbeat_keeps_a_lease(open_queue, clock) -> None:
    queue = open_queue(lease_s=30.0)
    queue.publish(event()).result(60)
    (lease,) = take(queue)
    for _ in range(4):
        clock.advance(20)
        queue.extend(lease).result(60)

    assert queue.expire().result(60) == 0
    assert queue.next_expiry_monotonic_ns().result(60) == clock.mono + 30_000_000_000


def test_setting_the_wall_clock_neither_ends_leases_nor_moves_retries(open_queue, clock) -> None:
    queue = open_queue()
    queue.publish(event("a", event_id="leased")).result(60)
    (leased,) = take(queue)
    queue.publish(event("b", event_id="waits")).result(60)
    (lease,) = take(queue)
    queue.fail(lease, "boom", clock.wall + 10_000_000_000).result(60)

    # When the wall clock jumps back by a day
    clock.wall -= 86_400_000_000_000
    assert take(queue) == []
    clock.advance(10)

    # Then the retry comes after its ten seconds, and the lease is still held
    assert [found.event.event_id for found in take(queue)] == ["waits"]
    queue.complete(leased).result(60)


def test_giving_an_event_back_counts_no_attempt(open_queue) -> None:
    queue = open_queue()
    queue.publish(event()).result(60)
    queue.release(take(queue)[0]).result(60)

    assert take(queue)[0].attempt == 1


def test_a_restart_frees_leases_and_keeps_attempts_and_dead_letters(open_queue) -> None:
    queue = open_queue()
    queue.publish(event(event_id="held")).result(60)
    queue.publish(event("g", event_id="dead", retries=0)).result(60)
    for lease in take(queue, 2):
        if lease.event.event_id == "dead":
            queue.fail(lease, "boom").result(60)
    queue.close()

    again = open_queue()

    assert totals(again) == (1, 0, 1)
    (lease,) = take(again)
    assert (lease.event.event_id, lease.attempt) == ("held", 2)


def test_a_busy_function_does_not_starve_the_others(open_queue) -> None:
    queue = open_queue()
    for number in range(100):
        queue.publish(event("busy", event_id=f"b{number}")).result(60)
    for name in ("quiet", "silent"):
        queue.publish(event(name)).result(60)

    served = [lease.event.function for lease in take(queue, 6)]
    one_by_one = []
    for number in range(3):
        queue.publish(event("late", event_id=f"l{number}")).result(60)
    for _ in range(4):
        one_by_one.append(take(queue)[0].event.function)

    assert {"quiet", "silent"} <= set(served)
    assert served.count("busy") == 4
    assert one_by_one.count("late") == 2


def test_no_function_gets_more_leases_than_its_limit(open_queue) -> None:
    queue = open_queue()
    for number in range(5):
        queue.publish(event("a", event_id=str(number))).result(60)
        queue.publish(event("b", event_id=str(number))).result(60)

    first = take(queue, 10, in_flight={"a": 2}, others=1)
    second = take(queue, 10, in_flight={"a": 3}, others=1)

    assert sorted(lease.event.function for lease in first) == ["a", "a", "b"]
    assert [lease.event.function for lease in second] == ["a"]


def test_the_queue_is_bounded(open_queue) -> None:
    queue = open_queue(events=2)
    queue.publish(event()).result(60)
    queue.publish(event()).result(60)

    with pytest.raises(QueueFull, match="RELIVE_QUEUE_EVENTS"):
        queue.publish(event()).result(60)

    queue.complete(take(queue)[0]).result(60)
    queue.publish(event()).result(60)


def test_too_many_waiting_operations_are_refused(open_queue) -> None:
    queue = open_queue(backlog=1)
    futures = [queue.publish(event()) for _ in range(2000)]
    outcomes = [future.exception(60) for future in futures]

    assert any(isinstance(outcome, QueueBusy) for outcome in outcomes)
    assert totals(queue)[0] == outcomes.count(None)


def test_finished_events_are_forgotten_by_number_and_age(open_queue, clock) -> None:
    queue = open_queue(done_keep_events=10, done_keep_s=100.0)
    for number in range(600):
        queue.publish(event(event_id=str(number))).result(60)
    for lease in take(queue, 600):
        queue.complete(lease).result(60)

    # An old id is new again; a recent one is still known
    assert not queue.publish(event(event_id="0")).result(60).duplicate
    assert queue.publish(event(event_id="599")).result(60).duplicate


def test_a_second_queue_on_the_same_file_is_refused(open_queue) -> None:
    open_queue()

    with pytest.raises(QueueError, match="another server"):
        open_queue()


def test_a_file_that_is_no_database_is_a_clear_error(open_queue, tmp_path) -> None:
    (tmp_path / "events.db").write_bytes(b"not a database" * 1000)

    with pytest.raises(QueueError, match="cannot be opened"):
        open_queue()


def test_after_closing_every_call_says_so(open_queue) -> None:
    queue = open_queue()
    queue.close()
    queue.close()

    with pytest.raises(QueueError, match="closed"):
        queue.publish(event()).result(60)


def test_the_listener_hears_of_events_that_became_ready(tmp_path, clock) -> None:
    heard: list[int] = []
    queue = EventQueue(tmp_path / "e.db", clock, on_ready=lambda: heard.append(1))
    try:
        queue.publish(event()).result(60)
        after_publish = len(heard)
        (lease,) = take(queue)
        queue.counts().result(60)
        after_lease = len(heard)
        queue.release(lease).result(60)
    finally:
        queue.close()

    assert (after_publish, after_lease, len(heard)) == (1, 1, 2)


def test_a_delayed_event_is_due_at_its_time(open_queue, clock) -> None:
    queue = open_queue()
    due_ns = clock.wall + 5_000_000_000
    queue.publish(event(not_before_ns=due_ns)).result(60)

    assert take(queue) == []
    assert queue.next_due_ns().result(60) == due_ns
    clock.advance(5)
    assert len(take(queue)) == 1


def test_an_event_can_be_read_whole(open_queue) -> None:
    queue = open_queue()
    queue.publish(event(body=b"[1]", event_id="abc")).result(60)

    found, attempts = queue.get("ab").result(60)

    assert (found.event_id, found.body, attempts) == ("abc", b"[1]", 0)
    with pytest.raises(ValueError, match="none of"):
        queue.list("done")


def test_an_operation_that_is_wrong_in_itself_costs_neither_the_others_nor_the_queue(open_queue) -> None:
    # Given a time that no column can hold
    queue = open_queue()

    # When it is published among others
    sent = [queue.publish(event(event_id="a")), queue.publish(event(event_id="b", not_before_ns=1 << 70))]
    sent.append(queue.publish(event(event_id="c")))

    # I expect it alone to fail, and the queue to go on
    assert sent[0].result(60).event_id == "a"
    with pytest.raises(QueueError, match="OverflowError"):
        sent[1].result(60)
    assert sent[2].result(60).event_id == "c"
    assert totals(queue) == (2, 0, 0)
    assert [lease.event.event_id for lease in take(queue, 5)] == ["a", "c"]

"""What a queue of messages promises, one promise a test, on a real file with a clock that stands still."""

from __future__ import annotations

import asyncio
import sqlite3

import pytest
from relive_base.errors import UsageError
from relive_platform.resources.queue.messages import OURS
from relive_platform.resources.queue.model import (
    BadReceipt,
    Held,
    Message,
    MessageAttribute,
    NotInFlight,
    OverInFlight,
    PurgeTooOften,
    QueueExists,
    QueueFull,
    QueueInfo,
    StaleReceipt,
    TooLarge,
    UnknownQueue,
)


def message(body: str, group: str = "", **more: object) -> Message:
    return Message(body=body.encode(), group=group, **more)  # type: ignore[arg-type]


async def bodies(queues, name: str = "jobs", count: int = 10, **more: object) -> list[str]:
    return [found.message.body.decode() for found in await queues.receive(name, count, **more)]


async def figures(queues, name: str = "jobs") -> tuple[int, int, int]:
    counts = await queues.counts(name)
    return counts.visible, counts.in_flight, counts.delayed


def held(received) -> list[Held]:
    return [Held(found.seq, found.token) for found in received]


async def test_a_message_comes_out_as_it_went_in_and_stays_until_it_is_deleted(queues, clock) -> None:
    sent = message(
        "\u00fc {",
        attributes={"k": MessageAttribute("Binary", "", b"\x00\xff")},
        trace_id="a" * 32,
        span_id="b" * 16,
    )

    told = await queues.send("jobs", sent)
    (first,) = await queues.receive("jobs")
    hidden = await bodies(queues)
    clock.advance(31)
    (second,) = await queues.receive("jobs")
    await queues.delete("jobs", second.receipt)
    clock.advance(31)

    assert first.message_id == told.message_id
    assert (first.message.body, first.message.attributes) == (sent.body, sent.attributes)
    assert (first.message.trace_id, first.message.span_id) == (sent.trace_id, sent.span_id)
    assert (first.receives, second.receives) == (1, 2)
    assert second.first_received_ns == first.first_received_ns < clock.wall
    assert hidden == []
    assert await figures(queues) == (0, 0, 0)


async def test_a_delay_and_a_visibility_timeout_are_kept(queues, clock) -> None:
    await queues.send("jobs", message("later", delay_s=10))
    before = await figures(queues)
    clock.advance(10)
    (found,) = await queues.receive("jobs", visibility_s=5)

    await queues.change_visibility("jobs", found.receipt, 100)
    clock.advance(99)
    hidden = await bodies(queues)
    clock.advance(1)

    assert before == (0, 0, 1)
    assert hidden == []
    assert await bodies(queues) == ["later"]


async def test_a_receive_waits_for_what_comes(queues) -> None:
    waiting = asyncio.ensure_future(queues.receive("jobs", wait_s=60))
    await asyncio.sleep(0)

    await queues.send("jobs", message("at last"))

    assert [found.message.body for found in await asyncio.wait_for(waiting, 60)] == [b"at last"]


async def test_what_is_received_too_often_is_a_dead_letter(queues, clock) -> None:
    await queues.send("jobs", message("poison"))
    for _ in range(2):
        assert await bodies(queues, visibility_s=1) == ["poison"]
        clock.advance(1)

    assert await bodies(queues) == []

    (dead,) = await queues.receive("dead")
    assert dead.message.body == b"poison"
    assert dead.message.dead_from == "jobs"
    assert dead.receives == 1
    assert (await queues.counts("jobs")).dead == 1


async def test_what_fails_for_the_last_time_is_a_dead_letter_at_once(queues, clock) -> None:
    await queues.send("jobs", message("poison"))
    first = await queues.receive("jobs", holder=OURS)
    assert await queues.fail("jobs", held(first), clock.wall) == 0
    assert await bodies(queues) == []
    clock.advance(30)
    second = await queues.receive("jobs", holder=OURS)

    assert await queues.fail("jobs", held(second), clock.wall) == 1

    assert await bodies(queues, "dead") == ["poison"]
    assert await figures(queues) == (0, 0, 0)


async def test_groups_are_in_order_and_blocked_behind_what_is_not_done(queues, clock) -> None:
    for body, group in (("a1", "a"), ("a2", "a"), ("b1", "b"), ("a3", "a"), ("b2", "b")):
        await queues.send("line.fifo", message(body, group))

    (first,) = await queues.receive("line.fifo", 1)
    others = await bodies(queues, "line.fifo")
    blocked = await bodies(queues, "line.fifo")
    await queues.delete("line.fifo", first.receipt)
    following = await bodies(queues, "line.fifo")
    clock.advance(30)

    assert first.message.body == b"a1"
    assert others == ["b1", "b2"]
    assert blocked == []
    assert following == ["a2", "a3"]
    assert await bodies(queues, "line.fifo") == ["a2", "a3", "b1", "b2"]


async def test_a_failure_blocks_its_group_until_it_is_a_dead_letter(queues, clock) -> None:
    for body in ("1", "2"):
        await queues.send("line.fifo", message(body, "g"))
    for _ in range(2):
        (found,) = await queues.receive("line.fifo", 1, holder=OURS)
        assert found.message.body == b"1"
        await queues.fail("line.fifo", held([found]), clock.wall)
        clock.advance(30)

    assert await bodies(queues, "line.fifo") == ["2"]
    assert await bodies(queues, "dead.fifo") == ["1"]


async def test_the_same_message_within_five_minutes_is_one(queues, clock) -> None:
    first = await queues.send("line.fifo", message("same", "g"))
    again = await queues.send("line.fifo", message("same", "other"))
    by_id = await queues.send("line.fifo", message("other", "g", deduplication_id="x"))
    same_id = await queues.send("line.fifo", message("changed", "g", deduplication_id="x"))
    clock.advance(300)
    late = await queues.send("line.fifo", message("same", "g"))

    assert (again.duplicate, again.message_id) == (True, first.message_id)
    assert (by_id.duplicate, same_id.duplicate) == (False, True)
    assert not late.duplicate
    assert await bodies(queues, "line.fifo") == ["same", "other", "same"]


async def test_a_fifo_queue_wants_groups_and_ids(queues) -> None:
    with pytest.raises(UsageError, match="group"):
        await queues.send("line.fifo", message("x"))
    with pytest.raises(UsageError, match="delays all"):
        await queues.send("line.fifo", message("x", "g", delay_s=3))
    with pytest.raises(UsageError, match="deduplication"):
        await queues.send("dead.fifo", message("x", "g"))


async def test_old_messages_leave(queues, clock) -> None:
    await queues.change("jobs", lambda info: QueueInfo(name=info.name, retention_s=60))
    await queues.send("jobs", message("old"))
    clock.advance(61)
    await queues.send("jobs", message("new"))

    assert await bodies(queues) == ["new"]
    assert (await queues.counts("jobs")).expired == 1


async def test_forged_and_foreign_receipt_handles_are_refused(queues) -> None:
    for name in ("jobs", "dead"):
        await queues.send(name, message("x"))
    (mine,) = await queues.receive("jobs")
    (other,) = await queues.receive("dead")
    turned = mine.receipt[:-3] + ("AAA" if not mine.receipt.endswith("AAA") else "BBB")

    for forged in (
        "",
        "x",
        "A" * len(mine.receipt),
        turned,
        other.receipt,
        mine.receipt + "A",
        "\u00fc" * 54,
        "\x00",
    ):
        with pytest.raises(BadReceipt):
            await queues.delete("jobs", forged)
        with pytest.raises(BadReceipt):
            await queues.change_visibility("jobs", forged, 0)
    assert await figures(queues) == (0, 1, 0)


async def test_a_receipt_handle_of_an_earlier_delivery(queues, clock) -> None:
    await queues.send("jobs", message("x"))
    await queues.send("line.fifo", message("x", "g"))
    first = {name: (await queues.receive(name))[0].receipt for name in ("jobs", "line.fifo")}
    clock.advance(30)

    # nobody has it: SQS lets a standard queue's be hidden all the same
    await queues.change_visibility("jobs", first["jobs"], 10)
    assert await bodies(queues) == []
    clock.advance(10)
    with pytest.raises(StaleReceipt):
        await queues.delete("line.fifo", first["line.fifo"])
    with pytest.raises(StaleReceipt):
        await queues.change_visibility("line.fifo", first["line.fifo"], 10)

    # somebody else has it
    await queues.receive("jobs")
    await queues.delete("jobs", first["jobs"])  # whoever worked on it has done so
    assert await figures(queues) == (0, 0, 0)
    with pytest.raises(NotInFlight):
        await queues.change_visibility("jobs", first["jobs"], 10)


async def test_limits_refuse_what_comes_in_and_nothing_else(open_queues, clock) -> None:
    queues = open_queues(messages=2, in_flight=1, queues=2)
    await queues.create(QueueInfo(name="q", max_message_bytes=1024))
    await queues.create(QueueInfo(name="bytes", max_bytes=1_000))

    with pytest.raises(QueueFull, match="RELIVE_MESSAGE_QUEUES"):
        await queues.create(QueueInfo(name="third"))
    with pytest.raises(TooLarge):
        await queues.send("q", message("x" * 1000, attributes={"name": MessageAttribute("String", "y" * 20)}))
    with pytest.raises(QueueFull, match="bytes"):
        await queues.send("bytes", message("x" * 1000))
    await queues.send("q", message("1"))
    await queues.send("q", message("2"))
    with pytest.raises(QueueFull, match="RELIVE_MESSAGE_LIMIT"):
        await queues.send("q", message("3"))
    (found,) = await queues.receive("q", 10)
    with pytest.raises(OverInFlight):
        await queues.receive("q")
    await queues.delete("q", found.receipt)
    await queues.send("q", message("3"))
    with pytest.raises(UnknownQueue):
        await queues.send("third", message("x"))


async def test_what_is_created_again_is_the_same_queue_or_refused(queues, clock) -> None:
    await queues.send("dead", message("x"))

    same = await queues.create(QueueInfo(name="dead", tags={"other": "tags"}))

    assert same.tags == {}
    with pytest.raises(QueueExists, match="delay_s"):
        await queues.create(QueueInfo(name="dead", delay_s=1), ("delay_s",))
    assert await bodies(queues, "dead") == ["x"]


async def test_a_purge_takes_what_is_there_once_a_minute(queues, clock) -> None:
    for body in ("1", "2"):
        await queues.send("line.fifo", message(body, "g"))
    await queues.receive("line.fifo", 1)

    assert await queues.purge("line.fifo") == 2

    with pytest.raises(PurgeTooOften):
        await queues.purge("line.fifo")
    assert await queues.purge("line.fifo", often=True) == 0
    await queues.send("line.fifo", message("3", "g"))
    assert await bodies(queues, "line.fifo") == ["3"]


async def test_a_deleted_queue_and_its_messages_are_gone_and_another_begins_empty(
    queues, clock, tmp_path
) -> None:
    await queues.send("jobs", message("x"))
    (found,) = await queues.receive("jobs", visibility_s=0)
    await queues.delete_queue("jobs")
    with pytest.raises(UnknownQueue):
        await queues.receive("jobs")

    await queues.create(QueueInfo(name="jobs"))

    assert await figures(queues) == (0, 0, 0)
    with pytest.raises(BadReceipt):
        await queues.delete("jobs", found.receipt)


async def test_everything_is_there_after_a_restart_and_what_we_held_can_be_received(
    open_queues, queues, clock
) -> None:
    for body in ("ours", "theirs", "waits"):
        await queues.send("jobs", message(body))
    await queues.receive("jobs", 1, holder=OURS)
    (theirs,) = await queues.receive("jobs", 1)
    queues.close()

    again = open_queues()

    assert await figures(again) == (2, 1, 0)
    assert sorted(await bodies(again)) == ["ours", "waits"]
    await again.delete("jobs", theirs.receipt)
    assert await figures(again) == (0, 2, 0)


async def test_what_was_never_tried_is_no_receive(queues, clock) -> None:
    await queues.send("jobs", message("x"))
    for _ in range(5):
        received = await queues.receive("jobs", holder=OURS)
        await queues.give_back("jobs", held(received))

    (found,) = await queues.receive("jobs")
    assert found.receives == 1


async def test_what_a_function_hides_itself_stays_hidden_when_its_batch_fails(queues, clock) -> None:
    await queues.send("jobs", message("x"))
    received = await queues.receive("jobs", holder=OURS)
    await queues.change_visibility("jobs", received[0].receipt, 500)

    await queues.fail("jobs", held(received), clock.wall)

    clock.advance(499)
    assert await bodies(queues) == []
    clock.advance(1)
    assert await bodies(queues) == ["x"]


async def test_a_wall_clock_that_is_set_moves_no_wait(queues, clock) -> None:
    await queues.send("jobs", message("x"))
    await queues.receive("jobs")
    clock.wall += 3600 * 10**9
    await queues._do(lambda store: store.tidy())

    assert await bodies(queues) == []
    clock.advance(30)
    assert await bodies(queues) == ["x"]


async def test_the_file_is_made_with_the_first_queue(open_queues, tmp_path) -> None:
    queues = open_queues()

    assert await queues.infos() == []
    await queues.declare([])
    assert not (tmp_path / "queues.db").exists()
    await queues.declare([QueueInfo(name="q", declared=True)])
    assert (tmp_path / "queues.db").exists()


async def test_orphans_and_old_ids_are_tidied_away(queues, clock, tmp_path) -> None:
    await queues.send("line.fifo", message("x", "g"))
    await queues.delete_queue("line.fifo")
    await queues.send("jobs", message("x"))
    while await queues._do(lambda store: store.tidy()):
        pass
    queues.close()

    with sqlite3.connect(tmp_path / "queues.db") as db:
        assert db.execute("SELECT count(*) FROM messages").fetchone() == (1,)
        assert db.execute("SELECT count(*) FROM sent_before").fetchone() == (0,)

"""Queues of an application on a running server: batches to functions, and what becomes of each message."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from patience import PATIENCE_S
from relive_base.errors import ReliveError
from relive_platform.registry import DeployError
from relive_platform.resources.base import ResourceInUse, UnknownResource
from relive_platform.resources.queue.model import Message
from server_harness import Served, served, write_app

SOURCE = """
import os

def work(event, context):
    bodies = [record["body"] for record in event["Records"]]
    if "die" in bodies:
        os._exit(3)
    if "fail" in bodies:
        raise ValueError("fail")
    bad = [record["messageId"] for record in event["Records"] if record["body"].startswith("bad")]
    return {"batchItemFailures": [{"itemIdentifier": ident} for ident in bad]}

def surroundings(event, context):
    return {name: os.environ.get(name) for name in event}
"""
APP = """
[resources.jobs]
type = "queue"
visibility_timeout_s = 1
dead_letter = "dead-jobs"
max_receive_count = 2

[resources.dead-jobs]
type = "queue"

[functions.work]
handler = "app:work"
[[functions.work.triggers]]
type = "queue"
queue = "jobs"
report_batch_item_failures = true
batch_window_s = 0.2

[functions.surroundings]
handler = "app:surroundings"
environment = { MY_QUEUE = "at ${resources.jobs.url}", JOBS_QUEUE_NAME = "mine" }
"""


pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("queues")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def running(folder: Path) -> AsyncIterator[Served]:
    """One server for all, in the order of this file."""
    async with served(folder / "home") as found:
        await found.deploy(write_app(folder / "app", SOURCE, APP))
        yield found


async def bodies_in(running: Served, queue: str) -> list[str]:
    """What can be received, which is taken out."""
    received = await running.server.queues.receive(queue, 10, wait_s=60)
    for found in received:
        await running.server.queues.delete(queue, found.receipt)
    return [found.message.body.decode() for found in received]


async def test_a_batch_is_one_attempt_and_each_message_has_its_own_end(
    running: Served,
) -> None:
    queues = running.server.queues
    trace = "0af7651916cd43dd8448eb211c80319c"
    for body, trace_id in (("good", trace), ("bad", "1" * 32), ("good", trace)):
        await queues.send("jobs", Message(body=body.encode(), trace_id=trace_id, span_id="b7ad6b7169203331"))

    # the one that its function reports comes again, and is a dead letter then
    assert await bodies_in(running, "dead-jobs") == ["bad"]

    async with asyncio.timeout(PATIENCE_S):
        while (counts := await queues.counts("jobs")).visible or counts.in_flight:  # noqa: ASYNC110 - in a file
            await asyncio.sleep(0.01)
    rows = await running.rows(
        "SELECT Trigger, Status FROM invocations WHERE Function = 'work' ORDER BY StartedAt"
    )
    assert (counts.visible, counts.in_flight, counts.dead) == (0, 0, 1)
    assert len(rows) >= 2
    assert set(rows) == {("queue", "ok")}
    # the producers' traces say what became of their messages
    spans = await running.rows(
        "SELECT TraceId, SpanName, ParentSpanId, StatusCode FROM otel_traces WHERE SpanKind = 'Consumer'"
    )
    spans = [row for row in spans if row[0] in (trace, "1" * 32)]
    assert {(row[0], row[1], row[2]) for row in spans} == {
        (trace, "process work", "b7ad6b7169203331"),
        ("1" * 32, "process work", "b7ad6b7169203331"),
    }
    # ... and the batch is linked to what has sent each of them
    linked = await running.rows(
        "SELECT arrayJoin(Links.SpanId) FROM otel_traces"
        " WHERE SpanName = 'process work' AND SpanKind = 'Consumer'"
    )
    assert ("b7ad6b7169203331",) in linked
    assert "Error" in {row[3] for row in spans if row[0] == "1" * 32}


async def test_what_fails_or_dies_with_its_worker_comes_again_and_is_a_dead_letter(running: Served) -> None:
    for body in ("fail", "die"):
        await running.server.queues.send("jobs", Message(body=body.encode()))

        assert await bodies_in(running, "dead-jobs") == [body]

    rows = await running.rows("SELECT Status FROM invocations WHERE Function = 'work'")
    assert {row[0] for row in rows} >= {"error", "crash"}


async def test_functions_are_told_of_resources_and_their_own_word_comes_first(running: Served) -> None:
    names = ["MY_QUEUE", "JOBS_QUEUE_NAME", "JOBS_QUEUE_ARN", "DEAD_JOBS_QUEUE_URL"]

    outcome = await running.invoke("surroundings", json.dumps(names).encode())

    told = json.loads(outcome.body)
    assert told["MY_QUEUE"].endswith("/000000000000/jobs")
    assert told["MY_QUEUE"].startswith("at ")
    assert told["JOBS_QUEUE_NAME"] == "mine"
    assert told["JOBS_QUEUE_ARN"] == "arn:aws:sqs:us-east-1:000000000000:jobs"
    assert told["DEAD_JOBS_QUEUE_URL"].endswith("/000000000000/dead-jobs")


async def test_data_stays_until_somebody_says_to_delete_it(running: Served, folder: Path) -> None:
    server, folder = running.server, folder / "app"
    await server.queues.send("dead-jobs", Message(body=b"keep me"))
    without = APP.replace('dead_letter = "dead-jobs"\nmax_receive_count = 2\n', "").replace(
        '[resources.dead-jobs]\ntype = "queue"\n', ""
    )

    # When the application has it no more
    await running.deploy(write_app(folder, SOURCE, without))

    # I expect it to be there, as one that nobody declares
    state = await server.resources.one("dead-jobs")
    assert (state.state, state.figures["messages"]) == ("undeclared", 1)
    with pytest.raises(ResourceInUse, match="declares"):
        await server.resources.delete("jobs")
    with pytest.raises(DeployError, match="it is a standard queue so far"):
        await running.deploy(
            write_app(
                folder, SOURCE, without.replace('type = "queue"\nvis', 'type = "queue"\nfifo = true\nvis')
            )
        )

    # When a deploy says so, it is gone
    await running.server.loop.run_in_executor(
        None, lambda: server.deploy(write_app(folder, SOURCE, without), delete_data=True)
    )
    with pytest.raises(UnknownResource):
        await server.resources.one("dead-jobs")
    assert [state.name for state in await server.resources.listing() if state.type == "queue"] == ["jobs"]
    assert await server.resources.purge("jobs") == 0


async def test_a_server_that_starts_again_goes_on(tmp_path: Path) -> None:
    app = write_app(tmp_path / "app", SOURCE, APP)
    async with served(tmp_path / "home") as first:
        await first.deploy(app)
        await first.server.queues.send("jobs", Message(body=b"later", delay_s=1))
    async with served(tmp_path / "home") as second:

        async def done() -> bool:
            return (await second.server.queues.counts("jobs")).deleted == 1

        for _ in range(6_000):
            if await done():
                break
            await second.server.queues.receive("dead-jobs", wait_s=0.05)
        assert await done()
        with pytest.raises(ReliveError):
            await second.server.queues.send("nowhere", Message(body=b"x"))

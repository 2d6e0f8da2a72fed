"""Where outcomes of asynchronous events go: in Lambda's shape, once each, traced on, and no loop for ever."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

from patience import PATIENCE_S
from relive_platform.engine.invocation import InvokeRequest
from server_harness import Served, served, write_app

SOURCE = """
import relive

def work(event, context):
    if event.get("fail"):
        raise ValueError("no " + event["fail"])
    return {"done": event}

def loop(event, context):
    return event

def seen(event, context):
    return event["requestContext"]["condition"]

def sender(event, context):
    relive.send("outcomes", event)
    relive.send("line", event, event_id="once")
    relive.send("line", event, event_id="once")
"""
APP = """
[resources.outcomes]
type = "queue"
[resources.line]
type = "queue"
fifo = true
[functions.work]
handler = "app:work"
retries = 1
on_success = {{ queue = "outcomes" }}
on_failure = {{ webhook = "{webhook}" }}
[functions.told]
handler = "app:work"
retries = 0
on_failure = {{ function = "seen" }}
[functions.seen]
handler = "app:seen"
on_success = {{ bus = "default" }}
[functions.loop]
handler = "app:loop"
on_success = {{ function = "loop" }}
[functions.sender]
handler = "app:sender"
[functions.listener]
handler = "app:loop"
[[functions.listener.triggers]]
type = "bus"
pattern = {{ source = ["lambda"] }}
"""


class Hook:
    """A webhook that refuses the first time."""

    def __init__(self) -> None:
        self.requests: list[tuple[bytes, Any]] = []

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        size = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])
        self.requests.append((head, json.loads(await reader.readexactly(size))))
        status = b"503 Busy" if len(self.requests) == 1 else b"204 No Content"
        writer.write(b"HTTP/1.1 " + status + b"\r\nContent-Length: 0\r\n\r\n")
        writer.close()


async def publish(running: Served, function: str, event: object) -> Any:
    return await running.server.publish(InvokeRequest(function=function, event=json.dumps(event).encode()))


async def test_outcomes_reach_their_destinations(tmp_path: Path) -> None:
    hook = Hook()
    listening = await asyncio.start_server(hook, "127.0.0.1", 0)
    url = f"http://127.0.0.1:{listening.sockets[0].getsockname()[1]}/outcome?x=1"
    async with served(tmp_path / "home", call_depth=4) as running:
        server = running.server
        await running.deploy(write_app(tmp_path / "app", SOURCE, APP.format(webhook=url)))

        # Given an event that succeeds and one that does not, until its retries are used up
        good = await publish(running, "work", {"n": 1})
        bad = await publish(running, "work", {"fail": "luck"})

        # I expect Lambda's record of the first on the queue, in the same trace
        (message,) = await server.queues.receive("outcomes", wait_s=PATIENCE_S)
        record = json.loads(message.message.body)
        assert record["requestContext"] == {
            "requestId": good.invocation_id,
            "functionArn": "arn:aws:lambda:us-east-1:000000000000:function:work:$LATEST",
            "condition": "Success",
            "approximateInvokeCount": 1,
        }
        assert record["requestPayload"] == {"n": 1}
        assert record["responsePayload"] == {"done": {"n": 1}}
        assert record["responseContext"] == {"statusCode": 200, "executedVersion": "1"}
        assert message.message.trace_id == good.trace_id

        # ... and of the second at the webhook, which is asked again when it was busy
        await running.until(lambda: len(hook.requests) == 2)
        head, told = hook.requests[1]
        assert hook.requests[0][1] == told
        assert head.startswith(b"POST /outcome?x=1 HTTP/1.1")
        assert bad.trace_id.encode() in head
        assert told["requestContext"]["condition"] == "RetriesExhausted"
        assert told["requestContext"]["approximateInvokeCount"] == 2
        assert told["responsePayload"] == {"errorType": "ValueError", "errorMessage": "no luck"}
        assert told["responseContext"]["functionError"] == "Unhandled"

        # ... whose path is nobody's business who lists events
        named = {row.function for row in await asyncio.wrap_future(server.queue.list())}
        assert not any("outcome" in name for name in named)

        # When a failure goes to a function, and that one's outcome to a bus
        failed = await publish(running, "told", {"fail": "hope"})

        # I expect one trace through all of them
        names: set[str] = set()
        for _ in range(600):
            rows = await running.rows("SELECT Function, TraceId FROM invocations")
            names = {name for name, trace_id in rows if trace_id == failed.trace_id}
            if names == {"told", "seen", "listener"}:
                break
            await asyncio.sleep(0.1)
        assert names == {"told", "seen", "listener"}

        # When a function's outcome comes back to it, I expect an end, which is counted
        await publish(running, "loop", {"round": 1})
        await running.until(lambda: server.destinations.loops == 1)

        # When a function sends to queues by their names
        await running.invoke("sender", b'{"from": "sender"}')
        (plain,) = await server.queues.receive("outcomes", wait_s=PATIENCE_S)
        ordered = await server.queues.receive("line.fifo", 10, wait_s=PATIENCE_S)
        assert json.loads(plain.message.body) == {"from": "sender"}
        assert [found.message.group for found in ordered] == ["sender"]
    listening.close()

"""A queue trigger gives events a name of their own to be sent to."""

from __future__ import annotations

from pathlib import Path

import pytest
from relive_platform.engine.dispatcher import UnknownFunction
from relive_platform.engine.invocation import InvokeRequest
from server_harness import served, write_app

APP = """\
[functions.packer]
source = "."
handler = "app:pack"
triggers = [{ type = "queue", queue = "parcels" }]
[functions.seller]
source = "."
handler = "app:sell"
"""
CODE = """\
import relive
def pack(event, context):
    return {"packed": event}
def sell(event, context):
    return relive.send("parcels", event)
"""


async def test_an_event_sent_to_a_queue_goes_to_the_function_that_names_it(tmp_path: Path) -> None:
    async with served(tmp_path / "home") as running:
        # Given a function with a queue of another name
        await running.deploy(write_app(tmp_path / "app", CODE, APP))
        # When a function sends to that name
        sent = (await running.invoke("seller", b'"cup"')).body.decode().strip('"')

        # I expect the event to be worked on, and to be found by either name
        def done() -> bool:
            row, _ = running.server.queue.look(sent, "packer").result(60)
            return row.state == "done"

        await running.until(done)
        _, result = running.server.queue.look(sent, "packer").result(60)
        assert result == b'{"packed":"cup"}'
        # ... and a name that nobody has to be refused
        with pytest.raises(UnknownFunction):
            await running.server.publish(InvokeRequest(function="letters", event=b"1"))

"""A function's events have the sizes that everybody's have."""

from __future__ import annotations

import json
from pathlib import Path

from server_harness import served, write_app

APP = "".join(f'[functions.{name}]\nsource = "."\nhandler = "app:{name}"\n' for name in ("takes", "sends"))
CODE = """\
import relive
def takes(event, context):
    return len(event)
def sends(event, context):
    try:
        return getattr(relive, event["how"])("takes", "x" * event["size"])
    except relive.FunctionError as error:
        return str(error)
"""


async def test_what_a_function_sends_is_limited_as_what_a_client_sends(tmp_path: Path) -> None:
    # Given limits of events that a caller waits for, and of those on the queue
    async with served(tmp_path / "home", body_limit_bytes=2_000, async_body_limit_bytes=1_000) as running:
        await running.deploy(write_app(tmp_path / "app", CODE, APP))

        async def sends(how: str, size: int) -> object:
            event = json.dumps({"how": how, "size": size}).encode()
            return json.loads((await running.invoke("sends", event)).body)

        # I expect what is within them to go through, and what is over them to be refused by name
        assert await sends("invoke", 1_990) == 1_990
        assert "RELIVE_BODY_LIMIT_BYTES" in str(await sends("invoke", 1_999))
        refused = str(await sends("send", 999))
        assert "EventTooLarge" in refused
        assert "1001 bytes, over 1000" in refused
        assert "RELIVE_ASYNC_BODY_LIMIT_BYTES" in refused
        assert len(str(await sends("send", 998))) == 36

"""A gateway beside the server, as the server sees it."""

from __future__ import annotations

import asyncio
import os
import socket
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from relive_platform.server.gateways.channel import Channel
from relive_platform.server.gateways.held import HeldSockets, Marks
from relive_platform.server.gateways.side import SideGateway
from relive_platform.triggers.http.connections.marks import BEGUN


def _side(tmp_path: Path) -> SideGateway:
    def nothing(*_: Any) -> None:
        pass

    side = SideGateway(0, nothing, tmp_path / "log", {}, {}, nothing, nothing)  # type: ignore[arg-type]
    side._process = SimpleNamespace(kill=nothing)  # type: ignore[assignment]
    side.run = 7
    return side


async def test_one_that_has_been_silent_for_a_moment_is_drained_and_one_that_was_given_up_is_not(
    tmp_path: Path,
) -> None:
    ours, theirs = socket.socketpair()
    drained: list[bytes] = []

    async def drain(body: bytes) -> bytes:
        drained.append(body)
        return b""

    here, there = Channel({}, {}, lambda: None), Channel({"drain": drain}, {}, lambda: None)
    for channel, sock in ((here, ours), (there, theirs)):
        sock.setblocking(False)
        await asyncio.get_running_loop().create_unix_connection(lambda channel=channel: channel, sock=sock)  # type: ignore[misc]
    # Given a gateway that was too busy to say how it stands
    side = _side(tmp_path)
    side.ready, side.silent_s, side.channel = True, 5.0, here
    assert not side.answers
    # When the server stops, I expect it to finish what it runs
    await side.drain(1.0)
    assert len(drained) == 1
    # ... and nobody to wait for it once it was given up
    side.give_up("hung")
    await side.drain(1.0)
    assert len(drained) == 1
    here.close()
    there.close()


def test_who_waits_for_one_that_did_not_take_a_deploy_is_told(tmp_path: Path) -> None:
    """Given a gateway with a request that has begun, when it is ended because it did not take what was
    deployed, I expect its client to get a 502 that says so."""
    side = _side(tmp_path)
    held = side._held = HeldSockets(1)
    ours, client = socket.socketpair()
    _, mark = Marks(os.dup(held.memory)).of(held.hold(ours.fileno(), b""))
    ours.close()
    assert mark is not None
    mark.tell(BEGUN)

    side.give_up("did not take what was deployed")
    side._go_on()

    answer = client.recv(9_999)
    assert answer.startswith(b"HTTP/1.1 502 ")
    assert b"had this request did not take what was deployed, and was ended" in answer
    client.close()

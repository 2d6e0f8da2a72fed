"""The listeners of gRPC services."""

from __future__ import annotations

import asyncio
import socket
from types import SimpleNamespace
from typing import Any

import pytest
from relive_platform.addresses import Address
from relive_platform.triggers.grpc.config import GrpcTrigger
from relive_platform.triggers.grpc.source import GrpcSource, PortTaken


def _function(port: int, public: bool = False) -> Any:
    return SimpleNamespace(
        name="greeter", config=SimpleNamespace(public=public, triggers=[GrpcTrigger(port=port)])
    )


def test_a_port_in_use_is_an_error_at_the_start_and_not_at_a_deploy() -> None:
    """Given a port that another program has, when the server starts with a service that claims it, I expect
    an error that names both; when that is deployed later, its problem to be kept, and tried again."""

    async def scenario(port: int) -> None:
        source = GrpcSource(SimpleNamespace(connect=None), Address("127.0.0.1", 0))  # type: ignore[arg-type]
        await source.apply([_function(port)])
        with pytest.raises(
            PortTaken, match="gRPC of greeter cannot listen: address already in use"
        ) as caught:
            await source.start()
        assert caught.value.where == f"127.0.0.1:{port}"
        later = GrpcSource(SimpleNamespace(connect=None), Address("127.0.0.1", 0))  # type: ignore[arg-type]
        await later.start()
        await later.apply([_function(port)])
        assert later.ports[port].problem
        await later.close()

    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        asyncio.run(scenario(taken.getsockname()[1]))


@pytest.mark.parametrize(
    ("host", "public", "served"),
    [("127.0.0.1", False, True), ("0.0.0.0", False, False), ("0.0.0.0", True, True)],
)
async def test_at_the_port_of_http_of_all_addresses_a_service_has_to_be_public(
    host: str, public: bool, served: bool
) -> None:
    """Given a service without a port of its own, when a client on this machine, which may be a proxy, begins
    with HTTP/2, I expect it to be served if the gateway is on loopback or the service is public."""
    source = GrpcSource(SimpleNamespace(connect=None), Address(host, 0))  # type: ignore[arg-type]
    source._begin = lambda *_: None  # type: ignore[method-assign]
    await source.start()
    await source.apply([_function(0, public)])
    ours, client = socket.socketpair()
    transport, _ = await asyncio.get_running_loop().connect_accepted_socket(asyncio.Protocol, ours)

    taken = source.take(transport, "127.0.0.1", b"PRI", lambda: None)

    assert (taken is not None) == served
    transport.abort()
    client.close()
    await source.close()

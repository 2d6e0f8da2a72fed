"""Which functions the gateways beside the server get workers of."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from engine_fakes import Answers, AtOnce, FakeRuntime, Recorded, SetTime, spec_of
from relive_base.wire.messages import HttpRequest
from relive_platform.engine.engine import Engine, EngineLimits
from relive_platform.engine.invocation import InvokeRequest
from relive_platform.engine.pool import PoolLimits
from relive_platform.server.gateways.lending import Lending
from relive_platform.server.gateways.messages import Grant, Load
from relive_platform.server.gateways.moves import ServerMoves
from relive_platform.triggers.http.routes import Routes


class _Gateway:
    """One that has nothing to do so far."""

    load: Load | None = Load([], {}, 0, 0, 0, 0, 0, 0, "")

    def grant(self, grants: list[Grant]) -> None:
        pass

    def give_back(self, connections: int) -> None:
        pass


@pytest.mark.parametrize(
    ("rate", "by_http", "lent"),
    [(200.0, True, True), (200.0, False, False), (0.0, True, True), (0.0, False, False)],
    ids=["busy by http", "busy by calls", "always, by http", "always, by calls"],
)
async def test_only_what_http_drives_is_lent(tmp_path: Path, rate: float, by_http: bool, lent: bool) -> None:
    """Given a function of four workers that gets 500 events a second, when they come over HTTP, I expect
    the gateway, which has none so far, to get one of them; when they are calls and events of queues, which
    the server alone takes, I expect it to keep all."""
    time = SetTime()
    engine = Engine(Recorded(), tmp_path, tmp_path, AtOnce(), EngineLimits(), time.clock)
    pool = engine.deploy(spec_of(), FakeRuntime(), PoolLimits(max_workers=4, waiting_workers=0))
    moves = ServerMoves(Routes, lambda _descriptor, _data: None)
    lending = Lending(engine, moves, [_Gateway()], rate, lambda: time.now)
    lending.apply()
    more: dict[str, Any] = {"http": HttpRequest("GET", "/")} if by_http else {"trigger": "call"}
    for _ in range(10):
        for _ in range(50):
            engine.dispatcher.begin(InvokeRequest(function="f", **more), Answers())
        time.passes(0.1)
        lending.tick()
    assert pool.limits.max_workers == (3 if lent else 4)

"""Workers of a service whose event loop does not turn, and callers that are turned away."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from engine_fakes import (
    Answers,
    AtOnce,
    FakeRuntime,
    FakeWorker,
    Recorded,
    SetTime,
    answer_of,
    spec_of,
)
from relive_base.wire.messages import Invoke
from relive_platform.engine.engine import Engine, EngineLimits
from relive_platform.engine.invocation import InvokeRequest
from relive_platform.engine.pool import PoolLimits
from relive_platform.triggers.http.responses import status_of


class Service:
    """One, with workers that do what a test has them do."""

    def __init__(self, folder: Path, **limits: Any) -> None:
        self.time = SetTime()
        self.runtime = FakeRuntime()
        self.engine = Engine(Recorded(), folder, folder, AtOnce(), EngineLimits(), self.time.clock)
        websockets = limits.pop("websockets", 0)
        wanted = PoolLimits(**({"waiting_workers": 0, "capacity": 10} | limits))
        spec = spec_of(kind="service", capacity=wanted.capacity, timeout_s=60.0, websockets=websockets)
        self.pool = self.engine.deploy(spec, self.runtime, wanted)

    def ask(self, wire: str = "") -> Answers:
        """A request."""
        answers = Answers()
        self.engine.dispatcher.begin(InvokeRequest(function="f", wire=wire), answers)
        return answers

    def ready(self, number: int = 0, **told: Any) -> FakeWorker:
        """The worker with this number, once it has loaded the application."""
        fake = self.runtime.workers[number]
        fake.gets_ready(**told)
        return fake

    def looked_at(self, seconds: float) -> None:
        """The supervisor looks, and looks again after so long."""
        self.engine._supervisor.look()
        self.time.passes(seconds)
        self.engine._supervisor.look()


async def test_a_worker_whose_loop_lags_gets_nothing_while_another_has_room(tmp_path: Path) -> None:
    """Given a service with one worker that leaves unread what it was sent, when requests come, I expect a
    second one, which gets all of them; when the first one reads again, I expect it to get some as well."""
    service = Service(tmp_path, max_workers=2)
    service.ask()
    first = service.ready()
    first.leaves_unread = True
    service.looked_at(0.2)
    assert service.engine.status().workers["lagging"] == 1
    assert service.pool.why_warm()["lag_s"] == 0.2
    service.ask()  # nobody else is there: it waits in that one
    assert (len(first.invoked()), service.pool.starting) == (2, 1)
    second = service.ready(1)
    for _ in range(3):
        service.ask()
    assert (len(first.invoked()), len(second.invoked())) == (2, 3)
    first.leaves_unread = False
    service.looked_at(0.01)
    assert service.engine.status().workers["lagging"] == 0
    service.ask()
    assert len(first.invoked()) == 3


async def test_who_is_turned_away_is_told_when_to_come_again(tmp_path: Path) -> None:
    """Given a service whose requests take 20 s, when one is turned away, I expect what is left of the one
    that runs, and what waits before it; 1 s as long as nothing is known."""
    service = Service(tmp_path, max_workers=1, capacity=1, waiting_requests=1)
    service.ask()
    fake = service.ready()
    service.ask()
    assert service.ask().outcomes[0].retry_after_s == 1
    for _ in range(2):
        service.time.passes(20.0)
        attempt = next(iter(service.engine.host.workers[fake.worker_id].attempts.values()))
        fake.says(answer_of(attempt, done=True))
    assert len([one for one in fake.sent if isinstance(one, Invoke)]) == 2
    service.ask()
    service.time.passes(5.0)
    service.ask()
    assert service.ask().outcomes[0].retry_after_s == 35


async def test_websockets_take_no_place_of_requests_and_are_refused_when_full(tmp_path: Path) -> None:
    """Given a worker for one request and two websockets, when two are open, I expect a request to run beside
    them at once and a second one to wait, a third websocket to get a worker of its own, and with no further
    workers a refusal that says why and when to come again. How long they were open says nothing of
    requests."""
    service = Service(tmp_path, max_workers=2, capacity=1, websockets=2)
    opened = [service.ask("websocket")]
    first = service.ready(websockets=True)
    opened += [service.ask("websocket"), service.ask(), service.ask()]
    assert len(first.invoked()) == 3
    service.time.passes(1.0)
    attempts = service.engine.host.workers[first.worker_id].attempts
    request = next(one for one in attempts.values() if not one.request.wire)
    first.says(answer_of(request, done=True))
    assert len(first.invoked()) == 4  # the request that waited; no websocket takes its place
    service.ask("websocket")
    second = service.ready(1, websockets=True)
    service.ask("websocket")
    assert len(second.invoked()) == 2
    [refused] = service.ask("websocket").outcomes
    assert (refused.record.status, refused.record.error and refused.record.error.type) == (
        "rejected",
        "TooManyWebsockets",
    )
    assert (refused.retry_after_s, status_of(refused.record)) == (5, 503)
    before = service.pool.pace.service_s
    service.time.passes(3_600.0)
    first.says(answer_of(next(one for one in attempts.values() if one.request.wire), done=True))
    assert service.pool.pace.service_s == before
    assert service.ask("websocket").outcomes == []
    assert len(first.invoked()) == 5


async def test_requests_that_wait_behind_websockets_are_served(tmp_path: Path) -> None:
    """Given websockets and requests that wait for a worker to start, when it has room for some of the
    websockets only, I expect the requests behind the others to be served."""
    service = Service(tmp_path, max_workers=1, capacity=2, websockets=1)
    for wire in ("websocket", "websocket", "", ""):
        service.ask(wire)
    worker = service.ready(websockets=True)
    assert len(worker.invoked()) == 3
    assert [one.request.wire for one in service.pool.waiting] == ["websocket"]

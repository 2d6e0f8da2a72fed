"""Two gateways: whichever process takes a request, it is answered, limited and recorded as by one."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import time
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import msgspec
import pytest
from patience import PATIENCE_S
from relive_platform.engine.cancelling import find, in_flight
from relive_platform.engine.pointing import PointWanted
from relive_platform.engine.workers.life import BUSY
from relive_platform.server.gateways.debugging import RemoteDebugCall
from relive_platform.server.gateways.messages import Found, Grant
from relive_platform.server.gateways.side import SideGateway
from server_harness import Answer, Served, parse, served, write_app

_found = msgspec.msgpack.Decoder(Found | None)

SOURCE = """
import os, time, relive

VERSION = 1

def where(event, context):
    return {"zygote": os.getppid(), "version": VERSION}

def slow(event, context):
    print("slow begins")
    time.sleep(float((event or {}).get("headers", {}).get("x-seconds", "0")))
    return {"zygote": os.getppid(), "begun": time.monotonic()}

def lone(event, context):
    time.sleep(0.5)

def calls(event, context):
    return {"zygote": os.getppid(), "called": relive.invoke("only_one", {})}

def only_one(event, context):
    return os.getpid()

def fails(event, context):
    basket = {"sku": os.getppid()}
    raise KeyError("price")
"""


def _app(folder: Path, source: str = SOURCE) -> Path:
    workers = {"where": 4, "slow": 2, "calls": 2, "only_one": 1, "lone": 1, "fails": 2}
    tables = (
        f'[functions.{name}]\nsource = "."\nhandler = "app:{name}"\nmax_workers = {most}\n'
        for name, most in workers.items()
    )
    return write_app(folder, source, "".join(tables))


class _Client:
    """A connection that is kept."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    @classmethod
    async def of(cls, serving: Served) -> _Client:
        return cls(*await asyncio.open_connection(*serving.address()))

    async def send(self, path: str, more: str = "", body: bytes = b"") -> None:
        size = f"content-length: {len(body)}\r\n" if body else ""
        head = f"{'POST' if body else 'GET'} {path} HTTP/1.1\r\nhost: localhost\r\n{size}{more}\r\n"
        self._writer.write(head.encode() + body)
        await self._writer.drain()

    async def answer(self) -> Answer:
        head = await self._reader.readuntil(b"\r\n\r\n")
        found = parse(head)
        return Answer(
            found.status, found.headers, await self._reader.readexactly(int(found.headers["content-length"]))
        )

    async def get(self, path: str, more: str = "", body: bytes = b"") -> Answer:
        await self.send(path, more, body)
        return await self.answer()

    def close(self) -> None:
        self._writer.close()


def _parent(pid: int) -> int:
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])


def _process(answer: Answer) -> int:
    """Which process of the server had the worker: it has started the worker's zygote."""
    assert answer.status == 200, answer
    return _parent(json.loads(answer.body)["zygote"])


async def _spread(serving: Served, clients: list[_Client], path: str) -> dict[int, _Client]:
    """Ask until both processes have answered; a connection of each."""
    while True:
        answers = await asyncio.gather(*(client.get(path) for client in clients))
        found = dict(zip(map(_process, answers), clients, strict=True))
        if len(found) == 2:
            return found
        await asyncio.sleep(0.05)


@asynccontextmanager
async def _two(tmp_path: Path, **settings: float) -> AsyncIterator[tuple[Served, list[_Client]]]:
    """Two gateways that run all they can, and eight connections."""
    async with served(
        tmp_path / "home", gateways=2, gateway_rate=0, waiting_workers=1, with_api=True, **settings
    ) as serving:
        await serving.deploy(_app(tmp_path / "app"))
        clients = [await _Client.of(serving) for _ in range(8)]
        yield serving, clients
        for client in clients:
            client.close()


async def test_both_processes_answer_and_everything_is_as_with_one(tmp_path: Path) -> None:
    async with _two(tmp_path) as (serving, clients):
        side = serving.server.gateways.sides[0]
        # Given connections of which each process has some
        by = await _spread(serving, clients, "/fn/where/")
        assert set(by) == {os.getpid(), side.pid}
        far = by[side.pid]
        # What a gateway does not run goes to the server with its connection, whatever comes along
        for path, more, body in (
            ("/fn/only_one/", "", b""),
            ("/fn/where/", "", b"x" * 300_000),
            ("/fn/where:1/", "", b""),
            ("/fn/where/", "prefer: respond-async\r\n", b"{}"),
        ):
            answer = await far.get(path, more, body)
            assert answer.status == (202 if "async" in more else 200), (path, answer)
            far = (await _spread(serving, clients, "/fn/where/"))[side.pid]
        assert (await far.get("/fn/nothing/")).status == 404
        # ... and a logpoint counts the hits of both
        far = (await _spread(serving, clients, "/fn/where/"))[side.pid]
        line = 1 + SOURCE.splitlines().index("def where(event, context):") + 1
        await serving.server.arm_point(
            PointWanted(function="where", file="app.py", line=line, text="{VERSION}", count=3)
        )
        assert [row["left"] for row in await serving.server.points()] == [3]
        hits = set()
        for _ in range(4):
            hits.add(_process(await far.get("/fn/where/")))
            await _at_rest(side, "where")  # on a busy machine, its worker may have left all the same
        assert await serving.server.points() == []
        assert side.pid in hits
        # ... also in the middle of requests that are sent ahead
        far = (await _spread(serving, clients, "/fn/where/"))[side.pid]
        for path in ("/fn/where/", "/fn/where/", "/fn/only_one/", "/fn/where/"):
            await far.send(path)
        ahead = [await far.answer() for _ in range(4)]
        assert [answer.status for answer in ahead] == [200] * 4
        assert ahead[2].body.isdigit()
        # ... and so does a connection that begins with HTTP/2, which nobody serves here
        many = await asyncio.gather(*(asyncio.open_connection(*serving.address()) for _ in range(12)))
        for _, writer in many:
            writer.write(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")
        heads = await asyncio.gather(*(reader.read(12) for reader, _ in many))
        assert heads == [b"HTTP/1.1 400"] * 12
        # Calls of functions that run elsewhere are answered, and belong to their caller's trace
        far = (await _spread(serving, clients, "/fn/calls/"))[side.pid]
        assert json.loads((await far.get("/fn/calls/")).body)["called"] > 0
        # Who is followed, cancelled or debugged may run in either process
        follower = await serving.server.follow("slow")
        far = (await _spread(serving, clients, "/fn/slow/"))[side.pid]
        await far.send("/fn/slow/", "x-seconds: 600\r\n")
        found = None
        while found is None:
            found = await serving.server.gateways.cancel("slow")
            await asyncio.sleep(0.05)
        assert found.state == "running"
        assert (await far.answer()).status == 503
        assert {line.line.body for line in await follower.take(100)} == {"slow begins"}
        await serving.server.unfollow(follower)
        await serving.until(lambda: _woken(side, "fails"))
        assert (await far.get("/fn/fails/")).status == 500
        [kept] = await serving.server.gateways.frozen()
        assert _parent(_parent(kept["pid"])) == side.pid
        found_session = await serving.server.gateways.debug(kept["invocation_id"][:20])
        assert found_session is not None
        loop = asyncio.get_running_loop()
        said = await loop.run_in_executor(None, _print_basket, RemoteDebugCall(side, loop, found_session[1]))
        assert said == f"{{'sku': {_parent(kept['pid'])}}}"
        # I expect a row for each, by whichever process, and a call to be its caller's
        counts = dict(
            await serving.rows("SELECT Function, countDistinct(WorkerPid) FROM invocations GROUP BY Function")
        )
        assert counts["where"] >= 2
        assert counts["only_one"] == 1
        [(called, linked)] = await serving.rows(
            "SELECT countIf(Trigger = 'call'), countIf(CallerInvocationId IN"
            " (SELECT InvocationId FROM invocations WHERE Function = 'calls'))"
            " FROM invocations WHERE Function = 'only_one'"
        )
        assert called == linked >= 2


def _runs(side: SideGateway, function: str) -> bool:
    """Whether a gateway has a worker of a function."""
    return side.load is not None and any(one.function == function and one.ready for one in side.load.pools)


def _woken(side: SideGateway, function: str) -> bool:
    """The same; a worker that nobody has asked for long has left again: another one is to begin."""
    if not _runs(side, function):
        side.grant([Grant(function, 1, 1)])
    return _runs(side, function)


def _print_basket(call: RemoteDebugCall) -> str:
    """What pdb says; in a thread, as for a client of the control API."""
    said, asked = "", False
    while True:
        response = call.next(60.0)
        assert response is not None
        if asked:
            said += response.text.text
        if response.text.prompt and asked:
            call.close()
            return said.strip().splitlines()[0]
        if response.text.prompt:
            asked = True
            call.send_line("p basket")


async def test_a_gateway_that_is_killed_costs_its_own_requests_and_limits_and_deploys_hold(
    tmp_path: Path,
) -> None:
    async with _two(tmp_path, gateway_silence_s=10) as (serving, clients):
        side = serving.server.gateways.sides[0]
        # Given a function of two workers, more requests than that, and connections of both processes
        await _spread(serving, clients, "/fn/slow/")
        answers = await asyncio.gather(*(client.get("/fn/slow/", "x-seconds: 0.2\r\n") for client in clients))
        # I expect no more than two at once, whoever has them
        begun = sorted(json.loads(answer.body)["begun"] for answer in answers)  # as they end
        assert all(later - earlier >= 0.19 for earlier, later in zip(begun, begun[2:], strict=False)), begun
        # When a new version is deployed under load
        statuses: Counter[int] = Counter()
        versions: list[int] = []
        newer: list[int] = []  # of requests that were sent once it was deployed
        deployed = over = False

        async def ask(client: _Client) -> None:
            while not over:
                told = (versions, newer) if deployed else (versions,)
                answer = await client.get("/fn/where/")
                statuses[answer.status] += 1
                for found in told:
                    found.append(json.loads(answer.body).get("version", 0))

        tasks = [asyncio.ensure_future(ask(client)) for client in clients]
        await serving.until(lambda: sum(statuses.values()) > 50)
        await serving.deploy(_app(tmp_path / "app", SOURCE.replace("VERSION = 1", "VERSION = 2")))
        deployed = True
        await serving.until(lambda: len(newer) > 50)
        over = True
        await asyncio.gather(*tasks)
        # I expect each request to be answered, and those that came later by the new version
        assert set(statuses) == {200}
        assert versions.count(1)
        assert set(newer) == {2}
        # When a gateway is killed while requests run in both processes
        far = await _held(serving, clients[1:], side)
        near = clients[0]
        await near.get("/fn/lone/")  # of which the server alone has a worker
        running_near = asyncio.ensure_future(near.get("/fn/lone/"))
        await serving.until(lambda: serving.server.engine.dispatcher.pools["lone"].busy)
        line = 1 + SOURCE.splitlines().index("def where(event, context):") + 1
        point = await serving.server.arm_point(
            PointWanted(function="where", file="app.py", line=line, text="{VERSION}", count=1_000)
        )
        os.kill(side.pid, signal.SIGKILL)
        # I expect its own request to break off, the others to be answered, and new ones too
        with pytest.raises((asyncio.IncompleteReadError, ConnectionError)):
            await far.answer()
        assert (await running_near).status == 200
        fresh = [await _Client.of(serving) for _ in range(8)]
        assert {(await client.get("/fn/where/")).status for client in fresh} == {200}
        # ... the gateway to be started again and to work
        again = (await _spread(serving, fresh, "/fn/where/"))[side.pid]
        assert side.restarts == 1
        # ... and to have the logpoint that was set before
        process = 0
        while process != side.pid:  # its worker may have left, and the connection with it
            [before] = await serving.server.points()
            process = _process(await again.get("/fn/where/"))
            [after] = await serving.server.points()
            assert after["hits"] == before["hits"] + 1
            again = (await _spread(serving, fresh, "/fn/where/"))[side.pid]
        await serving.server.remove_point(point["number"])
        # ... and its records to be finished by its journal: none lost, none twice
        rows = dict(
            await serving.rows("SELECT Status, count() FROM invocations WHERE Function = 'slow' GROUP BY 1")
        )
        rows.pop("cancelled", 0)  # those that the server had got
        assert rows.pop("lost") == 1
        assert set(rows) == {"ok"}
        [(twice,)] = await serving.rows(
            "SELECT count() - countDistinct(InvocationId) FROM invocations WHERE Function = 'where'"
        )
        assert twice == 0
        [(kept,)] = await serving.rows(
            "SELECT count() FROM invocations WHERE Function = 'where' AND Version = 2"
        )
        assert kept >= versions.count(2)
        # When a gateway is stopped that has connections which rest, and a request that it runs
        far = await _held(serving, fresh[1:], side)
        resting = (await _spread(serving, [one for one in fresh if one is not far], "/fn/where/"))[side.pid]
        held = side._held
        assert held is not None
        await serving.until(lambda: not held.answering)
        stopped = side.pid
        os.kill(stopped, signal.SIGSTOP)
        await resting.send("/fn/where/")
        # I expect new connections to be the server's, and the gateway to be replaced
        await serving.until(lambda: not side.answers)
        assert "nothing" in serving.server.gateways.describe()["gateway 2"]["state"] or side.pid != stopped
        later = await _Client.of(serving)
        assert (await later.get("/fn/where/")).status == 200
        await serving.until(lambda: side.answers and side.pid != stopped)
        assert side.restarts == 2
        # ... the request that came meanwhile to be answered, and the one that it ran to be told why it is not
        assert (await resting.answer()).status == 200
        told = await far.answer()
        assert (told.status, told.headers.get("connection")) == (502, "close"), told
        assert b"GatewayLost" in told.body
        later.close()
        for client in fresh:
            client.close()


async def _held(serving: Served, clients: list[_Client], side: SideGateway) -> _Client:
    """A connection whose request runs in a gateway, for long. The request may also go to the server, with its
    connection: what a gateway has told of its load is older than the request, so it is asked for this one."""
    pools = serving.server.engine.host.pools
    while True:
        client = (await _spread(serving, clients, "/fn/slow/"))[side.pid]
        sent_ns = time.time_ns()
        await client.send("/fn/slow/", "x-seconds: 600\r\n")
        while True:
            theirs = _found.decode(await side.channel.ask("find", "slow", PATIENCE_S))
            if theirs is not None and theirs.accepted_ns >= sent_ns:
                await serving.until(lambda: _busy(side))
                return client
            own = find(in_flight(pools.values()), "slow")
            if own is not None and own.attempt.record.accepted_ns >= sent_ns:
                break
            await asyncio.sleep(0.01)
        await serving.server.gateways.cancel(own.attempt.record.invocation_id)
        await client.answer()


async def _at_rest(side: SideGateway, function: str) -> None:
    """Until the gateway has done all that comes after an answer: till then it gives connections away."""
    deadline = time.monotonic() + PATIENCE_S
    while _found.decode(await side.channel.ask("find", function, PATIENCE_S)) is not None:
        assert time.monotonic() < deadline
        await asyncio.sleep(0.01)


def _busy(side: SideGateway) -> bool:
    """Whether a worker of a gateway runs something, as far as it has told."""
    return side.load is not None and side.load.workers.get(BUSY, 0) > 0

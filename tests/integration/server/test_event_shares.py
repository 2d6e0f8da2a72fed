"""Events of several functions side by side, and what makes two sendings one event."""

from __future__ import annotations

import asyncio
import functools
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from relive_platform.api.client import ControlClient
from relive_platform.engine.invocation import InvokeRequest
from relive_platform.triggers.queue import DiskFull, QueueFull
from server_harness import served, write_app

CODE = """\
import relive, time
def intake(event, context):
    return event["missing"]
def healthy(event, context):
    return "ok"
def web(request):
    return request.method
def sender(event, context):
    try:
        return relive.send("healthy", event["payload"], event_id=event["id"])
    except relive.FunctionError as error:
        return error.type
"""
APP = "".join(
    f'[functions.{name}]\nsource = "."\nhandler = "app:{name}"\nretries = 0\n{more}'
    for name, more in (("intake", ""), ("healthy", ""), ("web", 'kind = "http"\n'), ("sender", ""))
)


async def test_dead_events_of_one_function_block_no_other_and_can_be_discarded(tmp_path: Path) -> None:
    async with served(tmp_path / "home", queue_events=3, with_api=True) as running:
        # Given a function whose events all die, more of them than the queue takes at a time
        await running.deploy(write_app(tmp_path / "app", CODE, APP))
        queue = running.server.queue
        for number in range(9):
            while True:
                try:
                    await running.server.publish(InvokeRequest(function="intake", event=b"{}"), f"e{number}")
                    break
                except QueueFull:  # only while its own ones run
                    await asyncio.sleep(0.02)
        await running.until(lambda: queue.counts().result(60).dead == 9)

        # I expect others' events to be done
        await running.server.publish(InvokeRequest(function="healthy", event=b"{}"), "h")
        await running.until(lambda: queue.look("h", "healthy").result(60)[0].state == "done")

        # ... and the dead ones to be tried again or discarded: one, those of a function, all
        def ask(work):  # type: ignore[no-untyped-def]
            with ControlClient(running.server.api_address, token=_token(tmp_path)) as client:
                return work(client)

        thread = asyncio.get_running_loop().run_in_executor
        assert await thread(None, ask, lambda client: client.discard_event("e0")) == "e0"
        assert await thread(None, ask, lambda client: client.retry_dead("intake")) == 8
        await running.until(lambda: queue.counts().result(60).dead == 8)
        assert await thread(None, ask, lambda client: client.discard_events(["dead"], "intake")) == 8
        assert queue.counts().result(60).dead == 0


ONCE = """\
import os
def once(event, context):
    if not os.path.exists(event["go"]):
        raise ValueError("not yet")
"""


async def test_who_hears_late_of_a_retry_is_told_of_it_though_the_event_is_done(tmp_path: Path) -> None:
    async with served(tmp_path / "home", with_api=True, isolation_tier=0) as running:
        # Given an event that has died, and would not any more
        table = '[functions.once]\nsource = "."\nhandler = "app:once"\nretries = 0\n'
        await running.deploy(write_app(tmp_path / "app", ONCE, table))
        queue, go = running.server.queue, tmp_path / "go"
        event = json.dumps({"go": str(go)}).encode()
        await running.server.publish(InvokeRequest(function="once", event=event), "o")
        await running.until(lambda: queue.counts().result(60).dead == 1)
        go.touch()

        # When it is done before who has asked for its retry hears of that
        retry = queue.retry

        def heard_late(*given):  # type: ignore[no-untyped-def]
            told = retry(*given)
            assert told.exception(60) is None
            while queue.look("o", "once").result(60)[0].state != "done":
                time.sleep(0.01)
            return told

        queue.retry = heard_late

        def ask() -> tuple[str, str, int]:
            with ControlClient(running.server.api_address, token=_token(tmp_path)) as client:
                found = client.retry_event("o", "once")
            return found.event_id, found.state, found.attempts

        # I expect the retry to be told as ever
        assert await asyncio.get_running_loop().run_in_executor(None, ask) == ("o", "ready", 0)


async def test_an_event_that_begins_while_somebody_cancels_it_is_cancelled(tmp_path: Path) -> None:
    async with served(tmp_path / "home", with_api=True) as running:
        # Given an event that waits when its cancellation looks at what runs, and runs when it looks at the
        # queue
        endless = "import time\ndef endless(event, context):\n    time.sleep(600)\n"
        table = '[functions.endless]\nsource = "."\nhandler = "app:endless"\nretries = 0\ntimeout_s = 600\n'
        await running.deploy(write_app(tmp_path / "app", endless, table))
        gateways, looked = running.server.gateways, []
        cancel = gateways.cancel

        async def cancel_early(ident):  # type: ignore[no-untyped-def]
            looked.append(ident)
            if len(looked) > 1:
                return await cancel(ident)
            request = InvokeRequest(function="endless", event=b"{}")
            await running.server.publish(request, "o")
            workers = running.server.engine.host.workers
            await running.until(lambda: any(worker.begun for worker in workers.values()))
            return None

        gateways.cancel = cancel_early

        def ask() -> str:
            with ControlClient(running.server.api_address, token=_token(tmp_path)) as client:
                return str(client.cancel("o").state)

        # When it is cancelled, I expect it to be ended
        assert await asyncio.get_running_loop().run_in_executor(None, ask) == "running"
        await running.until(lambda: running.server.queue.counts().result(60).dead == 1)


def _token(folder: Path) -> str:
    return (folder / "home" / "run" / "token").read_text()


async def test_an_end_that_the_disk_refuses_is_told_again_and_the_event_runs_once(tmp_path: Path) -> None:
    async with served(tmp_path / "home") as running:
        # Given a queue that cannot write the end of an event at first
        await running.deploy(write_app(tmp_path / "app", CODE, APP))
        table, refused = running.server.queue._table, []
        complete = table.complete

        def full_twice(*arguments):  # type: ignore[no-untyped-def]
            if len(refused) < 2:
                refused.append(arguments)
                raise DiskFull
            complete(*arguments)

        table.complete = full_twice
        # When an event is run
        await running.server.publish(InvokeRequest(function="healthy", event=b"{}"), "h")
        # I expect it to be done in the end, after one attempt
        await running.until(lambda: running.server.queue.look("h", "healthy").result(60)[0].state == "done")
        assert len(refused) == 2
        ((attempts,),) = await running.rows("SELECT count() FROM invocations WHERE Function = 'healthy'")
        assert attempts == 1


async def test_an_idempotency_key_stands_for_one_request_whatever_its_headers(tmp_path: Path) -> None:
    async with served(tmp_path / "home") as running:
        await running.deploy(write_app(tmp_path / "app", CODE, APP))

        async def send(
            key: str, method: str, path: str, body: bytes, **headers: str
        ) -> tuple[int, bool | None]:
            sent = {"prefer": "respond-async", "idempotency-key": key} | {
                name.replace("_", "-"): value for name, value in headers.items()
            }
            answer = await running.http(method, path, body, sent)
            return answer.status, json.loads(answer.body).get("duplicate")

        # Given a request that was accepted
        assert await send("k", "POST", "/fn/web/a?q=1", b"[1]", user_agent="one") == (202, False)

        # I expect the same one to be known, whatever its headers say of the client and the try
        assert await send("k", "POST", "/fn/web/a?q=1", b"[1]", user_agent="two", x_try="2") == (202, True)
        # ... and any other to be refused
        for method, path, body in (
            ("PUT", "/fn/web/a?q=1", b"[1]"),
            ("POST", "/fn/web/b?q=1", b"[1]"),
            ("POST", "/fn/web/a?q=2", b"[1]"),
            ("POST", "/fn/web/a?q=1", b"[2]"),
        ):
            assert (await send("k", method, path, body))[0] == 409
        assert (await send("k", "POST", "/fn/web/a?q=1", b"[1]", content_type="text/plain"))[0] == 409
        # ... and another function to have ids of its own
        assert await send("k", "POST", "/fn/healthy/a?q=1", b"[1]") == (202, False)


async def test_a_function_gives_the_event_that_it_sends_an_id(tmp_path: Path) -> None:
    async with served(tmp_path / "home") as running:
        await running.deploy(write_app(tmp_path / "app", CODE, APP))

        async def send(event_id: str, payload: int) -> object:
            event = json.dumps({"id": event_id, "payload": payload}).encode()
            return json.loads((await running.invoke("sender", event)).body)

        # When it sends the same twice, I expect one event; with another payload, a refusal
        assert await send("order-7", 1) == "order-7"
        assert await send("order-7", 1) == "order-7"
        assert await send("order-7", 2) == "Conflict"
        await running.until(
            lambda: running.server.queue.look("order-7", "healthy").result(60)[0].state == "done"
        )
        ((runs,),) = await running.rows("SELECT count() FROM invocations WHERE Function = 'healthy'")
        assert runs == 1


SLOW_TO_LOAD = """\
import pathlib, time
pathlib.Path({mark!r}).touch()
while not pathlib.Path({go!r}).exists():
    time.sleep(0.02)
def healthy(event, context):
    return "new"
"""


def deploying(home: Path, application: Path) -> subprocess.Popen[str]:
    """`relive deploy`, running; Ctrl-C reaches it also where the tests run in the background."""
    command = [sys.executable, "-m", "relive", "--home", str(home), "deploy", str(application)]
    heard = functools.partial(signal.signal, signal.SIGINT, signal.SIG_DFL)
    return subprocess.Popen(command, stderr=subprocess.PIPE, text=True, preexec_fn=heard)


async def test_a_deploy_whose_client_is_interrupted_does_not_go_live(tmp_path: Path) -> None:
    async with served(tmp_path / "home", with_api=True, isolation_tier=0) as running:
        # Given a function in service, and a new version of it that takes its time to load
        one = '[functions.healthy]\nsource = "."\nhandler = "app:healthy"\n'
        await running.deploy(write_app(tmp_path / "app", CODE, one))
        mark, go = tmp_path / "loading", tmp_path / "go"
        write_app(tmp_path / "app", SLOW_TO_LOAD.format(mark=str(mark), go=str(go)), one)
        client = deploying(tmp_path / "home", tmp_path / "app")
        await running.until(mark.exists, 60)

        # When Ctrl-C ends the client, and the version is loaded after that
        os.kill(client.pid, signal.SIGINT)
        _, told = await asyncio.get_running_loop().run_in_executor(None, client.communicate)
        go.touch()

        # I expect the client to say so, and the old version to go on; and the next deploy not to wait for it
        assert client.returncode == 4
        assert "cancelled" in told
        await running.deploy(write_app(tmp_path / "app", CODE.replace("test", "other"), one))
        assert running.server.functions.serving["healthy"].version == 1
        assert json.loads((await running.invoke("healthy", b"{}")).body) == "ok"

"""Applications of ASGI and WSGI, unchanged: many requests at once in one worker, each recorded as its own."""

from __future__ import annotations

import ast
import asyncio
import json
from pathlib import Path

import pytest
from gate import Gate
from patience import PATIENCE_S
from relive_base.parts import State, Why
from relive_platform.engine.attempt import RUNNING
from relive_platform.engine.workers.worker import Worker
from relive_platform.replay import ReplayOptions, replay
from relive_platform.replay.model import PAST, SAME
from relive_tracer.explore.span_sums import blocks
from relive_views.profiles.why_slow import why_slow
from server_harness import Served, parse
from service_answers import invocation, lines, opened, scene_of
from small_server import serving

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def begun(services: Served, *names: str, function: str = "shop") -> None:
    """Until requests of paths that end so run in the worker of a service. What an answered one still has to
    tell is no longer looked at."""
    workers = services.server.engine.host.workers

    def run(worker: Worker) -> list[str]:
        attempts = [one for one in worker.attempts.values() if one.state == RUNNING]
        return sorted(one.record.http_path.rpartition("/")[2] for one in attempts)

    await services.until(
        lambda: any(run(one) == sorted(names) for one in workers.values() if one.spec.name == function)
    )


async def test_the_application_is_called_as_by_other_servers(services: Served) -> None:
    # When requests come by its own URL and by its route
    greeted = await services.http("GET", "/fn/shop/greet")
    again = await services.http("GET", "/fn/shop/greet")
    own = ast.literal_eval((await services.http("GET", "/fn/shop/scope")).body.decode())
    encoded = ast.literal_eval((await services.http("GET", "/fn/shop/scope?a=%2F")).body.decode())

    # I expect one process that has started once, with the state of its lifespan
    assert greeted.body.startswith(b"hello ")
    assert greeted.body == again.body

    # ... and the scope to say where it is mounted, and which trace goes on
    assert (own["path"], own["root_path"]) == ("/fn/shop/scope", "/fn/shop")
    assert (own["method"], own["scheme"], own["http_version"]) == ("GET", "http", "1.1")
    assert own["traceparent"].endswith("-01")
    assert encoded["raw_path"] == "/fn/shop/scope"


async def test_requests_run_beside_each_other_and_each_is_its_own(services: Served, gate: Gate) -> None:
    # Given three requests that wait at once in one worker
    names = ("a", "b", "c")
    held = [
        asyncio.ensure_future(services.http("GET", f"/fn/shop/held?name={name}&go={gate.file}"))
        for name in names
    ]
    await begun(services, *["held"] * 3)

    # When they may go on
    gate.open()
    answers = await asyncio.gather(*held)

    # I expect each to have its answer, its trace and its lines
    assert [answer.body for answer in answers] == [b"let go"] * 3
    assert len({answer.headers["traceparent"] for answer in answers}) == 3
    for name, answer in zip(names, answers, strict=True):
        assert await lines(services, answer) == [f"held begins {name}", f"{name} waits", f"held ends {name}"]


async def test_one_that_fails_has_a_scene_and_the_others_go_on(services: Served, gate: Gate) -> None:
    # Given a request that waits
    held = asyncio.ensure_future(services.http("GET", f"/fn/shop/held?name=x&go={gate.file}"))
    await begun(services, "held")

    # When another one fails beside it
    failed = await services.http("GET", "/fn/shop/fails?sku=ink")
    worker_goes_on = await services.http("GET", "/fn/shop/greet")
    gate.open()
    waited = await held

    # I expect its own failure, with its frames and locals, and that nobody else has noticed
    assert failed.status == 500
    assert failed.error["type"] == "KeyError"
    assert await invocation(services, failed) == ("error", "KeyError", "checkout")
    frames = (await scene_of(services, failed)).exceptions[0].frames
    assert [frame.function for frame in frames][-2:] == ["app", "checkout"]
    assert "ink" in str(frames[-1].locals)
    assert worker_goes_on.status == 200
    assert waited.body == b"let go"


async def test_a_service_leaves_a_heap_once_in_a_time_and_serves_on(services: Served, gate: Gate) -> None:
    # Given a service of which no heap was taken lately, and a request that waits
    heaps = services.server.engine.host.heaps
    heaps._beside.clear()
    heaps._seen.clear()
    held = asyncio.ensure_future(services.http("GET", f"/fn/shop/held?name=x&go={gate.file}"))
    await begun(services, "held")

    # When two others fail
    failed = [await services.http("GET", f"/fn/shop/fails?sku={sku}") for sku in ("heaped-ink", "pen")]

    # I expect the first one's scene to get the heap, with its frames, the second one's to say why it has
    # none, both to have threads and tasks of the process, and the worker to go on
    await services.until(lambda: not heaps.walking)
    scenes = [await scene_of(services, one) for one in failed]
    async with asyncio.timeout(PATIENCE_S):
        while scenes[0].parts["heap"].because(Why.WALK_PENDING):
            scenes[0] = await scene_of(services, failed[0])
    assert scenes[0].parts["heap"].state in (State.OK, State.PARTIAL), scenes[0].parts["heap"]
    roots = [root for root in scenes[0].heap().roots if root.kind == "frame"]
    assert [root.function for root in roots][-2:] == ["app", "checkout"]
    assert scenes[1].parts["heap"].because(Why.HEAP_BESIDE_LATELY)
    for scene in scenes:
        assert {scene.parts[name].state for name in ("threads", "tasks", "environment")} == {State.OK}
    gate.open()
    assert (await held).body == b"let go"


async def test_a_mended_request_that_fails_later_is_past_its_failing_line(
    services: Served, tmp_path: Path
) -> None:
    # Given a request that has failed, and code that does not fail there, but goes on to a call
    failed = await services.http("GET", "/fn/shop/fails?sku=pen")
    scene = await scene_of(services, failed)
    home = services.server.settings.home
    mended = (
        (home / "code" / "shop" / "1" / "app.py")
        .read_text()
        .replace('raise KeyError(basket["sku"])', "return total")
        .replace(
            "await checkout(basket)",
            'total = await checkout(basket)\n        call({"at": "http://shop.test", "sku": total}, "later")',
        )
    )
    (tmp_path / "app.py").write_text(mended)

    # When it is replayed with that code
    run = await asyncio.to_thread(replay, scene, home, ReplayOptions(code=tmp_path))

    # I expect the verdict to say so, and which call it was
    assert run.outcome == PAST
    assert run.runs[0].calls.missing == ["GET http://shop.test:80/later?sku=3"]


async def test_a_request_that_failed_beside_another_is_replayed(
    services: Served, gate: Gate, tmp_path: Path
) -> None:
    # Given two requests that have called another server before, while and after they waited for each other
    with serving() as at:
        paths = [f"/fn/shop/calls?at={at}&sku={sku}&go={gate.file}" for sku in ("ink", "pen")]
        held = [asyncio.ensure_future(services.http("GET", path)) for path in paths]
        await services.until(lambda: all(Path(f"{gate.file}{sku}").exists() for sku in ("ink", "pen")))
        gate.open()
        failed = await asyncio.gather(*held)

    # I expect each scene to have the calls of its own request, those of a pool's threads, too
    scenes = [await scene_of(services, answer) for answer in failed]
    for scene, sku in zip(scenes, ("ink", "pen"), strict=True):
        urls = [one.url.removeprefix(at) for one in scene.recorded_calls]
        assert sorted(urls) == [f"/{name}?sku={sku}" for name in ("a", "b", "first")]
        assert scene.parts["replay"].because(Why.CALLS_OF_NOBODY) is None

    # When one is replayed, and the other server is gone
    home = services.server.settings.home
    run = await asyncio.to_thread(replay, scenes[1], home, ReplayOptions())

    # I expect the same failure: the same answers, and the same random bytes
    assert (run.runs[0].outcome, run.runs[0].message) == (SAME, failed[1].error["message"])
    assert (run.runs[0].calls.answered, run.runs[0].calls.missing) == (3, [])


async def test_an_exception_that_is_answered_for_is_the_failure(services: Served) -> None:
    # When the application logs an exception and answers with a 503
    answer = await services.http("GET", "/fn/shop/swallowed")

    # I expect its own answer, and the exception as the failure
    assert (answer.status, answer.body) == (503, b"sorry")
    assert (await invocation(services, answer))[:2] == ("error", "LookupError")


async def test_what_is_handled_while_a_500_is_answered_is_the_failure(services: Served) -> None:
    # When applications answer 500 for an exception that nobody logs, as unknown frameworks do
    for function in ("shop", "web"):
        failed = await services.http("GET", f"/fn/{function}/handled?sku=ink&status=500")
        told = await services.http("GET", f"/fn/{function}/handled?sku=ink&status=404")

        # I expect their own answers, and the exception with its frames as the failure of the first one only
        assert (failed.status, failed.body, told.status) == (500, b"sorry", 404)
        assert (await invocation(services, failed))[:2] == ("error", "LookupError")
        frames = (await scene_of(services, failed)).exceptions[0].frames
        assert "ink" in str(frames[-1].locals)
        assert (await invocation(services, told))[0] == "ok"


async def test_time_limits_end_one_request_wherever_it_stands(services: Served) -> None:
    # Given a service whose requests may take three seconds
    # When one waits for longer, and one computes
    before = await services.http("GET", "/fn/hasty/greet")
    held = asyncio.ensure_future(services.http("GET", "/fn/hasty/forever?order=7"))
    await begun(services, "forever", function="hasty")  # what computes lets no other one begin
    waits, spins = await asyncio.gather(held, services.http("GET", "/fn/hasty/spins"))

    # I expect both to end, with a scene of where each stood
    assert (waits.status, spins.status) == (504, 504)
    for answer, local in ((waits, "order"), (spins, "query")):
        assert (await invocation(services, answer))[:2] == ("timeout", "Timeout")
        own = [frame for frame in (await scene_of(services, answer)).exceptions[0].frames if frame.in_app]
        assert own[-1].function == "app"
        assert local in str(own[-1].locals)

    # ... and the worker to serve on
    assert (await services.http("GET", "/fn/hasty/greet")).body == before.body


async def test_who_blocks_the_loop_is_named_to_those_that_it_delays(services: Served) -> None:
    # When one request keeps the loop for itself beyond the time limit of another
    held = asyncio.ensure_future(services.http("GET", "/fn/hasty/forever?order=8"))
    await begun(services, "forever", function="hasty")
    blocking, delayed = await asyncio.gather(services.http("GET", "/fn/hasty/blocks?s=2.7"), held)

    # I expect the scene of the one that it delayed to name it
    assert delayed.status == 504
    blocks = json.loads((await scene_of(services, delayed)).member("blocking.json"))
    assert blocks[-1]["by"] == blocking.headers["x-relive-invocation-id"]
    assert (blocks[-1]["file"], blocks[-1]["function"]) == ("app.py", "app")


async def test_who_blocks_the_loop_is_named_to_those_that_come_meanwhile(
    services: Served, gate: Gate, tmp_path: Path
) -> None:
    # Given requests that are answered at once, and one that keeps the loop for itself
    for _ in range(3):
        await services.http("GET", "/fn/shop/greet")
    told = tmp_path / "told"
    page = f"/fn/shop/blocks?s=0.3&told={told}&go={gate.file}"
    blocking = asyncio.ensure_future(services.http("GET", page))
    await services.until(told.exists)

    # When others are sent to its worker meanwhile, and one of them fails
    late = asyncio.ensure_future(services.http("GET", "/fn/shop/greet"))
    fails = asyncio.ensure_future(services.http("GET", "/fn/shop/fails?sku=ink"))
    await begun(services, "blocks", "greet", "fails")
    gate.open()
    blocker, delayed, failed = await asyncio.gather(blocking, late, fails)
    by = blocker.headers["x-relive-invocation-id"]
    ident = delayed.headers["x-relive-invocation-id"]

    # I expect that time to be waiting, in its record and its trace
    sql = f"SELECT QueueNs, DurationNs, TotalNs FROM invocations WHERE InvocationId = '{ident}'"  # noqa: S608
    queue_ns, duration_ns, total_ns = (await services.rows(sql))[0]
    assert 300_000_000 <= queue_ns <= total_ns - duration_ns
    sql = f"SELECT Duration FROM otel_traces WHERE InvocationId = '{ident}' AND SpanName = 'queue'"  # noqa: S608
    assert (await services.rows(sql))[0][0] == queue_ns

    # ... with who blocked, and where, in the trace, the scene and the answer to why it was slow
    store = services.server.store
    (block,) = await asyncio.to_thread(blocks, store, [ident], 0, 2**62)
    assert 300 <= block.before_ms <= block.blocked_ms <= queue_ns / 1e6 + 1
    assert [one["relive.blocked.by"] for one in block.by] == [by]
    assert block.by[0]["relive.blocked.route"] == "GET /fn/shop/blocks"
    found = json.loads((await scene_of(services, failed)).member("blocking.json"))
    assert [(one["by"], one["file"], one["function"]) for one in found] == [(by, "app.py", "app")]
    answer = (await asyncio.to_thread(why_slow, store, ident)).answer
    assert (answer.cause, answer.target) == ("blocked", by), answer.sentence
    assert sum(part.after_ns for part in answer.parts) == answer.now.total_ns

    # ... and the one that blocked to say so itself
    sql = f"""SELECT toUInt64(SpanAttributes['relive.blocking_ms']) FROM otel_traces
        WHERE InvocationId = '{by}' AND SpanName = 'shop'"""  # noqa: S608
    assert (await services.rows(sql))[0][0] >= 300


async def test_answers_and_bodies_are_streamed(services: Served, gate: Gate) -> None:
    # When an answer comes in parts
    async with opened(services, f"GET /fn/shop/stream?go={gate.file}") as (reader, _):
        async with asyncio.timeout(PATIENCE_S):
            first = await reader.readuntil(b"data: 2\n\n")
            gate.open()
            last = await reader.readuntil(b"0\r\n\r\n")

    # I expect them as they come
    assert b"data: 0\n\n" in first
    assert b"data: end\n\n" in last

    # ... and a large body to reach the application part by part, past the limit of a function's event
    size = 8_000_000
    assert (await services.http("POST", "/fn/shop/length", b"x" * size)).body == b"8000000 in many"
    assert (await services.http("POST", "/fn/shop/length", b"x" * 100)).body == b"100 in one"
    assert len((await services.http("GET", "/fn/shop/big")).body) == 3_000_000


async def test_an_application_hears_that_its_client_has_gone(services: Served, tmp_path: Path) -> None:
    # When a client leaves in the middle of an answer
    streamed = tmp_path / "streamed"
    async with opened(services, f"GET /fn/shop/until-gone?told={streamed}") as (reader, _):
        async with asyncio.timeout(PATIENCE_S):
            await reader.readuntil(b"first")

    # ... or before it
    silent = tmp_path / "silent"
    async with opened(services, f"GET /fn/shop/waits-for-gone?told={silent}"):
        await services.until(Path(f"{silent}.begun").exists)

    # I expect http.disconnect
    for file in (streamed, silent):
        await services.until(lambda file=file: file.exists() and file.read_text() == "http.disconnect")


async def test_a_body_that_breaks_in_the_middle_of_an_answer_ends_both(
    services: Served, tmp_path: Path
) -> None:
    # Given an application that answers while it reads
    told = tmp_path / "told"
    head = f"POST /fn/shop/until-gone?told={told} HTTP/1.1\r\nhost: localhost\r\n"
    reader, writer = await asyncio.open_connection(*services.address())
    writer.write(head.encode() + b"transfer-encoding: chunked\r\n\r\n5\r\nhello\r\n")
    async with asyncio.timeout(PATIENCE_S):
        await reader.readuntil(b"first")

        # When what follows is no chunk
        writer.write(b"ZZ\r\n")
        rest = await reader.read()
    writer.close()

    # I expect no second answer within the first, which is no whole one, and the application to hear of it
    assert b"HTTP/1.1" not in rest
    assert not rest.endswith(b"0\r\n\r\n")
    await services.until(lambda: told.exists() and told.read_text() == "http.disconnect")


async def test_what_nobody_waits_for_is_cancelled_and_is_no_failure(services: Served, tmp_path: Path) -> None:
    # When clients leave an application that does not ask who is there: it waits, sends on, or cleans up long
    told = [tmp_path / name for name in ("waits", "sends", "cleans")]
    for file in told:
        async with opened(services, f"GET /fn/shop/deaf/{file.name}?told={file}") as (reader, _):
            await services.until(Path(f"{file}.begun").exists)
            if file.name == "sends":  # by then it is on its way
                async with asyncio.timeout(PATIENCE_S):
                    await reader.readuntil(b"more")

    # I expect its code to be cancelled after a while
    for file in told:
        await services.until(lambda file=file: file.exists() and file.read_text() == "cancelled")

    # ... which is no failure, and no answer that anybody had
    rows = "SELECT HttpPath, Status, HttpStatus FROM invocations WHERE HttpPath LIKE '%/deaf/%'"
    found: list[tuple[object, ...]] = []
    while len(found) < len(told):
        found = await services.rows_of(rows)
    by_path = {str(path).rpartition("/")[2]: (status, http) for path, status, http in found}
    assert by_path == {"waits": ("ok", 499), "sends": ("ok", 200), "cleans": ("ok", 499)}


async def test_what_is_done_after_the_answer_keeps_no_client_waiting(services: Served, gate: Gate) -> None:
    # When the application goes on after its answer
    answer = await services.http("GET", f"/fn/shop/early?go={gate.file}")
    gate.open()

    # I expect the answer at once, and what is written later as of the same invocation
    assert answer.body == b"before its work"
    workers = services.server.engine.host.workers.values()
    await services.until(lambda: not any(worker.begun for worker in workers))
    assert await lines(services, answer) == ["its work is done"]


async def test_answers_that_are_none_are_errors(services: Served) -> None:
    # When the application answers nothing, or less than it says
    nothing = await services.http("GET", "/fn/shop/nothing")
    short = await services.http("GET", "/fn/shop/short")

    splits = await services.http("GET", "/fn/shop/splits")

    # I expect errors that say so
    assert (splits.status, splits.error["type"]) == (502, "BadResult")
    assert (await invocation(services, splits))[:2] == ("error", "BadResult")
    assert (nothing.status, nothing.error["type"]) == (502, "BadResult")
    assert (short.status, short.error["message"]) == (500, "Response content shorter than Content-Length")

    # ... and the head of an answer without a body to be as it was given
    head = parse(
        await services.raw(b"HEAD /fn/shop/head HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n")
    )
    assert (head.headers["content-length"], head.body) == ("123", b"")


async def test_a_process_that_ends_leaves_a_scene_for_each_request(services: Served, gate: Gate) -> None:
    # Given a request that waits
    held = asyncio.ensure_future(services.http("GET", f"/fn/shop/held?name=x&go={gate.file}"))
    await begun(services, "held")

    # When another one ends the process
    exits = await services.http("GET", "/fn/shop/exits")
    lost = await held

    # I expect both to be answered, each with a scene of where it stood
    assert (exits.status, lost.status) == (502, 502)
    for answer, function in ((exits, "app"), (lost, "until")):
        assert await invocation(services, answer) == ("crash", "WorkerExited", function)
    assert exits.headers["x-relive-invocation-id"] in (await scene_of(services, lost)).exceptions[0].message


async def test_who_crashes_the_process_is_told_from_those_beside_it(services: Served, gate: Gate) -> None:
    # Given a request that waits
    held = asyncio.ensure_future(services.http("GET", f"/fn/shop/held?name=x&go={gate.file}"))
    await begun(services, "held")

    # When another one crashes the process in C code
    crashes = await services.http("GET", "/fn/shop/crashes")
    lost = await held

    # I expect both to be answered, and told apart
    assert (crashes.status, lost.status) == (502, 502)
    assert await invocation(services, crashes) == ("crash", "WorkerKilled", "app")
    assert (await invocation(services, lost))[:2] == ("crash", "WorkerEnded")
    told = (await scene_of(services, lost)).exceptions[0].message
    assert crashes.headers["x-relive-invocation-id"] in told


async def test_spans_of_the_framework_itself_are_left_out(services: Served) -> None:
    # When a framework makes spans by itself, and the application its own
    answer = await services.http("GET", "/fn/shop/spans")

    # I expect those of the application alone, below the invoke span, which has what it put on the framework's
    ident = answer.headers["x-relive-invocation-id"]
    trace_id, span_id = answer.headers["traceparent"].split("-")[1:3]
    sql = f"SELECT SpanName, ParentSpanId, SpanAttributes FROM otel_traces WHERE TraceId = '{trace_id}'"  # noqa: S608
    rows = {str(row[0]): row for row in await services.rows(sql)}
    assert "of the framework" not in rows
    assert rows["of the application"][1] == span_id
    assert rows["shop"][2]["order.id"] == "7"
    assert rows["shop"][2]["faas.invocation_id"] == ident


async def test_one_request_can_be_cancelled_and_events_come_in_as_posts(services: Served, gate: Gate) -> None:
    # Given two requests that wait
    first = asyncio.ensure_future(services.http("GET", "/fn/shop/forever?order=1"))
    second = asyncio.ensure_future(services.http("GET", f"/fn/shop/held?name=x&go={gate.file}"))
    await begun(services, "forever", "held")
    await services.http("GET", "/fn/shop/greet")  # what is answered came behind them: their code has begun

    # When one of them is cancelled
    workers = services.server.engine.host.workers.values()
    attempts = [one for worker in workers for one in worker.attempts.values()]
    ident = next(one.record.invocation_id for one in attempts if one.record.http_path.endswith("/forever"))
    assert services.server.engine.cancel(ident) is not None
    cancelled = await first
    gate.open()

    # I expect that one to end, with a scene of where it stood, and the other to go on
    assert cancelled.status == 503
    assert (await invocation(services, cancelled))[0] == "cancelled"
    assert (await scene_of(services, cancelled)).exceptions[0].frames[-1].file
    assert (await second).body == b"let go"

    # ... and an event that comes otherwise to be a POST
    outcome = await services.invoke("shop", b'{"a": 1}')
    assert outcome.result is not None
    assert (outcome.record.status, outcome.result.http_status) == ("ok", 404)


async def test_a_slow_upload_is_no_slow_answer(services: Served) -> None:
    # Given a service whose requests may take three seconds
    reader, writer = await asyncio.open_connection(*services.address())
    writer.write(b"POST /fn/hasty/length HTTP/1.1\r\nhost: localhost\r\ncontent-length: 200000\r\n\r\n")

    # When a body takes longer than that to come
    for _ in range(4):
        writer.write(b"x" * 50_000)
        await writer.drain()
        await asyncio.sleep(0.8)

    # I expect the time limit to count from its end
    async with asyncio.timeout(PATIENCE_S):
        assert (await reader.readuntil(b"in many")).startswith(b"HTTP/1.1 200")
    writer.close()


# ------------------------------------------------------------ WSGI


async def test_wsgi_requests_run_beside_each_other(services: Served, gate: Gate) -> None:
    # Given three requests that wait at once in one worker
    names = ("a", "b", "c")
    held = [
        asyncio.ensure_future(services.http("GET", f"/fn/web/held?name={name}&go={gate.file}"))
        for name in names
    ]
    await begun(services, *["held"] * 3, function="web")

    # When one fails beside them, and then they may go on
    failed = await services.http("GET", "/fn/web/fails?sku=ink")
    gate.open()
    answers = await asyncio.gather(*held)

    # I expect each to have its answer, off the main thread, and its lines
    assert [answer.body for answer in answers] == [b"False"] * 3
    for name, answer in zip(names, answers, strict=True):
        assert await lines(services, answer) == [f"held begins {name}", f"held ends {name}"]

    # ... and the failure to have its own scene
    assert await invocation(services, failed) == ("error", "KeyError", "web")
    frames = (await scene_of(services, failed)).exceptions[0].frames
    assert "ink" in str(frames[-1].locals)


async def test_a_time_limit_ends_one_wsgi_request_and_its_thread_serves_on(services: Served) -> None:
    # When one request takes longer than it may, beside another
    late, fine = await asyncio.gather(
        services.http("GET", "/fn/hasty_web/forever?order=7"), services.http("GET", "/fn/hasty_web/x")
    )

    # I expect its scene to say where it stood, and nobody else to notice
    assert (late.status, fine.status) == (504, 200)
    own = [frame for frame in (await scene_of(services, late)).exceptions[0].frames if frame.in_app]
    assert (own[-1].function, "order" in str(own[-1].locals)) == ("web", True)

    # ... and its thread to be given back
    workers = services.server.engine.host.workers.values()
    await services.until(lambda: not any(one.begun for one in workers if one.spec.name == "hasty_web"))


async def test_wsgi_answers_and_bodies_are_streamed(services: Served, gate: Gate) -> None:
    # When an answer comes in parts
    async with opened(services, f"GET /fn/web/stream?go={gate.file}") as (reader, _):
        async with asyncio.timeout(PATIENCE_S):
            await reader.readuntil(b"first ")
            gate.open()
            await reader.readuntil(b"0\r\n\r\n")

    # I expect them as they come, and a large body to reach the application
    answer = await services.http("POST", "/fn/web/length", b"x" * 8_000_000)
    assert answer.body == b"8000000"


async def test_the_environ_says_how_the_client_wrote_its_path(services: Served) -> None:
    # When a path has encoded parts
    answer = await services.http("GET", "/fn/web/environ%2F%C3%BC?a=%2F")
    shown = ast.literal_eval(answer.body.decode())

    # I expect where the application is mounted, and the trace that goes on
    assert (shown["SCRIPT_NAME"], shown["PATH_INFO"]) == ("/fn/web", "/environ/\u00c3\u00bc")
    assert shown["RAW_URI"] == "/fn/web/environ%2F%C3%BC?a=%2F"
    assert answer.headers["traceparent"][3:35] in shown["HTTP_TRACEPARENT"]


async def test_the_protocol_of_wsgi_is_kept(services: Served) -> None:
    # When the standard library's validator looks on, at small, large and no bodies
    bodies = [b"", b"x" * 100, b"x" * 300_000]
    answers = [await services.http("POST", "/fn/valid/a%20b?c=d", body, {"x-a": "1"}) for body in bodies]

    # I expect it to find nothing
    for body, answer in zip(bodies, answers, strict=True):
        assert f"\n{len(body)} by the rules\r".encode() in answer.body

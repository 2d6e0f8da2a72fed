"""What a client gets through the gateway."""

from __future__ import annotations

import asyncio
import http.client
import json
import socket

import pytest
from gate import Gate
from server_harness import Answer, Served, parse

pytestmark = pytest.mark.asyncio(loop_scope="module")

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"


async def test_a_request_reaches_the_function_whole(gateway: Served) -> None:
    answer = await gateway.http("PUT", "/fn/web/a/b?c=1", b"hello", {"x-test": "yes"})

    assert answer.status == 200
    got = json.loads(answer.body)
    assert (got["method"], got["path"], got["query"], got["body"]) == ("PUT", "/a/b", {"c": "1"}, "hello")
    assert (got["header"], got["from"]) == ("yes", "127.0.0.1")
    assert answer.headers["x-relive-invocation-id"]


async def test_a_target_may_name_the_server_as_for_a_proxy(gateway: Served) -> None:
    host, port = gateway.address()
    for url in (f"http://{host}:{port}/fn/web/a?c=1", "/fn/web/a?c=1"):
        head = f"GET {url} HTTP/1.1\r\nhost: {host}:{port}\r\nconnection: close\r\n\r\n"
        got = json.loads(parse(await gateway.raw(head.encode())).body)
        assert (got["path"], got["query"]) == ("/a", {"c": "1"})
    bare = f"GET http://{host}:{port} HTTP/1.1\r\nhost: {host}:{port}\r\nconnection: close\r\n\r\n"
    assert parse(await gateway.raw(bare.encode())).status == 404


async def test_an_expectation_that_is_not_known_is_417(gateway: Served) -> None:
    refused = await gateway.http("POST", "/fn/web/", b"x", {"expect": "foo"})
    met = await gateway.http("POST", "/fn/web/", b"x", {"expect": "100-Continue"})

    assert (refused.status, refused.error["type"]) == (417, "ExpectationFailed")
    assert met.status in (100, 200)


async def test_the_callers_trace_goes_on(gateway: Served) -> None:
    answer = await gateway.http("GET", "/fn/web", headers={"traceparent": f"00-{TRACE}-00f067aa0ba902b7-01"})

    assert answer.headers["traceparent"].split("-")[1] == TRACE
    rows = await gateway.rows(
        "SELECT TraceId, ParentSpanId, HttpStatus, HttpMethod FROM invocations WHERE ParentSpanId != ''"
    )
    assert rows == [(TRACE, "00f067aa0ba902b7", 200, "GET")]


async def test_a_trigger_path_gives_an_event_function_lambdas_shape(gateway: Served) -> None:
    answer = await gateway.http("POST", "/orders/17", b"{}")

    assert (answer.status, answer.body) == (202, b"/orders/17")
    assert answer.headers["x-shape"] == "2.0"
    assert answer.headers["x-source"] == "127.0.0.1"


async def test_another_method_is_405_and_an_unknown_path_404(gateway: Served) -> None:
    refused = await gateway.http("DELETE", "/orders/17")
    unknown = await gateway.http("GET", "/fn/nothing")
    root = await gateway.http("GET", "/")

    assert (refused.status, refused.headers["allow"]) == (405, "GET, POST")
    assert (unknown.status, root.status) == (404, 404)
    assert b"web" not in root.body
    assert root.error["message"] == "no function has the path '/'; each has /fn/NAME/"


async def test_an_exception_is_named_at_once_with_a_hint(gateway: Served) -> None:
    answer = await gateway.http("GET", "/fn/fails")

    assert answer.status == 500
    assert (answer.error["type"], answer.error["message"]) == ("ValueError", "no such basket")
    assert answer.error["hint"] == f"relive failure {answer.headers['x-relive-invocation-id']}"


async def test_a_dead_worker_is_502_and_a_timeout_504(gateway: Served) -> None:
    dead = await gateway.http("GET", "/fn/dies")
    late = await gateway.http("GET", "/fn/slow")

    assert dead.status == 502
    assert "os._exit(4)" in dead.error["message"]
    assert late.status == 504


async def test_all_workers_busy_is_429_with_retry_after(hasty: Served, gate: Gate) -> None:
    first = asyncio.ensure_future(hasty.http("GET", gate.path))
    await hasty.until(lambda: hasty.server.engine.dispatcher.running == 1)

    second = await hasty.http("GET", gate.path)

    assert (second.status, second.headers["retry-after"]) == (429, "1")
    gate.open()
    assert (await first).status == 200


async def test_head_has_no_body_and_204_no_length(gateway: Served) -> None:
    head = await gateway.http("HEAD", "/fn/web")
    empty = await gateway.http("GET", "/fn/empty")

    assert (head.status, head.body) == (200, b"")
    assert int(head.headers["content-length"]) > 0
    assert (empty.status, empty.body) == (204, b"")
    assert "content-length" not in empty.headers


async def test_a_header_that_would_split_the_response_is_refused(gateway: Served) -> None:
    answer = await gateway.http("GET", "/fn/odd")

    assert answer.status == 502
    assert "set-cookie" not in answer.headers
    assert answer.error["hint"] == f"relive failure {answer.headers['x-relive-invocation-id']}"
    rows = await gateway.rows("SELECT Status, ErrorType, HasScene FROM invocations WHERE Function = 'odd'")
    assert rows == [("error", "BadResult", 1)]


async def test_a_server_error_of_the_functions_own_is_its_answer_and_a_failure(gateway: Served) -> None:
    # When a function answers with a 5xx status
    answer = await gateway.http("GET", "/fn/busy")
    # Then the client gets just that
    assert (answer.status, answer.headers["retry-after"]) == (503, "9")
    assert json.loads(answer.body) == {"error": "maintenance"}
    # Then the invocation has failed, with a scene and spans that say so
    rows = await gateway.rows(
        "SELECT Status, ErrorType, ErrorKind, HttpStatus, HasScene FROM invocations WHERE Function = 'busy'"
    )
    assert rows == [("error", "503", "response", 503, 1)]
    spans = await gateway.rows(
        "SELECT StatusCode, SpanAttributes['error.type'] FROM otel_traces"
        " WHERE SpanKind = 'Server' AND ServiceName = 'busy'"
    )
    assert spans == [("Error", "503")]


async def test_hop_by_hop_headers_of_a_function_are_dropped(gateway: Served) -> None:
    answer = await gateway.http("GET", "/fn/hops")

    assert answer.status == 201
    assert answer.headers["x-kept"] == "yes"
    assert "transfer-encoding" not in answer.headers
    assert answer.body == b"x"


async def test_a_body_over_the_limit_is_413_before_it_is_sent(gateway: Served) -> None:
    head = (
        b"POST /fn/web HTTP/1.1\r\nhost: localhost\r\ncontent-length: 100001\r\nexpect: 100-continue\r\n\r\n"
    )

    answer = parse(await gateway.raw(head))

    assert answer.status == 413
    assert answer.headers["connection"] == "close"


async def test_a_client_that_sends_its_whole_body_before_it_reads_sees_the_413(gateway: Served) -> None:
    def upload() -> int:
        connection = http.client.HTTPConnection(*gateway.address(), timeout=120)
        connection.request("POST", "/fn/web", body=b"x" * 20_000_000)
        return connection.getresponse().status

    answers = [await asyncio.to_thread(upload) for _ in range(3)]

    assert answers == [413, 413, 413]


async def test_a_client_that_never_stops_sending_is_cut_off(hasty: Served) -> None:
    reader, writer = await asyncio.open_connection(*hasty.address())
    writer.write(b"POST /fn/web HTTP/1.1\r\nhost: localhost\r\ncontent-length: 9000000000\r\n\r\n")
    assert parse(await reader.read()).status == 413

    async def send_on() -> None:
        while True:
            writer.write(b"x" * 1_000)
            await writer.drain()
            await asyncio.sleep(0.01)

    with pytest.raises(ConnectionError):
        await asyncio.wait_for(send_on(), 60)


async def test_a_chunked_body_over_the_limit_is_413(gateway: Served) -> None:
    chunk = b"8000\r\n" + b"x" * 0x8000 + b"\r\n"
    head = b"POST /fn/web HTTP/1.1\r\nhost: localhost\r\ntransfer-encoding: chunked\r\n\r\n"

    answer = parse(await gateway.raw(head + chunk * 5 + b"0\r\n\r\n"))

    assert answer.status == 413


async def test_a_chunked_body_under_the_limit_arrives(gateway: Served) -> None:
    head = (
        b"POST /fn/web HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\ntransfer-encoding: chunked\r\n\r\n"
    )

    answer = parse(await gateway.raw(head + b"5\r\nhello\r\n6\r\n world\r\n0\r\n\r\n"))

    assert answer.status == 200
    assert b"hello world" in answer.body


async def test_a_large_body_arrives(gateway: Served) -> None:
    answer = await gateway.http("POST", "/fn/web", b"x" * 90_000)

    assert answer.status == 200
    assert b"x" * 90_000 in answer.body


async def test_smuggled_requests_are_400_and_the_connection_closes(gateway: Served) -> None:
    post = b"POST /fn/web HTTP/1.1\r\nhost: localhost\r\ncontent-length: 5\r\n"
    both = post + b"transfer-encoding: chunked\r\n\r\n0\r\n\r\nGET"
    two = post + b"content-length: 6\r\n\r\nhello!"
    bare = b"GET /fn/web HTTP/1.1\r\nhost: localhost\r\nx-a: b\nx-c: d\x00\r\n\r\n"

    for data in (both, two, bare):
        answer = parse(await gateway.raw(data))
        assert (answer.status, answer.error["type"], answer.headers["connection"]) == (
            400, "BadRequest", "close",
        ), data  # fmt: skip


async def test_a_slow_head_and_a_slow_body_are_408(hasty: Served) -> None:
    slow_head = await hasty.raw(b"GET /fn/web HTTP/1.1\r\nx-a: ")
    slow_body = await hasty.raw(b"POST /fn/web HTTP/1.1\r\nhost: localhost\r\ncontent-length: 10\r\n\r\nabc")

    assert parse(slow_head).status == 408
    assert parse(slow_body).status == 408
    assert hasty.server.engine.dispatcher.running == 0


UPGRADES = {
    "h2c": b"connection: Upgrade, HTTP2-Settings\r\nupgrade: h2c\r\nhttp2-settings: AAMAAABk\r\n",
    "unknown": b"connection: upgrade\r\nupgrade: foo\r\n",
    "websocket": b"connection: upgrade\r\nupgrade: websocket\r\nsec-websocket-version: 13\r\n"
    b"sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n",
}
SMUGGLED = b"GET /fn/web/smuggled HTTP/1.1\r\nhost: localhost\r\n\r\n"


@pytest.mark.parametrize("upgrade", UPGRADES)
@pytest.mark.parametrize("framing", ["length", "chunks"])
@pytest.mark.parametrize("packets", [1, 2])
async def test_the_body_of_a_request_that_asks_for_another_protocol_is_its_body(
    gateway: Served, upgrade: str, framing: str, packets: int
) -> None:
    # Given clients that send one, as Java's and curl do, with a body that looks like a request
    if framing == "length":
        lines, body = b"content-length: %d\r\n" % len(SMUGGLED), SMUGGLED
    else:
        lines = b"transfer-encoding: chunked\r\n"
        body = b"%x\r\n%b\r\n0\r\n\r\n" % (len(SMUGGLED), SMUGGLED)
    head = b"POST /fn/web/%b HTTP/1.1\r\nhost: localhost\r\n%b%b\r\n" % (b"asks", UPGRADES[upgrade], lines)
    last = b"GET /fn/web/next HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n"
    reader, writer = await asyncio.open_connection(*gateway.address())
    # When it comes with its head, and behind it, and another request follows
    for part in (head + body + last,) if packets == 1 else (head, body[:30], body[30:] + last):
        writer.write(part)
        await writer.drain()
        await asyncio.sleep(0)
    data = await asyncio.wait_for(reader.read(), 120)
    writer.close()

    # I expect two answers, the first of a function that has read the body
    assert data.count(b"HTTP/1.1 200") == 2
    assert b'"path":"/asks","body":"GET /fn/web/smuggled' in data
    assert b'"path":"/next"' in data
    assert b'"path":"/smuggled"' not in data


async def test_what_follows_a_request_that_is_given_no_other_protocol_is_answered(gateway: Served) -> None:
    one = b"GET /fn/web/%d HTTP/1.1\r\nhost: localhost\r\n%b\r\n"

    data = await gateway.raw(one % (1, UPGRADES["h2c"]) + one % (2, b"connection: close\r\n"))

    assert data.count(b"HTTP/1.1 200") == 2
    assert data.index(b'"/1"') < data.index(b'"/2"')


async def test_a_huge_head_is_431(gateway: Served) -> None:
    head = b"GET /fn/web HTTP/1.1\r\n" + b"".join(b"x-%d: %s\r\n" % (n, b"y" * 1000) for n in range(100))

    assert parse(await gateway.raw(head)).status in (400, 431)


async def test_two_requests_in_one_packet_are_both_answered_in_order(gateway: Served) -> None:
    one = b"GET /fn/web/%d HTTP/1.1\r\nhost: localhost\r\n%s\r\n"

    data = await gateway.raw(one % (1, b"") + one % (2, b"connection: close\r\n"))

    assert data.count(b"HTTP/1.1 200") == 2
    assert data.index(b'"/1"') < data.index(b'"/2"')


async def test_a_client_that_leaves_does_not_keep_the_worker(gateway: Served, gate: Gate) -> None:
    _, writer = await asyncio.open_connection(*gateway.address())
    writer.write(b"GET %s HTTP/1.1\r\nhost: localhost\r\n\r\n" % gate.path.encode())
    await gateway.until(lambda: gateway.server.engine.dispatcher.running == 1)

    writer.close()
    await writer.wait_closed()
    gate.open()
    await gateway.until(lambda: gateway.server.engine.dispatcher.running == 0)
    answer = await gateway.http("GET", gate.path)

    assert (answer.status, answer.body) == (200, b"let go")


async def test_an_asynchronous_request_is_202_and_runs(gateway: Served) -> None:
    answer = await gateway.http("POST", "/fn/web/later", b"x", {"prefer": "respond-async"})

    assert answer.status == 202
    invocation = answer.headers["x-relive-invocation-id"]
    await gateway.until(lambda: not gateway.server.queue.list().result())
    rows = await gateway.rows(
        "SELECT InvocationId, Status, Trigger, HttpPath FROM invocations WHERE HttpPath = '/fn/web/later'"
    )
    assert rows == [(invocation, "ok", "queue", "/fn/web/later")]


async def test_an_idempotency_key_runs_once_and_another_body_is_409(gateway: Served) -> None:
    headers = {"prefer": "respond-async", "idempotency-key": "order-1"}

    first = await gateway.http("POST", "/fn/web", b"a", headers)
    again = await gateway.http("POST", "/fn/web", b"a", headers)
    other = await gateway.http("POST", "/fn/web", b"b", headers)

    assert (first.status, again.status, other.status) == (202, 202, 409)


async def test_a_duplicate_of_what_waits_or_runs_has_the_id_of_its_invocation(
    gateway: Served, gate: Gate
) -> None:
    # Given two events for one worker: the first runs and the second waits, or both wait still
    async def send(key: str) -> Answer:
        headers = {"prefer": "respond-async", "idempotency-key": key}
        return await gateway.http("POST", gate.path, b"a", headers)

    first = {key: json.loads((await send(key)).body) for key in ("held-1", "held-2")}
    # When each is sent again
    again = {key: await send(key) for key in first}

    # I expect the id that its invocation has or will have
    for key, answer in again.items():
        told = json.loads(answer.body)
        assert (told["duplicate"], told["event_id"]) == (True, key)
        assert told["invocation_id"] == first[key]["invocation_id"] != ""
        assert answer.headers["x-relive-invocation-id"] == told["invocation_id"]
    gate.open()
    await gateway.until(lambda: not gateway.server.queue.list().result())
    rows = await gateway.rows("SELECT EventId, InvocationId FROM invocations WHERE EventId LIKE 'held-%'")
    assert dict(rows) == {key: told["invocation_id"] for key, told in first.items()}


async def test_an_event_id_without_end_is_400(gateway: Served) -> None:
    headers = {"prefer": "respond-async"}

    longest = await gateway.http("POST", "/fn/web", b"a", headers | {"idempotency-key": "x" * 256})
    longer = await gateway.http("POST", "/fn/web", b"a", headers | {"idempotency-key": "x" * 257})

    assert (longest.status, longer.status) == (202, 400)
    assert longer.error == {"type": "BadEventId", "message": "the event's id has 257 characters"}


async def test_a_client_that_closes_its_end_after_its_request_gets_the_answer(
    gateway: Served, gate: Gate
) -> None:
    reader, writer = await asyncio.open_connection(*gateway.address())
    writer.write(b"GET %s HTTP/1.1\r\nhost: localhost\r\n\r\n" % gate.path.encode())
    await gateway.until(lambda: gateway.server.engine.dispatcher.running == 1)

    writer.write_eof()
    gate.open()
    data = await asyncio.wait_for(reader.read(), 60)
    writer.close()

    assert parse(data).body == b"let go"


async def test_answers_do_not_pile_up_for_a_client_that_does_not_read(hasty: Served) -> None:
    # Given a client that asks for 60 MB
    sock = socket.create_connection(hasty.address())
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65_536)
    sock.sendall(b"GET /fn/big HTTP/1.1\r\nhost: localhost\r\n\r\n" * 60)

    # When it reads nothing
    pool = hasty.server.engine.dispatcher.pools["big"]
    await hasty.until(lambda: sum(worker.invocations for worker in pool.workers))
    await hasty.until(lambda: hasty.server.engine.dispatcher.running == 0)

    # I expect few of them to be run, and the connection to end
    await hasty.until(lambda: hasty.server.listener.connections == 0)
    assert sum(worker.invocations for worker in pool.workers) < 20
    sock.close()


async def test_a_client_that_reads_late_gets_all_its_answers(gateway: Served) -> None:
    reader, writer = await asyncio.open_connection(*gateway.address(), limit=1 << 16)
    writer.write(b"GET /fn/big HTTP/1.1\r\nhost: localhost\r\n\r\n" * 11)
    writer.write(b"GET /fn/big HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n")

    open_ones = gateway.server.listener.state.connections
    await gateway.until(lambda: any(one.flow is not None and one.flow.write_paused for one in open_ones))
    data = await asyncio.wait_for(reader.read(), 120.0)
    writer.close()

    assert data.count(b"HTTP/1.1 200") == 12
    assert len(data) > 12_000_000


async def test_a_connection_that_sends_no_request_is_closed_when_it_is_idle(hasty: Served) -> None:
    # Given a connection that has its answer
    reader, writer = await asyncio.open_connection(*hasty.address())
    writer.write(b"GET /fn/web HTTP/1.1\r\nhost: localhost\r\n\r\n")
    assert await reader.read(65_536)

    # When an empty line comes, which is no request
    writer.write(b"\r\n")

    # I expect it to be closed like any other idle one
    await asyncio.wait_for(reader.read(), 60)
    writer.close()


@pytest.mark.parametrize(
    "head",
    [
        b"GET /fn/web HTTP/1.0\r\n\r\n",
        b"GET /fn/web HTTP/1.0\r\nconnection: keep-alive\r\n\r\n",
        b"GET /fn/web HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n",
    ],
)
async def test_a_client_of_http_1_0_or_one_that_asks_for_it_is_hung_up_on(
    gateway: Served, head: bytes
) -> None:
    reader, writer = await asyncio.open_connection(*gateway.address())
    writer.write(head)

    answer = parse(await asyncio.wait_for(reader.read(), 60))  # up to its end, which comes at once

    assert (answer.status, answer.headers["connection"]) == (200, "close")
    writer.close()


async def test_a_wish_for_another_protocol_is_passed_over(gateway: Served) -> None:
    wish = b"connection: upgrade, close\r\nupgrade: websocket\r\nsec-websocket-key: x\r\n"

    answer = parse(await gateway.raw(b"GET /fn/web HTTP/1.1\r\nhost: localhost\r\n" + wish + b"\r\n"))

    assert answer.status == 200

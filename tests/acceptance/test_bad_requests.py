"""What the gateway makes of requests that are too large, too slow, malformed or smuggled."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
from relive_cli import Relive, laboratory, toml

SOURCE = """
import os
from werkzeug import Request

def echo(event, context):
    return event

def web(request: Request):
    if request.content_length and request.content_length > 1000:
        return {"bytes": len(request.get_data())}
    return {"body": request.get_data(as_text=True), "x": request.headers.get("x-odd", "")}

def splits(request: Request):
    return "ok", 200, {"x-evil": "a\\r\\nset-cookie: owned=1"}
"""
FILES = {
    "app.py": SOURCE,
    "relive.toml": toml(
        {
            "echo": 'handler = "app:echo"',
            "web": 'handler = "app:web"\nkind = "http"',
            "splits": 'handler = "app:splits"\nkind = "http"',
        }
    ),
}
MB = 1_000_000


@pytest.fixture(scope="module")
def lab() -> Iterator[Relive]:
    # as long as a client on a busy machine may be held up
    with laboratory(FILES, {"RELIVE_HEADER_TIMEOUT_S": "4", "RELIVE_BODY_TIMEOUT_S": "4"}) as server:
        yield server


def status(answer: bytes) -> int:
    return int(answer.split(b" ", 2)[1])


SMUGGLED = {
    "length and chunks": b"POST /fn/web/ HTTP/1.1\r\nhost: localhost\r\ncontent-length: 4\r\n"
    b"transfer-encoding: chunked\r\n\r\n0\r\n\r\nGET /fn/web/secret HTTP/1.1\r\nhost: localhost\r\n\r\n",
    "two lengths": b"POST /fn/web/ HTTP/1.1\r\nhost: localhost\r\ncontent-length: 1\r\n"
    b"content-length: 9\r\n\r\nGET /fn/x",
    "odd encoding": b"POST /fn/web/ HTTP/1.1\r\nhost: localhost\r\n"
    b"transfer-encoding: xchunked\r\n\r\n0\r\n\r\n",
    "bad chunk size": b"POST /fn/web/ HTTP/1.1\r\nhost: localhost\r\ntransfer-encoding: chunked\r\n"
    b"\r\nZZ\r\nhi\r\n0\r\n\r\n",
    "negative length": b"POST /fn/web/ HTTP/1.1\r\nhost: localhost\r\ncontent-length: -5\r\n\r\nhello",
    "space in a name": b"GET /fn/web/ HTTP/1.1\r\nhost: localhost\r\nx-odd : 1\r\n\r\n",
    "nul in a value": b"GET /fn/web/ HTTP/1.1\r\nhost: localhost\r\nx-odd: a\x00b\r\n\r\n",
    "bare line feed in a value": b"GET /fn/web/ HTTP/1.1\r\nhost: localhost\r\n"
    b"x-odd: a\rset-cookie: b\r\n\r\n",
    "no host": b"GET /fn/web/ HTTP/1.1\r\n\r\n",
    "two hosts": b"GET /fn/web/ HTTP/1.1\r\nhost: localhost\r\nhost: evil.example\r\n\r\n",
    "target and host differ": b"GET http://evil.example/fn/web/ HTTP/1.1\r\nhost: localhost\r\n\r\n",
    "no http": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03hello there\r\n\r\n",
    "space in the target": b"GET /fn/web/ /evil HTTP/1.1\r\nhost: localhost\r\n\r\n",
}


@pytest.mark.parametrize("case", SMUGGLED)
def test_a_request_that_two_readers_would_read_differently_is_400_and_the_connection_closes(
    lab: Relive, case: str
) -> None:
    answer, closed = lab.raw(SMUGGLED[case])

    assert status(answer) == 400
    assert answer.count(b"HTTP/1.1 ") == 1
    assert closed


def test_a_slow_client_is_408_and_others_are_served_meanwhile(lab: Relive) -> None:
    for data in (
        b"GET /fn/web/ HTTP/1.1\r\nhost: localhost\r\nx-odd: ",
        b"POST /fn/web/ HTTP/1.1\r\nhost: localhost\r\ncontent-length: 10\r\n\r\nhel",
    ):
        answer, closed = lab.raw(data)
        assert status(answer) == 408
        assert closed
    assert lab.request("/fn/web/").status == 200


@pytest.mark.parametrize(
    ("headers", "limit"), [({}, 6 * 1_048_576), ({"prefer": "respond-async"}, 1_048_576)]
)
def test_a_body_over_the_limit_is_413_before_it_is_read(
    lab: Relive, headers: dict[str, str], limit: int
) -> None:
    # When a client announces one byte too much and waits to be asked for it
    more = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    head = f"POST /fn/web/ HTTP/1.1\r\nhost: localhost\r\n{more}content-length: {limit + 1}\r\n\r\n"
    answer, closed = lab.raw(head.encode())

    # I expect it to be told at once, with the limit
    assert status(answer) == 413
    assert str(limit).encode() in answer
    assert closed

    # ... and a body of the very limit to be taken
    taken = lab.request("/fn/web/", b"x" * limit, headers, "POST")
    assert taken.status in (200, 202)


def test_an_event_over_the_limit_is_refused_by_the_command_line_too(lab: Relive) -> None:
    path = lab.home.parent / "large.json"
    for size, flags in ((6 * 1_048_576, []), (1_048_576, ["--async"])):
        path.write_text(json.dumps("x" * size))
        done = lab.run("invoke", "echo", "--event", f"@{path}", *flags, check=False)
        assert done.returncode == 4, done
        assert str(size) in done.stderr
        assert "hint" in done.stderr
        assert "Traceback" not in done.stderr


def test_a_header_that_would_split_the_answer_is_not_sent(lab: Relive) -> None:
    answer = lab.request("/fn/splits/")

    assert answer.status == 502
    assert "set-cookie" not in answer.headers
    assert answer.json()["error"]["invocation_id"]


@pytest.mark.parametrize(
    "path", ["/fn/../secret", "/fn/%2e%2e%2fetc", "/fn/a%00b/", "/fn/", "/nowhere", "/fn/%1b[31m/"]
)
def test_odd_paths_are_404_and_say_so_in_json(lab: Relive, path: str) -> None:
    answer, _closed = lab.raw(f"GET {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n".encode())

    assert status(answer) in (400, 404)
    assert b"\x1b" not in answer


@pytest.mark.parametrize("name", ["../etc", "a b", "", "x" * 65, "a/b", "\x1b[31m", "é"])
def test_a_function_name_is_letters_digits_and_dashes(lab: Relive, name: str) -> None:
    folder = lab.application({"f.py": "def handler(event, context): ...\n"})

    if name:
        done = lab.run("deploy", str(folder), "--name", name, "--handler", "f:handler", check=False)
        assert done.returncode == 2, done
        assert "64" in done.stderr
        assert "Traceback" not in done.stderr

    text = f'[functions.{json.dumps(name, ensure_ascii=False)}]\nsource = "."\nhandler = "f:handler"\n'
    (folder / "relive.toml").write_text(text.replace("\x1b", "\\u001b"))
    done = lab.run("deploy", str(folder), check=False)
    assert done.returncode == 2, done
    assert "relive.toml" in done.stderr
    assert "\x1b" not in done.stderr

    assert lab.run("invoke", name, check=False).returncode == (1 if name else 2)
    assert {row["name"] for row in lab.json("functions")} == {"echo", "web", "splits"}


def test_the_first_result_answers_a_second_event_with_the_same_id(lab: Relive) -> None:
    # Given an event with an id that was accepted
    (first,) = lab.json("invoke", "echo", "--event", '{"n": 1}', "--async", "--event-id", "order-7")

    # When the same comes again, it is taken for the first
    (again,) = lab.json("invoke", "echo", "--event", '{"n": 1}', "--async", "--event-id", "order-7")
    assert again["event_id"] == first["event_id"] == "order-7"
    assert again["invocation_id"] == first["invocation_id"]

    # ... and, when it is done, answered with its result
    lab.eventually(lambda: not lab.json("events", "echo"))
    done = lab.run("invoke", "echo", "--event", '{"n": 1}', "--async", "--event-id", "order-7")
    assert json.loads(done.stdout) == {"n": 1}
    (run,) = lab.json("sql", "SELECT InvocationId AS id FROM invocations WHERE EventId = 'order-7'")
    assert run["id"] == first["invocation_id"]

    # ... and another body under that id is refused
    done = lab.run("invoke", "echo", "--event", '{"n": 2}', "--async", "--event-id", "order-7", check=False)
    assert done.returncode == 4
    assert "order-7" in done.stderr


def test_the_first_result_answers_a_second_request_with_the_same_idempotency_key(lab: Relive) -> None:
    headers = {"prefer": "respond-async", "idempotency-key": "order-8", "content-type": "application/json"}

    # Given a request with a key that was accepted and has run
    first = lab.request("/fn/web/", b'{"n": 1}', headers)
    assert first.status == 202
    lab.eventually(lambda: not lab.json("events", "web"))

    # When it comes again: it does not run again, and is told what became of the first
    again = lab.request("/fn/web/", b'{"n": 1}', headers)
    assert again.status == 202
    said = again.json()
    assert said["duplicate"]
    assert said["event_id"] == "order-8"
    assert said["invocation_id"] == first.json()["invocation_id"]
    assert said["state"] == "done"
    assert said["result"] == {"body": '{"n": 1}', "x": ""}

    # ... and another body is a conflict
    assert lab.request("/fn/web/", b'{"n": 2}', headers).status == 409
    assert len(lab.json("sql", "SELECT 1 FROM invocations WHERE EventId = 'order-8'")) == 1


def test_an_asynchronous_event_that_is_not_json_is_refused_where_it_is_wrong(lab: Relive) -> None:
    # When a poisoned event is to be queued
    headers = {"x-amz-invocation-type": "Event"}
    answer = lab.request("/fn/echo/", b'{"a": 1, "a": 2}', headers)

    # I expect a refusal that says where
    assert answer.status == 400
    assert "'a' twice" in answer.json()["error"]["message"]

    # ... its bytes in a scene, and no event
    scene = lab.scene(answer.json()["error"]["invocation_id"])
    assert scene["manifest"]["kind"] == "bad_event"
    row = lab.invoke("echo", '{"a": NaN}', "--async")
    assert row["status"] == "error"
    assert "NaN" in row["error"]["message"]
    assert lab.json("events", "echo") == []

"""Functions of kind "custom": real programs behind the Runtime API, in real workers of one zygote."""

from __future__ import annotations

import json
import os
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from custom_programs import SHELL, program
from patience import PATIENCE_S
from relive_base.parts import Why
from relive_base.wire.messages import CallResult, InitFailed, Logs, Ready, Scene, StreamHead, StreamPart
from worker_harness import Outcome, WorkerHandle, ZygoteHandle, zygote

NO_SUCH_ID = {"errorMessage": "Invalid request ID", "errorType": "InvalidRequestID"}


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ZygoteHandle]:
    with zygote(tmp_path_factory.mktemp("custom")) as handle:
        yield handle


@pytest.fixture(scope="module")
def lab(running: ZygoteHandle) -> Path:
    return program(running.home / "code" / "lab")


def started(running: ZygoteHandle, source: Path, **fields: Any) -> WorkerHandle:
    worker = forked(running, source, **fields)
    while not isinstance(frame := worker.wire.next(), Ready):
        assert not isinstance(frame, InitFailed | None), frame
    return worker


def forked(running: ZygoteHandle, source: Path, **fields: Any) -> WorkerHandle:
    spec = running.spec(source, fields.pop("handler", "index.handler"), kind="custom", **fields)
    return running.fork(spec)


@pytest.fixture(scope="module")
def shared(running: ZygoteHandle, lab: Path) -> WorkerHandle:
    """One program that is well after all that these tests do to it."""
    return started(running, lab, environment={"OWN": "1"})


def exceptions(outcome: Outcome) -> list[dict[str, Any]]:
    assert outcome.scene is not None
    found: list[dict[str, Any]] = json.loads(outcome.scene.members["exception.json"])
    return found


def error_of(outcome: Outcome) -> tuple[str, str, str]:
    error = outcome.result.error
    assert error is not None
    return error.type, error.message, error.kind


def log_lines(outcome: Outcome) -> list[tuple[str, str, str]]:
    return [
        (line.source, line.severity, line.body)
        for frame in outcome.frames
        if isinstance(frame, Logs)
        for line in frame.lines
    ]


def test_a_program_gets_its_event_with_all_that_lambda_tells_and_answers(shared: WorkerHandle) -> None:
    # When an event comes with a context
    outcome = shared.invoke(
        {"n": 1},
        context={
            "client_context": '{"custom": {"a": "b"}}',
            "cognito_identity": '{"cognitoIdentityId": "me"}',
            "arn": "arn:aws:lambda:eu-west-1:1:function:f:prod",
        },
        trace_state="x=1",
    )

    # I expect event, headers and environment to be those of Lambda's Runtime API
    told, invoke = outcome.value, shared.spec
    assert told["event"] == {"n": 1}
    headers = told["headers"]
    assert headers["Lambda-Runtime-Invoked-Function-Arn"] == "arn:aws:lambda:eu-west-1:1:function:f:prod"
    assert json.loads(headers["Lambda-Runtime-Client-Context"]) == {"custom": {"a": "b"}}
    assert json.loads(headers["Lambda-Runtime-Cognito-Identity"]) == {"cognitoIdentityId": "me"}
    assert int(headers["Lambda-Runtime-Deadline-Ms"]) > outcome.result.started_ns // 1_000_000
    _, trace_id, span_id, flags = headers["traceparent"].split("-")
    expected = f"Root=1-{trace_id[:8]}-{trace_id[8:]};Parent={span_id};Sampled=1"
    assert (headers["Lambda-Runtime-Trace-Id"], flags, headers["tracestate"]) == (expected, "01", "x=1")
    environment = told["environment"]
    assert (environment["_HANDLER"], environment["OWN"]) == ("index.handler", "1")
    assert environment["LAMBDA_TASK_ROOT"] == invoke.source
    assert environment["AWS_LAMBDA_FUNCTION_NAME"] == invoke.name
    assert environment["AWS_LAMBDA_RUNTIME_API"].startswith("127.0.0.1:")
    assert "AWS_EXECUTION_ENV" not in environment

    # ... its line to belong to the invocation, and what it used to be counted
    assert ("stdout", "INFO", 'got {"n": 1}') in log_lines(outcome)
    assert outcome.done.cpu_ns > 0
    assert outcome.done.rss_bytes > 1_000_000


def test_lines_keep_level_order_and_owner(shared: WorkerHandle) -> None:
    lines = log_lines(shared.invoke({"act": "log"}))

    assert ("stdout", "INFO", "plain") in lines
    assert ("stderr", "WARN", "aside") in lines
    assert ("stdout", "ERROR", '{"level": "error", "message": "grave"}') in lines
    assert ("stdout", "INFO", "no newline") in lines
    assert ("logging", "WARN", "two\nlines") in lines


def test_an_error_that_it_tells_is_a_failure_with_its_frames_and_the_program_goes_on(
    shared: WorkerHandle,
) -> None:
    failed, again = shared.invoke({"act": "fail", "n": 1}), shared.invoke({"act": "fail", "n": 20})

    # I expect type, message, and the frame with its line of source
    assert error_of(failed) == ("ValueError", "bad 1", "exception")
    frame = exceptions(failed)[0]["frames"][0]
    assert (frame["file"], frame["line"], frame["function"], frame["in_app"]) == (
        "bootstrap",
        3,
        "handler",
        True,
    )
    assert "import http" in " ".join(frame["source"])

    # ... the same failure to be in one group, whatever its data
    assert failed.result.error is not None
    assert again.result.error is not None
    assert failed.result.error.fingerprint == again.result.error.fingerprint

    # ... what there is not to be said, and no restart
    assert failed.scene is not None
    assert failed.scene.parts["exception"].because(Why.TOLD_BY_PROGRAM)
    assert failed.scene.parts["heap"].because(Why.NO_PYTHON)
    assert failed.result.reusable
    assert shared.invoke({"n": 1}).result.status == "ok"


def test_an_error_without_form_is_told_as_it_is(shared: WorkerHandle) -> None:
    outcome = shared.invoke({"act": "nonsense error"})

    assert error_of(outcome) == ("Odd", "\\xff\0nonsense", "exception")


def test_an_http_request_is_an_event_and_its_answer_an_http_answer(shared: WorkerHandle) -> None:
    # Given a program that answers in the form of payload 2.0, or with text
    body = json.dumps({"act": "echo"}).encode()
    echoed = shared.request("POST", "/a/b", headers=[("content-type", "application/json")], body=body)

    assert echoed.value["event"]["rawPath"] == "/a/b"
    assert (echoed.result.http_status, echoed.result.content_type) == (200, "application/json")
    text = shared.invoke({"act": "text"})
    assert (text.result.body, text.result.content_type) == (b"no JSON at all", "text/plain; charset=utf-8")


def test_an_event_that_is_no_json_never_reaches_it(shared: WorkerHandle) -> None:
    outcome = shared.invoke(raw=b'{"a": 1,}')

    assert error_of(outcome)[2] == "bad_event"
    assert outcome.result.reusable
    assert shared.invoke({"n": 2}).value["event"] == {"n": 2}


@pytest.mark.parametrize(
    ("event", "expected"),
    [
        ({"act": "wrong id"}, {"first": [400, NO_SUCH_ID]}),
        ({"act": "close"}, {"same": True}),
    ],
)  # fmt: skip
def test_answers_to_other_ids_are_refused_and_a_lost_event_is_given_again(
    shared: WorkerHandle, event: dict[str, Any], expected: dict[str, Any]
) -> None:
    assert shared.invoke(event).value == expected


def test_asking_for_the_next_event_in_the_middle_is_refused(shared: WorkerHandle) -> None:
    told = shared.invoke({"act": "next first"}).value

    assert (told["status"], told["body"]["errorType"]) == (403, "InvalidStateTransition")


def test_a_second_answer_is_refused_and_changes_nothing(shared: WorkerHandle) -> None:
    outcome = shared.invoke({"act": "twice"})

    assert outcome.value == {"n": 1}
    assert "again 403 InvalidStateTransition" in outcome.lines


def test_an_answer_over_the_limit_fails_and_the_program_is_told(running: ZygoteHandle, lab: Path) -> None:
    worker = started(running, lab, result_limit_bytes=100_000)

    outcome = worker.invoke({"act": "large", "size": 100_001})

    assert error_of(outcome)[0] == "Function.ResponseSizeTooLarge"
    assert "100,000" in error_of(outcome)[1]
    assert "large 413" in outcome.lines
    assert worker.invoke({"act": "large", "size": 100_000}).result.status == "ok"


def test_garbage_on_the_api_costs_its_connection_alone(shared: WorkerHandle) -> None:
    garbage = [
        b"\x16\x03\x01\x02\x00",
        b"GET / HTTP/9.9\r\n\r\n",
        b"POST /2018-06-01/runtime/init/error HTTP/1.1\r\nContent-Length: -1\r\n\r\n",
        b"POST /x HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"GET /x HTTP/1.1\r\nno colon\r\n\r\n",
        b"GET /2020-01-01/extension/event/next HTTP/1.0\r\n\r\n",
        b"DELETE /2018-06-01/runtime/invocation/next HTTP/1.0\r\n\r\n",
    ]
    left = [b"GET /2018-06-01/runtime/inv", b"POST /x HTTP/1.1\r\nContent-Length: 100\r\n\r\nabc"]

    told = shared.invoke(
        {"act": "raw", "data": [one.hex() for one in garbage], "left": [one.hex() for one in left]}
    ).value

    assert [line.split(" ")[1] for line in told] == ["400", "400", "400", "400", "400", "404", "405"]
    assert shared.invoke({"n": 3}).value["event"] == {"n": 3}


def test_another_workers_program_is_turned_away(
    running: ZygoteHandle, lab: Path, shared: WorkerHandle
) -> None:
    # Given a program whose API a neighbour, and this test, know
    host = shared.invoke({}).value["environment"]["AWS_LAMBDA_RUNTIME_API"]
    neighbour = started(running, lab)

    # When they ask for its events
    told = neighbour.invoke({"act": "neighbour", "host": host}).value["told"]
    name, _, port = host.partition(":")
    with socket.create_connection((name, int(port)), PATIENCE_S) as own:
        own.sendall(b"GET /2018-06-01/runtime/invocation/next HTTP/1.1\r\n\r\n")
        try:
            answer = own.recv(1)
        except ConnectionError:
            answer = b""

    # I expect neither to get an answer, and the program to get its own
    assert told in ("ConnectionResetError", "RemoteDisconnected", "BrokenPipeError")
    assert answer == b""
    assert shared.invoke({"n": 4}).value["event"] == {"n": 4}


@pytest.mark.parametrize(
    ("event", "kind", "said"),
    [
        ({"act": "exit", "status": 3}, "exit", "exit status 3"),
        ({"act": "kill"}, "signal", "signal 9 (SIGKILL)"),
    ],
)
def test_a_program_that_ends_is_a_crash_with_its_last_words(
    running: ZygoteHandle, lab: Path, event: dict[str, Any], kind: str, said: str
) -> None:
    worker = started(running, lab)

    outcome = worker.invoke(event)

    assert error_of(outcome) == ("Runtime.ExitError", f"Runtime exited with error: {said}", kind)
    assert outcome.result.status == "crash"
    assert not outcome.done.reusable
    if kind == "exit":
        view = exceptions(outcome)[0]
        assert (view["frames"][0]["file"], view["frames"][0]["line"]) == ("bootstrap", 5)
        assert "KeyError: 1" in dict(view["details"])["stderr"]


def test_what_a_program_has_started_ends_with_it(running: ZygoteHandle, lab: Path) -> None:
    worker = started(running, lab)

    outcome = worker.invoke({"act": "children"})

    assert outcome.result.status == "crash"
    children = Path(f"/proc/{worker.pid}/task/{worker.pid}/children")
    end = time.monotonic() + PATIENCE_S
    while left := children.read_text().split():
        assert time.monotonic() < end, left


def test_a_program_that_hangs_ends_at_its_time(running: ZygoteHandle, lab: Path) -> None:
    worker = started(running, lab, timeout_s=0.3)
    asked_ns = time.time_ns()  # the time runs from here, also while a busy machine starts nothing

    outcome = worker.invoke({"act": "hang"})

    # I expect the time-out, when it was, and where Python's fault handler says that it stood
    assert error_of(outcome)[::2] == ("Timeout", "timeout")
    assert outcome.result.http_status == 504
    assert exceptions(outcome)[0]["frames"][-1]["file"] == "bootstrap"
    assert (outcome.result.ended_ns - asked_ns) / 1e9 >= 0.29
    assert not outcome.done.reusable


@pytest.mark.parametrize("act", ["hang after", "exit after"])
def test_what_a_program_does_after_its_answer_is_its_own_end(
    running: ZygoteHandle, lab: Path, act: str
) -> None:
    worker = started(running, lab, timeout_s=3.0)

    outcome = worker.invoke({"act": act})

    assert outcome.value == "answered"
    assert not outcome.done.reusable
    assert any("the program" in line for line in outcome.lines)


def test_a_program_that_ends_between_events_is_started_again(running: ZygoteHandle, lab: Path) -> None:
    worker = started(running, lab)
    first = worker.invoke({}).value["pid"]

    children = Path(f"/proc/{worker.pid}/task/{worker.pid}/children").read_text().split()
    for pid in children:
        os.kill(int(pid), 9)
    told: list[str] = []
    while not any("while nothing ran" in line for line in told):
        frame, _ = worker.wire.until(Logs)
        told += [line.body for line in frame.lines]

    again = worker.invoke({})
    assert again.result.status == "ok"
    assert again.value["pid"] != first
    assert "the program is started again" in again.lines


@pytest.mark.parametrize(
    ("init", "fields", "expected"),
    [
        ("exit", {}, ("Runtime.ExitError", "exit status 7")),
        ("error", {}, ("Config.Missing", "no table")),
        ("hang", {"load_timeout_s": 0.3}, ("InitTimeout", "within 0.3 s")),
    ],
)
def test_a_program_that_never_asks_for_an_event_says_why(
    running: ZygoteHandle, lab: Path, init: str, fields: dict[str, Any], expected: tuple[str, str]
) -> None:
    worker = forked(running, lab, environment={"INIT": init}, **fields)

    failed, before = worker.init_failed()

    assert failed.error.type == expected[0]
    assert expected[1] in failed.error.message
    scene = next(frame for frame in before if isinstance(frame, Scene))
    assert scene.invocation_id == ""
    if init == "exit":
        assert b"no such setting" in scene.members["exception.json"]


@pytest.mark.parametrize(
    ("command", "said"),
    [
        (["./missing"], "No such file or directory"),
        (["./plain"], "chmod +x ./plain"),
        ([], "No such file or directory"),
    ],
)
def test_what_cannot_be_started_is_named_with_a_hint(
    running: ZygoteHandle, tmp_path: Path, command: list[str], said: str
) -> None:
    folder = running.home / "code" / f"odd-{tmp_path.name}"
    folder.mkdir()
    (folder / "plain").write_text("echo")
    worker = forked(running, folder, command=command)

    failed, _ = worker.init_failed()

    assert failed.error.type == "Runtime.InvalidEntrypoint"
    assert said in failed.error.message


def test_an_answer_in_parts_reaches_the_caller_as_it_comes(
    shared: WorkerHandle,
) -> None:
    # Given a caller that takes parts, and one that does not
    plain = shared.invoke({"act": "stream", "parts": [b"a".hex(), b"b".hex()]}, stream=True)
    failed = shared.invoke({"act": "stream", "parts": [b"a".hex()], "end": "error"}, stream=True)
    broken = shared.invoke({"act": "stream", "parts": [b"a".hex()], "end": "broken"}, stream=True)
    whole = shared.invoke({"act": "stream", "parts": [b"a".hex(), b"b".hex()]})

    # I expect head, parts, and how it ended
    heads = [frame for frame in plain.frames if isinstance(frame, StreamHead)]
    assert [head.content_type for head in heads] == ["text/plain"]
    assert [frame.body for frame in plain.frames if isinstance(frame, StreamPart)] == [b"a", b"b"]
    assert (plain.result.status, plain.result.streamed_bytes) == ("ok", 2)
    assert error_of(failed)[:2] == ("Late", "midway")
    assert error_of(broken)[0] == "Runtime.TruncatedResponse"
    assert whole.result.body == b"ab"


def test_a_slow_caller_slows_the_program_down(shared: WorkerHandle) -> None:
    # Given an answer of far more than may be on its way
    part = (b"x" * 200_000).hex()
    shared.wire.send(shared.invoke_frame({"act": "stream", "parts": [part] * 10}, stream=True))
    sizes = 0
    while sizes < 2_000_000:
        frame, _ = shared.wire.until(StreamPart)
        sizes += len(frame.body)
        if frame.call_id:
            # When the caller has taken it, and not before, I expect more
            shared.wire.send(CallResult(call_id=frame.call_id, ok=True))
    assert shared.finish().result.streamed_bytes == 2_000_000


def test_a_shell_script_is_a_function(running: ZygoteHandle) -> None:
    worker = started(running, program(running.home / "code" / "shell", SHELL))

    assert worker.invoke({"a": [1, 2]}).value == {"shell": {"a": [1, 2]}}
    failed = worker.invoke("boom")

    assert error_of(failed)[:2] == ("Runtime.ExitError", "Runtime exited with error: exit status 3")
    view = exceptions(failed)[0]
    assert "undefined_command: command not found" in dict(view["details"])["stderr"]
    assert view["frames"][0]["file"] == "bootstrap"


def test_secrets_do_not_reach_the_scene(running: ZygoteHandle, lab: Path) -> None:
    worker = started(running, lab, environment={"DB_PASSWORD": "hunter2-hunter2"})

    outcome = worker.invoke({"act": "fail", "n": "password=hunter2-hunter2"})

    assert outcome.scene is not None
    assert b"hunter2" not in b"".join(outcome.scene.members.values())
    assert b"hunter2" not in msgspec.msgpack.encode(outcome.result.error)
    assert "environment.DB_PASSWORD" in outcome.scene.redactions

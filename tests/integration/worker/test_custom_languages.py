"""Node.js by Relive's own bootstrap, and Python by AWS's runtime client, as functions of kind "custom"."""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from patience import PATIENCE_S
from relive_base.parts import Why
from relive_base.wire.messages import InitFailed, Logs, Ready, StreamHead, StreamPart
from worker_harness import Outcome, WorkerHandle, ZygoteHandle, zygote

HANDLERS = """
const path = require('node:path');
console.log('loading');
function fail(event) {
  const secret = 'inner value';
  throw new RangeError(`bad ${event.n}`, { cause: new TypeError(secret) });
}
exports.handler = async (event, context) => {
  if (event.fail) fail(event);
  if (event.text) throw 'just a text';
  const long = () => new Promise((r) => setTimeout(r, 60000));
  if (event.reject) { Promise.reject(new Error('nobody waits')); await long(); }
  if (event.later) { setTimeout(() => { throw new Error('later'); }, 1); await long(); }
  if (event.exit) process.exit(4);
  if (event.forever) await new Promise(() => {});
  if (event.log) { console.debug('d', { a: 1 }); console.warn('w'); return console.error(new Error('e')); }
  return { context, left: context.getRemainingTimeInMillis(), trace: process.env._X_AMZN_TRACE_ID,
           parent: process.env.TRACEPARENT, engine: process.env.AWS_EXECUTION_ENV, sep: path.sep };
};
function spin(order, password) { for (;;) { order.id += ''; password.length; } }
exports.stand = async (event) => {
  if (event.wait) await new Promise((r) => setTimeout(r, 60000));
  spin({ id: 'o-1', items: [1, 2] }, event.password);
};
exports.callback = (event, context, callback) => {
  if (event.now) { context.callbackWaitsForEmptyEventLoop = false; setTimeout(() => {}, 300); }
  setTimeout(() => event.fail ? callback(new Error('called back')) : callback(null, 'called back'), 5);
};
exports.any = (event, context, callback) => exports[event.name](event, context, callback);
exports.stream = awslambda.streamifyResponse(async (event, stream) => {
  const head = { statusCode: 201, headers: { 'x-a': 'b' } };
  const out = event.plain ? stream : awslambda.HttpResponseStream.from(stream, head);
  if (event.early) throw new Error('early');
  out.write('one');
  await new Promise((r) => setTimeout(r, 5));
  if (event.midway) throw new Error('midway');
  out.end('two');
});
"""
MODULE = "import { sep } from 'node:path';\nexport const handler = async (event) => ({ esm: event, sep });\n"
FUNCTION = """
import logging
import os
logging.getLogger().setLevel("INFO")
def handler(event, context):
    logging.warning("a warning\\nof two lines")
    print("printed")
    if event == "boom":
        return {}["missing"]
    if event == "hang":
        import time
        time.sleep(600)
    return {"event": event, "id": context.aws_request_id, "trace": os.environ["_X_AMZN_TRACE_ID"],
            "left": context.get_remaining_time_in_millis() > 0, "context": str(context.client_context.custom)}
"""


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ZygoteHandle]:
    """With AWS's runtime client as its dependencies, as requirements.txt would bring it."""
    home = tmp_path_factory.mktemp("languages")
    deps = home / "deps"
    deps.mkdir()
    for name in ("awslambdaric", "runtime_client", "simplejson", "snapshot_restore_py"):
        found = importlib.util.find_spec(name)
        assert found is not None
        assert found.origin is not None
        origin = Path(found.origin)
        if origin.name == "__init__.py":
            shutil.copytree(origin.parent, deps / name)
        else:
            shutil.copy(origin, deps)
    with zygote(home, deps_dir=str(deps)) as handle:
        yield handle


def forked(running: ZygoteHandle, files: dict[str, str], handler: str, **fields: Any) -> WorkerHandle:
    source = running.home / "code" / f"{len(running.workers)}"
    source.mkdir(parents=True)
    for name, text in files.items():
        (source / name).write_text(text)
    return running.fork(running.spec(source, handler, kind="custom", **fields))


def started(running: ZygoteHandle, files: dict[str, str], handler: str, **fields: Any) -> WorkerHandle:
    worker = forked(running, files, handler, **fields)
    while not isinstance(frame := worker.wire.next(), Ready):
        assert not isinstance(frame, InitFailed | None), frame
    return worker


def node(running: ZygoteHandle, handler: str = "index.handler", **fields: Any) -> WorkerHandle:
    return started(running, {"index.js": HANDLERS, "module.mjs": MODULE}, handler, runtime="nodejs", **fields)


@pytest.fixture(scope="module")
def shared(running: ZygoteHandle) -> WorkerHandle:
    return node(running, "index.any")


def error_of(outcome: Outcome) -> tuple[str, str, str]:
    error = outcome.result.error
    assert error is not None
    return error.type, error.message, error.kind


def view_of(outcome: Outcome) -> dict[str, Any]:
    assert outcome.scene is not None
    found: dict[str, Any] = json.loads(outcome.scene.members["exception.json"])[0]
    return found


def test_a_handler_of_lambda_gets_event_and_context(shared: WorkerHandle) -> None:
    outcome = shared.invoke({"name": "handler"}, context={"client_context": '{"a": 1}'})

    told = outcome.value
    assert told["context"]["awsRequestId"] == outcome.result.invocation_id
    assert told["context"]["functionName"] == shared.spec.name
    assert told["context"]["clientContext"] == {"a": 1}
    assert told["context"]["callbackWaitsForEmptyEventLoop"] is True
    assert 0 < told["left"] <= 60_000
    assert told["parent"].split("-")[1] in told["trace"].replace("-", "")
    assert told["engine"].startswith("AWS_Lambda_nodejs")


def test_a_callback_answers_when_nothing_else_is_to_be_done_or_at_once(shared: WorkerHandle) -> None:
    assert shared.invoke({"name": "callback"}).value == "called back"
    assert error_of(shared.invoke({"name": "callback", "fail": True}))[:2] == ("Error", "called back")
    assert shared.invoke({"name": "callback", "now": True}).value == "called back"


def test_what_a_handler_throws_is_the_failure_with_frames_and_cause(shared: WorkerHandle) -> None:
    outcome = shared.invoke({"name": "handler", "fail": True, "n": 3})

    assert error_of(outcome) == ("RangeError", "bad 3", "exception")
    frames = view_of(outcome)["frames"]
    own = [(frame["file"], frame["function"]) for frame in frames if frame["in_app"]]
    assert own[-1] == ("index.js", "fail")
    assert not [frame for frame in frames if "bootstrap" in frame["file"]]
    assert any("throw new RangeError" in line for line in frames[-1]["source"])
    assert outcome.scene is not None
    cause = json.loads(outcome.scene.members["exception.json"])[1]
    assert (cause["type"], cause["relation"]) == ("TypeError", "cause")
    assert error_of(shared.invoke({"name": "handler", "text": True}))[1] == "just a text"


def test_the_console_knows_levels(shared: WorkerHandle) -> None:
    outcome = shared.invoke({"name": "handler", "log": True})

    found = [
        (line.severity, line.body.split("\n")[0])
        for frame in outcome.frames
        if isinstance(frame, Logs)
        for line in frame.lines
    ]
    assert found == [("DEBUG", "d { a: 1 }"), ("WARN", "w"), ("ERROR", "Error: e")]


@pytest.mark.parametrize(
    ("event", "expected"),
    [
        ({"reject": True}, ("Runtime.UnhandledPromiseRejection", "Error: nobody waits")),
        ({"later": True}, ("Error", "later")),
        ({"exit": True}, ("Runtime.ExitError", "Runtime exited with error: exit status 4")),
    ],
)
def test_what_nobody_catches_belongs_to_the_invocation(
    running: ZygoteHandle, event: dict[str, Any], expected: tuple[str, str]
) -> None:
    outcome = node(running).invoke(event)

    assert error_of(outcome)[:2] == expected
    assert not outcome.done.reusable


def asked(running: ZygoteHandle, event: dict[str, Any]) -> Outcome:
    """Of a program that hangs, once a busy machine has let its inspector answer in time."""
    end = time.monotonic() + PATIENCE_S
    while True:
        outcome = node(running, "index.stand", timeout_s=0.3).invoke(event)
        if "inspector" not in dict(view_of(outcome).get("details", ())) or time.monotonic() > end:
            return outcome


def test_where_node_hangs_is_told_by_its_inspector_with_locals(running: ZygoteHandle) -> None:
    # Given a loop that never ends, and a wait
    spin, wait = (asked(running, {name: 1, "password": "hunter2"}) for name in ("spin", "wait"))

    # I expect frames with locals of the loop, without what is secret
    assert error_of(spin)[::2] == ("Timeout", "timeout")
    frames = [frame for frame in view_of(spin)["frames"] if frame["in_app"]]
    assert [frame["function"] for frame in frames] == ["exports.stand", "spin"]
    found = dict(frames[-1]["locals"])
    assert found["order"]["text"] == '{id: "o-1", items: Array(2)}'
    assert found["password"] == {"type": "string", "text": "[redacted]", "redacted": True}
    assert spin.scene is not None
    assert spin.scene.parts["exception"].because(Why.READ_WITH)

    # ... what the other one waits for, and no word of the inspector's in the log
    assert error_of(wait)[0] == "Timeout"
    assert dict(view_of(wait)["details"])["waits for"].startswith("timer, in ")
    assert spin.lines == wait.lines == []


def test_a_promise_that_nothing_can_settle_is_null_as_on_lambda(shared: WorkerHandle) -> None:
    assert shared.invoke({"name": "handler", "forever": True}).value is None


def test_a_streaming_handler_sends_parts(running: ZygoteHandle) -> None:
    worker = node(running, "index.stream")

    plain = worker.invoke({"plain": True}, stream=True)
    early, midway = worker.invoke({"early": True}, stream=True), worker.invoke({"midway": True}, stream=True)
    http = worker.request("GET", "/", headers=[])

    assert b"".join(part.body for part in plain.frames if isinstance(part, StreamPart)) == b"onetwo"
    assert [head.http_status for head in plain.frames if isinstance(head, StreamHead)] == [200]
    assert error_of(early)[:2] == ("Error", "early")
    assert error_of(midway)[:2] == ("Error", "midway")
    assert http.result.status == "ok"


def test_modules_of_both_kinds_are_found_and_others_are_named(running: ZygoteHandle) -> None:
    esm = node(running, "module.handler")
    assert esm.invoke({"a": 1}).value == {"esm": {"a": 1}, "sep": "/"}

    files = {"index.js": "exports.handler = 3; exports.other = () => {};", "broken.js": "let = ;"}
    for handler, error in (
        ("index.handler", "Runtime.HandlerNotFound"),
        ("index.missing", "Runtime.HandlerNotFound"),
        ("nowhere.handler", "Runtime.ImportModuleError"),
        ("broken.handler", "SyntaxError"),
    ):
        failed, _ = forked(running, files, handler, runtime="nodejs").init_failed()
        assert (handler, failed.error.type) == (handler, error)


def test_the_real_runtime_client_of_aws_runs_a_python_function(running: ZygoteHandle) -> None:
    worker = started(
        running,
        {"app.py": FUNCTION},
        "app.handler",
        command=[os.path.realpath(sys.executable), "-m", "awslambdaric", "app.handler"],
        dependencies_dir=str(running.home / "deps"),
    )

    outcome = worker.invoke({"n": 1}, context={"client_context": '{"custom": {"a": "b"}}'})
    failed = worker.invoke("boom")

    # I expect event, context, trace and log to come through it
    assert outcome.value["event"] == {"n": 1}
    assert outcome.value["id"] == outcome.result.invocation_id
    assert outcome.value["context"] == "{'a': 'b'}"
    assert outcome.value["trace"].startswith("Root=1-")
    lines = [line for frame in outcome.frames if isinstance(frame, Logs) for line in frame.lines]
    assert [line.severity for line in lines if "a warning\nof two lines" in line.body] == ["WARN"]
    assert "printed" in outcome.lines

    # ... and its errors with their frames
    assert error_of(failed)[:2] == ("KeyError", "'missing'")
    frame = view_of(failed)["frames"][-1]
    assert (frame["file"], frame["line"], frame["function"], frame["in_app"]) == (
        "app.py",
        9,
        "handler",
        True,
    )

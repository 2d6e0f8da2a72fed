"""`import relive` inside a function: calls over the worker's own wire, from any thread."""

from __future__ import annotations

import json
import time

from relive_base.wire.messages import Call, CallResult, Done, ErrorInfo, Result, Spans, Stop
from worker_harness import WorkerHandle, ZygoteHandle

ECHO = """
import relive
def handler(event, context):
    return relive.invoke("other", {"given": event})
"""


def test_a_call_is_answered_and_is_a_span_of_the_trace(running: ZygoteHandle) -> None:
    # Given a function that calls another one
    worker = running.worker(ECHO)
    invoke = worker.invoke_frame({"x": 1}, depth=2)
    worker.wire.send(invoke)
    # When the platform answers its call
    call, _ = worker.wire.until(Call)
    assert (call.function, json.loads(call.payload)) == ("other", {"given": {"x": 1}})
    assert (call.trace_id, call.depth, call.asynchronous) == (invoke.trace_id, 3, False)
    worker.wire.send(CallResult(call_id=call.call_id, ok=True, body=b'{"price": 3}', invocation_id="callee"))
    # Then the caller goes on with the result, and the call's span is the callee's parent
    outcome = worker.finish()
    assert outcome.value == {"price": 3}
    spans = [span for frame in outcome.frames if isinstance(frame, Spans) for span in frame.spans]
    assert [(span.name, span.kind, span.parent_span_id) for span in spans] == [
        ("invoke other", "Client", invoke.span_id)
    ]
    assert spans[0].span_id == call.parent_span_id


def test_a_failed_call_raises_what_the_callee_raised(running: ZygoteHandle) -> None:
    worker = running.worker(
        "import relive\ndef handler(e, c):\n    try:\n        relive.invoke('other')\n"
        "    except relive.FunctionError as error:\n"
        "        return [error.type, error.error_message, error.invocation_id, str(error)]"
    )
    worker.wire.send(worker.invoke_frame({}))
    call, _ = worker.wire.until(Call)
    error = ErrorInfo(type="KeyError", message="'sku'")
    worker.wire.send(CallResult(call_id=call.call_id, ok=False, error=error, invocation_id="abc"))
    kind, message, invocation_id, text = worker.finish().value
    assert (kind, message, invocation_id) == ("KeyError", "'sku'", "abc")
    assert "relive failure abc" in text


def test_calls_from_many_threads_are_answered_in_any_order(running: ZygoteHandle) -> None:
    worker = running.worker(
        "import relive\nfrom concurrent.futures import ThreadPoolExecutor\n"
        "def handler(e, c):\n    with ThreadPoolExecutor(8) as pool:\n"
        "        return list(pool.map(lambda n: relive.invoke('other', n), range(40)))",
        timeout_s=60,
    )
    worker.wire.send(worker.invoke_frame({}))
    waiting: list[Call] = []
    answered = 0
    while answered < 40:
        call, _ = worker.wire.until(Call)
        waiting.append(call)
        if len(waiting) == 8 or answered + len(waiting) == 40:
            for late in reversed(waiting):  # the last one first
                worker.wire.send(CallResult(call_id=late.call_id, ok=True, body=late.payload))
            answered += len(waiting)
            waiting.clear()
    assert worker.finish().value == list(range(40))


def test_an_event_that_comes_while_a_thread_waits_is_not_lost(running: ZygoteHandle) -> None:
    # Given a thread that outlives its invocation and waits for an answer
    worker = running.worker(
        "import relive, threading\nanswers = []\n"
        "def later():\n    answers.append(relive.invoke('other', 1, timeout_s=60))\n"
        "def handler(e, c):\n    if e == 'start':\n        threading.Thread(target=later).start()\n"
        "    return answers",
        timeout_s=60,
    )
    worker.wire.send(worker.invoke_frame("start"))
    frames: list[object] = []
    while not {Call, Done} <= {type(frame) for frame in frames}:
        frames.append(worker.wire.next())
    call = next(frame for frame in frames if isinstance(frame, Call))
    # When an event comes first, and then the answer
    assert _value(worker, "next") == []
    worker.wire.send(CallResult(call_id=call.call_id, ok=True, body=b"7"))
    # Then both arrive where they belong
    until = time.monotonic() + 120
    while _value(worker, "next") != [7]:
        assert time.monotonic() < until
    worker.wire.send(Stop())
    assert running.wait_exit(worker).status == 0


def _value(worker: WorkerHandle, event: str) -> object:
    worker.wire.send(worker.invoke_frame(event))
    result, _ = worker.wire.until(Result)
    worker.wire.until(Done)
    return json.loads(result.body)


def test_an_asynchronous_event_gives_its_id(running: ZygoteHandle) -> None:
    worker = running.worker("import relive\ndef handler(e, c):\n    return relive.send('other', e)")
    worker.wire.send(worker.invoke_frame({"n": 1}))
    call, _ = worker.wire.until(Call)
    assert call.asynchronous
    worker.wire.send(CallResult(call_id=call.call_id, ok=True, body=b"null", invocation_id="event-1"))
    assert worker.finish().value == "event-1"


def test_chains_of_calls_end(running: ZygoteHandle) -> None:
    outcome = running.worker(ECHO, call_depth=3).invoke({}, depth=3)
    assert outcome.result.error is not None
    assert "3 are allowed" in outcome.result.error.message


def test_a_call_without_an_answer_ends_with_the_callers_time(running: ZygoteHandle) -> None:
    worker = running.worker(ECHO, timeout_s=2.0)
    worker.wire.send(worker.invoke_frame({}))
    worker.wire.until(Call)
    assert worker.finish().result.status == "timeout"


def test_payloads_that_are_not_json_are_refused(running: ZygoteHandle) -> None:
    outcome = running.worker(
        "import relive\ndef handler(e, c):\n    relive.invoke('other', {'a': {1}})"
    ).invoke({})
    assert outcome.result.error is not None
    assert 'payload["a"]: set' in outcome.result.error.message

"""An HTTP answer with a 5xx status is a failure: of the exception behind it, where one was logged, signalled
or printed; the client still gets the answer."""

from __future__ import annotations

import pytest
from relive_base.wire.messages import HttpRequest
from worker_harness import Outcome, ZygoteHandle

EVENT = """
import logging, traceback, sys

def price(order):
    return order["price"] / 0

def handler(event, context):
    how = event["queryStringParameters"]["how"]
    if how == "bare":
        return {"statusCode": 503, "headers": {"retry-after": "9"}, "body": '{"error": "maintenance"}'}
    if how == "fine":
        try:
            price({"price": 1})
        except ZeroDivisionError:
            logging.exception("never mind")
        return {"statusCode": 404}
    if how == "older":
        try:
            {}["other"]
        except KeyError as error:
            print("tried", error)
    try:
        return price({"price": 7})
    except ZeroDivisionError as error:
        if how == "print":
            print("failed:", error)
        if how == "traceback":
            traceback.print_exc()
        if how == "stdout":
            print(f"oh: {traceback.format_exc()}")
        if how in ("log", "older"):
            logging.error("failed: %s", error)
        if how == "exception":
            logging.getLogger("shop").exception("failed")
        if how == "quiet handler":
            logger = logging.getLogger("alone")
            logger.propagate = False
            logger.addHandler(logging.StreamHandler(sys.stderr))
            logger.error("failed", exc_info=True)
        return {"statusCode": 500, "headers": {"x-mine": "1"}, "body": "sorry"}
"""

WEB = """
from werkzeug.exceptions import abort, InternalServerError

def handler(request):
    how = request.args["how"]
    if how == "abort":
        abort(503, "later")
    if how == "wrapped":
        try:
            {}["sku"]
        except KeyError as error:
            raise InternalServerError(original_exception=error)
    if how == "missing":
        abort(404)
    return "busy", 503
"""


def asked(worker: object, how: str) -> Outcome:
    return worker.request(query=f"how={how}")  # type: ignore[attr-defined,no-any-return]


@pytest.mark.parametrize(
    "how", ["print", "traceback", "stdout", "log", "older", "exception", "quiet handler"]
)
def test_the_exception_behind_an_answer_is_the_failure(running: ZygoteHandle, how: str) -> None:
    # Given a function that handles its exceptions itself, with a 500
    worker = running.worker(EVENT)
    # When it does
    outcome = asked(worker, how)
    # Then that is an error with the exception's scene, and the answer is the function's own
    result, scene = outcome.result, outcome.scene
    assert (result.status, result.answered, result.http_status) == ("error", True, 500)
    assert (result.body, result.headers) == (b"sorry", [("x-mine", "1")])
    assert result.error is not None
    assert (result.error.type, result.error.kind) == ("ZeroDivisionError", "exception")
    assert result.error.function == "price"
    assert scene is not None
    assert b'"order"' in scene.members["exception.json"]
    # Then the process stays for a debugger
    assert result.reusable is False


def test_a_5xx_without_an_exception_is_a_failure_of_its_own_kind(running: ZygoteHandle) -> None:
    worker = running.worker(EVENT)

    outcome = asked(worker, "bare")

    result = outcome.result
    assert (result.status, result.answered, result.http_status) == ("error", True, 503)
    assert result.headers == [("retry-after", "9")]
    assert result.error is not None
    assert (result.error.type, result.error.kind) == ("503", "response")
    assert result.error.message == "Service Unavailable for GET /"
    assert outcome.scene is not None
    assert b"maintenance" in outcome.scene.members["exception.json"]
    # Then the worker goes on: nothing in it has failed
    assert result.reusable is True
    assert asked(worker, "fine").result.status == "ok"
    again = asked(worker, "bare").result.error
    assert again is not None
    assert again.fingerprint == result.error.fingerprint


def test_other_answers_are_none(running: ZygoteHandle) -> None:
    worker = running.worker(EVENT)
    # Given an exception that was logged before an answer that is no server error
    assert asked(worker, "fine").result.status == "ok"
    # Given the same object as the result of an event that is no request
    plain = running.worker("def handler(e, c):\n    return {'statusCode': 500}").invoke({})
    assert (plain.result.status, plain.value) == ("ok", {"statusCode": 500})


@pytest.mark.parametrize(
    ("how", "kind", "error", "status"),
    [
        ("abort", "exception", "werkzeug.exceptions.ServiceUnavailable", 503),
        ("wrapped", "exception", "KeyError", 500),
        ("busy", "response", "503", 503),
    ],
)
def test_http_functions_too(running: ZygoteHandle, how: str, kind: str, error: str, status: int) -> None:
    worker = running.worker(WEB, kind="http")

    result = asked(worker, how).result

    assert (result.status, result.http_status) == ("error", status)
    assert result.error is not None
    assert (result.error.kind, result.error.type) == (kind, error)


def test_an_answer_that_is_not_the_servers_fault(running: ZygoteHandle) -> None:
    assert asked(running.worker(WEB, kind="http"), "missing").result.status == "ok"


def test_nothing_is_kept_of_an_exception_once_its_invocation_is_over(running: ZygoteHandle) -> None:
    # Given a function that logs an exception which holds a large object, and answers well
    worker = running.worker(
        "import gc, logging, weakref\n"
        "class Large: pass\n"
        "kept = []\n"
        "def fail(large):\n    raise ValueError\n"
        "def handler(event, context):\n"
        "    large = Large()\n"
        "    before = [ref() is not None for ref in kept]\n"
        "    kept.append(weakref.ref(large))\n"
        "    try:\n        fail(large)\n"
        "    except ValueError:\n        logging.exception('x')\n"
        "    return {'statusCode': 200, 'body': str(before)}\n"
    )
    # When it is asked again, I expect the object to be gone
    http = HttpRequest("GET", "/", host="localhost")
    worker.invoke(raw=b"", http=http, trigger="http")
    assert worker.invoke(raw=b"", http=http, trigger="http").result.body == b"[False]"

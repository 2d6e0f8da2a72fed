"""What a failed event is compared with."""

from __future__ import annotations

from relive_base.records import InvocationRecord
from relive_base.wire.messages import HttpRequest
from relive_platform.engine.invocation import InvokeRequest
from relive_platform.engine.successes import HEALTHY_BYTES, MAX_SUCCESSES, Successes

from tests.support.tracer_records import record


def _request(path: str, method: str = "GET") -> InvokeRequest:
    return InvokeRequest(function="shop", http=HttpRequest(method, path), trigger="http")


def _event(trigger: str) -> InvokeRequest:
    return InvokeRequest(function="shop", event=b"1", trigger=trigger)


def _record(size: int = 0) -> InvocationRecord:
    return record(event_bytes=size)


def _with(*requests: InvokeRequest) -> Successes:
    successes = Successes()
    for request in requests:
        successes.add(request, _record())
    return successes


def _path_like(
    successes: Successes, path: str, method: str = "GET", *, of_its_path: bool = True
) -> str | None:
    found = successes.like(_request(path, method), of_its_path=of_its_path)
    return found[0].http.path if found is not None and found[0].http is not None else None


def test_a_request_is_compared_with_the_newest_of_its_own_path() -> None:
    # Given an application that answered three paths, /orders/17 not last
    successes = _with(_request("/orders/17"), _request("/health"), _request("/orders/18"))
    # I expect the success of the same path, though others are newer
    assert _path_like(successes, "/orders/17") == "/orders/17"
    # ... and of one that is like it where the path has had none: the newest of them
    assert _path_like(successes, "/orders/99") == "/orders/18"


def test_what_has_nothing_in_common_is_not_compared() -> None:
    successes = _with(_request("/orders/17"), _request("/big"))
    assert _path_like(successes, "/users/17") is None
    assert _path_like(successes, "/orders/17/lines") is None
    assert _path_like(successes, "/orders/17", "DELETE") is None
    assert _path_like(successes, "/slow") is None


def test_a_function_with_one_handler_is_compared_with_whatever_succeeded_last() -> None:
    successes = _with(_request("/orders/17"), _request("/big"))
    assert _path_like(successes, "/slow", of_its_path=False) == "/big"


def test_an_event_is_compared_with_one_of_the_same_trigger_first() -> None:
    successes = _with(_event("queue"), _event("timer"))
    found = successes.like(_event("queue"), of_its_path=False)
    assert found is not None
    assert found[0].trigger == "queue"
    found = successes.like(_event("api"), of_its_path=False)
    assert found is not None
    assert found[0].trigger == "timer"


def test_it_is_bounded_in_number_and_size() -> None:
    # Given more paths than are kept, and an event that is too large
    successes = _with(*(_request(f"/p{n}") for n in range(MAX_SUCCESSES + 1)))
    successes.add(_request("/huge"), _record(HEALTHY_BYTES + 1))
    # I expect the oldest path to be forgotten, and nothing of the large one
    assert _path_like(successes, "/p0") is None
    assert _path_like(successes, "/p1") == "/p1"
    assert _path_like(successes, "/huge") is None


def test_the_newest_is_kept_though_it_is_not_small() -> None:
    successes = _with(_request("/a"))
    successes.add(_request("/b"), _record(HEALTHY_BYTES))
    assert _path_like(successes, "/b") == "/b"
    successes.add(_request("/a"), _record())
    assert _path_like(successes, "/b") is None


def test_nothing_has_succeeded_yet() -> None:
    successes = Successes()
    assert not successes
    assert successes.like(_request("/"), of_its_path=True) is None


def test_a_call_of_grpc_is_compared_with_one_of_its_method() -> None:
    # Given a service that answered one of its methods
    def call(method: str) -> InvokeRequest:
        return InvokeRequest(
            function="shop", trigger="grpc", attributes={"rpc.service": "shop.Orders", "rpc.method": method}
        )

    successes = _with(call("Get"), call("List"))
    # I expect that one for the same method, and none for another
    found = successes.like(call("Get"), of_its_path=True)
    assert found is not None
    assert found[0].attributes["rpc.method"] == "Get"
    assert successes.like(call("Delete"), of_its_path=True) is None


def test_what_its_client_did_not_wait_for_is_no_success_to_compare_with() -> None:
    successes = Successes()
    successes.add(_request("/slow"), record(attributes={"relive.client_disconnected": "true"}))
    assert not successes

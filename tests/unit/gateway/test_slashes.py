"""Paths with encoded slashes: routes know segments, functions the path."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from relive_base.slashes import has_slashes, with_slashes, without_slashes
from relive_base.wire.messages import FunctionSpec, HttpRequest, Invoke
from relive_platform.triggers.http.routes import Route, Routes
from relive_runtime.adapters.event.payload import http_event


def test_an_encoded_slash_is_part_of_its_segment() -> None:
    # Given a route with a parameter
    routes = Routes([Route("/orders/{id}", "orders")])

    # When a path has an encoded slash
    found = routes.find("GET", with_slashes("/orders/a%2Fb%2fc"))

    # I expect the route, and the function to see plain slashes
    assert found is not None
    assert found.route == "/orders/{id}"
    assert without_slashes(found.path) == "/orders/a/b/c"

    # ... and one that is encoded twice to be text
    assert with_slashes("/orders/a%252Fb") == "/orders/a%2Fb"
    assert not has_slashes("/orders/a%252Fb")
    assert routes.find("GET", "/orders/a/b") is None


def test_an_event_has_the_parameter_decoded() -> None:
    # Given a request for such a path
    request = HttpRequest(
        "GET", "/orders/a/b", "", [], host="localhost", route="/orders/{id}", target="/orders/a%2Fb"
    )
    invoke = Invoke(invocation_id="", trace_id="", span_id="", deadline_monotonic_ns=0)
    spec = FunctionSpec(name="f", version=1, handler="main:f")

    # When it becomes an event
    event = http_event(invoke, request, spec)

    # I expect the parameter to be whole
    assert event["pathParameters"] == {"id": "a/b"}


@given(st.text(alphabet="ab/%2Ff5", max_size=40))
def test_every_path_is_the_same_but_for_its_slashes(target: str) -> None:
    # Given any path
    # When it is decoded by segments, and slashes are made alike
    from urllib.parse import unquote

    # I expect what decoding alone gives
    assert without_slashes(with_slashes(target)) == unquote(target)

"""Failures without an exception are told apart by what was asked for, not by whom or which one."""

from __future__ import annotations

import pytest
from relive_base.wire.messages import FunctionSpec, HttpRequest, Result
from relive_runtime.adapters.http.route_shapes import path_shape, route_of
from relive_runtime.worker.failures.capturing import capture_answer


@pytest.mark.parametrize(
    ("path", "shape"),
    [
        ("/", "/"),
        ("/orders", "/orders"),
        ("/orders/17/items/3", "/orders/#/items/#"),
        ("/orders/o-17", "/orders/o-#"),
        ("/v2/orders/2026-01-31", "/v2/orders/#"),
        ("/users/01a208c8-77aa-4c1f-9d12-000000000001", "/users/#"),
        ("/blobs/9f86d081884c", "/blobs/#"),
        ("/users/ann@shop.example/cart", "/users/#/cart"),
        ("/find/" + "x" * 41, "/find/#"),
        ("/grüße", "/#"),
        ("/a/b/c/d/e/f/g/h/i/j", "/a/b/c/d/e/f/g/h/…"),
    ],
)
def test_numbers_and_ids_are_no_part_of_it(path: str, shape: str) -> None:
    assert path_shape(path) == shape


def test_the_triggers_route_goes_first() -> None:
    assert route_of(HttpRequest("GET", "/orders/blue", route="/orders/{id}")) == "GET /orders/{id}"
    assert route_of(HttpRequest("PUT", "/orders/17", route="/{proxy+}")) == "PUT /orders/#"
    assert route_of(None) == ""


def group(method: str, path: str, status: int = 500, function: str = "shop") -> str:
    result = Result("i", "ok", 0, 0, body=b"Internal Server Error", http_status=status)
    spec = FunctionSpec(name=function, version=1, handler="main:handler", source="")
    scene = capture_answer(result, spec=spec, invocation_id="i", route=route_of(HttpRequest(method, path)))
    assert scene.error is not None
    return scene.error.fingerprint


def test_failures_without_an_exception_are_one_where_the_route_is() -> None:
    first = group("GET", "/orders/17")
    # I expect another order to be the same failure
    assert group("GET", "/orders/18") == first
    # I expect another route, method, status or function to be another one
    others = {
        group("GET", "/users/17"),
        group("POST", "/orders/17"),
        group("GET", "/orders/17", 503),
        group("GET", "/orders/17", function="stock"),
    }
    assert len(others) == 4
    assert first not in others

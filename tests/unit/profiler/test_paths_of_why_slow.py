"""What a slow request is compared with."""

from __future__ import annotations

from relive_base.likeness import path_likeness
from relive_tracer.explore.models import InvocationRow
from relive_views.profiles.why_slow import _of_its_path


def _rows(*paths: str, route: str = "") -> list[InvocationRow]:
    return [
        InvocationRow(invocation_id=str(number), function="shop", http_path=path, http_route=route)
        for number, path in enumerate(paths)
    ]


def _compared(path: str, *others: str) -> tuple[list[str], int]:
    found, notes = _of_its_path(_rows(path)[0], _rows(*others))
    return [row.http_path for row in found], len(notes)


def test_a_request_of_a_service_is_compared_with_those_of_its_path_if_there_are_enough() -> None:
    assert _compared("/slow", "/slow", "/big", "/slow", "/slow") == (["/slow"] * 3, 0)
    assert _compared("/orders/7", "/orders/1", "/big", "/orders/2", "/orders/3") == (
        ["/orders/1", "/orders/2", "/orders/3"],
        0,
    )


def test_paths_that_may_be_something_else_are_said() -> None:
    assert _compared("/api/orders", "/api/users", "/api/items", "/api/carts") == (
        ["/api/users", "/api/items", "/api/carts"],
        1,
    )


def test_else_with_all_which_is_said() -> None:
    assert _compared("/slow", "/slow", "/big", "/sse") == (["/slow", "/big", "/sse"], 1)
    paths = ["/fn/shop/slow", "/fn/shop/big", "/fn/shop/sse"]
    assert _compared("/fn/shop/slow", *paths) == (paths, 1)


def test_functions_with_one_path_are_compared_as_they_are() -> None:
    assert _compared("", "", "") == (["", ""], 0)
    assert _compared("/fn/tt/", "/fn/tt/") == (["/fn/tt/"], 0)
    route = "/orders/{id}/{line}"
    (own,), others = _rows("/orders/1/2", route=route), _rows("/orders/8/9", "/orders/7/7", route=route)
    assert _of_its_path(own, others) == (others, ())


def test_paths_are_alike_if_half_of_them_is_the_same() -> None:
    assert path_likeness("/orders/17/lines/2", "/orders/18/lines/3") == 4
    assert path_likeness("/orders/17", "/orders/a8f3") > path_likeness("/orders/17", "/orders/new") > 0
    assert path_likeness("/orders/17", "/users/17") == 0
    assert path_likeness("/orders/17", "/orders/17/lines") == 0
    assert path_likeness("/", "/") > 0

"""Paths to functions."""

from __future__ import annotations

import pytest
from relive_platform.triggers.http.routes import MethodNotAllowed, Policy, Route, Routes


def test_a_function_has_its_own_url_whatever_the_routes_are() -> None:
    target = Routes().find("GET", "/fn/checkout/a/b")

    assert target is not None
    assert (target.function, target.path, target.mount) == ("checkout", "/a/b", "/fn/checkout")
    bare = Routes().find("GET", "/fn/checkout")
    assert bare is not None
    assert bare.path == "/"


@pytest.mark.parametrize(
    ("path", "function"),
    [
        ("/a", "exact"),
        ("/a/1", "one"),
        ("/a/1/2", "rest"),
        ("/files", "all"),
        ("/files/x/y", "all"),
        ("/b", None),
    ],
)
def test_exact_wins_over_patterns_and_segments_over_the_rest(path: str, function: str | None) -> None:
    routes = Routes(
        [
            Route("/a/{rest+}", "rest"),
            Route("/a/{id}", "one"),
            Route("/a", "exact"),
            Route("/files/*", "all"),
        ]
    )

    target = routes.find("GET", path)

    assert (target.function if target else None) == function


def test_a_path_with_special_characters_is_taken_as_it_is() -> None:
    routes = Routes([Route("/a.b/{id}", "f")])

    assert routes.find("GET", "/a.b/1") is not None
    assert routes.find("GET", "/aXb/1") is None


def test_the_methods_decide_and_head_follows_get() -> None:
    routes = Routes([Route("/a", "reads", frozenset(["GET"])), Route("/a", "writes", frozenset(["POST"]))])

    found = [routes.find(method, "/a") for method in ("GET", "POST", "HEAD")]

    assert [target.function for target in found if target] == ["reads", "writes", "reads"]
    with pytest.raises(MethodNotAllowed, match="GET, POST"):
        routes.find("DELETE", "/a")


def test_a_target_has_what_its_route_and_function_say() -> None:
    policies = {"f": Policy(public=True, route_details=False, event=True)}
    routes = Routes([Route("/a/{id}", "f", payload="1.0")], policies)

    route, own = routes.find("GET", "/a/1"), routes.find("GET", "/fn/f/x")

    assert route is not None
    assert own is not None
    assert (route.payload, route.public, route.details, route.hidden) == ("1.0", True, False, "")
    assert (own.payload, own.public, own.details, own.hidden) == ("", False, True, "/fn/f")
    assert [routes.has(path) for path in ("/a/1", "/fn/f", "/b")] == [True, False, False]

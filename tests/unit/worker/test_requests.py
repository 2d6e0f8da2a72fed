"""Making werkzeug Requests without their constructor."""

from __future__ import annotations

import pytest
from relive_base.wire.messages import HttpRequest
from relive_runtime.adapters.http.function import environ_of, request_maker
from werkzeug.wrappers import Request

HEADERS = [("host", "shop.example:8080"), ("content-type", "application/json"), ("x-a", "1"), ("x-a", "2")]


@pytest.mark.parametrize(
    "request_",
    [
        HttpRequest("get", "/"),
        HttpRequest("POST", "//a//b/", "q=1&r=%C3%A9", HEADERS, b'{"a":1}', "https", "h:81", "::1", "/fn/x/"),
        HttpRequest("GET", "/caf\u00e9", host="[::1]:80", mount="/\u00fc"),
        HttpRequest("GET", "", host="shop.example:no", client=""),
        HttpRequest("GET", "/", host="shop.example:" + "9" * 5_000),
    ],
)
def test_a_request_is_what_werkzeug_makes_of_its_environ(request_: HttpRequest) -> None:
    make = request_maker()
    environ = environ_of(request_)

    made = make(request_, environ)

    assert type(made) is Request
    assert vars(made) == vars(Request(environ, populate_request=False))
    assert made.get_data() == request_.body


def test_the_quick_way_is_taken_with_this_werkzeug() -> None:
    assert request_maker().__name__ == "made"


def test_a_werkzeug_that_sets_other_attributes_is_asked_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    constructor = Request.__init__

    def newer(self: Request, *arguments: object, **options: object) -> None:
        constructor(self, *arguments, **options)  # type: ignore[arg-type]
        self.trusted = True  # type: ignore[attr-defined]

    monkeypatch.setattr(Request, "__init__", newer)

    make = request_maker()

    assert make(HttpRequest("GET", "/"), environ_of(HttpRequest("GET", "/"))).trusted


def test_a_function_sees_relives_own_trace() -> None:
    client = [("traceparent", "00-client-span-01"), ("tracestate", "x=y")]

    ours = environ_of(HttpRequest("GET", "/", headers=client), ("00-ours-span-01", "k=v"))
    alone = environ_of(HttpRequest("GET", "/", headers=client), ("00-ours-span-01", ""))

    assert (ours["HTTP_TRACEPARENT"], ours["HTTP_TRACESTATE"]) == ("00-ours-span-01", "k=v")
    assert alone["HTTP_TRACEPARENT"] == "00-ours-span-01"
    assert "HTTP_TRACESTATE" not in alone


@pytest.mark.parametrize(
    ("host", "name", "port"),
    [("[::1]:8700", "[::1]", "8700"), ("[::1]", "[::1]", "80"), ("a:1", "a", "1"), ("a", "a", "80")],
)
def test_an_address_keeps_its_colons(host: str, name: str, port: str) -> None:
    environ = environ_of(HttpRequest("GET", "/", host=host))

    assert (environ["SERVER_NAME"], environ["SERVER_PORT"]) == (name, port)

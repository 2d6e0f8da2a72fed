"""Applications that answer for their exceptions themselves: the exception is known all the same."""

from __future__ import annotations

import asyncio
import sys
import traceback
import types
from collections.abc import Callable, Iterator
from typing import Any

import flask
import pytest
import starlette._exception_handler as starlette_lookup
import starlette.responses
import werkzeug.sansio.response
from flask.sansio.app import App
from relive_runtime.adapters.http.framework_errors import FrameworkErrors
from relive_tracer.record.noticed import Noticed
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route
from werkzeug.exceptions import ServiceUnavailable
from werkzeug.test import Client


@pytest.fixture
def noticed() -> Iterator[Noticed]:
    """What the frameworks tell during one request."""
    found = Noticed()
    found.begin(True)
    errors = FrameworkErrors(found.note)
    errors.watch()
    yield found
    errors.close()


def price(order: dict[str, int]) -> int:
    return order["price"]


def frames(error: BaseException | None) -> list[str]:
    assert error is not None
    return [frame.name for frame in traceback.extract_tb(error.__traceback__)]


def application() -> flask.Flask:
    app = flask.Flask("shop")
    app.logger.disabled = True

    @app.errorhandler(LookupError)
    def on_error(error: Exception) -> tuple[str, int]:
        return "sorry", 500

    @app.get("/handler")
    def handler() -> str:
        return str(price({}))

    @app.get("/abort")
    def aborts() -> str:
        try:
            return str(price({}))
        except KeyError:
            flask.abort(503)

    @app.get("/json")
    def answers() -> Any:
        try:
            return str(price({}))
        except Exception:
            return flask.jsonify(error="x"), 500

    @app.get("/response")
    def responds() -> Any:
        try:
            return str(price({}))
        except Exception:
            return flask.Response("{}", 500, content_type="application/json")

    @app.get("/plain")
    def plain() -> tuple[str, int]:
        return "busy", 503

    return app


@pytest.mark.parametrize("path", ["handler", "json", "response"])
def test_flask_answers_for_an_exception_by_itself(noticed: Noticed, path: str) -> None:
    # Given a Flask application with its own handler, or a view that catches all
    # When it answers with 500
    assert Client(application()).get(f"/{path}").status_code == 500
    # Then the exception is the one that was raised, with the frame in which it was
    error = noticed.take()
    assert type(error) is KeyError
    assert frames(error)[-1] == "price"


def test_abort_in_flask_is_known_with_what_it_was_raised_in(noticed: Noticed) -> None:
    assert Client(application()).get("/abort").status_code == 503

    error = noticed.take()

    assert type(error) is ServiceUnavailable
    assert "aborts" in frames(error)
    assert type(error.__context__) is KeyError


def test_an_answer_without_an_exception_has_none(noticed: Noticed) -> None:
    assert Client(application()).get("/plain").status_code == 503

    assert noticed.take() is None


def test_a_handler_that_raises_again_has_no_frame_of_relive(noticed: Noticed) -> None:
    # Given a handler of the application that raises what it was given
    app = flask.Flask("shop")
    app.config["PROPAGATE_EXCEPTIONS"] = True

    @app.errorhandler(KeyError)
    def on_error(error: KeyError) -> str:
        raise error

    @app.get("/")
    def view() -> str:
        return str(price({}))

    # When it fails, I expect the traceback that it has without Relive
    with pytest.raises(KeyError) as raised:
        Client(app).get("/")
    assert not [frame for frame in raised.traceback if "relive_runtime" in str(frame.path)]


def status_of(app: Starlette, path: str) -> int:
    """The status that `app` answers a GET with."""
    sent: list[Any] = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Any) -> None:
        sent.append(message)

    scope = {"type": "http", "method": "GET", "path": path, "raw_path": path.encode(), "query_string": b""}
    asyncio.run(app(scope | {"headers": [], "root_path": ""}, receive, send))
    return int(sent[0]["status"])


def starlette_application(handlers: dict[Any, Any]) -> Starlette:
    async def fails(request: Request) -> JSONResponse:
        return JSONResponse(price({}))

    async def down(request: Request) -> JSONResponse:
        try:
            return JSONResponse(price({}))
        except KeyError as error:
            raise HTTPException(503, "db down") from error

    def catches(request: Request) -> JSONResponse:  # in a thread
        try:
            return JSONResponse(price({}))
        except KeyError:
            return JSONResponse({"error": "x"}, status_code=500)

    routes = [Route("/fails", fails), Route("/down", down), Route("/catches", catches)]
    return Starlette(routes=routes, exception_handlers=handlers)


async def on_error(request: Request, error: Exception) -> JSONResponse:
    return JSONResponse({"error": "sorry"}, status_code=500)


def on_error_in_thread(request: Request, error: Exception) -> JSONResponse:
    return JSONResponse({"error": "sorry"}, status_code=500)


@pytest.mark.parametrize("handler", [on_error, on_error_in_thread])
def test_starlette_answers_for_an_exception_by_itself(noticed: Noticed, handler: Callable[..., Any]) -> None:
    # Given a Starlette application with a handler of its own (Starlette takes the traceback away after it)
    app = starlette_application({KeyError: handler})
    # When it answers with 500
    assert status_of(app, "/fails") == 500
    # Then the exception is known, with its frames
    error = noticed.take()
    assert type(error) is KeyError
    assert frames(error)[-1] == "price"


@pytest.mark.parametrize("handlers", [{}, {503: on_error}])
def test_an_http_exception_of_starlette_is_known_with_its_cause(
    noticed: Noticed, handlers: dict[Any, Any]
) -> None:
    assert status_of(starlette_application(handlers), "/down") >= 500

    error = noticed.take()

    assert type(error) is HTTPException
    assert frames(error)[-1] == "down"
    assert type(error.__cause__) is KeyError


def test_a_response_that_is_made_while_an_exception_is_handled(noticed: Noticed) -> None:
    assert status_of(starlette_application({}), "/catches") == 500

    assert frames(noticed.take())[-1] == "price"


def test_the_frameworks_are_left_as_they_were() -> None:
    # Given what the frameworks have of their own
    places: list[tuple[Any, str]] = [
        (App, "_find_error_handler"),
        (starlette_lookup, "is_async_callable"),
        (starlette.responses.Response, "init_headers"),
        (werkzeug.sansio.response.Response, "_clean_status"),
    ]
    before = [vars(place)[name] for place, name in places]
    errors = FrameworkErrors(lambda error, rank: None)
    # When somebody listens, and stops
    errors.watch()
    during = [vars(place)[name] for place, name in places]
    errors.close()
    # Then all of it was hooked, and none is any more
    assert not set(during) & set(before)
    assert [vars(place)[name] for place, name in places] == before


def test_a_response_of_django_too(monkeypatch: pytest.MonkeyPatch, noticed: Noticed) -> None:
    # Given a module with the response that Django has (which the tests do not install)
    class HttpResponseBase:
        def make_bytes(self, value: str) -> bytes:
            return value.encode()

    module: Any = types.ModuleType("django.http.response")
    module.HttpResponseBase = HttpResponseBase
    monkeypatch.setitem(sys.modules, "django.http.response", module)
    errors = FrameworkErrors(noticed.note)
    errors.watch()
    # When one is made in an except block, I expect the exception to be known
    try:
        price({})
    except KeyError:
        assert HttpResponseBase().make_bytes("x") == b"x"
    assert frames(noticed.take())[-1] == "price"
    errors.close()

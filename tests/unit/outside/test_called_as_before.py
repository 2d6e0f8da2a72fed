"""What `relive.record` gives is called as what it was given, whatever that is."""

from __future__ import annotations

import asyncio
import io
import time
import traceback
from functools import partial
from typing import Any

import pytest
from flask import Flask
from relive_outside.hosts.applications import interface_of
from relive_outside.record.handed import Handed
from relive_outside.record.recorder import Recorder
from relive_outside.record.settings import OutsideSettings
from relive_outside.recording import recorded_by
from starlette.applications import Starlette


class Hand:
    """Keeps what it is given."""

    def __init__(self) -> None:
        self.given: list[Handed] = []

    def over(self, handed: Handed, wait_s: float) -> str:
        self.given.append(handed)
        return ""

    def take_up(self) -> str:
        return ""

    def close(self) -> str:
        return ""


class Lines:
    """An application of WSGI that counts the lines of a body, and fails then."""

    def __call__(self, environ: Any, start_response: Any) -> Any:
        count = sum(1 for _ in iter(environ["wsgi.input"].readline, b""))
        raise KeyError(count)


class Two:
    def __call__(self, left: int, right: int) -> int:
        return left * right


class Three:
    def __call__(self, one: int, two: int, three: int) -> int:
        return one * two * three


class Awaited:
    async def __call__(self, one: int, two: int, three: int = 4) -> int:
        return one * two * three


class Error(Exception):
    """Raises where its class is asked for."""

    @property
    def __class__(self) -> Any:
        raise KeyboardInterrupt

    @__class__.setter
    def __class__(self, value: Any) -> None: ...


@pytest.fixture
def hand() -> Hand:
    return Hand()


@pytest.fixture
def recorder(tmp_path: Any, hand: Hand) -> Recorder:
    return Recorder(OutsideSettings(state=str(tmp_path / "state")), "call", hand=hand)


def test_callable_objects_are_no_applications(recorder: Recorder) -> None:
    assert recorded_by(Two(), recorder)(2, right=3) == 6
    assert recorded_by(partial(pow), recorder)(2, 3) == 8
    assert recorded_by(Three(), recorder)(2, 3, 4) == 24
    assert asyncio.run(recorded_by(Awaited(), recorder)(2, 3)) == 24
    assert recorded_by("text", recorder) == "text"


def test_applications_are_told_by_their_parameters() -> None:
    def wsgi(environ: Any, start_response: Any) -> Any: ...
    async def asgi(scope: Any, receive: Any, send: Any) -> Any: ...
    def other(event: Any, context: Any) -> Any: ...

    assert [interface_of(one) for one in (wsgi, asgi, other, Lines())] == ["wsgi", "asgi", "", "wsgi"]


def test_a_body_that_is_read_in_small_pieces_costs_in_proportion(recorder: Recorder, hand: Hand) -> None:
    application = recorded_by(Lines(), recorder)

    def took(lines: int) -> float:
        environ = {"wsgi.input": io.BytesIO(b"a line of it...\n" * lines), "REQUEST_METHOD": "POST"}
        began = time.thread_time()
        with pytest.raises(KeyError, match=str(lines)):
            application(environ, None)
        return time.thread_time() - began

    def best(lines: int) -> float:  # a collection of garbage makes one longer
        return min(took(lines) for _ in range(3))

    small = best(4_000)
    # With sixteen times as much, I expect nothing like the square of that
    assert best(64_000) < 80 * small
    read = [len(handed.http.body) for handed in hand.given if handed.http]
    assert read == [64_000] * 3 + [1_024_000] * 3


def test_an_error_whose_class_raises_is_raised_as_it_is(recorder: Recorder) -> None:
    error = Error()

    def fails() -> None:
        raise error

    try:
        recorded_by(fails, recorder)()
    except BaseException as raised:
        assert raised is error  # noqa: PT017


def _frames(error: BaseException) -> list[str]:
    """Functions of the traceback, this test's own left out."""
    return [frame.name for frame in traceback.extract_tb(error.__traceback__)][1:]


def _raised(call: Any) -> BaseException:
    with pytest.raises(KeyError) as caught:
        call()
    return caught.value


def fails(*_: Any, **__: Any) -> Any:
    raise KeyError("a")


def answers_in_parts(environ: Any, start_response: Any) -> Any:
    start_response("200 OK", [])
    yield environ["wsgi.input"].readline()
    raise KeyError("b")


class Broken:
    """A body whose client has gone."""

    def read(self, size: int = -1) -> bytes:
        raise KeyError("c")


def test_tracebacks_have_the_applications_own_frames_alone(recorder: Recorder, hand: Hand) -> None:
    # Given functions and applications that fail, in each of the ways in which they are called
    async def waits(_one: int) -> None:
        await asyncio.sleep(0)
        fails()

    async def asgi(scope: Any, receive: Any, send: Any) -> None:
        await (receive() if scope["path"] == "/receive" else send({"type": scope["path"]}))

    async def broken(*_: Any) -> Any:
        fails()

    def reads(environ: Any, start_response: Any) -> Any:
        return environ["wsgi.input"].read()

    def starts(environ: Any, start_response: Any) -> Any:
        return start_response("200 OK", [])

    def environ(body: Any = None) -> dict[str, Any]:
        return {"REQUEST_METHOD": "GET", "wsgi.input": body if body is not None else io.BytesIO(b"one")}

    def scope(path: str, kind: str = "http") -> dict[str, Any]:
        return {"type": kind, "path": path, "method": "GET", "headers": [], "query_string": b""}

    def served(given: Any) -> list[str]:
        names = _frames(_raised(lambda: asyncio.run(recorded_by(asgi, recorder)(given, broken, broken))))
        return names[names.index("asgi") :]

    # When they are recorded, I expect tracebacks as without
    assert _frames(_raised(lambda: recorded_by(fails, recorder)(1))) == ["<lambda>", "fails"]
    assert _frames(_raised(lambda: asyncio.run(recorded_by(waits, recorder)(1))))[-2:] == ["waits", "fails"]
    assert served(scope("/receive")) == ["asgi", "broken", "fails"]
    assert served(scope("/send")) == ["asgi", "broken", "fails"]
    assert served(scope("/socket", "websocket")) == ["asgi", "broken", "fails"]
    wsgi = recorded_by(reads, recorder)
    assert _frames(_raised(lambda: wsgi(environ(Broken()), None))) == ["<lambda>", "reads", "read"]
    begun = recorded_by(starts, recorder)
    assert _frames(_raised(lambda: begun(environ(), fails))) == ["<lambda>", "starts", "fails"]
    parts = recorded_by(answers_in_parts, recorder)(environ(), lambda *_: None)
    assert _frames(_raised(lambda: list(parts))) == ["<lambda>", "answers_in_parts"]
    # ... and a scene of each request and websocket that failed
    assert len(hand.given) == 8


def test_an_application_looks_like_itself(recorder: Recorder) -> None:
    # Given an application of ASGI, and one of Flask
    app, flask_app = Starlette(), Flask(__name__)
    app.state.prices = 1
    # When they are recorded, I expect their class, their attributes, and Flask's very object
    recorded = recorded_by(app, recorder)
    assert recorded is not app
    assert recorded_by(recorded, recorder) is recorded
    with pytest.raises(TypeError):
        recorded()  # as uvicorn tries, to see whether it makes the application
    assert isinstance(recorded, Starlette)
    assert repr(recorded) == repr(app)
    assert "router" in dir(recorded)
    recorded.extra = 1
    del recorded.extra
    assert not hasattr(app, "extra")
    assert recorded_by(flask_app, recorder) is flask_app
    assert recorded_by(flask_app, recorder) is flask_app


def test_requests_of_a_flask_application_are_recorded_however_it_is_served(
    recorder: Recorder, hand: Hand
) -> None:
    app = Flask(__name__)
    app.add_url_rule("/", "fails", fails)
    recorded_by(app, recorder)
    # When its own server's way in is used, I expect one scene
    with app.test_client().get("/") as answer:
        assert answer.status_code == 500
    assert [handed.record.error.type for handed in hand.given if handed.record and handed.record.error] == [
        "KeyError"
    ]


def test_what_is_turned_off_is_what_it_was(tmp_path: Any) -> None:
    recorder = Recorder(OutsideSettings(enabled=False), "call")
    assert recorded_by(fails, recorder) is fails


async def test_a_websocket_may_take_as_long_as_its_client_likes(tmp_path: Any, hand: Hand) -> None:
    # Given an application, whose invocations are told of after an hour
    recorder = Recorder(OutsideSettings(state=str(tmp_path), timeout_s=3_600.0), "call", hand=hand)
    watched: list[int] = []

    async def application(scope: Any, receive: Any, send: Any) -> None:
        watched.append(len(recorder._watchdog._watched))
        await send({"type": "websocket.accept"})
        watched.append(len(recorder._watchdog._watched))
        await receive()
        await send({"type": "websocket.send", "text": "are you there?"})

    class ClientDisconnected(OSError):
        """As uvicorn has it."""

    async def receive() -> Any:
        return {"type": "websocket.connect"}

    async def send(message: Any) -> None:
        if message["type"] == "websocket.send":
            raise ClientDisconnected

    # When one is accepted, and its client has gone later
    scope = {"type": "websocket", "path": "/prices", "headers": [], "query_string": b""}
    with pytest.raises(ClientDisconnected) as caught:
        await recorded_by(application, recorder)(scope, receive, send)
    # I expect no limit from then on, no failure, and no frame of the recorder's
    assert watched == [1, 0]
    assert hand.given == []
    assert [entry.name for entry in caught.traceback][1:] == ["application", "send"]

"""What `relive.record` gives is called as what it was given, whatever that is."""

from __future__ import annotations

import asyncio
import io
import time
from functools import partial
from typing import Any

import pytest
from relive_outside.hosts.applications import interface_of
from relive_outside.record.handed import Handed
from relive_outside.record.recorder import Recorder
from relive_outside.record.settings import OutsideSettings
from relive_outside.recording import recorded_by


class Hand:
    """Keeps what it is given."""

    def __init__(self) -> None:
        self.given: list[Handed] = []

    def over(self, handed: Handed, wait_s: float) -> str:
        self.given.append(handed)
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
        began = time.process_time()
        with pytest.raises(KeyError, match=str(lines)):
            application(environ, None)
        return time.process_time() - began

    small = took(4_000)
    # With sixteen times as much, I expect nothing like the square of that
    assert took(64_000) < 80 * small
    assert [len(handed.http.body) for handed in hand.given if handed.http] == [64_000, 1_024_000]


def test_an_error_whose_class_raises_is_raised_as_it_is(recorder: Recorder) -> None:
    error = Error()

    def fails() -> None:
        raise error

    try:
        recorded_by(fails, recorder)()
    except BaseException as raised:
        assert raised is error  # noqa: PT017

"""A WSGI application that is recorded, beside the one that is not."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any
from wsgiref.util import FileWrapper, setup_testing_defaults

import pytest
from relive_outside.hosts.applications import interface_of, recorded_application
from relive_outside.record.handed import Handed
from relive_outside.record.recorder import Recorder
from relive_outside.record.settings import OutsideSettings


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


class Closing:
    """An answer in parts that fails at the second one."""

    def __init__(self) -> None:
        self.closed = False

    def __iter__(self) -> Any:
        yield b"one"
        raise ValueError("in the middle")

    def close(self) -> None:
        self.closed = True


def application(environ: dict[str, Any], start: Callable[..., Any]) -> Iterable[bytes]:
    """Answers by its path."""
    path = environ["PATH_INFO"]
    if path == "/raises":
        raise KeyError(environ["wsgi.input"].read(3))
    start("500 Oh" if path == "/status" else "200 OK", [("Content-Type", "text/plain")])
    if path == "/parts":
        return environ["parts"]  # type: ignore[no-any-return]
    if path == "/file":
        return environ["wsgi.file_wrapper"](io.BytesIO(b"a file"))  # type: ignore[no-any-return]
    return [environ["wsgi.input"].readline(), *environ["wsgi.input"]]


def asked(app: Any, path: str, body: bytes = b"", **more: Any) -> tuple[str, Any]:
    """Status, and the answer as the application gave it."""
    environ: dict[str, Any] = {
        "PATH_INFO": path,
        "wsgi.input": io.BytesIO(body),
        "REQUEST_METHOD": "POST",
        **more,
    }
    setup_testing_defaults(environ)
    told: list[str] = []
    parts = app(environ, lambda status, headers, *more: told.append(status))
    return told[0], parts


@pytest.fixture
def made(tmp_path: Path) -> tuple[Any, Hand]:
    hand = Hand()
    settings = OutsideSettings(state=str(tmp_path / "state"), source=str(tmp_path), body_bytes=8)
    recorder = Recorder(settings, "call", say=lambda text: pytest.fail(text), hand=hand)
    return recorded_application(application, recorder, handler="app:application"), hand


def test_what_is_answered_is_the_same(made: tuple[Any, Hand]) -> None:
    recorded, hand = made
    status, parts = asked(recorded, "/", b"a\nb\nc")
    assert (status, list(parts)) == ("200 OK", [b"a\n", b"b\n", b"c"])
    parts.close()
    assert hand.given == []


def test_what_raises_has_the_body_that_it_has_read(made: tuple[Any, Hand]) -> None:
    recorded, hand = made
    with pytest.raises(KeyError):
        asked(recorded, "/raises", b"abcdef", HTTP_TRACEPARENT=f"00-{'a' * 32}-{'b' * 16}-01")
    (handed,) = hand.given
    assert handed.http is not None
    assert handed.record is not None
    assert (handed.http.method, handed.http.path, handed.http.body) == ("POST", "/raises", b"abc")
    assert (handed.record.trace_id, handed.record.parent_span_id) == ("a" * 32, "b" * 16)


def test_an_answer_that_fails_on_its_way(made: tuple[Any, Hand]) -> None:
    recorded, hand = made
    answer = Closing()
    _, parts = asked(recorded, "/parts", parts=answer)
    with pytest.raises(ValueError, match="in the middle"):
        list(parts)
    parts.close()
    assert answer.closed
    assert [one.record.error.type for one in hand.given if one.record and one.record.error] == ["ValueError"]


def test_a_status_of_500_is_a_failure_once_it_has_been_sent(made: tuple[Any, Hand]) -> None:
    recorded, hand = made
    _, parts = asked(recorded, "/status", b"0123456789")
    list(parts)
    assert hand.given == []
    parts.close()
    parts.close()
    (handed,) = hand.given
    assert handed.scene is not None
    assert handed.scene.error.kind == "response"
    assert (handed.http.body if handed.http else b"", handed.event_cut) == (b"01234567", 2)


def test_a_file_is_left_to_the_server(made: tuple[Any, Hand]) -> None:
    recorded, _ = made
    _, parts = asked(recorded, "/file", **{"wsgi.file_wrapper": FileWrapper})
    assert type(parts) is FileWrapper


def test_interfaces_are_told_by_what_is_called() -> None:
    class Asgi:
        async def __call__(self, scope: Any, receive: Any, send: Any) -> None: ...

    class Neither:
        def __call__(self, one: Any) -> None: ...

    async def asgi(scope: Any, receive: Any, send: Any) -> None: ...

    assert [interface_of(one) for one in (Asgi(), asgi, application, Neither(), 3)] == [
        "asgi",
        "asgi",
        "wsgi",
        "",
        "",
    ]

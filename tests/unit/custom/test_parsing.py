"""Requests of the Runtime API, in whatever pieces they come."""

from __future__ import annotations

import contextlib
import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st
from relive_runtime.custom.api.parsing import MAX_HEAD_BYTES, Head, HttpError, RequestParser


class Taken:
    """Keeps the requests."""

    def __init__(self) -> None:
        self.requests: list[tuple[str, str, bytes, dict[str, str]]] = []
        self.head: Head | None = None
        self.body = b""

    def on_head(self, head: Head) -> None:
        self.head, self.body = head, b""

    def on_body(self, data: bytes) -> None:
        self.body += data

    def on_end(self, trailers: dict[str, str]) -> None:
        assert self.head is not None
        self.requests.append((self.head.method, self.head.path, self.body, trailers))


TWO = (
    b"POST /a HTTP/1.1\r\nContent-Length: 3\r\n\r\nabc"
    b"POST /b HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nxy\r\n1;q\r\nz\r\n0\r\nA-B: c\r\n\r\n"
    b"\r\nGET /c HTTP/1.1\r\n\r\n"
)
REQUESTS = [("POST", "/a", b"abc", {}), ("POST", "/b", b"xyz", {"a-b": "c"}), ("GET", "/c", b"", {})]


@given(st.lists(st.integers(0, len(TWO)), max_size=20))
def test_requests_are_the_same_in_whatever_pieces(cuts: list[int]) -> None:
    taken = Taken()
    parser = RequestParser(taken)
    places = [0, *sorted(cuts), len(TWO)]

    for start, end in itertools.pairwise(places):
        parser.feed(TWO[start:end])

    assert taken.requests == REQUESTS
    assert parser.between


@given(st.binary(max_size=300))
def test_any_bytes_are_requests_or_an_error(data: bytes) -> None:
    for prefix in (b"", TWO[:60], b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n"):
        with contextlib.suppress(HttpError):
            RequestParser(Taken()).feed(prefix + data)


def test_what_comes_behind_a_request_waits_for_its_answer() -> None:
    taken = Taken()
    parser = RequestParser(taken)
    parser.held = True
    parser.feed(TWO)
    assert taken.requests == []
    parser.held = False
    parser.go_on()
    assert taken.requests == REQUESTS


@pytest.mark.parametrize(
    "text",
    [
        "GET / HTTP/2.0\r\n\r\n",
        "GET  / HTTP/1.1\r\n\r\n",
        "FETCH / HTTP/1.1\r\n\r\n",
        "POST / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\n",
        "POST / HTTP/1.1\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
        "POST / HTTP/1.1\r\nTransfer-Encoding: gzip\r\n\r\n",
        "POST / HTTP/1.1\r\nContent-Length: +1\r\n\r\n",
        "POST / HTTP/1.1\r\nContent-Length: ١\r\n\r\n",
        "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n-1\r\n",
        "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nabc",
        "GET / HTTP/1.1\r\n folded: x\r\n\r\n",
        "\x16\x03\x01",
    ],
)
def test_what_is_no_request_is_refused(text: str) -> None:
    with pytest.raises(HttpError):
        RequestParser(Taken()).feed(text.encode())


def test_a_head_without_an_end_is_refused_at_its_limit() -> None:
    parser = RequestParser(Taken())
    parser.feed(b"GET / HTTP/1.1\r\nA: ")
    with pytest.raises(HttpError) as raised:
        parser.feed(b"x" * (MAX_HEAD_BYTES + 1))
    assert raised.value.status == 431

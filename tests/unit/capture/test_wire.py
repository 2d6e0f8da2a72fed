"""HTTP/1.1 is taken apart wherever its bytes end."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from relive_capture.wire import parse_request, parse_response

BODY = st.binary(max_size=200)


def chunked(data: bytes, size: int) -> bytes:
    pieces = [data[at : at + size] for at in range(0, len(data), size)]
    return b"".join(b"%x\r\n%s\r\n" % (len(piece), piece) for piece in [*pieces, b""])


@given(st.binary(max_size=400), st.booleans())
def test_bytes_of_any_kind_are_read_or_refused(data: bytes, ended: bool) -> None:
    for message in (parse_request(data), parse_response(data, ended=ended)):
        assert message is None or len(message.body) <= len(data)


@given(BODY, st.integers(1, 50))
def test_chunks_are_put_together(body: bytes, size: int) -> None:
    wire = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + chunked(body, size)

    message = parse_response(wire)

    assert message is not None
    assert (message.status, message.reason, message.body, message.complete) == (200, "OK", body, True)


@given(BODY, st.integers(0, 260))
def test_a_body_that_was_cut_is_not_complete(body: bytes, length: int) -> None:
    wire = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (length, body)

    message = parse_response(wire)

    assert message is not None
    assert message.complete == (len(body) >= length)
    assert message.body == body[:length]


def test_what_says_that_it_goes_on_is_no_response() -> None:
    wire = b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 201 Created\r\nContent-Length: 0\r\n\r\n"

    message = parse_response(wire)

    assert message is not None
    assert message.status == 201


def test_without_a_length_the_end_of_the_connection_ends_the_body() -> None:
    wire = b"HTTP/1.0 200 OK\r\n\r\nall of it"

    assert parse_response(wire, ended=True).complete  # type: ignore[union-attr]
    assert not parse_response(wire, ended=False).complete  # type: ignore[union-attr]


def test_a_head_request_and_204_have_no_body() -> None:
    head = parse_response(b"HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n", method="HEAD")
    empty = parse_response(b"HTTP/1.1 204 No Content\r\n\r\n")

    assert head is not None
    assert head.complete
    assert empty is not None
    assert empty.complete


def test_the_tunnel_of_a_proxy_is_skipped() -> None:
    wire = (
        b"CONNECT shop:443 HTTP/1.1\r\nHost: shop:443\r\n\r\nGET /prices?a=1 HTTP/1.1\r\nHost: shop\r\n\r\n"
    )

    message = parse_request(wire)

    assert message is not None
    assert (message.method, message.target) == ("GET", "/prices?a=1")

"""What is seen of a client's HTTP/2 by the heads of its frames, however it is cut into pieces."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from relive_platform.triggers.grpc.limits import WireLimits
from relive_platform.triggers.grpc.watch import PREFACE, Boundary, Flood, Watch, goaway

DATA, HEADERS, PRIORITY, RST_STREAM, SETTINGS, PING, WINDOW, CONTINUATION = 0, 1, 2, 3, 4, 6, 8, 9
END_STREAM, END_HEADERS = 1, 4
LIMITS = WireLimits(burst=50, per_s=10.0, header_bytes=1_000, header_frames=4)


class Clock:
    """Stands still unless it is told to go on."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def frame(kind: int, flags: int = 0, payload: bytes = b"", stream: int = 1) -> bytes:
    return len(payload).to_bytes(3, "big") + bytes((kind, flags)) + stream.to_bytes(4, "big") + payload


def call(stream: int, reset: bool = False) -> bytes:
    """One unary call; its payload looks like heads of frames."""
    body = frame(RST_STREAM) * 20
    whole = frame(HEADERS, END_HEADERS, b"h" * 90, stream) + frame(DATA, END_STREAM, body, stream)
    return whole + frame(WINDOW, 0, b"\0\0\1\0", 0) + (frame(RST_STREAM, 0, b"\0\0\0\x08") if reset else b"")


def all_of(one: Watch, *pieces: bytes) -> None:
    for piece in pieces:
        one.feed(piece)


def watch(clock: Clock | None = None) -> Watch:
    one = Watch(LIMITS, clock or Clock())
    one.feed(PREFACE + frame(SETTINGS))
    return one


@given(st.lists(st.booleans(), max_size=40), st.lists(st.integers(0, 12_000), max_size=30).map(sorted))
def test_calls_and_resets_are_counted_however_the_stream_is_cut(resets: list[bool], cuts: list[int]) -> None:
    """Given some calls, when their bytes come in any pieces, I expect them and their resets counted, and what
    only looks like a frame not."""
    stream = PREFACE + frame(SETTINGS) + b"".join(call(2 * n + 1, r) for n, r in enumerate(resets))
    one = Watch(LIMITS, Clock())
    for begin, end in pairwise((0, *cuts, len(stream))):
        one.feed(stream[begin:end])
    assert one.greeted
    assert (one.streams, one.resets) == (len(resets), sum(resets))


def test_what_is_not_http_2_is_refused_at_its_first_byte() -> None:
    """When a browser or a port scanner writes something else, I expect it refused, even byte by byte."""
    for data in (b"GET / HTTP/1.1\r\n\r\n", b"\x16\x03\x01", b"PRI * HTTP/1"):
        one = Watch(LIMITS, Clock())
        with pytest.raises(Flood):
            all_of(one, *(data[at : at + 1] for at in range(len(data))))
        assert not one.greeted


@pytest.mark.parametrize(
    "costly",
    [
        frame(RST_STREAM, 0, b"\0\0\0\x08"),
        frame(PING, 0, bytes(8)),
        frame(SETTINGS),
        frame(PRIORITY, 0, bytes(5)),
        frame(DATA),
        call(1, reset=True),
    ],
)
def test_costly_frames_are_limited_and_may_come_again_with_time(costly: bytes) -> None:
    """When a client sends what costs it nothing as fast as it can, I expect no more than the burst, and as
    many again as the rate allows."""
    clock = Clock()
    one = watch(clock)
    for _ in range(LIMITS.burst - 1):
        one.feed(costly)
    with pytest.raises(Flood):
        one.feed(costly)
    clock.now += 1.05
    for _ in range(int(LIMITS.per_s) - 1):
        one.feed(costly)
    with pytest.raises(Flood):
        all_of(one, *[costly] * 5)


def test_ordinary_calls_without_end_are_no_flood() -> None:
    """When a client makes many thousand calls at once, none of them reset, I expect all to pass."""
    one = watch()
    for number in range(20_000):
        one.feed(call(2 * number + 1))
    assert one.streams == 20_000


def test_headers_without_end_are_refused() -> None:
    """When the headers of a call go on and on, in large or in many small frames, I expect a refusal."""
    for continuation in (frame(CONTINUATION, 0, b"x" * 400), frame(CONTINUATION)):
        one = watch()
        one.feed(frame(HEADERS, 0, b"x"))
        with pytest.raises(Flood):
            all_of(one, *[continuation] * 4)
    one = watch()
    for _ in range(100):  # calls that need two frames each are fine
        one.feed(frame(HEADERS, 0, b"x" * 500) + frame(CONTINUATION, END_HEADERS, b"x" * 400))


def test_a_goaway_says_why() -> None:
    """I expect the frame as RFC 9113 has it."""
    made = goaway(11, "calm")
    assert made == b"\0\0\x0c\x07\0\0\0\0\0" + b"\0\0\0\0" + b"\0\0\0\x0b" + b"calm"


@given(st.lists(st.booleans(), max_size=20), st.lists(st.integers(0, 6_000), max_size=30).map(sorted))
def test_a_boundary_is_where_frames_end(resets: list[bool], cuts: list[int]) -> None:
    """Given what a server sends in any pieces, I expect a boundary exactly where a frame ends and no call's
    headers go on."""
    ends, stream = {0}, b""
    for number, reset in enumerate(resets):
        stream += frame(HEADERS, 0, b"h" * 20, number) + frame(CONTINUATION, END_HEADERS, b"h" * 9, number)
        ends.add(len(stream))
        stream += frame(DATA, 0, frame(RST_STREAM) * 3, number)
        ends.add(len(stream))
        if reset:
            stream += frame(RST_STREAM, 0, bytes(4), number)
            ends.add(len(stream))
    one = Boundary()
    for begin, end in pairwise((0, *cuts, len(stream))):
        one.feed(stream[begin:end])
        assert one.here == (min(end, len(stream)) in ends)

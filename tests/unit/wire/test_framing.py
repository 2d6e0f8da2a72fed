"""One framing: whichever way it is read, the same frames come out, and damage is a FrameError."""

from __future__ import annotations

import contextlib
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st
from relive_base.wire.framing import (
    HEADER_BYTES,
    MAX_FRAME_BYTES,
    FrameError,
    FrameReader,
    framed,
    header,
    put_header,
    read_frame,
    whole_frames,
)

bodies = st.lists(st.binary(max_size=300), max_size=12)
cuts = st.lists(st.integers(1, 400), min_size=1, max_size=40)


def stream_of(sent: list[bytes]) -> bytes:
    return b"".join(map(framed, sent))


@given(bodies, cuts)
def test_any_cut_of_the_stream_gives_the_same_frames(sent: list[bytes], sizes: list[int]) -> None:
    # Given a stream in pieces
    stream = stream_of(sent)
    found: list[bytes] = []
    reader = FrameReader(found.append)
    # When they are read one after the other
    position = number = 0
    while position < len(stream):
        size = sizes[number % len(sizes)]
        reader.feed(stream[position : position + size])
        position += size
        number += 1
    # I expect what was sent, and nothing left
    assert found == sent
    assert reader.pending_bytes == 0


@given(bodies)
def test_all_ways_to_read_agree(sent: list[bytes]) -> None:
    stream = stream_of(sent)
    waiting = io.BytesIO(stream)
    singly: list[bytes] = []
    while (body := read_frame(waiting.readinto)) is not None:
        singly.append(bytes(body))

    assert list(whole_frames(stream)) == list(map(bytes, whole_frames(memoryview(stream)))) == sent
    assert singly == sent


@given(st.binary(max_size=300))
def test_all_ways_to_write_agree(body: bytes) -> None:
    buffer = bytearray(HEADER_BYTES) + body
    put_header(buffer)

    assert framed(body) == header(len(body)) + body == buffer


@given(bodies, st.integers(1, 10_000))
def test_what_is_cut_off_is_said_behind_what_is_whole(sent: list[bytes], cut: int) -> None:
    # Given frames of which the last bytes are gone
    stream = stream_of(sent)
    stream = stream[: max(len(stream) - cut, 0)]
    # When they are read as if all of them were there
    found: list[bytes] = []
    try:
        found.extend(map(bytes, whole_frames(stream)))
    except FrameError:
        pass
    else:
        assert stream_of(found) == stream
    # I expect those that are whole
    assert found == sent[: len(found)]
    # ... and one that waits for a single frame to be told that there is none
    waiting = io.BytesIO(stream[len(stream_of(found)) :])
    assert read_frame(waiting.readinto) is None


@given(st.binary(max_size=200))
def test_hostile_bytes_raise_frame_error_only(data: bytes) -> None:
    reader = FrameReader(lambda payload: None)
    with contextlib.suppress(FrameError):
        reader.feed(data)
    with contextlib.suppress(FrameError):
        list(whole_frames(data))
    with contextlib.suppress(FrameError):
        read_frame(io.BytesIO(data).readinto)
    assert reader.pending_bytes <= len(data)


def test_what_comes_before_the_damage_is_handed_on() -> None:
    found: list[bytes] = []
    reader = FrameReader(found.append)

    with pytest.raises(FrameError, match="announces"):
        reader.feed(framed(b"good") + header(MAX_FRAME_BYTES + 1))
    assert found == [b"good"]


def test_one_that_is_too_large_is_refused_before_it_is_taken() -> None:
    waiting = io.BytesIO(header(100) + b"x" * 100)

    with pytest.raises(FrameError, match="announces 100 bytes, over 99"):
        read_frame(waiting.readinto, limit=99)
    assert waiting.tell() == HEADER_BYTES

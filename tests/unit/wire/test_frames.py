"""The wire: what is encoded is decoded, however the stream is cut; damage is a FrameError."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st
from relive_base.parts import Why, missing
from relive_base.wire.messages import (
    MAX_FRAME_BYTES,
    AnyFrame,
    ErrorInfo,
    Exited,
    FrameDecoder,
    FrameError,
    Invoke,
    LogLine,
    Logs,
    Result,
    Scene,
    SpanData,
    Spans,
    Stop,
    decode_frame,
    encode_frame,
    encode_payload,
    frame_kind,
)

texts = st.text(max_size=20)
frames: st.SearchStrategy[AnyFrame] = st.one_of(
    st.builds(Stop),
    st.builds(
        Exited, worker_id=st.integers(0, 2**31), pid=st.integers(0, 2**31), status=st.integers(-1, 2**16)
    ),
    st.builds(
        Invoke,
        invocation_id=texts,
        trace_id=texts,
        span_id=texts,
        deadline_monotonic_ns=st.integers(0, 2**62),
        event=st.binary(max_size=200),
    ),
    st.builds(
        Result,
        invocation_id=texts,
        status=texts,
        started_ns=st.integers(0, 2**62),
        ended_ns=st.integers(0, 2**62),
        headers=st.lists(st.tuples(texts, texts), max_size=3),
    ),
    st.builds(
        Logs,
        invocation_id=texts,
        lines=st.lists(st.builds(LogLine, st.integers(0, 2**62), texts, texts), max_size=3),
    ),
    st.builds(Spans, invocation_id=texts, spans=st.just([SpanData("t", "s", "", "n", "Internal", 1, 2)])),
    st.builds(
        Scene,
        invocation_id=texts,
        captured_ns=st.integers(0, 2**62),
        error=st.just(ErrorInfo(type="E", message="m")),
        members=st.dictionaries(texts, st.binary(max_size=30), max_size=3),
        parts=st.just({"heap": missing(Why.TOLD, "why")}),
    ),
)


@given(st.lists(frames, max_size=8), st.lists(st.integers(1, 50), min_size=1))
def test_frames_survive_any_cut_of_the_stream(sent: list[AnyFrame], cuts: list[int]) -> None:
    stream = b"".join(encode_frame(frame) for frame in sent)
    decoder = FrameDecoder()
    received: list[AnyFrame] = []
    position = number = 0
    while position < len(stream):
        size = cuts[number % len(cuts)]
        received.extend(decoder.feed(stream[position : position + size]))
        position += size
        number += 1

    assert received == sent
    assert decoder.pending_bytes == 0


@given(st.binary(max_size=300))
def test_noise_is_a_frame_error_or_nothing(noise: bytes) -> None:
    with contextlib.suppress(FrameError):
        list(FrameDecoder().feed(noise))
    with contextlib.suppress(FrameError):
        decode_frame(noise)


def test_half_a_frame_waits_for_its_other_half() -> None:
    data = encode_frame(Stop())
    decoder = FrameDecoder()

    assert list(decoder.feed(data[:5])) == []
    assert decoder.pending_bytes == 5
    assert list(decoder.feed(data[5:])) == [Stop()]


def test_an_announced_giant_is_refused_before_it_is_buffered() -> None:
    header = (MAX_FRAME_BYTES + 1).to_bytes(4, "big")

    with pytest.raises(FrameError, match="announces"):
        list(FrameDecoder().feed(header))


def test_a_giant_is_not_encoded() -> None:
    with pytest.raises(FrameError, match="over"):
        encode_frame(Logs(invocation_id="i", lines=[LogLine(1, "INFO", "x" * (MAX_FRAME_BYTES + 1))]))


def test_frames_before_the_damaged_one_are_delivered() -> None:
    frames = FrameDecoder().feed(encode_frame(Stop()) + (3).to_bytes(4, "big") + b"\xc1\xc1\xc1")

    assert next(frames) == Stop()
    with pytest.raises(FrameError):
        next(frames)


def test_unknown_fields_of_a_newer_peer_are_ignored() -> None:
    import msgspec

    assert decode_frame(msgspec.msgpack.encode(["stop", "a new field"])) == Stop()


@pytest.mark.parametrize(
    "frame",
    [
        Result(invocation_id="a", status="ok", started_ns=1, ended_ns=2, body=b"x" * 5_000),
        Logs(invocation_id="a", lines=[LogLine(1, "INFO", "text")]),
        Stop(),
    ],
)
def test_the_kind_is_read_without_decoding(frame: AnyFrame) -> None:
    assert frame_kind(encode_payload(frame)) == type(frame).__struct_config__.tag


@given(st.binary(max_size=200))
def test_the_kind_of_noise_is_a_frame_error_or_any_text(noise: bytes) -> None:
    with contextlib.suppress(FrameError):
        assert isinstance(frame_kind(noise), str)

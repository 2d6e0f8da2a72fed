"""The fast reader cuts what the shared decoder cuts, whatever the pieces are."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from relive_base.wire.framing import FrameReader, frame_kind
from relive_base.wire.messages import (
    AnyFrame,
    Done,
    FrameError,
    LogLine,
    Logs,
    Profile,
    Ready,
    Result,
    decode_frame,
    encode_frame,
)

FRAMES: list[AnyFrame] = [
    Result(invocation_id="a", status="ok", started_ns=1, ended_ns=2, body=b"x" * 5_000),
    Done(invocation_id="a"),
    Logs(invocation_id="a", lines=[LogLine(1, "INFO", "text")]),
    Profile(invocation_id="a", stack_hashes=[1], counts=[2], wall_ns=[3], cpu_ns=[4], new_stacks=[]),
    Ready(pid=1, started_ns=2, loaded_ns=3),
]


@given(
    st.lists(st.sampled_from(FRAMES), max_size=12), st.lists(st.integers(1, 4_000), min_size=1, max_size=40)
)
def test_any_cut_of_the_stream_gives_the_same_frames(frames: list[AnyFrame], cuts: list[int]) -> None:
    stream = b"".join(encode_frame(frame) for frame in frames)
    found: list[bytes] = []
    reader = FrameReader(found.append)

    position = index = 0
    while position < len(stream):
        size = cuts[index % len(cuts)]
        reader.feed(stream[position : position + size])
        position += size
        index += 1

    assert [decode_frame(payload) for payload in found] == frames
    assert reader.pending_bytes == 0


@pytest.mark.parametrize("frame", FRAMES)
def test_the_kind_is_read_without_decoding(frame: AnyFrame) -> None:
    assert frame_kind(encode_frame(frame)[4:]) == type(frame).__struct_config__.tag


@given(st.binary(max_size=200))
def test_hostile_bytes_raise_frame_error_only(data: bytes) -> None:
    def kind(payload: bytes) -> None:
        frame_kind(payload)

    reader = FrameReader(kind)
    try:
        reader.feed(data)
    except FrameError:
        pass
    assert reader.pending_bytes <= len(data)

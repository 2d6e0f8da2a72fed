"""The ring of shared memory between a worker and the server."""

from __future__ import annotations

import os
import struct
from collections import deque
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st
from relive_base.wire.ring import CAPACITY, INLINE_BYTES, RingBroken, RingReader, RingWriter, make_ring

DATA = 4_096


@pytest.fixture
def descriptor() -> Iterator[int]:
    made = make_ring()
    if made < 0:
        pytest.skip("no ring on this system")
    yield made
    os.close(made)


def test_what_was_put_is_taken_once_and_in_order(descriptor: int) -> None:
    writer, reader = RingWriter(descriptor), RingReader(descriptor)

    assert not reader.waiting
    assert writer.put(b"one")
    assert writer.put(b"four")

    assert reader.waiting
    assert reader.take() == b"onefour"
    assert reader.take() == b""


@given(
    st.lists(st.tuples(st.integers(1, INLINE_BYTES), st.booleans()), max_size=60),
    st.integers(0, CAPACITY // 8),
)
def test_nothing_is_lost_around_the_end_of_the_ring(steps: list[tuple[int, bool]], start: int) -> None:
    descriptor = make_ring()
    if descriptor < 0:
        pytest.skip("no ring on this system")
    os.pwrite(descriptor, struct.pack("<Q", start * 8), 0)  # both ends begin somewhere in it
    os.pwrite(descriptor, struct.pack("<Q", start * 8), 64)
    writer, reader = RingWriter(descriptor), RingReader(descriptor)
    os.close(descriptor)
    expected: deque[bytes] = deque()
    for number, (size, take) in enumerate(steps):
        data = bytes([number % 251]) * size
        while not writer.put(data):
            assert expected  # an empty ring has room for every frame that goes by it
            assert reader.take() == b"".join(expected)
            expected.clear()
        expected.append(data)
        if take:
            assert reader.take() == b"".join(expected)
            expected.clear()

    assert reader.take() == b"".join(expected)


def test_frames_that_come_by_the_socket_keep_their_place(descriptor: int) -> None:
    writer, reader = RingWriter(descriptor), RingReader(descriptor)
    writer.put(b"before")
    writer.put_elsewhere(2)
    writer.put(b"after")

    assert reader.take() == b"before"
    assert reader.elsewhere == 2
    assert not reader.waiting
    assert reader.take() == b""
    reader.elsewhere = 0
    assert reader.take() == b"after"


def test_a_full_ring_has_room_to_say_where_the_rest_comes(descriptor: int) -> None:
    writer = RingWriter(descriptor)
    while writer.put(b"x" * 1_000):
        pass

    assert not writer.put(b"x" * 1_000)
    assert writer.put_elsewhere(1)


@given(st.binary(max_size=64), st.integers(0, 2**64 - 1))
def test_a_hostile_writer_can_only_break_its_own_ring(content: bytes, head: int) -> None:
    descriptor = make_ring()
    if descriptor < 0:
        pytest.skip("no ring on this system")
    reader = RingReader(descriptor)
    os.pwrite(descriptor, content, DATA)
    os.pwrite(descriptor, struct.pack("<Q", head), 0)

    try:
        taken = reader.take()
    except RingBroken:
        taken = b""

    assert len(taken) <= CAPACITY
    os.close(descriptor)


def test_nobody_can_cut_the_memory_below_its_reader(descriptor: int) -> None:
    with pytest.raises(PermissionError):
        os.ftruncate(descriptor, 0)


def test_a_line_that_has_begun_is_found_once(descriptor: int) -> None:
    # Given a line that went on, longer than its slot, with a character across its end
    writer, reader = RingWriter(descriptor), RingReader(descriptor)
    out, err = writer.begun()
    out.owner = ("i1", "t1", "s1")
    out.put("gone")
    out.put("gone on")
    err.put("ä" * 40_000)
    # I expect the latest text with its ids, and the long one cut at a character
    (first, second) = reader.begun()
    assert first[:2] == ("stdout", "INFO")
    assert first[2][1:] == ("i1", "t1", "s1", "gone on")
    assert second[2].text == "ä" * 16_256 + "…"
    assert reader.begun() == []


@pytest.mark.parametrize("junk", [b"\xff", b"\x7f", b"\x01"])
def test_any_bytes_for_a_begun_line_are_text(descriptor: int, junk: bytes) -> None:
    # Given a writer that fills the slots itself
    reader = RingReader(descriptor)
    size = os.fstat(descriptor).st_size - DATA - CAPACITY
    os.pwrite(descriptor, junk * size, DATA + CAPACITY)
    # I expect no error, and text
    for _, _, line in reader.begun():
        assert line.text.encode()

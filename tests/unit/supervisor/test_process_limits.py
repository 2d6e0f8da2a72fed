"""What the server asks of its own process."""

from __future__ import annotations

import resource

from fresh_process import in_a_fresh_process
from relive_platform.server.process_limits import (
    GROWTH_BYTES,
    LOOK_S,
    RARELY_S,
    MemoryKeeper,
    open_many_files,
)

MB = 1_048_576


@in_a_fresh_process
def test_memory_that_was_freed_in_pieces_goes_back_to_the_kernel() -> None:
    # Given blocks that glibc keeps, because what is still in use lies between and behind them
    keeper = MemoryKeeper()
    pins, blocks = [], []
    for _ in range(1_000):
        blocks.append(bytearray(b"x" * 100_000))
        pins.append(bytearray(b"y" * 1_000))
    blocks.clear()

    # When it looks, I expect most of it to be given back
    assert keeper.look() > 50 * MB
    assert keeper.wait_s == LOOK_S
    assert len(pins) == 1_000


@in_a_fresh_process
def test_what_is_in_use_is_looked_at_less_and_less_often() -> None:
    keeper = MemoryKeeper()
    held = bytearray(b"x" * (2 * GROWTH_BYTES))

    for _ in range(10):
        keeper.look()

    assert keeper.wait_s == RARELY_S
    del held
    keeper.look()
    assert keeper.wait_s == LOOK_S


def test_the_limit_of_open_files_is_raised_to_what_connections_need() -> None:
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(512, before[1]), before[1]))
        open_many_files(1_000)
        assert resource.getrlimit(resource.RLIMIT_NOFILE)[0] >= min(2_000, before[1])
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)

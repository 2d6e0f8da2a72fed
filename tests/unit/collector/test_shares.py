"""Room that functions share: a flood of one costs no other."""

from __future__ import annotations

from relive_platform.signals.handover.shares import SPOOL_BYTES_PER_S, Shares

MB = 1_048_576


def flood(shares: Shares, function: str, amount: int = 1_000) -> int:
    taken = 0
    while shares.admits(function, amount):
        shares.add(function, amount)
        taken += amount
    return taken


def test_a_flood_gets_half_and_leaves_room_for_everybody_else() -> None:
    shares = Shares(MB)
    assert 0.49 < flood(shares, "loud") / MB < 0.51
    for number in range(50):
        assert shares.admits(f"quiet-{number}", 1_000)
        shares.add(f"quiet-{number}", 1_000)


def test_several_floods_share_and_there_is_always_room_for_one_more() -> None:
    shares = Shares(MB)
    for number in range(5):
        flood(shares, f"loud-{number}")
    assert shares.admits("quiet", 10_000)


def test_what_is_spooled_makes_room_again() -> None:
    shares = Shares(MB)
    taken = flood(shares, "loud")
    assert not shares.admits("loud", 1_000)
    shares.free({"loud": taken})
    assert shares.total == 0
    assert shares.admits("loud", 1_000)


def test_a_spool_that_fills_up_slows_who_fills_it() -> None:
    now = [0.0]
    shares = Shares(MB, lambda: now[0])
    assert all(shares.paced("loud", MB) for _ in range(100))
    shares.pressure = 0.75
    taken = 0
    for _ in range(10_000):
        now[0] += 0.001
        taken += 10_000 * shares.paced("loud", 10_000)
        assert shares.paced("quiet", 10)
    assert taken <= 12 * SPOOL_BYTES_PER_S / 2
    assert taken >= 9 * SPOOL_BYTES_PER_S / 2
    shares.pressure = 1.0
    now[0] += 60
    assert not shares.paced("loud", 10_000)

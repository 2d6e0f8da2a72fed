"""What was accepted over OTLP and not spooled yet survives a kill."""

from __future__ import annotations

from pathlib import Path

import pytest
from relive_platform.signals.receivers.otlp import ledger as module
from relive_platform.signals.receivers.otlp.ledger import Ledger


@pytest.fixture
def place(tmp_path: Path) -> Path:
    return tmp_path / "place"


def left(place: Path, done: int) -> list[tuple[int, str, bytes]]:
    found = Ledger(str(place), "/home", done)
    return [(entry.number, entry.signal, entry.body) for entry in found.left()]


def test_what_is_not_spooled_comes_again(place: Path) -> None:
    # Given three requests of which one is spooled
    ledger = Ledger(str(place), "/home", 0)
    numbers = [ledger.add("traces", "proto", body) for body in (b"a", b"b", b"c")]
    ledger.settled(1)
    # When the process is killed, I expect the others, and numbers to go on behind them
    assert numbers == [1, 2, 3]
    assert left(place, 1) == [(2, "traces", b"b"), (3, "traces", b"c")]
    again = Ledger(str(place), "/home", 1)
    assert len(list(again.left())) == 2
    assert again.add("logs", "json", b"d") == 4
    # ... and nothing to be left once all is spooled
    again.settled(4)
    again.close()
    assert not place.exists()


def test_files_go_as_they_are_spooled_and_damage_costs_what_is_damaged(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_FILE_BYTES", 100)
    ledger = Ledger(str(place), "/home", 0)
    for _ in range(6):
        ledger.add("traces", "proto", bytes(60))
    files = sorted((place / "otlp").iterdir())
    assert len(files) == 3
    ledger.settled(3)
    assert sorted((place / "otlp").iterdir()) == files[1:]
    files[1].write_bytes(files[1].read_bytes()[:-5])
    assert [number for number, _, _ in left(place, 2)] == [3, 5, 6]


def test_without_room_requests_are_taken_and_it_says_so(place: Path) -> None:
    ledger = Ledger(str(place), "/home", 0)
    (place / "otlp").rmdir()
    assert ledger.add("traces", "proto", b"a") == 1
    assert "a kill may lose" in ledger.problem
    place.chmod(0o777)
    assert "another user may write there" in Ledger(str(place), "/home", 0).problem

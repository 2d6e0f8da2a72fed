"""The server's own figures by minute, on a clock that stands still."""

from __future__ import annotations

from typing import Any

from relive_platform.metrics.families import GAUGE, Family, NumberPoint
from relive_platform.metrics.gauges import gauges_of
from relive_platform.metrics.minutes import KEPT_MINUTES, MinuteKeeper
from relive_store import StoreUnavailable


class Rig:
    """A keeper on a fake clock, with a store that can be away."""

    def __init__(self) -> None:
        self.now_s = 0.0
        self.value = 0.0
        self.away = False
        self.written: list[tuple[int, list[Any]]] = []
        self.keeper = MinuteKeeper(self.sample, self.write, lambda: self.now_s)

    async def sample(self) -> list[Family]:
        return [
            Family("relive.workers", GAUGE, "1", "", numbers=[NumberPoint((("state", "busy"),), self.value)])
        ]

    async def write(self, minute_s: int, rows: list[Any]) -> None:
        if self.away:
            raise StoreUnavailable("away")
        self.written.append((minute_s, rows))

    async def at(self, now_s: float, value: float = 0.0) -> None:
        self.now_s, self.value = now_s, value
        await self.keeper.once()


async def test_a_minute_is_written_when_it_is_over() -> None:
    rig = Rig()
    for now_s, value in ((60, 1), (75, 5), (90, 3)):
        await rig.at(now_s, value)
    assert rig.written == []
    await rig.at(121, 9)
    assert rig.written == [(60, [("relive.workers", "1", {"state": "busy"}, 3, 9.0, 1.0, 5.0, 3.0)])]


async def test_minutes_wait_for_the_store_and_the_oldest_are_dropped_and_counted() -> None:
    # Given a store that is away for longer than is kept
    rig = Rig()
    rig.away = True
    for minute in range(KEPT_MINUTES + 6):
        await rig.at(minute * 60 + 1)
    # When it is back, I expect what was kept, oldest first, and the rest counted
    rig.away = False
    await rig.at(10_000)
    assert [minute for minute, _ in rig.written] == [60 * n for n in range(6, KEPT_MINUTES + 6)]
    assert rig.keeper.minutes.dropped == 6


def test_what_the_status_does_not_know_is_left_out() -> None:
    families = {one.name: one for one in gauges_of({"queue": {"error": "busy"}, "store": {"state": "down"}})}
    assert "relive.queue.events" not in families
    assert families["relive.store.up"].numbers == [NumberPoint((), 0.0)]


def test_a_series_has_one_value() -> None:
    source = {"function": "f", "kind": "kafka", "name": "orders", "behind": 3, "unit": "records"}
    families = {
        one.name: one for one in gauges_of({"sources": [source, {**source, "behind": 9}]}, {"store": 5})
    }
    assert [point.value for point in families["relive.source.lag"].numbers] == [3.0]
    assert families["process.memory.usage"].numbers == [NumberPoint((("process", "store"),), 5.0)]


def test_what_is_left_out_on_purpose_is_not_dropped() -> None:
    signals = {"sample": {"taken": 5, "dropped": 7}, "redact": {"taken": 5, "dropped": 1}}
    families = {one.name: one for one in gauges_of({"signals": signals})}
    assert families["relive.signals.dropped"].numbers == [NumberPoint((("stage", "redact"),), 1.0)]
    assert families["relive.signals.left_out"].numbers == [NumberPoint((), 7.0)]

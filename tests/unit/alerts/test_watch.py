"""The watch: who is told of what, once, also after a restart; on a clock that the test moves."""

from __future__ import annotations

import json
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from relive_base.errors import ReliveError
from relive_base.escapes import to_json
from relive_platform.alerts.book import AlertBook
from relive_platform.alerts.config import AlertConfig
from relive_platform.alerts.standing import Standing
from relive_platform.alerts.telling import webhook_body
from relive_platform.alerts.watch import Alert, AlertWatch
from relive_platform.metrics.families import GAUGE, Family, NumberPoint
from relive_store import Columns, StoreUnavailable

S = 1_000_000_000


class FakeStore:
    """Answers every query with `value`."""

    def __init__(self) -> None:
        self.value: float | None = 0.0
        self.away = False
        self.inserted: list[tuple[str, list[str]]] = []

    def query(self, sql: str, *_: Any, **__: Any) -> Columns:
        if self.away:
            raise StoreUnavailable("the store is away")
        return Columns(("v",), ("Float64",), [[self.value]])

    def insert(self, table: str, columns: dict[str, Sequence[Any]], **_: Any) -> int:
        if self.away:
            raise StoreUnavailable("the store is away")
        self.inserted += [
            (table, f"{a}: {b} -> {c}")
            for a, b, c in zip(columns["Alert"], columns["Before"], columns["State"], strict=True)
        ]
        return len(columns["Alert"])


class FakeTelling:
    """Notes what is told."""

    def __init__(self) -> None:
        self.told: list[str] = []
        self.silent: set[str] = set()
        self.refuses = False
        self.broken: set[str] = set()
        self.reminded = 0

    def silenced(self, name: str) -> bool:
        return name in self.silent

    async def alarm(self, alert: Alert, standing: Standing) -> None:
        self.told.append(f"alarm {alert.name} {standing.state}")

    async def webhook(self, alert: Alert, before: str, standing: Standing) -> None:
        if self.refuses or alert.name in self.broken:
            raise ReliveError("the disk is full")
        self.told.append(f"webhook {alert.name} {standing.state}")

    async def remind(self) -> None:
        self.reminded += 1


class Rig:
    """A watch on one alert, whose file outlives it."""

    def __init__(self, folder: Path, threads: ThreadPoolExecutor, **config: Any) -> None:
        self.now_s = 1_000
        self.store, self.telling = FakeStore(), FakeTelling()
        self.folder, self.threads = folder, threads
        given = {"sql": "SELECT 1", "above": 5, "every_s": 30, **config}
        self.alerts = {"rows": Alert("rows", "shop", AlertConfig(**given))}
        self.restart()

    def restart(self) -> None:
        book = AlertBook(self.folder / "alerts.json")
        store: Any = self.store
        self.watch = AlertWatch(book, store, self.own, self.telling, self.threads, lambda: self.now_s * S)

    async def own(self) -> list[Family]:
        points = [NumberPoint((("state", state),), value) for state, value in (("dead", 7), ("ready", 1))]
        return [Family("relive.queue.events", GAUGE, "1", "", numbers=points)]

    async def look(self, value: float | None, after_s: int = 30) -> str:
        """The state after a look in so many seconds."""
        self.now_s += after_s
        self.store.value = value
        await self.watch.apply(self.alerts)
        await self.watch.once()
        return str(self.watch.listing()["rows"]["state"])

    def told(self) -> list[str]:
        """Since it was asked last."""
        found, self.telling.told = self.telling.told, []
        return found


@pytest.fixture
def threads() -> Any:
    with ThreadPoolExecutor(1) as pool:
        yield pool


async def test_a_change_is_told_once(tmp_path: Path, threads: ThreadPoolExecutor) -> None:
    rig = Rig(tmp_path, threads, for_s=60)
    # Given one that is fine in the beginning: the alarm knows, and no webhook is bothered
    assert await rig.look(1) == "ok"
    assert rig.told() == ["alarm rows ok"]
    # When it is wrong for a minute
    assert [await rig.look(9), await rig.look(9), await rig.look(9), await rig.look(9)] == [
        "pending", "pending", "firing", "firing",
    ]  # fmt: skip
    # I expect it told once, and the end as well
    assert rig.told() == ["alarm rows firing", "webhook rows firing"]
    assert await rig.look(None) == "no data"
    assert await rig.look(1) == "ok"
    assert rig.told() == ["alarm rows no data", "webhook rows no data", "alarm rows ok"]
    assert [entry for _, entry in rig.store.inserted] == [
        "rows: no data -> ok", "rows: ok -> pending", "rows: pending -> firing", "rows: firing -> no data",
        "rows: no data -> ok",
    ]  # fmt: skip


async def test_nothing_is_lost_or_told_twice_by_a_restart(
    tmp_path: Path, threads: ThreadPoolExecutor
) -> None:
    rig = Rig(tmp_path, threads, for_s=60)
    await rig.look(9)
    # Given a server that ends while it is pending, and comes back
    rig.restart()
    assert [await rig.look(9), await rig.look(9)] == ["pending", "firing"]
    assert rig.told() == ["alarm rows firing", "webhook rows firing"]
    # When it comes back once more, nobody is told again
    rig.restart()
    assert await rig.look(9) == "firing"
    assert rig.told() == []
    # What could not be told is told later
    rig.telling.refuses = True
    await rig.look(1)
    assert rig.told() == ["alarm rows ok"]
    assert rig.watch.listing()["rows"]["problem"] == "the disk is full"
    rig.telling.refuses = False
    rig.restart()
    await rig.look(1)
    assert rig.told() == ["webhook rows ok"]
    assert rig.watch.listing()["rows"]["problem"] == ""


async def test_one_that_cannot_be_told_holds_up_no_other(
    tmp_path: Path, threads: ThreadPoolExecutor, caplog: pytest.LogCaptureFixture
) -> None:
    rig = Rig(tmp_path, threads)
    # Given two alerts, of which the first has a webhook that cannot be called
    rig.alerts["sizes"] = Alert("sizes", "shop", rig.alerts["rows"].config)
    rig.telling.broken.add("rows")
    # When both fire, and are looked at some more times
    for _ in range(3):
        await rig.look(9)
    # I expect the second told once, silences that end and the history seen to, and one line in the log
    assert rig.told() == ["alarm rows firing", "alarm sizes firing", "webhook sizes firing"]
    assert rig.telling.reminded == 3
    assert {entry for _, entry in rig.store.inserted} == {
        "rows: no data -> firing", "sizes: no data -> firing",
    }  # fmt: skip
    listing = rig.watch.listing()
    assert (listing["rows"]["problem"], listing["sizes"]["problem"]) == ("the disk is full", "")
    assert [record.levelname for record in caplog.records if "rows" in record.message] == ["WARNING"]
    # When it can be called again, I expect it told
    rig.telling.broken.clear()
    await rig.look(9)
    assert rig.told() == ["webhook rows firing"]
    assert rig.watch.listing()["rows"]["problem"] == ""


async def test_a_store_that_is_away_changes_nothing(tmp_path: Path, threads: ThreadPoolExecutor) -> None:
    rig = Rig(tmp_path, threads)
    await rig.look(9)
    rig.told()
    rig.store.inserted.clear()
    # When the store is away
    rig.store.away = True
    assert await rig.look(1) == "firing"
    assert rig.watch.listing()["rows"]["problem"] == "the store is away"
    assert rig.told() == []
    # When it is back, the history has what there was
    rig.store.away = False
    assert await rig.look(1) == "ok"
    assert rig.watch.listing()["rows"]["problem"] == ""
    assert [entry for _, entry in rig.store.inserted] == ["rows: firing -> ok"]


async def test_who_is_silenced_is_told_of_afterwards(tmp_path: Path, threads: ThreadPoolExecutor) -> None:
    rig = Rig(tmp_path, threads)
    await rig.look(1)
    rig.told()
    rig.telling.silent.add("rows")
    await rig.look(9)
    assert rig.told() == ["alarm rows firing"]  # the alarm's own silence holds it back
    rig.telling.silent.clear()
    await rig.look(9)
    assert rig.told() == ["webhook rows firing"]


async def test_the_platforms_own_metrics_need_no_store(tmp_path: Path, threads: ThreadPoolExecutor) -> None:
    rig = Rig(tmp_path, threads, sql="", metric="relive.queue.events", attributes={"state": "dead"})
    rig.store.away = True
    assert await rig.look(0) == "firing"
    assert rig.watch.listing()["rows"]["value"] == 7


async def test_it_is_looked_at_when_it_is_due(tmp_path: Path, threads: ThreadPoolExecutor) -> None:
    rig = Rig(tmp_path, threads)
    await rig.look(1)
    assert await rig.look(9, after_s=29) == "ok"
    assert await rig.look(9, after_s=1) == "firing"
    # ... also if the clock has gone back
    assert await rig.look(1, after_s=-500) == "ok"


async def test_another_condition_is_looked_at_at_once(tmp_path: Path, threads: ThreadPoolExecutor) -> None:
    rig = Rig(tmp_path, threads)
    await rig.look(9)
    rig.alerts = {"rows": Alert("rows", "shop", AlertConfig(sql="SELECT 1", above=50))}
    assert await rig.look(9, after_s=1) == "ok"
    # One that is declared no more is forgotten
    rig.alerts = {}
    await rig.watch.apply(rig.alerts)
    assert json.loads((tmp_path / "alerts.json").read_bytes())["standings"] == {}


def test_what_a_webhook_gets() -> None:
    alert = Alert("rows", "shop", AlertConfig(sql="SELECT 1", above=5, severity="page", description="look"))
    body = webhook_body(
        alert, "ok", Standing(state="firing", since_ns=S, value=9.0, limit=5.0, reason="9 rows")
    )
    assert body["text"] == "[FIRING] rows: 9 rows"
    far = webhook_body(alert, "ok", Standing(state="firing", value=float("inf"), limit=5.0))
    assert json.loads(to_json(far), parse_constant=pytest.fail)["value"] is None
    assert (body["time"], body["previousState"], body["severity"]) == ("1970-01-01T00:00:01Z", "ok", "page")


async def test_a_change_that_finds_no_room_is_told_once_it_is_on_the_disk(
    tmp_path: Path, threads: ThreadPoolExecutor, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given a watch, and a disk that is full when the condition turns wrong
    rig = Rig(tmp_path, threads)
    await rig.look(1)
    rig.told()
    with monkeypatch.context() as full:

        def no_room(*_: object) -> None:
            raise ReliveError("no room")

        full.setattr(AlertBook, "_write", no_room)
        for value in (9, 1, 9, 1, 9):
            with pytest.raises(ReliveError, match="no room"):
                await rig.look(value)
        # I expect nobody to be told of what a restart would not know, and no more of it to gather
        assert rig.told() == []
        assert len(rig.watch._changes) == 1
    # When there is room, I expect it told, and in the history
    await rig.look(9)
    assert rig.told() == ["alarm rows firing", "webhook rows firing"]
    assert rig.store.inserted[-1] == ("alert_history", "rows: ok -> firing")
    # ... and known to the next server
    rig.restart()
    await rig.look(9)
    assert rig.told() == []

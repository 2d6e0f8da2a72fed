"""Silences of alarms: their changes are kept, and functions hear of them afterwards."""

from __future__ import annotations

import json
import re
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from relive_platform.engine.invocation import InvokeRequest
from relive_platform.triggers.alarm.config import AlarmTrigger
from relive_platform.triggers.alarm.source import AlarmSource
from relive_platform.triggers.alarm.states import BadAlarm

S = 1_000_000_000


class Rig:
    """An alarm that one function hears of, on a clock that stands."""

    def __init__(self, path: Path) -> None:
        self.now_s = 1_000
        self.heard: list[str] = []
        self.path = path

    async def start(self) -> None:
        self.source = AlarmSource(self.path, lambda: self.now_s * S)
        self.source.publish = self.publish  # type: ignore[assignment]
        trigger = AlarmTrigger(alarm="disk", states=("ALARM", "OK"))
        await self.source.apply([SimpleNamespace(name="f", config=SimpleNamespace(triggers=(trigger,)))])  # type: ignore[list-item]
        await self.source.start()

    async def publish(self, request: InvokeRequest, *_: Any) -> None:
        data = json.loads(request.event)["alarmData"]
        self.heard.append(f"{data['previousState']['value']} -> {data['state']['value']}")

    async def say(self, **said: Any) -> dict[str, Any]:
        accepted = await self.source.put(
            InvokeRequest(function="alarm:disk", event=json.dumps(said).encode())
        )
        found: dict[str, Any] = json.loads(accepted.result or b"")
        return found


@pytest.mark.parametrize("seconds", [-1, 10**9])
async def test_a_silence_that_is_too_short_or_long_says_between_what(tmp_path: Path, seconds: int) -> None:
    rig = Rig(tmp_path / "alarms.json")
    await rig.start()
    with pytest.raises(BadAlarm, match=f"from 0 s .* not {re.escape(f'{seconds:g}')} s"):
        await rig.say(silence_s=seconds)


async def test_a_silence_holds_back_and_ends(tmp_path: Path) -> None:
    rig = Rig(tmp_path / "alarms.json")
    await rig.start()
    # Given an alarm that is silenced for an hour, also over a restart
    await rig.say(state="OK")
    assert (await rig.say(silence_s=3_600, reason="moving"))["disk"]["silence_reason"] == "moving"
    await rig.start()
    assert rig.source.silenced("disk")
    # When it is raised, its state is kept and nobody hears
    assert (await rig.say(state="ALARM"))["disk"]["state"] == "ALARM"
    await rig.source.remind()
    assert rig.heard == ["INSUFFICIENT_DATA -> OK"]
    # When the hour is over, I expect the function told, once
    rig.now_s += 3_600
    for _ in range(2):
        await rig.source.remind()
    assert rig.heard == ["INSUFFICIENT_DATA -> OK", "OK -> ALARM"]
    assert (await rig.say())["disk"]["silenced_until_ns"] == 0


async def test_a_silence_of_what_nothing_has_is_refused_with_the_names_there_are(tmp_path: Path) -> None:
    # Given an alarm that a function hears of, one that was said, and an alert
    rig = Rig(tmp_path / "alarms.json")
    await rig.start()
    rig.source.alerts = lambda: ["slow"]
    said = InvokeRequest(function="alarm:said", event=b'{"state": "OK"}')
    await rig.source.put(said)
    # When another name is silenced, I expect it refused
    for seconds in (b"60", b"0"):
        with pytest.raises(BadAlarm, match="there is no alarm 'dsik'") as refused:
            await rig.source.put(
                InvokeRequest(function="alarm:dsik", event=b'{"silence_s": ' + seconds + b"}")
            )
        assert refused.value.hint == "there are disk, said, slow"
    # ... and each of those silenced
    for name in ("disk", "said", "slow"):
        await rig.source.put(InvokeRequest(function=f"alarm:{name}", event=b'{"silence_s": 60}'))
        assert rig.source.silenced(name)


async def test_what_came_and_went_meanwhile_is_no_news(tmp_path: Path) -> None:
    rig = Rig(tmp_path / "alarms.json")
    await rig.start()
    await rig.say(state="OK")
    await rig.say(silence_s=60)
    await rig.say(state="ALARM")
    await rig.say(state="OK")
    await rig.say(silence_s=0)  # it ends before its time
    await rig.source.remind()
    assert rig.heard == ["INSUFFICIENT_DATA -> OK"]
    assert not rig.source.silenced("disk")
    await rig.say(state="ALARM")
    assert rig.heard[1:] == ["OK -> ALARM"]


@pytest.mark.parametrize(
    ("said", "message"),
    [
        ({"silence_s": -1}, "90 days at most"),
        ({"silence_s": 1e9}, "90 days at most"),
        ({"silence_s": 60, "state": "OK"}, "that is no silence"),
    ],
)
async def test_what_is_no_silence(tmp_path: Path, said: dict[str, Any], message: str) -> None:
    rig = Rig(tmp_path / "alarms.json")
    await rig.start()
    with pytest.raises(BadAlarm, match=message):
        await rig.say(**said)


async def test_a_function_may_not_silence(tmp_path: Path) -> None:
    rig = Rig(tmp_path / "alarms.json")
    await rig.start()
    request = InvokeRequest(function="alarm:disk", event=b'{"silence_s": 60}')
    publisher: Any = SimpleNamespace(name="f")
    with pytest.raises(BadAlarm):
        await rig.source.put(request, "", publisher)

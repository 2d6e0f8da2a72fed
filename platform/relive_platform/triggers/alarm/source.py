"""A change of an alarm's state becomes an event of each function that hears of it."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import msgspec
from relive_base.ids import new_span_id, new_trace_id
from relive_base.wire.messages import FunctionSpec

from relive_platform.engine.invocation import InvokeRequest
from relive_platform.names import NAME
from relive_platform.triggers.alarm.config import STATES, AlarmTrigger
from relive_platform.triggers.alarm.states import AlarmState, AlarmStates, BadAlarm
from relive_platform.triggers.base import Served
from relive_platform.triggers.queue.publisher import Accepted
from relive_platform.triggers.shapes import ACCOUNT, REGION, now_text

__all__ = ["AlarmSource"]

Publish = Callable[[InvokeRequest, str, FunctionSpec | None, bytes], Awaitable[Accepted]]
_REASON_CHARS: Final = 1_023  # as CloudWatch has it
_UNKNOWN: Final = AlarmState(value="INSUFFICIENT_DATA", reason="nobody has said anything yet")


class _Said(msgspec.Struct, forbid_unknown_fields=True):
    state: str = ""
    reason: str = ""


_said: Final = msgspec.json.Decoder(_Said)


class AlarmSource:
    """On the event loop. `publish`: the way onto the durable queue, given before the first change."""

    publish: Publish

    def __init__(self, path: Path) -> None:
        self._states = AlarmStates(path)
        self._wanted: dict[str, list[tuple[str, AlarmTrigger]]] = {}
        self._changing = asyncio.Lock()

    async def apply(self, functions: Sequence[Served]) -> None:
        """These functions are in service from now on."""
        wanted: dict[str, list[tuple[str, AlarmTrigger]]] = {}
        for function in functions:
            for trigger in function.config.triggers:
                if isinstance(trigger, AlarmTrigger):
                    wanted.setdefault(trigger.alarm, []).append((function.name, trigger))
        self._wanted = wanted

    async def start(self) -> None:
        """Nothing runs by itself."""

    async def close(self) -> None:
        """Nothing runs by itself."""

    async def put(
        self, request: InvokeRequest, ident: str = "", publisher: FunctionSpec | None = None
    ) -> Accepted:
        """`request.function` is "alarm:NAME", its event {"state": "ALARM", "reason": "..."}. If that is a
        change, each function that hears of it has the event durably when this returns. Without a state
        nothing changes; `result` has how the alarm, or each of "alarm:*", is. Raises BadAlarm."""
        name = request.function.partition(":")[2]
        said = _read(name, request.event)
        if name == "*":
            states = await asyncio.to_thread(self._states.all)
            names = sorted({*states, *self._wanted})
            return self._accepted(request, {one: self._shown(one, states.get(one)) for one in names})
        async with self._changing:  # two changes have two numbers
            before = (await asyncio.to_thread(self._states.all)).get(name)
            now = before
            if said.state and said.state != (before or _UNKNOWN).value:
                now = AlarmState(
                    value=said.state,
                    reason=said.reason[:_REASON_CHARS],
                    timestamp_ns=time.time_ns(),
                    number=(before.number if before is not None else 0) + 1,
                )
                await self._tell(request, name, now, before or _UNKNOWN, publisher)
                await asyncio.to_thread(self._states.set, name, now)
        return self._accepted(request, {name: self._shown(name, now), "changed": now is not before})

    async def _tell(
        self,
        request: InvokeRequest,
        name: str,
        now: AlarmState,
        before: AlarmState,
        publisher: FunctionSpec | None,
    ) -> None:
        """The event's id is the change's number: told again after a kill, it is the same event."""
        ident = f"alarm-{name}-{now.number}"
        fitting = {
            function: trigger.shape
            for function, trigger in reversed(self._wanted.get(name, []))
            if now.value in trigger.states
        }
        await asyncio.gather(
            *(
                self.publish(
                    msgspec.structs.replace(
                        request,
                        function=function,
                        trigger="alarm",
                        event=json.dumps(_event(shape, ident, name, now, before)).encode(),
                        attributes={
                            **request.attributes,
                            "relive.alarm": name,
                            "relive.alarm.state": now.value,
                        },
                    ),
                    ident,
                    publisher,
                    f"{ident} {now.value}".encode(),
                )
                for function, shape in fitting.items()
            )
        )

    def _shown(self, name: str, state: AlarmState | None) -> dict[str, Any]:
        found = state or _UNKNOWN
        return {
            "state": found.value,
            "reason": found.reason,
            "since_ns": found.timestamp_ns,
            "changes": found.number,
            "functions": sorted({function for function, _ in self._wanted.get(name, [])}),
        }

    def _accepted(self, request: InvokeRequest, result: dict[str, Any]) -> Accepted:
        trace_id = request.trace_id or new_trace_id()
        return Accepted(request.function, "", trace_id, new_span_id(), result=json.dumps(result).encode())


def _read(name: str, event: bytes) -> _Said:
    if name != "*" and not NAME.fullmatch(name):
        raise BadAlarm(f"the alarm's name {name[:80]!r} is not allowed")
    try:
        said = _said.decode(event or b"{}")
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise BadAlarm(
            f"that is no state: {error}", hint='write {"state": "ALARM", "reason": "..."}'
        ) from None
    if said.state and (said.state not in STATES or name == "*"):
        raise BadAlarm(f"there is no state {said.state[:40]!r}", hint=f"use one of {', '.join(STATES)}")
    return said


def _event(shape: str, ident: str, name: str, now: AlarmState, before: AlarmState) -> dict[str, Any]:
    arn = f"arn:aws:cloudwatch:{REGION}:{ACCOUNT}:alarm:{name}"
    data = {
        "alarmName": name,
        "state": _state(now),
        "previousState": _state(before),
        "configuration": {"metrics": []},
    }
    if shape == "eventbridge":
        return {
            "version": "0",
            "id": ident,
            "detail-type": "CloudWatch Alarm State Change",
            "source": "aws.cloudwatch",
            "account": ACCOUNT,
            "time": now_text(now.timestamp_ns),
            "region": REGION,
            "resources": [arn],
            "detail": data,
        }
    return {
        "source": "aws.cloudwatch",
        "alarmArn": arn,
        "accountId": ACCOUNT,
        "time": _time(now.timestamp_ns),
        "region": REGION,
        "alarmData": data,
    }


def _state(state: AlarmState) -> dict[str, str]:
    return {"value": state.value, "reason": state.reason, "timestamp": _time(state.timestamp_ns)}


def _time(time_ns: int) -> str:
    """As CloudWatch writes it."""
    whole, millis = divmod(time_ns // 1_000_000, 1_000)
    return f"{datetime.fromtimestamp(whole, UTC):%Y-%m-%dT%H:%M:%S}.{millis:03d}+0000"

"""A change of an alarm's state becomes an event of each function that hears of it."""

from __future__ import annotations

import asyncio
import json
import logging
import time
from collections.abc import Awaitable, Callable, Collection, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import msgspec
from relive_base.errors import ReliveError
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
_MAX_SILENCE_S: Final = 90 * 86_400
_NAMED: Final = 8  # in an error
_UNKNOWN: Final = AlarmState(value="INSUFFICIENT_DATA", reason="nobody has said anything yet")


class _Said(msgspec.Struct, forbid_unknown_fields=True):
    state: str = ""
    reason: str = ""
    silence_s: float | None = None  # for so long nobody is told; 0: the silence ends


_log = logging.getLogger(__name__)
_said: Final = msgspec.json.Decoder(_Said)


class AlarmSource:
    """On the event loop. `publish`: the way onto the durable queue, given before the first change."""

    publish: Publish

    def __init__(self, path: Path, clock_ns: Callable[[], int] = time.time_ns) -> None:
        self._states = AlarmStates(path)
        self._clock_ns = clock_ns
        self._silences: dict[str, int] = {}  # until when, of those that may be silenced
        self._wanted: dict[str, list[tuple[str, AlarmTrigger]]] = {}
        self._changing = asyncio.Lock()
        self.alerts: Callable[[], Collection[str]] = tuple  # each gives the alarm of its name its state

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
        try:
            states = await asyncio.to_thread(self._states.all)
        except ReliveError as error:  # whoever asks for an alarm is told, too
            _log.error("no alarm is silenced: %s", error)
            return
        self._silences = {name: state.silenced_until_ns for name, state in states.items()}

    async def close(self) -> None:
        """Nothing runs by itself."""

    async def put(
        self, request: InvokeRequest, ident: str = "", publisher: FunctionSpec | None = None
    ) -> Accepted:
        """`request.function` is "alarm:NAME", its event {"state": "ALARM", "reason": "..."}. If that is a
        change, each function that hears of it has the event durably when this returns, unless the alarm is
        silenced: {"silence_s": 7200}, which functions may not say. Without a state nothing changes; `result`
        has how the alarm, or each of "alarm:*", is. Raises BadAlarm."""
        name = request.function.partition(":")[2]
        said = _read(name, request.event)
        if name == "*":
            states = await asyncio.to_thread(self._states.all)
            names = sorted({*states, *self._wanted})
            return self._accepted(request, {one: self._shown(one, states.get(one)) for one in names})
        async with self._changing:  # two changes have two numbers
            states = await asyncio.to_thread(self._states.all)
            before = states.get(name)
            if said.silence_s is not None and before is None:
                self._require_known(name, states)
            now = _said_of(before, said, self._clock_ns(), publisher)
            changed = now.number != (before.number if before is not None else 0)
            if changed or now.untold:
                now = await self._told(request, name, now, before or _UNKNOWN, publisher)
            if now != before and (before is not None or now is not _UNKNOWN):
                await self._keep(name, now)
            shown = before if now is _UNKNOWN else now
        return self._accepted(request, {name: self._shown(name, shown), "changed": changed})

    def _require_known(self, name: str, states: Collection[str]) -> None:
        """A silence of what is misspelt would hold back nothing."""
        known = sorted({*states, *self._wanted, *self.alerts()})
        if name not in known:
            few = ", ".join(known[:_NAMED]) + (
                f" and {len(known) - _NAMED} more" if len(known) > _NAMED else ""
            )
            raise BadAlarm(
                f"there is no alarm {name!r}",
                hint=f"there are {few}" if known else "there is none yet: relive alarm",
            )

    async def _told(
        self,
        request: InvokeRequest,
        name: str,
        now: AlarmState,
        before: AlarmState,
        publisher: FunctionSpec | None,
    ) -> AlarmState:
        """The state as it is to be kept: functions have been told, unless it is silenced."""
        known = before.told or before.value
        if now.silenced_until_ns > self._clock_ns():
            return msgspec.structs.replace(now, told=known)
        if now.value != known:
            await self._tell(request, name, now, msgspec.structs.replace(before, value=known), publisher)
        return msgspec.structs.replace(now, told=now.value)

    async def _keep(self, name: str, now: AlarmState) -> None:
        await asyncio.to_thread(self._states.set, name, now)
        self._silences[name] = now.silenced_until_ns

    def silenced(self, name: str) -> bool:
        """Whether nobody is to be told of this alarm now."""
        return self._silences.get(name, 0) > self._clock_ns()

    async def remind(self) -> None:
        """Tell of the alarms whose silence has ended and that functions know in another state."""
        now_ns = self._clock_ns()
        ended = [name for name, until_ns in self._silences.items() if 0 < until_ns <= now_ns]
        for name in ended:
            async with self._changing:
                state = (await asyncio.to_thread(self._states.all))[name]
                if state.silenced_until_ns > now_ns:
                    continue
                if state.untold:
                    request = InvokeRequest(function=f"alarm:{name}", event=b"", trace_id=new_trace_id())
                    before = msgspec.structs.replace(state, value=state.told)
                    state = await self._told(request, name, state, before, None)
                await self._keep(name, msgspec.structs.replace(state, silenced_until_ns=0, silence_reason=""))

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
            "silenced_until_ns": found.silenced_until_ns if self.silenced(name) else 0,
            "silence_reason": found.silence_reason if self.silenced(name) else "",
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
    if said.silence_s is not None and (name == "*" or said.state):
        raise BadAlarm("that is no silence", hint="name one alarm, and no state")
    if said.silence_s is not None and not 0 <= said.silence_s <= _MAX_SILENCE_S:
        raise BadAlarm(
            f"a silence is from 0 s to {_MAX_SILENCE_S // 86_400} days at most, not {said.silence_s:g} s",
            hint="silence it again before they are over; 0 ends a silence",
        )
    return said


def _said_of(
    before: AlarmState | None, said: _Said, now_ns: int, publisher: FunctionSpec | None
) -> AlarmState:
    """The alarm after what was said of it."""
    now = before or _UNKNOWN
    if said.silence_s is not None:
        if publisher is not None:
            raise BadAlarm("a function may not silence an alarm", hint="relive alarm silence NAME --for 2h")
        until_ns = now_ns + round(said.silence_s * 1e9) if said.silence_s else 1
        reason = said.reason[:_REASON_CHARS] if said.silence_s else ""
        return msgspec.structs.replace(now, silenced_until_ns=until_ns, silence_reason=reason)
    if not said.state or said.state == now.value:
        return now
    return msgspec.structs.replace(
        now,
        value=said.state,
        reason=said.reason[:_REASON_CHARS],
        timestamp_ns=now_ns,
        number=now.number + 1,
    )


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

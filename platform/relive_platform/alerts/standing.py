"""Where an alert stands, and what the next look at it changes. Pure functions on wall-clock time."""

from __future__ import annotations

from typing import Final

import msgspec

from relive_platform.alerts.config import AlertConfig
from relive_platform.alerts.verdicts import Verdict

__all__ = ["ALARM_STATES", "FIRING", "NO_DATA", "OK", "PENDING", "Standing", "stepped"]

OK: Final = "ok"
PENDING: Final = "pending"
FIRING: Final = "firing"
NO_DATA: Final = "no data"
ALARM_STATES: Final = {OK: "OK", FIRING: "ALARM", NO_DATA: "INSUFFICIENT_DATA"}
"""Of the alarm of the same name. A pending one leaves it as it is."""

_GAP_S: Final = 600
"""Who was not looked at for longer begins to be wrong anew: nobody knows what was in between."""
_NS: Final = 1_000_000_000


class Standing(msgspec.Struct, frozen=True, kw_only=True):
    """`number` counts changes of the state. `wrong_since_ns`: 0 while nothing is wrong."""

    state: str = NO_DATA
    since_ns: int = 0
    wrong_since_ns: int = 0
    value: float | None = None
    limit: float | None = None
    reason: str = "not looked at yet"
    problem: str = ""  # why the last look failed; the state stays
    checked_ns: int = 0
    number: int = 0
    alarm: str = ""  # the state that the alarm of this name was given last
    told: str = ""  # the state that the webhook was told of last


def stepped(config: AlertConfig, before: Standing, verdict: Verdict, now_ns: int) -> Standing:
    """After a look at it."""
    wrong = verdict.wrong
    if wrong is None:
        if config.no_data == "keep":
            return msgspec.structs.replace(
                before, value=None, reason=verdict.reason, problem="", checked_ns=now_ns
            )
        wrong = {"ok": False, "firing": True}.get(config.no_data)
    gap = now_ns - before.checked_ns > max(_GAP_S, 3 * config.every_s) * _NS
    since = 0
    if wrong:
        since = before.wrong_since_ns if before.wrong_since_ns and not gap else now_ns
    state = _state(config, before, wrong, since, now_ns)
    changed = state != before.state
    return msgspec.structs.replace(
        before,
        state=state,
        since_ns=now_ns if changed or not before.since_ns else before.since_ns,
        wrong_since_ns=min(since, now_ns),  # a clock that went back makes nothing negative
        value=verdict.value,
        limit=verdict.limit,
        reason=verdict.reason,
        problem="",
        checked_ns=now_ns,
        number=before.number + changed,
    )


def _state(config: AlertConfig, before: Standing, wrong: bool | None, since_ns: int, now_ns: int) -> str:
    if wrong is None:
        return NO_DATA
    if not wrong:
        return OK
    if before.state == FIRING or now_ns - since_ns >= config.for_s * _NS:
        return FIRING
    return PENDING

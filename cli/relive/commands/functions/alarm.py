"""`relive alarm`: say in which state one is, list them, silence one."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import click
from relive_base.errors import UsageError

from relive.arguments.durations import DURATION
from relive.output import Column, echo, emit, emit_object, format_age, format_clock, json_option
from relive.session import Session

__all__ = ["alarm"]

_STATES = ("ALARM", "OK", "INSUFFICIENT_DATA")


def _style(row: Mapping[str, Any]) -> str:
    return {"ALARM": "red", "OK": "green"}.get(row["state"], "yellow")


COLUMNS = [
    Column("name", "alarm", least=18, style="bold"),
    Column("state", "state", style=_style),
    Column("since", "since", format_age, right=True),
    Column("silenced", "silenced", rank=3, style="yellow"),
    Column("changes", "changes", right=True, rank=2),
    Column("functions", "functions", least=18, rank=1),
    Column("reason", "reason", least=24, share=3),
]


@click.command()
@click.argument("arguments", nargs=-1, metavar="[NAME [STATE] | silence NAME]")
@click.option("--reason", default="", help="Why, in words.")
@click.option(
    "--for",
    "seconds",
    type=DURATION,
    default=None,
    help="Of a silence: 30m, 2h, 3d. 0 ends it before its time.",
)
@json_option
@click.pass_obj
def alarm(
    session: Session, arguments: tuple[str, ...], reason: str, seconds: float | None, as_json: bool
) -> None:
    """List alarms, say in which state one is (ALARM, OK, INSUFFICIENT_DATA), or silence one.

    \b
    relive alarm
    relive alarm errors ALARM --reason '7 % of the requests fail'
    relive alarm errors OK
    relive alarm silence errors --for 2h --reason 'the database moves'

    Functions with an alarm trigger hear of a change. Alerts of relive.toml give the alarm of their name its
    state: see relive alerts.

    Of one that is silenced nobody is told for so long: no function, no webhook, no bell. Its changes are
    kept, and if it is in another state at the end than it was when it was told of last, it is told of then.
    """
    if arguments[:1] == ("silence",) and len(arguments) == 2 and seconds is not None:
        _silence(session, arguments[1], seconds, reason, as_json=as_json)
        return
    if seconds is not None or arguments[:1] == ("silence",):
        raise UsageError(
            "--for says how long an alarm is silenced", hint="relive alarm silence NAME --for 2h"
        )
    name, state = [*arguments, "", ""][:2]
    if len(arguments) > 2 or (state and state.upper() not in _STATES):
        raise UsageError(
            f"there is no state {' '.join(arguments[1:])!r}", hint=f"use one of {', '.join(_STATES)}"
        )
    if reason and not state:
        raise UsageError("--reason goes with a state", hint="relive alarm NAME ALARM --reason TEXT")
    _say(session, name, state.upper(), reason, as_json=as_json)


def _say(session: Session, name: str, state: str, reason: str, *, as_json: bool) -> None:
    told = _ask(session, name or "*", {"state": state, "reason": reason})
    changed = bool(told.pop("changed", False))
    rows = [_row(one, found) for one, found in told.items()]
    if not name:
        emit(rows, COLUMNS, as_json=as_json, empty="no alarm is known", shown=[_shown(row) for row in rows])
        return
    [row] = rows
    if as_json:
        emit_object({**row, "changed": changed})
    elif state and changed and row["silenced_until_ns"]:
        echo(f"{name} is {row['state']} now; it is silenced until {format_clock(row['silenced_until_ns'])}")
    elif state and changed:
        hears = ", ".join(row["functions"]) or "no function"
        echo(f"{name} is {row['state']} now; {hears} may hear of it")
    else:
        echo(f"{name} is {row['state']}{' as before' if state else ''}")


def _silence(session: Session, name: str, seconds: float, reason: str, *, as_json: bool) -> None:
    told = _ask(session, name, {"silence_s": seconds, "reason": reason})
    row = _row(name, told[name])
    if as_json:
        emit_object(row)
    elif row["silenced_until_ns"]:
        until = format_clock(row["silenced_until_ns"])
        echo(f"nobody is told of {name} until {until}; it is {row['state']} now")
    else:
        echo(f"{name} is silenced no more; it is {row['state']} now")


def _ask(session: Session, name: str, said: dict[str, Any]) -> dict[str, Any]:
    from relive_platform.api import control_pb2 as pb

    request = pb.InvokeRequest(function=f"alarm:{name}", event=json.dumps(said).encode(), asynchronous=True)
    found: dict[str, Any] = json.loads(session.control().invoke(request).result)
    return found


def _row(name: str, found: Mapping[str, Any]) -> dict[str, Any]:
    since_ns = int(found["since_ns"])
    return {
        "name": name,
        "state": found["state"],
        "since": since_ns or None,
        "changes": found["changes"],
        "functions": found["functions"],
        "reason": found["reason"],
        "silenced_until_ns": int(found["silenced_until_ns"]),
        "silence_reason": found["silence_reason"],
    }


def _shown(row: Mapping[str, Any]) -> dict[str, Any]:
    silenced = f"until {format_clock(row['silenced_until_ns'])}" if row["silenced_until_ns"] else ""
    return {**row, "functions": ", ".join(row["functions"]), "silenced": silenced}

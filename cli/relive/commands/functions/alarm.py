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


class _OrSay(click.Group):
    """What begins with none of its commands is said of an alarm: `relive alarm NAME STATE`."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        first = args[0] if args else ""
        if first not in self.commands and first not in ctx.help_option_names:
            args = ["say", *args]
        return super().parse_args(ctx, args)


@click.group(cls=_OrSay)
def alarm() -> None:
    """List alarms, say in which state one is, or silence one.

    \b
    relive alarm
    relive alarm errors ALARM --reason '7 % of the requests fail'
    relive alarm silence errors --for 2h --reason 'the database moves'

    Functions with an alarm trigger hear of a change, unless the alarm is silenced. Alerts of relive.toml give
    the alarm of their name its state: see relive alerts.
    """


@alarm.command()
@click.argument("name", required=False)
@click.argument("state", required=False, type=click.Choice(_STATES, case_sensitive=False))
@click.option("--reason", default="", help="Why, in words.")
@json_option
@click.pass_obj
def say(session: Session, name: str | None, state: str | None, reason: str, as_json: bool) -> None:
    """List alarms, or say in which state one is. The word `say` may be left out.

    \b
    relive alarm
    relive alarm errors ALARM --reason '7 % of the requests fail'
    relive alarm errors OK
    """
    if reason and not state:
        raise UsageError("--reason goes with a state", hint="relive alarm NAME ALARM --reason TEXT")
    told = _ask(session, name or "*", {"state": (state or "").upper(), "reason": reason})
    changed = bool(told.pop("changed", False))
    rows = [_row(one, found) for one, found in told.items()]
    if name is None:
        emit(rows, COLUMNS, as_json=as_json, empty="no alarm is known", shown=[_shown(row) for row in rows])
        return
    [row] = rows
    if as_json:
        emit_object({**row, "changed": changed})
    elif state and changed:
        hears = ", ".join(row["functions"]) or "no function"
        echo(f"{name} is {row['state']} now; {hears} may hear of it")
    else:
        echo(f"{name} is {row['state']}{' as before' if state else ''}")


@alarm.command()
@click.argument("name")
@click.option(
    "--for", "seconds", type=DURATION, required=True, help="For so long: 30m, 2h, 3d. 0 ends a silence."
)
@click.option("--reason", default="", help="Why, in words.")
@json_option
@click.pass_obj
def silence(session: Session, name: str, seconds: float, reason: str, as_json: bool) -> None:
    """Have nobody told of an alarm for a time: no function, no webhook, no bell.

    \b
    relive alarm silence errors --for 2h --reason 'the database moves'
    relive alarm silence errors --for 0

    Its changes are recorded all the same. If it is in another state at the end of the silence than it was
    when it was told of last, it is told of then.
    """
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

"""`relive alarm`."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import click
from relive_base.errors import UsageError

from relive.output import Column, echo, emit, emit_object, format_age, json_option
from relive.session import Session

__all__ = ["alarm"]

_STATES = ("ALARM", "OK", "INSUFFICIENT_DATA")


def _style(row: Mapping[str, Any]) -> str:
    return {"ALARM": "red", "OK": "green"}.get(row["state"], "yellow")


COLUMNS = [
    Column("name", "alarm", least=18, style="bold"),
    Column("state", "state", style=_style),
    Column("since", "since", format_age, right=True),
    Column("changes", "changes", right=True, rank=2),
    Column("functions", "functions", least=18, rank=1),
    Column("reason", "reason", least=24, share=3),
]


@click.command()
@click.argument("name", required=False)
@click.argument("state", required=False, type=click.Choice(_STATES, case_sensitive=False))
@click.option("--reason", default="", help="Why, in words.")
@json_option
@click.pass_obj
def alarm(session: Session, name: str | None, state: str | None, reason: str, as_json: bool) -> None:
    """List alarms, or say in which state one is: functions with an alarm trigger hear of a change.

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


def _ask(session: Session, name: str, said: dict[str, str]) -> dict[str, Any]:
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
    }


def _shown(row: Mapping[str, Any]) -> dict[str, Any]:
    return {**row, "functions": ", ".join(row["functions"])}

"""`relive events`: the queue, and what died in it."""

from __future__ import annotations

from typing import Any

import click
from relive_base.errors import UsageError

from relive.output import Column, echo, emit, emit_object, format_time, json_option
from relive.session import Session

__all__ = ["events"]

_COLUMNS = [
    Column("event_id", "event"),
    Column("function", "function"),
    Column("state", "state"),
    Column("attempts", "attempts", right=True),
    Column("next_at", "next at", format_time),
    Column("last_error", "last error", width=60),
]


@click.command()
@click.argument("arguments", nargs=-1, metavar="[FUNCTION] | retry ID")
@click.option("--state", type=click.Choice(["ready", "leased", "dead"]), help="Only events in this state.")
@click.option("--limit", type=click.IntRange(1, 10_000), default=100, show_default=True)
@json_option
@click.pass_obj
def events(
    session: Session, arguments: tuple[str, ...], state: str | None, limit: int, as_json: bool
) -> None:
    """List asynchronous events, or put a dead one back.

    \b
    relive events                  all that wait, run or died
    relive events orders --state dead
    relive events retry ID
    """
    if len(arguments) == 2 and arguments[0] == "retry":
        entry = session.control().retry_event(arguments[1])
        if as_json:
            emit_object(_row(entry))
        else:
            echo(f"event {entry.event_id} of {entry.function} is {entry.state} again")
        return
    if len(arguments) > 1 or arguments == ("retry",):
        raise UsageError(
            "what to do is not clear", remedy="relive events [FUNCTION], or relive events retry ID"
        )
    found = session.control().events(arguments[0] if arguments else "", state or "", limit)
    emit([_row(entry) for entry in found], _COLUMNS, as_json=as_json, empty="no events wait, run or died")


def _row(entry: Any) -> dict[str, Any]:
    return {
        "event_id": entry.event_id,
        "function": entry.function,
        "state": entry.state,
        "attempts": entry.attempts,
        "next_at": entry.next_at_ns,
        "last_error": entry.last_error,
        "enqueued_at": entry.enqueued_ns,
    }

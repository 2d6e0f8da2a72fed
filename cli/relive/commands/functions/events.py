"""`relive events`: the queue, what died in it, and what to do about it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import click
from relive_base.errors import NotFound, UsageError
from relive_views.events import (
    ELLIPSIS,
    event_meant,
    event_view,
    events_of_home,
    short_event_ids,
)

from relive.arguments.belonging import goes_with
from relive.arguments.completing import complete_function
from relive.output import (
    Column,
    echo,
    emit,
    emit_object,
    format_age,
    format_time,
    json_option,
    note,
    wide_option,
)
from relive.recorded.listing import check_function
from relive.session import Session

if TYPE_CHECKING:
    from relive_platform.api.client import ControlClient

__all__ = ["events"]


def _state_style(row: Mapping[str, Any]) -> str:
    return {"dead": "red", "leased": "green"}.get(row["state"], "yellow")


COLUMNS = [
    Column("short", "id", style="cyan"),
    Column("function", "function", least=18, style="bold"),
    Column("state", "state", style=_state_style),
    Column("attempts", "tries", right=True),
    Column("next_at", "next", format_age, right=True, rank=2),
    Column("died_at", "died", format_age, right=True, rank=1),
    Column("last_error", "last error", least=24, share=3, style="red"),
    Column("event_id", "event", wide=True),
    Column("enqueued_at", "accepted", format_time, wide=True),
    Column("next_at", "next at", format_time, wide=True),
    Column("died_at", "died at", format_time, wide=True),
]
_MEANT_AMONG = 10_000
_ACTIONS = ("retry", "discard", "purge")


@click.command()
@click.argument(
    "arguments",
    nargs=-1,
    metavar="[FUNCTION] | retry ID | discard ID | purge",
    shell_complete=complete_function,
)
@click.option("--state", type=click.Choice(["ready", "leased", "dead"]), help="Only events in this state.")
@click.option("--function", "function", default="", help="Only this function's.")
@click.option("--all", "every", is_flag=True, help="With retry and discard: all dead events instead of one.")
@click.option("--limit", type=click.IntRange(1, 10_000), default=100, show_default=True)
@wide_option
@json_option
@click.pass_obj
def events(
    session: Session,
    arguments: tuple[str, ...],
    state: str | None,
    function: str,
    every: bool,
    limit: int,
    wide: bool,
    as_json: bool,
) -> None:
    """List asynchronous events; try dead ones again, or discard them.

    ID is an event's id or its beginning; a function's name means its newest dead event. The list needs no
    server.

    \b
    relive events                                all that wait, run or died
    relive events orders --state dead
    relive events retry ID                       from the beginning, with all attempts
    relive events retry --all --function orders  all dead ones of a function, or of all without --function
    relive events discard ID
    relive events discard --all --function orders
    relive events discard --all --function orders --state ready      those that wait
    relive events purge --function orders        dead ones, and the ids and results of finished ones
    relive events purge --all
    """
    action, rest = (
        (arguments[0], arguments[1:]) if arguments[:1] and arguments[0] in _ACTIONS else ("", arguments)
    )
    if action:
        goes_with("the list of events", "limit", "wide")
    if not action:
        _list(session, rest, function, state, every, limit, wide, as_json)
    elif action == "purge":
        _purge(session, rest, function, every, as_json)
    elif every:
        if rest:
            raise UsageError("an id and --all cannot be combined", hint=f"relive events {action} --all")
        _change_all(session, action, function, state, as_json)
    else:
        _change_one(session, action, rest, function, as_json)


def _list(
    session: Session,
    names: tuple[str, ...],
    function: str,
    state: str | None,
    every: bool,
    limit: int,
    wide: bool,
    as_json: bool,
) -> None:
    if len(names) + bool(function) > 1 or every:
        raise UsageError(
            "what to do is not clear", hint="relive events [FUNCTION], or relive events retry|discard ID"
        )
    name = names[0] if names else function
    if session.reachable:
        found = [event_view(entry) for entry in session.control().events(name, state or "", limit)]
    else:
        if name:
            check_function(session, name)
        found = events_of_home(session.home, name, state or "", limit)
    short = short_event_ids(entry.event_id for entry in found)
    emit(
        [entry.as_json() for entry in found],
        COLUMNS,
        as_json=as_json,
        empty=_nothing(name, state),
        wide=wide,
        shown=[{**entry.as_json(), "short": short[entry.event_id]} for entry in found],
    )
    if not session.reachable:
        if any(entry.state == "ready" for entry in found):
            note("no server runs: what waits goes on with relive serve", as_json=as_json)
        return
    dropped = session.control().dead_dropped(name)
    if dropped:
        note(
            f"{dropped:,} dead events{f' of {name}' if name else ''} were removed by a limit:"
            " RELIVE_DEAD_KEEP_S, RELIVE_DEAD_KEEP_EVENTS, RELIVE_DEAD_KEEP_BYTES",
            as_json=as_json,
        )


def _nothing(name: str, state: str | None) -> str:
    whose = f" of {name}" if name else ""
    what = {"ready": "waits", "leased": "runs", "dead": "is dead"}.get(state or "", "waits, runs or is dead")
    return f"no event{whose} {what}"


def _change_one(session: Session, action: str, rest: tuple[str, ...], function: str, as_json: bool) -> None:
    if len(rest) != 1 or not rest[0]:
        raise UsageError(
            f"name the event to {action}",
            hint=f"relive events {action} ID, or relive events {action} --all [--function FUNCTION]",
        )
    control = session.control()
    ident, function = _event_of(control, rest[0], function)
    if action == "retry":
        entry = control.retry_event(ident, function)
        if as_json:
            emit_object(_row(entry))
        else:
            echo(f"event {entry.event_id} of {entry.function} is {entry.state} again")
        return
    event_id = control.discard_event(ident, function)
    if as_json:
        emit_object({"event_id": event_id, "discarded": 1})
    else:
        echo(f"event {event_id} is discarded")


def _event_of(control: ControlClient, text: str, function: str) -> tuple[str, str]:
    """(id, function) of what `text` means: a function's newest dead event, or an id as it is or was shown."""
    if ELLIPSIS in text:
        listed = [entry.event_id for entry in control.events(function, "", _MEANT_AMONG)]
        meant = event_meant(text, listed)
        if len(meant) != 1:
            raise NotFound(
                f"{text!r} means {len(meant) or 'no'} events", hint="relive events --wide shows whole ids"
            )
        return meant[0], function
    if function or text not in {info.name for info in control.functions()}:
        return text, function
    dead = control.events(text, "dead", 1)
    if not dead:
        raise NotFound(f"no dead event of {text} is known", hint=f"list them: relive events {text}")
    return dead[0].event_id, text


def _change_all(session: Session, action: str, function: str, state: str | None, as_json: bool) -> None:
    whose = f" of {function}" if function else ""
    if action == "retry":
        if state not in (None, "dead"):
            raise UsageError("only dead events are tried again", hint="leave --state out")
        count = session.control().retry_dead(function)
        _tell(f"{count:,} dead events{whose} are ready again", {"retried": count}, as_json)
        return
    if state == "leased":
        raise UsageError("an event that runs cannot be discarded", hint="wait for its end")
    chosen = state or "dead"
    count = session.control().discard_events([chosen], function)
    _tell(f"{count:,} {chosen} events{whose} are discarded", {"discarded": count}, as_json)


def _purge(session: Session, rest: tuple[str, ...], function: str, every: bool, as_json: bool) -> None:
    if rest or bool(function) == every:
        raise UsageError("nothing to purge is named", hint="--function FUNCTION, or --all")
    control = session.control()
    dead = control.discard_events(["dead"], function)
    done = control.discard_events(["done"], function)
    text = f"{dead:,} dead events are discarded, {done:,} finished ones forgotten"
    _tell(text, {"discarded": dead, "forgotten": done}, as_json)


def _tell(text: str, row: dict[str, int], as_json: bool) -> None:
    if as_json:
        emit_object(row)
    else:
        echo(text)


def _row(entry: Any) -> dict[str, Any]:
    return event_view(entry).as_json()

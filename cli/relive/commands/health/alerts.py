"""`relive alerts`."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, Final

import click
from relive_base.errors import ExitCode, UsageError
from relive_base.shown_numbers import shown_number
from relive_base.terminal import one_line

from relive.arguments.belonging import goes_with
from relive.arguments.durations import DURATION
from relive.output import (
    Column,
    echo,
    emit,
    emit_object,
    format_age,
    format_clock,
    json_option,
    styled,
    wide_option,
)
from relive.recorded.listing import emit_recorded, empty_on_new_home
from relive.session import Session

if TYPE_CHECKING:
    from relive_views.health.alerts import AlertView

__all__ = ["alerts"]

_POLL_S: Final = 2.0
_BELL: Final = "\a"
_STYLES: Final = {"firing": "bold red", "pending": "yellow", "no data": "yellow", "ok": "green"}


def _style(row: Mapping[str, Any]) -> str:
    return _STYLES.get(row["state"], "")


def _figure(value: object) -> str:
    return shown_number(value) if isinstance(value, int | float) else "-"


COLUMNS = [
    Column("name", "alert", least=16, style="bold"),
    Column("state", "state", style=_style),
    Column("since_ns", "since", format_age, right=True),
    Column("value", "value", _figure, right=True, rank=1),
    Column("condition", "condition", least=20, share=2, rank=2, style="dim"),
    Column("said", "reason", least=20, share=3, rank=3),
    Column("severity", "severity", rank=4),
    Column("silenced", "silenced", rank=5, style="yellow"),
    Column("app", "application", wide=True),
    Column("changes", "changes", right=True, wide=True),
]
HISTORY = [
    Column("at_ns", "time", format_clock, style="dim"),
    Column("alert", "alert", least=16, style="bold"),
    Column("before", "was", rank=3, style="dim"),
    Column("state", "became", style=_style),
    Column("value", "value", _figure, right=True, rank=1),
    Column("reason", "reason", least=20, share=3, rank=2),
    Column("silenced", "silenced", lambda silenced: "silenced" if silenced else "", rank=4, style="yellow"),
]


@click.command()
@click.argument("alert", default="")
@click.option("--history", is_flag=True, help="Changes instead, newest first. Needs no server.")
@click.option("--since", type=DURATION, default="7d", show_default=True, help="Of the history.")
@click.option(
    "--limit", type=click.IntRange(1, 10_000), default=50, show_default=True, help="Of the history."
)
@click.option("--follow", is_flag=True, help="Go on, and print changes as they come; a bell if one fires.")
@click.option("--notify", is_flag=True, help="With --follow: a desktop notification, by the terminal.")
@wide_option
@json_option
@click.pass_obj
@empty_on_new_home
def alerts(
    session: Session,
    alert: str,
    history: bool,
    since: float,
    limit: int,
    follow: bool,
    notify: bool,
    wide: bool,
    as_json: bool,
) -> int:
    """How the alerts of relive.toml stand: those that fire first.

    \b
    relive alerts
    relive alerts --history --since 30d
    relive alerts --follow --notify

    An alert is a rule in relive.toml ([alerts.NAME]). It is ok, pending (wrong, but not for long enough),
    firing, or has no data. One that fires raises the alarm of its name, and tells its webhook. To have nobody
    told for a time: relive alarm silence NAME --for 2h.
    """
    if history and follow:
        raise UsageError("--history and --follow cannot be combined")
    if notify and not follow:
        raise UsageError("--notify goes with --follow")
    if history:
        return _history(session, alert, since, limit, wide=wide, as_json=as_json)
    goes_with("--history", "since", "limit", hint="relive alerts --history --since 7d")
    found = _ask(session, alert)
    if follow:
        return _follow(session, alert, found, notify=notify, as_json=as_json)
    emit(
        [one.as_json() for one in found],
        COLUMNS,
        as_json=as_json,
        wide=wide,
        empty="no application has alerts; write them into relive.toml: [alerts.NAME]",
        shown=[_shown(one) for one in found],
    )
    return ExitCode.DONE


def _ask(session: Session, alert: str) -> list[AlertView]:
    from relive_platform.api import control_pb2 as pb
    from relive_views.health.alerts import alerts_of

    request = pb.InvokeRequest(function=f"alert:{alert or '*'}", event=b"{}", asynchronous=True)
    return alerts_of(json.loads(session.control().invoke(request).result))


def _shown(one: AlertView) -> dict[str, Any]:
    return {
        **one.as_json(),
        "said": _said(one),
        "silenced": "silenced" if one.silenced else "",
    }


def _said(one: AlertView) -> str:
    return f"! {one.problem}" if one.problem else one.reason


def _history(session: Session, alert: str, since: float, limit: int, *, wide: bool, as_json: bool) -> int:
    from relive_views.health.alerts import alert_changes

    since_ns = time.time_ns() - int(since * 1e9)
    found = alert_changes(session.store(), since_ns, alert=alert, limit=limit)
    rows = [one.as_json() for one in found]
    return emit_recorded(
        session,
        rows,
        HISTORY,
        function="",
        as_json=as_json,
        wide=wide,
        empty="no alert has changed in that time",
    )


def _follow(session: Session, alert: str, found: list[AlertView], *, notify: bool, as_json: bool) -> int:
    """Until Ctrl-C."""
    known = {one.name: one.changes for one in found}
    for one in found:
        if one.state != "ok":
            _tell(one, notify=False, as_json=as_json)
    while True:
        time.sleep(_POLL_S)
        for one in _ask(session, alert):
            if known.get(one.name) != one.changes:
                known[one.name] = one.changes
                _tell(one, notify=notify and not one.silenced, as_json=as_json)


def _tell(one: AlertView, *, notify: bool, as_json: bool) -> None:
    if as_json:
        emit_object(one.as_json())
    else:
        state = styled(f"{one.state:<8}", _style({"state": one.state}))
        silenced = "  (silenced)" if one.silenced else ""
        click.echo(f"{format_clock(one.since_ns)}  {state}", nl=False)
        echo(f"  {one.name}  {_said(one)}{silenced}")
    if sys.stdout.isatty() and not one.silenced:
        click.echo("".join(_signals(one, notify)), nl=False)


def _signals(one: AlertView, notify: bool) -> Iterator[str]:
    """The bell, and what iTerm2, kitty, WezTerm, Ghostty (OSC 9), foot and urxvt (OSC 777) make a desktop
    notification of."""
    if one.state == "firing":
        yield _BELL
    if notify:
        text = one_line(f"{one.name} {one.state}: {_said(one)}").replace(";", ",")
        yield f"\x1b]9;{text}\a\x1b]777;notify;relive;{text}\a"

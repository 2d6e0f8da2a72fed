"""`relive failures`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

import click
from relive_base.errors import ExitCode, UsageError
from relive_views.marks import HIDDEN, STATES

from relive.arguments.belonging import goes_with
from relive.arguments.completing import complete_failure
from relive.arguments.durations import DURATION, since_ns
from relive.output import (
    Column,
    echo,
    emit_object,
    format_age,
    format_clock,
    format_time,
    json_option,
    note,
    wide_option,
)
from relive.recorded.listing import emit_recorded, empty_on_new_home, finder
from relive.recorded.scenes import kept_failures, tell_kept
from relive.session import Session

if TYPE_CHECKING:
    from relive_views.failures import FailureView, GroupView, Listed

__all__ = ["failures"]

_ACTIONS: Final = {"resolve": "resolved", "ignore": "ignored", "reopen": "open"}


def _unless_open(state: str) -> str:
    return "" if state == "open" else state


def _state_style(row: Mapping[str, Any]) -> str:
    return {"regression": "bold red", "resolved": "green"}.get(row.get("state", ""), "dim")


_FUNCTION = Column("function", "function", least=18, style="bold")
_ERROR = Column("error", "error", least=24, share=3, style="red")
_WHERE = Column("where", "where", rank=3)
_ID = Column("short", "id", style="cyan")
_WIDE = [
    Column("kind", "kind", wide=True),
    Column("message", "message", wide=True),
    Column("trace_id", "trace", wide=True),
    Column("fingerprint", "group", wide=True),
    Column("invocation_id", "invocation", wide=True),
]

COLUMNS = [
    Column("captured_at", "time", format_clock, style="dim"),
    _FUNCTION,
    Column("version", "version", lambda number: f"v{number}" if number else "elsewhere", rank=4),
    _ERROR,
    _WHERE,
    Column("state", "state", _unless_open, rank=1, style=_state_style),
    Column("attempt", "try", lambda number: str(number) if number > 1 else "", right=True, rank=5),
    _ID,
    Column("captured_at", "captured", format_time, wide=True),
    *_WIDE,
]
GROUP_COLUMNS = [
    Column("count", "count", right=True),
    _FUNCTION,
    _ERROR,
    _WHERE,
    Column("versions", "versions", lambda numbers: _versions(numbers), least=4, rank=4),
    Column("state", "state", _unless_open, rank=1, style=_state_style),
    Column("first_at", "first", format_age, right=True, rank=2, style="dim"),
    Column("captured_at", "last", format_age, right=True),
    _ID,
    Column("first_at", "first seen", format_time, wide=True),
    Column("captured_at", "last seen", format_time, wide=True),
    *_WIDE,
]


@click.command()
@click.argument(
    "arguments",
    nargs=-1,
    metavar="[FUNCTION] | resolve ID | ignore ID | reopen ID",
    shell_complete=complete_failure,
)
@click.option("--since", type=DURATION, default=None, help="Only those of the last 15m, 1h, ...")
@click.option("--group", is_flag=True, help="One row for all failures with the same fingerprint.")
@click.option("--all", "every", is_flag=True, help="Those that were resolved or ignored, too.")
@click.option("--state", type=click.Choice(STATES), default=None, help="Only those in this state.")
@click.option("--note", "words", default="", help="With resolve, ignore and reopen: why.")
@click.option("--limit", type=click.IntRange(1, 10_000), default=50, show_default=True)
@wide_option
@json_option
@click.pass_obj
@empty_on_new_home
def failures(
    session: Session,
    arguments: tuple[str, ...],
    since: float | None,
    group: bool,
    every: bool,
    state: str | None,
    words: str,
    limit: int,
    wide: bool,
    as_json: bool,
) -> int:
    """List failed invocations, newest first; say what has become of them.

    resolve and ignore hide all failures of a group, with the same fingerprint: ID is that of one of them, its
    beginning, the group's, or a function's name (its newest failure). A resolved group that fails again is
    listed as a regression.

    \b
    relive failures --group
    relive failures checkout --since 1h --json
    relive failures resolve checkout --note "fixed in version 12"
    relive failures ignore 01a2086a
    relive failures --group --all
    """
    action = arguments[0] if arguments and arguments[0] in _ACTIONS else ""
    if action:
        goes_with("the list of failures", "since", "group", "every", "state", "limit", "wide")
        return _mark(session, action, arguments[1:], words, as_json)
    if len(arguments) > 1 or words:
        raise UsageError(
            "what to do is not clear", hint="relive failures [FUNCTION], or relive failures resolve ID"
        )
    from relive_store import StoreError
    from relive_views import failures as views

    function = arguments[0] if arguments else ""
    wanted = views.FailureFilter(function=function, since_ns=since_ns(since))
    states = (state,) if state else STATES if every else tuple(s for s in STATES if s not in HIDDEN)
    listing = views.failure_groups if group else views.failures
    try:
        found: Listed[FailureView] | Listed[GroupView] = listing(session.store(), wanted, limit, states)
    except StoreError:
        tell_kept(kept_failures(session, function), as_json=as_json)
        raise
    emit_recorded(
        session,
        [entry.as_json() for entry in found.rows],
        GROUP_COLUMNS if group else COLUMNS,
        function=function,
        as_json=as_json,
        empty=_nothing(function, since, state),
        wide=wide,
        shown=[_shown(entry) for entry in found.rows],
    )
    if found.hidden and not state and not as_json:
        what = "group" if group else "failure"
        plural = "s are" if found.hidden > 1 else " is"
        note(f"{found.hidden:,} {what}{plural} resolved or ignored; with them: --all")
    return ExitCode.DONE


def _mark(session: Session, action: str, rest: tuple[str, ...], words: str, as_json: bool) -> int:
    from relive_views.marks import group_of, mark

    if not rest:
        raise UsageError(f"name what to {action}", hint=f"relive failures {action} ID")
    for text in rest:
        group = group_of(session.store(), finder(session), text)
        made = mark(session.store(), group, _ACTIONS[action], words)
        if as_json:
            emit_object(
                {
                    "function": group.function,
                    "fingerprint": group.fingerprint,
                    "state": made.state,
                    "version": made.version,
                    "note": made.note,
                    "marked_at": made.marked_at,
                }
            )
        else:
            after = "; it is listed again if it comes back" if made.state == "resolved" else ""
            echo(f"group {group.fingerprint} of {group.function} is {made.state}{after}")
    return ExitCode.DONE


def _shown(entry: FailureView | GroupView) -> dict[str, Any]:
    from relive_views.failures import error_text

    error = error_text(entry.error_type, entry.message)
    return {**entry.as_json(), "short": entry.short, "error": error}


def _nothing(function: str, since: float | None, state: str | None) -> str:
    kind = f"{state} " if state else ""
    return f"no {kind}failures{f' of {function}' if function else ''}{' in this time' if since else ''}"


def _versions(numbers: Sequence[int]) -> str:
    """ "v3", "v1-v7"; "elsewhere" of what Relive did not run."""
    if not numbers:
        return "-"
    if not numbers[-1]:
        return "elsewhere"
    return f"v{numbers[0]}" if len(numbers) == 1 else f"v{numbers[0]}-v{numbers[-1]}"

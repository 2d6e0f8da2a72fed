"""`relive failures`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import click
from relive_base.errors import ExitCode

from relive.durations import DURATION, since_ns
from relive.listing import emit_recorded
from relive.output import (
    Column,
    format_age,
    format_clock,
    format_time,
    json_option,
    wide_option,
)
from relive.session import Session

if TYPE_CHECKING:
    from relive_views.failures import FailureView, GroupView

__all__ = ["failures"]

_FUNCTION = Column("function", "function", least=18, style="bold")
_ERROR = Column("error", "error", least=24, share=3, style="red")
_WHERE = Column("where", "where", rank=2)
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
    Column("version", "version", lambda number: f"v{number}", rank=4),
    _ERROR,
    _WHERE,
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
    Column("versions", "versions", lambda numbers: _versions(numbers), least=4, rank=3),
    Column("first_at", "first", format_age, right=True, rank=1, style="dim"),
    Column("captured_at", "last", format_age, right=True),
    _ID,
    Column("first_at", "first seen", format_time, wide=True),
    Column("captured_at", "last seen", format_time, wide=True),
    *_WIDE,
]


@click.command()
@click.argument("function", default="")
@click.option("--since", type=DURATION, default=None, help="Only those of the last 15m, 1h, ...")
@click.option("--group", is_flag=True, help="One row for all failures with the same fingerprint.")
@click.option("--limit", type=click.IntRange(1, 10_000), default=50, show_default=True)
@wide_option
@json_option
@click.pass_obj
def failures(
    session: Session, function: str, since: float | None, group: bool, limit: int, wide: bool, as_json: bool
) -> int:
    """List failed invocations, newest first.

    \b
    relive failures --group
    relive failures checkout --since 1h --json
    """
    from relive_views import failures as views

    wanted = views.FailureFilter(function=function, since_ns=since_ns(since))
    found: Sequence[FailureView | GroupView]
    if group:
        found = views.failure_groups(session.store(), wanted, limit)
    else:
        found = views.failures(session.store(), wanted, limit)
    emit_recorded(
        session,
        [entry.as_json() for entry in found],
        GROUP_COLUMNS if group else COLUMNS,
        function=function,
        as_json=as_json,
        empty=_nothing(function, since),
        wide=wide,
        shown=[
            {
                **entry.as_json(),
                "short": entry.short,
                "error": views.error_text(entry.error_type, entry.message),
            }
            for entry in found
        ],
    )
    return ExitCode.DONE


def _shown(entry: FailureView | GroupView) -> dict[str, Any]:
    from relive_views.failures import error_text

    error = error_text(entry.error_type, entry.message)
    return {**entry.as_json(), "short": entry.short, "error": error}


def _nothing(function: str, since: float | None) -> str:
    return f"no failures{f' of {function}' if function else ''}{' in this time' if since else ''}"


def _versions(numbers: Sequence[int]) -> str:
    """ "v3", "v1-v7"."""
    if not numbers:
        return "-"
    return f"v{numbers[0]}" if len(numbers) == 1 else f"v{numbers[0]}-v{numbers[-1]}"

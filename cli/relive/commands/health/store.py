"""`relive store`: what it holds, less of it, a copy of it."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click
from relive_base.errors import ExitCode, Refused, UsageError

from relive.arguments.belonging import goes_with
from relive.arguments.durations import DURATION
from relive.ending import ended_by_signals
from relive.output import (
    Column,
    echo,
    emit,
    emit_object,
    format_age,
    format_bytes,
    json_option,
    note,
    wide_option,
)
from relive.recorded.listing import emit_recorded, empty_on_new_home
from relive.session import Session

if TYPE_CHECKING:
    from relive_store import TableSize, Trimmed

__all__ = ["store"]

_DAY_S: Final = 86_400
_MANY_PARTS: Final = 300


def _count(value: object) -> str:
    return f"{value:,}" if isinstance(value, int) else "-"


def _parts_style(row: Any) -> str:
    return "yellow" if row["parts"] > _MANY_PARTS else ""


COLUMNS = [
    Column("table", "table", least=20, style="bold"),
    Column("rows", "rows", _count, right=True),
    Column("bytes", "size", format_bytes, right=True),
    Column("row_bytes", "per row", right=True, rank=2, style="dim"),
    Column("parts", "parts", _count, right=True, rank=1, style=_parts_style),
    Column("oldest_ns", "oldest", format_age, right=True),
    Column("days", "kept", lambda days: f"{days}d" if days else "for ever", right=True),
]
TRIMMED = [
    Column("table", "table", least=20, style="bold"),
    Column("day", "day (UTC)", lambda day: day or "(rewritten)"),
    Column("rows", "rows", _count, right=True),
    Column("bytes", "size", format_bytes, right=True),
]


@click.command()
@click.argument("arguments", nargs=-1, metavar="[trim | backup FILE | restore FILE]")
@click.option("--keep", type=DURATION, default=None, help="Of trim: drop what is older than 7d, 30d, ...")
@click.option("--yes", is_flag=True, help="Of trim: do it, do not only show it.")
@wide_option
@json_option
@click.pass_obj
@empty_on_new_home
def store(
    session: Session, arguments: tuple[str, ...], keep: float | None, yes: bool, wide: bool, as_json: bool
) -> int:
    """Rows, sizes, parts and oldest rows of each table; trim, back up and restore.

    \b
    relive store
    relive store trim --keep 7d --yes
    relive store backup /backups/monday.tar
    relive --home /srv/relive store restore /backups/monday.tar

    trim drops whole days (UTC) of traces, logs, metrics, profiles and invocations. Failures and what is kept
    by minute stay: they have limits of their own. Without --yes it shows what it would drop.

    backup writes all that the home keeps into one file, while the server runs or not: functions, events,
    scenes, and what was recorded so far. restore makes an empty home of it.
    """
    action, *rest = arguments or ("",)
    if action != "trim":
        goes_with("trim", "keep", "yes", hint="relive store trim --keep 7d --yes")
    if action == "" and not rest:
        return _list(session, wide=wide, as_json=as_json)
    if action == "trim" and not rest:
        return _trim(session, keep, yes, as_json=as_json)
    if action in ("backup", "restore") and len(rest) == 1:
        file = Path(os.path.abspath(os.path.expanduser(rest[0])))
        return (_backup if action == "backup" else _restore)(session, file, as_json=as_json)
    if action in ("backup", "restore"):
        raise UsageError(f"{action} takes one file", hint=f"relive store {action} /backups/monday.tar")
    raise UsageError(
        f"{' '.join(arguments)!r} is not known",
        hint="relive store [trim --keep 7d | backup FILE | restore FILE]",
    )


def _list(session: Session, *, wide: bool, as_json: bool) -> int:
    from relive_store import table_sizes

    found = table_sizes(session.store())
    count = emit_recorded(
        session,
        [asdict(one) for one in found],
        COLUMNS,
        function="",
        as_json=as_json,
        wide=wide,
        empty="the store is empty",
        shown=list(_shown(found)),
    )
    if not as_json and found:
        scenes = sum(file.stat().st_size for file in session.scenes_dir.glob("*") if file.is_file())
        beside = f"; scenes {format_bytes(scenes)}" if scenes else ""
        rows, size = sum(one.rows for one in found), sum(one.bytes for one in found)
        note(f"in all {rows:,} rows, {format_bytes(size)}{beside}")
    return count


def _shown(found: Iterable[TableSize]) -> Iterable[dict[str, Any]]:
    for one in found:
        yield {**asdict(one), "row_bytes": f"{one.bytes / one.rows:,.0f} B" if one.rows else "-"}


def _trim(session: Session, keep: float | None, yes: bool, *, as_json: bool) -> int:
    from relive_store import to_trim, trim

    if keep is None:
        raise UsageError("trim wants to know how much is kept", hint="relive store trim --keep 7d")
    if session.server:
        raise Refused(
            "a server elsewhere is not trimmed from here", hint="run relive store trim on its machine"
        )
    second = int(time.time() - keep) // _DAY_S * _DAY_S
    day = time.strftime("%Y-%m-%d", time.gmtime(second))
    opened = session.store()
    done: Iterable[Trimmed] = trim(opened, second) if yes else to_trim(opened, second)
    rows = [asdict(one) for one in done]
    emit(rows, TRIMMED, as_json=as_json, empty=f"nothing is older than {day}")
    if rows and not as_json:
        what = f"{sum(row['rows'] for row in rows):,} rows, {format_bytes(sum(row['bytes'] for row in rows))}"
        note(f"dropped {what}" if yes else f"{what} of days before {day} would be dropped; do it with --yes")
    return ExitCode.DONE


def _backup(session: Session, file: Path, *, as_json: bool) -> int:
    from relive_platform.server.backup import write_backup
    from relive_platform.settings import Settings

    if session.server:
        raise Refused(
            "a server elsewhere is not backed up from here", hint="run relive store backup on its machine"
        )
    limit_s = Settings.from_environment(session.environment).backup_copy_s
    copy_held = session.control().copy_databases if session.reachable else None
    with ended_by_signals():
        told = write_backup(session.home, session.store(), file, copy_held=copy_held, limit_s=limit_s)
    if late := session.lateness():
        note(f"not in it: {late}", as_json=as_json)
    for name in told.in_use:
        note(
            f"{name} was locked or is no database: it is copied as its files were, one by one",
            as_json=as_json,
        )
    if as_json:
        emit_object(asdict(told))
    else:
        echo(
            f"{told.path}: {format_bytes(told.bytes)}, {told.tables} tables in {told.parts} parts,"
            f" {told.files:,} files, {told.seconds:.1f} s"
        )
        echo("  it holds what functions were called with: keep it as closed as the home")
    return ExitCode.DONE


def _restore(session: Session, file: Path, *, as_json: bool) -> int:
    from relive_platform.server.backup import restore_backup

    if session.server:
        raise Refused(
            "a server elsewhere is not restored from here", hint="run relive store restore on its machine"
        )
    told = restore_backup(file, session.home)
    if as_json:
        row = {
            "home": str(session.home),
            "version": told.version,
            "schema": told.schema,
            "made_ns": told.made_ns,
        }
        emit_object(row)
    else:
        echo(
            f"restored into {session.home}: a backup of Relive {told.version}, {format_age(told.made_ns)} old"
        )
        echo("  relive serve    relive invocations    relive tui")
    return ExitCode.DONE

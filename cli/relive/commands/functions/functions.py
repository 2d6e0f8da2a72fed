"""`relive functions`."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

import click
from relive_base.errors import NotFound

from relive.arguments.durations import since_ns
from relive.output import Column, emit, format_age, format_ms, format_time, json_option, note, wide_option
from relive.recorded.listing import tell_lateness
from relive.session import Session

if TYPE_CHECKING:
    from relive_store import Store
    from relive_views.functions import ServedFunction

__all__ = ["functions"]

_STATS_WINDOW_S: Final = 24 * 3600


def _errors_style(row: Mapping[str, Any]) -> str:
    return "red" if row["errors"] else "dim"


COLUMNS = [
    Column("name", "function", least=26, style="bold"),
    Column("version", "version", lambda number: f"v{number}", rank=1),
    Column("invocations", "calls 24h", right=True),
    Column("errors", "errors", right=True, style=_errors_style),
    Column("p50_ms", "p50", format_ms, right=True, rank=2),
    Column("p95_ms", "p95", format_ms, right=True, rank=4),
    Column("p99_ms", "p99", format_ms, right=True, rank=3),
    Column("cold_starts", "cold", right=True, rank=5, style="dim"),
    Column("last_failure", "failed", format_age, right=True, style="red"),
    Column("last_failure", "last failure", format_time, wide=True),
    Column("kind", "kind", wide=True),
    Column("app", "application", wide=True),
    Column("triggers", "triggers", lambda texts: ", ".join(texts), wide=True),
    Column("sources", "sources", lambda texts: ", ".join(texts), wide=True),
    Column("url", "url", wide=True),
]


@click.command()
@wide_option
@json_option
@click.pass_obj
def functions(session: Session, wide: bool, as_json: bool) -> None:
    """List the functions with their last day: invocations, errors, latency, last failure.

    Needs no server; --wide adds URLs and triggers. If the store cannot be read, the functions are listed
    without numbers, and why is said after them.

    \b
    relive functions
    relive functions --json | jq 'select(.errors > 0)'
    """
    from relive_store import StoreError
    from relive_views import functions as views

    served = _served(session)
    since, problem = since_ns(_STATS_WINDOW_S), None
    try:
        found = views.functions(served, _store(session), since)
    except StoreError as error:
        found, problem = views.functions(served, None, since, readable=False), error
    states = _sources(session)
    emit(
        [{**entry.as_json(), "sources": states.get(entry.name, [])} for entry in found],
        COLUMNS,
        as_json=as_json,
        empty="no functions yet; deploy some: relive deploy PATH",
        wide=wide,
    )
    if not session.reachable and served:
        note("no server runs: these are deployed, and served again after relive serve", as_json=as_json)
    if problem is not None:
        raise problem
    if found:
        tell_lateness(session, as_json=as_json)


def _served(session: Session) -> Sequence[ServedFunction]:
    from relive_views.functions import ServedFunction, served_by_registry

    if not session.reachable:
        return served_by_registry(session.home)
    return [
        ServedFunction(
            name=info.name,
            kind=info.kind,
            version=info.version,
            url=info.url,
            app=info.app,
            code_hash=info.code_hash,
            triggers=tuple(info.triggers),
        )
        for info in session.control().functions()
    ]


def _sources(session: Session) -> dict[str, list[str]]:
    """How the triggers of each function that pull are doing; not known without a server."""
    found: dict[str, list[str]] = {}
    if session.reachable:
        listed = session.control().status().get("sources", [])
        for state in listed if isinstance(listed, list) else []:
            found.setdefault(state["function"], []).append(f"{state['kind']} {state['brief']}")
    return found


def _store(session: Session) -> Store | None:
    """None if nothing was ever recorded here."""
    with contextlib.suppress(NotFound):
        return session.store()
    return None

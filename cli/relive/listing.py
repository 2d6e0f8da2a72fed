"""Listings of what was recorded: an unknown name is an error, and what has not arrived yet is said."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Mapping
from typing import Any, Final

from relive_base.errors import NotFound, ReliveError

from relive.output import Column, echo, emit
from relive.session import Session

__all__ = ["check_function", "emit_recorded", "function_names", "tell_lateness"]

_RECORDED: Final = (
    "SELECT DISTINCT Function FROM invocations UNION DISTINCT SELECT DISTINCT Function FROM failure_scenes"
)


def function_names(session: Session) -> set[str]:
    """The functions in service, and those of which anything is recorded."""
    names = set(_deployed(session))
    with contextlib.suppress(ReliveError):  # a store in trouble: then what is deployed has to do
        names |= {str(name) for (name,) in session.store().query(_RECORDED).rows()}
    return names


def _deployed(session: Session) -> list[str]:
    if session.reachable:
        return [info.name for info in session.control().functions()]
    path = session.home / "registry.db"
    if not path.is_file():
        return []
    from relive_platform.registry.storage import VersionTable

    table = VersionTable(session.home)
    try:
        return [version.name for version in table.serving()]
    finally:
        table.close()


def check_function(session: Session, name: str) -> None:
    """Raises NotFound where no function of this name is in service or recorded."""
    names = function_names(session)
    if name not in names:
        from relive_platform.names import unknown_name

        raise unknown_name(NotFound, "function", name, names, "relive functions")


def emit_recorded(
    session: Session,
    rows: Iterable[Mapping[str, Any]],
    columns: list[Column],
    *,
    function: str,
    as_json: bool,
    empty: str,
) -> int:
    """Print `rows`, which are those of `function` where it is not ""; gives how many. Raises NotFound.

    `empty` is said only where nothing can be on its way.
    """
    listed = list(rows)
    if not listed and function:
        check_function(session, function)
    late = session.lateness()
    shown = emit(listed, columns, as_json=as_json, empty=late or empty)
    if late and (listed or as_json):
        echo(late, err=True)
    return shown


def tell_lateness(session: Session) -> str:
    """Say, beside what is shown, what is not there yet. Gives the text."""
    late = session.lateness()
    if late:
        echo(late, err=True)
    return late

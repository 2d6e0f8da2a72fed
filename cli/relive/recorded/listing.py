"""Listings of what was recorded: an unknown name is an error, and what has not arrived yet is said."""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any, Final

from relive_base.errors import ExitCode, NotFound, ReliveError

from relive.output import Column, emit, note
from relive.session import Session

if TYPE_CHECKING:
    from relive_views.naming import Finder

__all__ = [
    "check_function",
    "emit_recorded",
    "empty_on_new_home",
    "finder",
    "function_names",
    "tell_lateness",
]

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
    from relive_views.functions import served_by_registry

    return [served.name for served in served_by_registry(session.home)]


def check_function(session: Session, name: str) -> None:
    """Raises NotFound if no function of this name is in service or recorded."""
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
    wide: bool = False,
    shown: Iterable[Mapping[str, Any]] | None = None,
) -> int:
    """Print `rows`, which are those of `function` if it is not ""; gives how many. Raises NotFound.

    `empty` is said only if nothing can be on its way.
    """
    listed = list(rows)
    if not listed and function:
        check_function(session, function)
    late = session.lateness()
    count = emit(listed, columns, as_json=as_json, empty=late or empty, wide=wide, shown=shown)
    if late and (listed or as_json):
        note(late, as_json=as_json)
    return count


def empty_on_new_home(command: Callable[..., int]) -> Callable[..., int]:
    """A list on a home that nothing ran on yet is empty, and no error, unless something is named."""

    @functools.wraps(command)
    def listed(*given: Any, **options: Any) -> int:
        from relive_platform.server.reading import NothingRecorded

        try:
            return command(*given, **options)
        except NothingRecorded as error:
            if any(options.get(name) for name in ("function", "arguments", "invocation", "trace")):
                raise
            note(f"{error.message}; {error.hint}", as_json=bool(options.get("as_json")))
            return ExitCode.DONE

    return listed


def tell_lateness(session: Session, *, as_json: bool = False) -> str:
    """Say, beside what is shown, what is not there yet. Gives the text."""
    late = session.lateness()
    if late:
        note(late, as_json=as_json)
    return late


def finder(session: Session) -> Finder:
    """Finds what an id, the beginning of one, a function's name or "last" means."""
    from relive_views.naming import Finder

    return Finder(session.store(), lambda: function_names(session))

"""What the shell offers after TAB: functions and ids. It answers at once or not at all: a person waits."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click
from click.shell_completion import CompletionItem
from relive_base.errors import ReliveError

if TYPE_CHECKING:
    from relive.session import Session

__all__ = ["complete_failure", "complete_function", "complete_invocation"]

_OFFERED: Final = 40
_TIMEOUT_S: Final = 1.0
_MAX_FILES: Final = 20_000

_NEWEST: Final = """
SELECT InvocationId, Function, Status, ErrorType FROM invocations
WHERE StartedAt >= now64() - INTERVAL 1 DAY AND startsWith(InvocationId, {beginning:String})
ORDER BY StartedAt DESC LIMIT 1 BY InvocationId LIMIT {limit:UInt32}
"""


def complete_function(context: click.Context, _: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Functions in service."""
    with _session(context) as session:
        return list(_functions(session, incomplete))


def complete_failure(context: click.Context, _: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Functions, and the newest failures: those whose scenes are in the home."""
    with _session(context) as session:
        known = [*_last(incomplete), *_functions(session, incomplete)]
        known += _scenes(session.scenes_dir, incomplete)
    return known or [CompletionItem(incomplete, type="file")]  # a scene file, perhaps


def complete_invocation(context: click.Context, _: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Functions, and the newest invocations; without a server those that failed."""
    with _session(context) as session:
        known = [*_last(incomplete), *_functions(session, incomplete)]
        return known + list(_invocations(session, incomplete))


@contextlib.contextmanager
def _session(context: click.Context) -> Iterator[Session]:
    from relive.session import Session

    given = context.find_root().params
    home = given.get("home")
    session = Session.create(Path(home) if home else None, given.get("server") or "", os.environ)
    try:
        yield session
    finally:
        session.close()


def _last(incomplete: str) -> Iterator[CompletionItem]:
    if "last".startswith(incomplete):
        yield CompletionItem("last", help="the newest")


def _functions(session: Session, incomplete: str) -> Iterator[CompletionItem]:
    from relive_views.functions import served_by_registry

    with contextlib.suppress(ReliveError):
        if session.server:
            known = [(info.name, info.version) for info in session.control().functions()]
        else:  # the registry's file says it without a server
            known = [(served.name, served.version) for served in served_by_registry(session.home)]
        for name, version in known:
            if name.startswith(incomplete):
                yield CompletionItem(name, help=f"function v{version}")


def _scenes(folder: Path, incomplete: str) -> Iterator[CompletionItem]:
    from itertools import islice

    from relive_capture.explore.scene import parse_scene_name
    from relive_views.ids import shortest

    found: dict[str, float] = {}
    for path in islice(
        folder.glob(f"{incomplete.lower() if _may_be_id(incomplete) else '-'}*.scene"), _MAX_FILES
    ):
        parsed = parse_scene_name(path.name)
        with contextlib.suppress(OSError):
            if parsed is not None:
                found[parsed[0]] = path.stat().st_mtime
    newest = sorted(found, key=lambda ident: found[ident], reverse=True)[:_OFFERED]
    for ident, short in shortest(newest, list(found)).items():
        yield CompletionItem(short if short.startswith(incomplete) else ident, help="failure")


def _invocations(session: Session, incomplete: str) -> Iterator[CompletionItem]:
    from relive_store import open_store
    from relive_views.ids import shortest

    if not _may_be_id(incomplete):
        return
    try:
        info = session.info()
        if info is None:
            yield from _scenes(session.scenes_dir, incomplete)
            return
        store = open_store(info.store)
        try:
            asked: dict[str, Any] = {"beginning": incomplete.lower(), "limit": _OFFERED}
            rows = [tuple(map(str, row)) for row in store.query(_NEWEST, asked, timeout_s=_TIMEOUT_S).rows()]
        finally:
            store.close()
    except ReliveError:
        return  # no offers are better than an error among them
    short = shortest((row[0] for row in rows), ())
    for ident, function, status, error in rows:
        shown = short[ident] if short[ident].startswith(incomplete) else ident
        yield CompletionItem(shown, help=f"{function} {error or status}")


def _may_be_id(incomplete: str) -> bool:
    return all(character in "0123456789abcdefABCDEF-" for character in incomplete)

"""Opening what a home has recorded, whether its server runs or not."""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path

from relive_base.addresses import without_password
from relive_base.errors import NotFound
from relive_store import Store, StoreUnavailable, open_store

from relive_platform.server.locate import ServerInfo, find_server, server_lock_held

__all__ = ["NothingRecorded", "open_reader"]


class NothingRecorded(NotFound):
    """No server has ever run on this home."""


_IDLE_EXIT_S = 60.0
_STARTING_LIMIT_S = 60.0
_POLL_S = 0.05


def open_reader(home: Path, environment: Mapping[str, str]) -> Store:
    """The store of `home`: its running server's; the ClickHouse server that RELIVE_STORE names; or the home's
    own, served by a process that ends when nobody has read for a minute.

    Raises NotFound if nothing was ever recorded here.
    """
    give_up = time.monotonic() + _STARTING_LIMIT_S
    while True:
        info = find_server(home)
        if info is not None:
            if info.store_problem:
                raise _not_there(info)
            return open_store(info.store)
        if not server_lock_held(home):
            break
        if time.monotonic() > give_up:
            raise StoreUnavailable(
                f"a server is starting on this home, and was not ready within {_STARTING_LIMIT_S:g} s",
                where=str(home),
                hint="try again in a moment",
            )
        time.sleep(_POLL_S)  # it says where its store is in a moment
    if url := environment.get("RELIVE_STORE"):
        return open_store(url)
    return _open_offline(home, environment)


def _not_there(info: ServerInfo) -> StoreUnavailable:
    problem, _, hint = info.store_problem.partition(" hint: ")
    return StoreUnavailable(
        f"the server's store is not there: {problem}",
        where=without_password(info.store),
        hint=hint or "functions go on, and what is recorded waits in the spool: relive status",
    )


def _open_offline(home: Path, environment: Mapping[str, str]) -> Store:
    directory = home / "store"
    if not directory.exists():
        raise NothingRecorded(
            f"nothing is recorded in {home}",
            hint="start with: relive demo, or relive serve and relive deploy",
        )
    from relive_store import open_offline

    store = open_offline(directory, home / "run" / "reader.sock", idle_exit_s=_IDLE_EXIT_S)
    from relive_platform.server.leftovers import deliver_leftovers

    deliver_leftovers(home, environment, store.url)
    return store

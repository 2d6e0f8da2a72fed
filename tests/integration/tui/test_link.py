"""The way to the data is looked for anew after a loss."""

from __future__ import annotations

import fcntl
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from relive.ui import Link, UiRequest
from relive_store import StoreProcess, open_store


@contextmanager
def announced(home: Path, url: str) -> Iterator[None]:
    """A server's lock and address on a home."""
    run = home / "run"
    run.mkdir(exist_ok=True)
    (run / "token").write_text("t")
    info = {"pid": 1, "http": "http://127.0.0.1:1", "api": f"unix:{run}/none.sock", "store": url}
    (run / "server.json").write_text(json.dumps(info))
    with (run / "server.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def test_a_server_that_is_back_at_another_address_is_found(tmp_path: Path, world: Any) -> None:
    # Given a UI that reads through a server's store
    link = Link(UiRequest(tmp_path, "", {}))
    first = StoreProcess(tmp_path / "other", tmp_path / "other.sock")
    first.start(60)
    try:
        with announced(tmp_path, first.url):
            assert link.open_store().url == first.url
    finally:
        first.kill()
    # When that server is gone and another one runs on the same home with its store elsewhere
    with announced(tmp_path, world.store.url):
        store = link.open_store()
        # Then the store that is opened next is the other one's
        assert store.url == world.store.url
        assert store.query("SELECT count() FROM invocations").scalar() == 240
        assert open_store(world.store.url).engine == store.engine
    # And without a server nothing is said of one
    assert link.status() is None

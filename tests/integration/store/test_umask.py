"""The control API's socket is closed to others without a umask, which would be that of the whole process."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import Any, cast

import pytest
from relive_platform.api.listener import ControlListener
from relive_store.process.service import _bound


def test_sockets_are_the_owners_and_no_umask_is_set_for_them(
    short_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given a process in which zygotes start at any time, with the umask that they find
    seen: list[int] = []
    monkeypatch.setattr(os, "umask", seen.append)
    # When the control API and the store's process listen
    listener = ControlListener(cast(Any, None), "x" * 32, upload_limit_bytes=1)
    listener.listen_unix(short_dir / "api.sock")
    store = _bound(short_dir / "store.sock")
    # I expect the sockets to be closed to others, and the umask as it was
    try:
        for name in ("api.sock", "store.sock"):
            assert stat.S_IMODE((short_dir / name).stat().st_mode) == 0o600
        assert not seen
    finally:
        listener.stop()
        store.close()

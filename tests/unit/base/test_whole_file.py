"""Small files: whole, whenever the process that writes them ends."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from relive_base.whole_file import write_whole


@pytest.mark.parametrize("call", ["open", "write", "fsync", "replace"])
def test_a_write_that_fails_leaves_what_was_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    # Given a file, and a disk that fails at one step of writing it anew
    path = tmp_path / "token"
    write_whole(path, b"before")

    def fails(*arguments: object, **options: object) -> int:
        raise OSError(28, "No space left on device")

    class Full:
        def __init__(self, handle: int, mode: str) -> None:
            self.handle = handle

        def __enter__(self) -> Full:
            return self

        def __exit__(self, *error: object) -> None:
            os.close(self.handle)

        write = fails

    monkeypatch.setattr(os, *(("fdopen", Full) if call == "write" else (call, fails)))
    with pytest.raises(OSError, match="No space left"):
        write_whole(path, b"after")
    monkeypatch.undo()
    # I expect it as it was, and nothing beside it
    assert path.read_bytes() == b"before"
    assert list(tmp_path.iterdir()) == [path]


def test_what_a_killed_process_has_left_is_in_nobodys_way(tmp_path: Path) -> None:
    # Given the draft of a process that was killed
    path = tmp_path / "token"
    (tmp_path / ".token.new").write_bytes(b"half of something longer")
    # When the next one writes
    write_whole(path, b"after")
    # I expect one file, closed to others
    assert list(tmp_path.iterdir()) == [path]
    assert (path.read_bytes(), path.stat().st_mode & 0o777) == (b"after", 0o600)

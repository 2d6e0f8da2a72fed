"""What is said of a store's folder that cannot be opened: only damage is called damage."""

from __future__ import annotations

import errno
from pathlib import Path

import pytest
from relive_store.embedded.damage import not_opened, not_usable

ENGINE = "Failed to create connection: Code: 36. DB::Exception: Error initializing EmbeddedServer: "


def test_an_engine_without_a_reason_has_found_damage(tmp_path: Path) -> None:
    found = not_opened(tmp_path, RuntimeError(f"{ENGINE}. (BAD_ARGUMENTS)"))

    assert found.message.startswith("the store's folder is damaged or unreadable: ")
    assert "Code" not in found.message
    assert f"mv {tmp_path} {tmp_path}.damaged)" in found.hint


def test_a_folder_that_was_put_aside_before_is_not_moved_into(tmp_path: Path) -> None:
    store = tmp_path / "my store"
    for name in ("my store", "my store.damaged"):
        (tmp_path / name).mkdir()

    found = not_opened(store, RuntimeError(f"{ENGINE}bad file. Stack trace:\n\n0. ? @ 0x0"))

    assert found.message.endswith("unreadable: bad file")
    assert f"mv '{store}' '{store}.damaged-2'" in found.hint


@pytest.mark.parametrize("said", ["std::bad_alloc", "Too many open files", "No space left on device"])
def test_what_the_machine_lacks_is_no_damage(tmp_path: Path, said: str) -> None:
    found = not_opened(tmp_path, RuntimeError(f"{ENGINE}{said}. (BAD_ARGUMENTS)"))

    assert found.message == f"the engine cannot start: {said}"
    assert "mv" not in found.hint


def test_a_full_disk_is_no_damage_and_a_forbidden_folder_cannot_be_read(tmp_path: Path) -> None:
    full = not_usable(tmp_path, OSError(errno.ENOSPC, "No space left on device"))
    forbidden = not_usable(tmp_path, PermissionError(errno.EACCES, "Permission denied"))

    assert full.message == "the store's folder cannot be written: No space left on device"
    assert forbidden.message == "the store's folder is damaged or unreadable: Permission denied"

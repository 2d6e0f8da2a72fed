"""Where a core file is looked for, by the kernel's pattern."""

from __future__ import annotations

from pathlib import Path

import pytest
from relive_runtime.isolation.core_files import core_folder, explain, take_core


@pytest.mark.parametrize(
    ("pattern", "folder"),
    [
        ("core", ""),
        ("/var/cores/core.%p", "/var/cores"),
        ("/cores/%e/core", ""),
        ("|/usr/bin/coredump %P", ""),
    ],
)
def test_only_an_absolute_patterns_folder_has_to_be_opened_to_a_worker(pattern: str, folder: str) -> None:
    assert core_folder(pattern) == folder
    assert explain(pattern, wanted=True)
    assert explain(pattern, wanted=False).startswith("off")


def test_a_relative_core_is_moved_out_of_the_scratch_folder(tmp_path: Path) -> None:
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    (scratch / "core.python.42").write_bytes(b"ELF")

    found = take_core("core.%e.%p", 42, str(scratch), str(tmp_path / "taken"))

    assert found == str(tmp_path / "taken")
    assert Path(found).read_bytes() == b"ELF"
    assert list(scratch.iterdir()) == []


def test_an_absolute_core_stays_and_others_cores_are_no_business_of_ours(tmp_path: Path) -> None:
    (tmp_path / "core.42").write_bytes(b"ELF")
    pattern = f"{tmp_path}/core.%p"

    assert take_core(pattern, 42, "/nowhere", "/nowhere.core") == str(tmp_path / "core.42")
    assert take_core(pattern, 43, "/nowhere", "/nowhere.core") == ""


@pytest.mark.parametrize("trick", ["link", "folder", "empty"])
def test_what_a_function_puts_in_the_place_of_a_core_is_left_alone(tmp_path: Path, trick: str) -> None:
    secret = tmp_path / "secret"
    secret.write_bytes(b"secret")
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    place = scratch / "core.42"
    if trick == "link":
        place.symlink_to(secret)
    elif trick == "folder":
        place.mkdir()
    else:
        place.touch()

    assert take_core("core.%p", 42, str(scratch), str(tmp_path / "taken")) == ""
    assert secret.exists()

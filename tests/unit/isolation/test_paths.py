"""Which folders workers may read."""

from __future__ import annotations

from pathlib import Path

import pytest
from relive_runtime.folder import build_runtime
from relive_runtime.isolation import paths


@pytest.fixture
def system(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A stand-in for /opt, with other software and a Relive home in it."""
    folder = tmp_path / "opt"
    for name in ("tool/bin", "data/relive/home/code", "data/other"):
        (folder / name).mkdir(parents=True)
    monkeypatch.setattr(paths, "_SYSTEM", (str(folder),))
    return folder


def test_the_home_is_cut_out_of_a_system_folder(system: Path) -> None:
    # Given a home below a folder that workers read
    home = system / "data" / "relive" / "home"
    runtime = build_runtime(home)
    # When the readable paths are listed
    found = paths.readable_paths(str(runtime), str(home / "deps" / "x"))
    # Then its neighbours are there, and of the home only the runtime and the dependencies
    assert str(system / "tool") in found
    assert str(system / "data" / "other") in found
    assert [path for path in found if Path(path).is_relative_to(home)] == [
        str(runtime),
        str(home / "deps" / "x"),
    ]
    assert not [path for path in found if home.is_relative_to(path)]


def test_a_home_elsewhere_leaves_system_folders_whole(system: Path, tmp_path: Path) -> None:
    found = paths.readable_paths(str(build_runtime(tmp_path / "home")), "")
    assert str(system) in found


def test_what_the_runtime_links_to_can_be_read(tmp_path: Path) -> None:
    found = paths.readable_paths(str(build_runtime(tmp_path / "home")), "")
    for name in ("relive_base", "relive_runtime", "msgspec", "werkzeug"):
        assert [path for path in found if path.endswith(f"/{name}")], name

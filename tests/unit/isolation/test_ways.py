"""Which folder on the way is closed to others; ways past it."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from relive_platform.registry.packages.content import open_to_read
from relive_runtime.isolation.spaces import probe_spaces
from relive_runtime.isolation.ways import closed_part

OPENS = """
import os, sys
from relive_runtime.isolation.mounts import NEW_MOUNTS, make_private, unshare
from relive_runtime.isolation.ways import open_ways
unshare(NEW_MOUNTS)
make_private()
try:
    open_ways([sys.argv[2], sys.argv[3]], [sys.argv[4]])
except OSError as error:
    print(error.strerror)
print(sorted(os.listdir(sys.argv[1])), end=" ")
for path in sys.argv[2:]:
    print(open(path + "/file").read(), end=" ")
    try:
        open(path + "/new", "w").close()
        print("written", end=" ")
    except OSError:
        print("refused", end=" ")
os.setresuid(900_000, 900_000, 900_000)
print(*(os.path.exists(path + "/file") for path in sys.argv[2:]))
"""


@pytest.fixture
def place() -> Iterator[Path]:
    """A folder that all may pass, as those of pytest are not."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)
        yield folder


def _folder(path: Path) -> Path:
    path.mkdir(parents=True)
    (path / "file").write_text(path.name)
    return path


def _open(closed: Path, *paths: Path) -> str:
    found = subprocess.run(
        [sys.executable, "-c", OPENS, closed, *paths], capture_output=True, text=True, timeout=60, check=True
    )
    return found.stdout.strip()


@pytest.mark.skipif(bool(os.geteuid() or probe_spaces()), reason="not root, or no mounts of its own")
class TestWays:
    def test_others_get_to_what_is_needed_and_find_nothing_else(self, place: Path) -> None:
        # Given a closed folder with three that are needed, one of them by a link, and a secret
        closed = place / "home"
        code, real, scratch = (_folder(closed / name) for name in ("code", "lib/real", "run/scratch"))
        link = closed / "link"
        link.symlink_to("lib/real")
        _folder(closed / "secret")
        closed.chmod(0o700)
        del real

        told = _open(closed, code, link, scratch)

        assert told == (
            "['code', 'lib', 'link', 'run'] code refused real refused scratch written True True True"
        )
        # and that nobody else sees any of it
        assert sorted(os.listdir(closed)) == ["code", "lib", "link", "run", "secret"]

    def test_a_folder_that_is_closed_and_needed_as_a_whole_changes_nothing(self, place: Path) -> None:
        closed = _folder(place / "home")
        inner, scratch = (_folder(closed / name) for name in ("code", "scratch"))
        closed.chmod(0o700)

        told = _open(closed, closed, inner, scratch)

        assert told.startswith("it is closed to others, and all of it is needed\n['code', 'file', 'scratch']")
        assert told.endswith("False False False")


def test_the_first_closed_folder_is_named(place: Path) -> None:
    inner = _folder(place / "a" / "b")
    assert closed_part(str(inner), read=True) == ""
    inner.chmod(0o700)
    assert closed_part(str(inner)) == ""
    assert closed_part(str(inner), read=True) == str(inner)
    inner.parent.chmod(0o700)
    assert closed_part(str(inner)) == str(inner.parent)


def test_what_was_installed_under_any_umask_can_be_read_by_others(place: Path) -> None:
    folder = _folder(place / "site" / "package")
    tool = folder / "tool"
    tool.write_text("")
    (folder / "gone").symlink_to("nowhere")
    for path, mode in ((folder / "file", 0o600), (tool, 0o700), (folder, 0o700), (folder.parent, 0o700)):
        path.chmod(mode)

    open_to_read(folder.parent)

    modes = [path.stat().st_mode & 0o777 for path in (folder / "file", tool, folder, folder.parent)]
    assert modes == [0o644, 0o755, 0o755, 0o755]

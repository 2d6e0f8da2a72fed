"""A backup is taken as something hostile, and a home that holds anything is left alone."""

from __future__ import annotations

import fcntl
import io
import os
import tarfile
from pathlib import Path

import pytest
from relive_base.errors import Refused, ReliveError
from relive_platform.server.backup import restore_backup
from relive_platform.server.backup.reading import _unpack
from relive_platform.server.home import AlreadyRunning, UnusableHome, require_whole

MANIFEST = b'{"format": 1, "version": "0.1.0", "schema": 1, "made_ns": 1}'


def backup(path: Path, members: list[tuple[str, bytes | str]], manifest: bytes = MANIFEST) -> Path:
    """A tar file; a text is where a link leads."""
    with tarfile.open(path, "w") as tar:
        for name, content in [("relive-backup.json", manifest), *members]:
            member = tarfile.TarInfo(name)
            if isinstance(content, str):
                member.type, member.linkname = tarfile.SYMTYPE, content
                tar.addfile(member)
            else:
                member.size = len(content)
                tar.addfile(member, io.BytesIO(content))
    return path


@pytest.mark.parametrize(
    "members",
    [
        [("home/../../evil", b"x")],
        [("home/link", "/tmp"), ("home/link/evil", b"x")],
        [("home/link", "../.."), ("home/link/evil", b"x")],
        [("home/deep/../../../evil", b"x")],
        [("store/../../evil/part/file", b"x")],
        [("home//run/token", b"x")],
        [("home/./run/token", b"x")],
        [("home/store", "../elsewhere")],
    ],
)
def test_nothing_leaves_the_home(tmp_path: Path, members: list[tuple[str, bytes | str]]) -> None:
    # Given a backup with a member that leads out of it
    file = backup(tmp_path / "b.tar", [("home/good", b"good"), *members])
    home = tmp_path / "deep" / "home"
    # When it is restored, I expect an error, and nothing outside or of the home
    with pytest.raises(ReliveError):
        restore_backup(file, home)
    assert not [path for path in tmp_path.rglob("evil*") if path.exists()]
    assert not home.parent.exists()


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda path: path.write_bytes(b"no tar at all" * 100), "no whole backup"),
        (lambda path: backup(path, [], b"{}"), "no backup of Relive"),
        (
            lambda path: backup(path, [], MANIFEST.replace(b'"schema": 1', b'"schema": 9999')),
            "newer than this",
        ),
        (lambda path: None, "cannot be restored"),
    ],
)
def test_what_is_no_backup(tmp_path: Path, make: object, said: str) -> None:
    make(tmp_path / "b.tar")  # type: ignore[operator]
    with pytest.raises(ReliveError, match=said):
        restore_backup(tmp_path / "b.tar", tmp_path / "home")


def test_a_restore_that_was_killed_is_done_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # Given a restore that was killed when half of it was unpacked
    file = backup(tmp_path / "b.tar", [("home/good", b"good")])
    home = tmp_path / "home"
    (home / "run").mkdir(parents=True, mode=0o700)
    home.chmod(0o700)
    (home / "run" / "restoring").touch()
    (home / "registry.db").write_bytes(b"half")
    (home / "code").mkdir()
    # I expect no server to take it for a home
    with pytest.raises(UnusableHome, match="half a backup"):
        require_whole(home, home / "run")
    # When it is done again, I expect the backup's home, and a whole one
    monkeypatch.setattr("relive_platform.server.backup.reading._fill_store", lambda home, manifest: None)
    restore_backup(file, home)
    assert sorted(path.name for path in home.iterdir()) == ["good", "run"]
    require_whole(home, home / "run")


def test_a_restore_that_fails_leaves_no_mark(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = backup(tmp_path / "b.tar", [("home/good", b"good"), ("home/../evil", b"x")])
    home = tmp_path / "home"
    (home / "run").mkdir(parents=True, mode=0o700)
    home.chmod(0o700)
    with pytest.raises(ReliveError):
        restore_backup(file, home)
    require_whole(home, home / "run")
    assert [path.name for path in home.iterdir()] == ["run"]


def test_a_home_that_holds_something_or_is_in_use_is_left_alone(tmp_path: Path) -> None:
    file = backup(tmp_path / "b.tar", [("home/good", b"good")])
    home = tmp_path / "home"
    (home / "run").mkdir(parents=True, mode=0o700)
    home.chmod(0o700)
    # Given a server on an empty home
    lock = os.open(home / "run" / "server.lock", os.O_RDWR | os.O_CREAT, 0o600)
    fcntl.flock(lock, fcntl.LOCK_EX)
    with pytest.raises(AlreadyRunning):
        restore_backup(file, home)
    os.close(lock)
    # ... and one that is not empty
    (home / "registry.db").write_bytes(b"mine")
    with pytest.raises(Refused, match=r"not empty: it has registry\.db"):
        restore_backup(file, home)
    assert (home / "registry.db").read_bytes() == b"mine"


def test_a_hard_link_is_refused_wherever_it_leads(tmp_path: Path) -> None:
    # Given a backup with a hard link to a file beside the home, and then that name as a file
    victim = tmp_path / "victim"
    victim.write_bytes(b"mine")
    path = backup(tmp_path / "b.tar", [])
    with tarfile.open(path, "a") as tar:
        link = tarfile.TarInfo("home/x")
        link.type, link.linkname = tarfile.LNKTYPE, "../victim"
        tar.addfile(link)
        file = tarfile.TarInfo("home/x")
        file.size = 1
        tar.addfile(file, io.BytesIO(b"x"))
    # When it is restored, I expect a refusal, and the file as it was
    with pytest.raises(ReliveError, match="nothing that a home has"):
        restore_backup(path, tmp_path / "home")
    assert victim.read_bytes() == b"mine"


def test_a_folder_that_may_not_be_written_gets_its_mode_when_it_is_full(tmp_path: Path) -> None:
    # Given a version's folder, which nobody but root may write to
    path = backup(tmp_path / "b.tar", [])
    with tarfile.open(path, "a") as tar:
        folder = tarfile.TarInfo("home/code")
        folder.type, folder.mode = tarfile.DIRTYPE, 0o555
        tar.addfile(folder)
        file = tarfile.TarInfo("home/code/main.py")
        file.size, file.mode = 4, 0o444
        tar.addfile(file, io.BytesIO(b"pass"))
    modes: list[int] = []
    home = tmp_path / "home"
    home.mkdir()

    class Watched(tarfile.TarFile):
        def makefile(self, tarinfo: tarfile.TarInfo, targetpath: str) -> None:
            modes.append(Path(targetpath).parent.stat().st_mode & 0o777)
            super().makefile(tarinfo, targetpath)  # type: ignore[misc]

    # When it is unpacked, I expect the folder to be writable while it is filled, and not afterwards
    with Watched.open(path) as tar:
        _unpack(tar, home)
    assert modes[-1] == 0o700
    assert (home / "code").stat().st_mode & 0o777 == 0o555

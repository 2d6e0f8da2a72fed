"""A home's folder is closed to others."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest
from relive_platform.server.home import LOCK, AlreadyRunning, UnusableHome, close_to_others, own_home
from relive_platform.server.home_token import home_token
from relive_platform.settings import Settings


def _mode(folder: Path) -> int:
    return stat.S_IMODE(folder.stat().st_mode)


@pytest.mark.parametrize("mode", [0o755, 0o750, 0o777, 0o701])
def test_an_open_home_is_closed_with_a_word(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, mode: int
) -> None:
    # Given a home that other users get into
    home = tmp_path / "home"
    (home / "scenes").mkdir(parents=True)
    home.chmod(mode)
    # When a server takes it
    assert close_to_others(home)
    # I expect it closed, and said
    assert _mode(home) == 0o700
    assert f"{mode:04o}" in caplog.text
    assert not close_to_others(home)


def test_a_folder_of_other_things_is_not_closed_but_refused(tmp_path: Path) -> None:
    folder = tmp_path / "project"
    folder.mkdir()
    (folder / "letters").touch()
    folder.chmod(0o755)
    with pytest.raises(UnusableHome, match="holds other things"):
        own_home(folder, folder / "run")
    assert _mode(folder) == 0o755
    assert not (folder / "run").exists()


def test_a_new_home_is_closed_whatever_the_umask(tmp_path: Path) -> None:
    home = tmp_path / "home"
    handle = own_home(home, home / "run")
    assert handle >= 0
    assert _mode(home) == 0o700
    assert _mode(home / "run") == 0o700


def test_a_lock_that_was_taken_away_says_nothing(tmp_path: Path) -> None:
    # Given a home whose lock somebody holds who takes its file away, as a restore that is refused does
    home = tmp_path / "home"
    gone = own_home(home, home / "run")
    (home / "run" / LOCK).unlink()
    # When two take the home, I expect one to have it
    handle = own_home(home, home / "run")
    assert os.path.samestat(os.fstat(handle), (home / "run" / LOCK).stat())
    with pytest.raises(AlreadyRunning):
        own_home(home, home / "run")
    for one in (gone, handle):
        os.close(one)


def test_a_home_keeps_its_token_on_a_full_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # Given a home with a token, of which keys for AWS's APIs are made, too
    settings = Settings(home=tmp_path)
    settings.run_dir.mkdir()
    token = home_token(settings)

    def full(path: Path, data: bytes) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("relive_platform.server.home_token.write_whole", full)
    # When a server starts on it that can write nothing, I expect the same token
    assert home_token(settings) == token
    assert (settings.run_dir / "token").read_text() == token

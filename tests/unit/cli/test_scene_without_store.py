"""A failure's scene is shown from the home's own file where its store cannot be read."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest
from relive.recorded.scenes import archive_of, load_scene
from relive.session import Session
from relive_base.errors import NotFound
from relive_capture.explore.errors import AmbiguousScene
from relive_store import StoreUnavailable
from whole_scene import INVOCATION, write_whole_scene

NOBODY = {"RELIVE_STORE": "clickhouse://u:sekret@127.0.0.1:1/relive"}


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """With two scene files; the one with the smaller id is the newer one."""
    (tmp_path / "scenes").mkdir()
    made = write_whole_scene(tmp_path)
    os.utime(shutil.copy(made, tmp_path / "scenes" / f"f{INVOCATION[1:]}-1.scene"), (1, 1))
    shutil.copy(made, tmp_path / "scenes" / made.name)
    return tmp_path


@pytest.mark.parametrize("ident", [INVOCATION, INVOCATION[:6], "last"])
@pytest.mark.parametrize("environment", [NOBODY, {}])
def test_it_is_the_file_of_the_home_with_a_word(home: Path, capsys, ident: str, environment) -> None:
    # Given a store that nobody can reach, or none at all
    session = Session.create(home, "", environment)

    # When the failure is asked for
    scene = load_scene(session, ident)
    name, data = archive_of(session, ident)

    # I expect its scene, and that the store was not read to be said
    assert scene.invocation_id == INVOCATION
    assert name == f"{INVOCATION}-1.scene"
    assert data == (home / "scenes" / name).read_bytes()
    told = capsys.readouterr().err
    assert "note: the store cannot be read: " in told
    assert name in told
    assert ("the newest scene file" in told) == (ident == "last")
    assert "sekret" not in told


def test_without_a_file_the_stores_own_error_stands(home: Path) -> None:
    with pytest.raises(StoreUnavailable):
        load_scene(Session.create(home, "", NOBODY), "0000")
    with pytest.raises(NotFound):
        load_scene(Session.create(home / "elsewhere", "", {}), "last")


def test_a_beginning_of_several_ids_is_not_guessed(home: Path) -> None:
    name = f"{INVOCATION[:-1]}{'1' if INVOCATION[-1] == '0' else '0'}-1.scene"
    shutil.copy(home / "scenes" / f"{INVOCATION}-1.scene", home / "scenes" / name)
    with pytest.raises(AmbiguousScene):
        load_scene(Session.create(home, "", NOBODY), INVOCATION[:6])


def test_the_files_of_this_home_are_not_those_of_a_server_elsewhere(home: Path) -> None:
    elsewhere = Session.create(home, "127.0.0.1:1", {"RELIVE_TOKEN": "t" * 32})
    with pytest.raises(Exception, match=r"127\.0\.0\.1:1"):
        load_scene(elsewhere, "last")

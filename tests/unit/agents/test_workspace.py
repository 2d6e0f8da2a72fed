"""Nothing outside of the served folder is read or written, whatever a path or a link says."""

from __future__ import annotations

from pathlib import Path

import pytest
from relive_agents.diffs import Edit
from relive_agents.workspace import Workspace
from relive_base.errors import UsageError


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "secret.txt").write_text("secret")
    served = tmp_path / "served"
    (served / "app").mkdir(parents=True)
    (served / "app" / "main.py").write_text("a = 1\nb = 1\n")
    (served / ".git").mkdir()
    (served / ".git" / "config").write_text("x")
    (served / "file-out").symlink_to(outside / "secret.txt")
    (served / "folder-out").symlink_to(outside)
    (served / "inside").symlink_to(served / "app" / "main.py")
    return served


@pytest.mark.parametrize("path", ["..", "/etc", "folder-out", "file-out", "app/../../outside", "../served2"])
def test_a_path_that_leads_out_is_refused(folder: Path, path: str) -> None:
    with pytest.raises(UsageError, match="not below the served folder"):
        Workspace(folder).inside(path)


def test_without_a_folder_there_is_nothing(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no folder is served"):
        Workspace(None).inside(".")


def test_a_patch_is_made_on_a_copy(folder: Path) -> None:
    edits = [Edit("app/main.py", "a = 1", "a = 2"), Edit("app/new/x.py", "", "c = 3")]
    with Workspace(folder).patched("app", edits) as copy:
        assert (copy / "main.py").read_text() == "a = 2\nb = 1\n"
        assert (copy / "new" / "x.py").read_text() == "c = 3"
        assert sorted(path.name for path in copy.parent.iterdir()) == ["app", "inside"]
    assert not copy.exists()
    assert (folder / "app" / "main.py").read_text() == "a = 1\nb = 1\n"


@pytest.mark.parametrize(
    ("edit", "said"),
    [
        (Edit("app/main.py", "= 1", "= 2"), "2 times"),
        (Edit("app/main.py", "z", "y"), "0 times"),
        (Edit("app/none.py", "a", "b"), "cannot be read"),
        (Edit("app/main.py", "", "b"), "there already"),
        (Edit("../x.py", "", "b"), "not below"),
        (Edit("folder-out/secret.txt", "secret", "b"), "cannot be read"),
        (Edit(".", "a", "b"), "not below"),
        (Edit("app/main.py/x.py", "", "b"), "above it is a file"),
        (Edit("app/" + "x" * 300, "", "b"), "cannot be written: File name too long"),
        (Edit("app/\0.py", "", "b"), "a NUL in its name"),
        (Edit("app/new.py", "", "\ud800"), "half of a character in new"),
    ],
)
def test_an_edit_that_does_not_fit_says_why(folder: Path, edit: Edit, said: str) -> None:
    with pytest.raises(UsageError, match=said), Workspace(folder).patched(".", [edit]):
        pass
    assert (folder.parent / "outside" / "secret.txt").read_text() == "secret"


def test_the_copy_has_what_a_deploy_takes_and_names_the_rest(folder: Path) -> None:
    # Given packages with names that builds and environments have, too, and links inside
    for name in ("build", "dist", ".x", "venv"):
        (folder / "app" / name).mkdir()
        (folder / "app" / name / "__init__.py").write_text("a = 1\n")
    (folder / "env" / "bin").mkdir(parents=True)
    (folder / "env" / "pyvenv.cfg").write_text("home = /usr/bin\n")
    (folder / "data").mkdir()
    (folder / "data" / "large").write_text("x")
    (folder / ".reliveignore").write_text("data\n")
    (folder / "linked").symlink_to(folder / "app" / "build")
    # I expect them in the copy, an edit seen through both names, and the others named
    left: list[str] = []
    with Workspace(folder).patched(".", [Edit("linked/__init__.py", "a = 1", "a = 2")], left) as copy:
        assert {path.name for path in (copy / "app").iterdir()} == {"main.py", "build", "dist", ".x", "venv"}
        assert (copy / "app" / "build" / "__init__.py").read_text() == "a = 2\n"
        assert not (copy / "data").exists()
    assert sorted(left) == ["env/", "file-out", "folder-out"]
    assert (folder / "app" / "build" / "__init__.py").read_text() == "a = 1\n"


def test_a_path_with_a_nul_is_refused(folder: Path) -> None:
    with pytest.raises(UsageError, match="is no path"):
        Workspace(folder).inside("app\0")

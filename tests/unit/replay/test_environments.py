"""On which packages a failure from outside is run again."""

from __future__ import annotations

import sys
import sysconfig
from pathlib import Path

import pytest
from relive_base.distributions import installed
from relive_capture.outside_format import OutsideFacts
from relive_platform.replay.environments import environment_for, unlike
from relive_platform.replay.errors import ReplayError
from relive_platform.replay.handlers import is_inside
from relive_runtime.adapters.outside.scripts import ScriptOutside, run_script

HERE = [f"{name}=={version}" for name, version in installed([sysconfig.get_path("purelib")])]


def test_this_python_is_taken_if_it_has_the_very_versions(tmp_path: Path) -> None:
    found = environment_for(OutsideFacts(installed=HERE), tmp_path, None, trust=False)
    assert found.folder == sysconfig.get_path("purelib")
    assert found.notes == ()


def test_what_a_scene_names_is_installed_only_if_the_user_says_so(tmp_path: Path) -> None:
    with pytest.raises(ReplayError, match="whoever made the scene"):
        environment_for(OutsideFacts(installed=["evil==6.6.6"]), tmp_path, None, trust=False)


@pytest.mark.parametrize(
    "name", ["-r /etc/passwd", "a==1; b", "a @ file:///x", "a==1\n-e .", "A==1", "--index-url=x==1"]
)
def test_what_is_no_package_is_refused_in_any_case(tmp_path: Path, name: str) -> None:
    with pytest.raises(ReplayError, match="can be none"):
        environment_for(OutsideFacts(installed=[name]), tmp_path, None, trust=True)


def test_the_users_own_python_is_taken_and_what_differs_is_said(tmp_path: Path) -> None:
    facts = OutsideFacts(installed=["msgspec==0.0.1", "notthere==1.0"])
    found = environment_for(facts, tmp_path, Path(sys.executable), trust=False)
    assert found.folder == sysconfig.get_path("purelib")
    assert "msgspec 0.0.1, here " in found.notes[0]
    assert found.notes[1] == "packages that are not here: notthere 1.0"


def test_what_is_no_python_is_said(tmp_path: Path) -> None:
    with pytest.raises(ReplayError, match="no Python that answers"):
        environment_for(OutsideFacts(installed=["a==1"]), tmp_path, Path("/bin/true"), trust=False)


def test_a_scene_without_packages_is_like_no_folder() -> None:
    assert unlike([], "") == ()


@pytest.mark.parametrize(
    ("handler", "inside"),
    [
        ("app:handler", True),
        ("app.handler", True),
        ("pkg.mod:f", True),
        ("os:system", False),
        ("shutil.rmtree", False),
        ("app:", False),
        ("../x:y", False),
    ],
)
def test_a_handler_is_the_applications_own(tmp_path: Path, handler: str, inside: bool) -> None:
    (tmp_path / "app.py").write_text("import os\nfrom pkg.mod import f as handler\n")
    (tmp_path / "pkg").mkdir()
    (tmp_path / "pkg" / "mod.py").write_text("def f(event, context): ...\n")
    assert is_inside(tmp_path, handler) == inside


APPLICATIONS = """
import os
from shutil import rmtree
from .parts import app as mounted, remove, listed, looped
from pkg import made
application = get_wsgi_application()
if True:
    lambda_handler: object = Mangum(application)
alias = rmtree
way = os.system
table = {"a": 1}
class Shop: ...
"""
PARTS = """
from shutil import rmtree as remove
from .shop import looped
app = FastAPI()
listed = os.listdir
"""


@pytest.mark.parametrize(
    ("attribute", "inside"),
    [
        ("application", True), ("lambda_handler", True), ("mounted", True), ("made", True), ("Shop", True),
        ("rmtree", False), ("os.system", False), ("alias", False), ("way", False), ("remove", False),
        ("listed", False), ("looped", False), ("application.delete", False), ("gone", False),
    ],
)  # fmt: skip
def test_what_gets_events_is_made_by_the_application(tmp_path: Path, attribute: str, inside: bool) -> None:
    (tmp_path / "pkg").mkdir()
    (tmp_path / "pkg" / "__init__.py").write_text("made = Flask('a')\n")
    (tmp_path / "pkg" / "shop.py").write_text(APPLICATIONS)
    (tmp_path / "pkg" / "parts.py").write_text(PARTS)
    for kind in ("event", "request"):
        assert is_inside(tmp_path, f"pkg.shop:{attribute}", kind) == inside


MODULE = """
import os
from subprocess import run
alias = run
class Tasks:
    def price(self): ...
if True:
    async def inner(): ...
def settle(account): ...
made = decorate(settle)
"""


@pytest.mark.parametrize(
    ("attribute", "inside"),
    [
        ("settle", True), ("Tasks.price", True), ("inner", True), ("made", True), ("os.system", False),
        ("run", False), ("alias", False), ("Tasks.price.__globals__", False), ("gone", False),
        ("Tasks.__init__", False),
    ],
)  # fmt: skip
def test_what_is_called_with_arguments_is_defined_by_the_module_itself(
    tmp_path: Path, attribute: str, inside: bool
) -> None:
    (tmp_path / "app.py").write_text(MODULE)
    assert is_inside(tmp_path, f"app:{attribute}", "call") == inside


@pytest.mark.parametrize(
    ("file", "module"), [("../x.py", ""), ("/etc/x.py", ""), ("", "pip"), ("", "os"), ("", "a/b"), ("", "")]
)
def test_scripts_are_those_of_the_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, file: str, module: str
) -> None:
    (tmp_path / "code").mkdir()
    (tmp_path / "x.py").write_text("")
    monkeypatch.setattr(sys, "path", [str(tmp_path / "code"), *sys.path])
    with pytest.raises(ScriptOutside):
        run_script(file, module, [])

"""The digest of what an installer reads changes with each thing that it reads, and with nothing else."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from relive_platform.registry.packages.dependencies import Dependencies, DependencyError, Requirements
from relive_platform.registry.packages.installer_input import InstallerInput, TooMuch


def tree(root: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return root


def digest(root: Path, environment: dict[str, str] | None = None) -> str:
    needs = Requirements.of(root / "app", (), "")
    return Dependencies(root / "deps", environment=environment or {}).lock_hash(needs)


R = "app/requirements.txt"
PROJECT = '[project]\nname = "lib"\nversion = "1"\n'


@pytest.mark.parametrize(
    ("files", "changed"),
    [
        ({R: "-r base.txt", "app/base.txt": "six==1.16.0"}, "app/base.txt"),
        (
            {
                R: "-r requirements/production.txt",
                "app/requirements/production.txt": "-r base.txt",
                "app/requirements/base.txt": "six==1.16.0",
            },
            "app/requirements/base.txt",
        ),
        ({R: "six\n-c limits.txt", "app/limits.txt": "six<2"}, "app/limits.txt"),
        (
            {
                R: "-r a.txt",
                "app/a.txt": "six\n--constraint=sub/c.txt",
                "app/sub/c.txt": "-r d.txt",
                "app/sub/d.txt": "six<2",
            },
            "app/sub/d.txt",
        ),
        ({R: "-rbase.txt", "app/base.txt": "six"}, "app/base.txt"),
        ({R: '--requirement "my base.txt"', "app/my base.txt": "six"}, "app/my base.txt"),
        ({R: "-r \\\n  base.txt", "app/base.txt": "six"}, "app/base.txt"),
        ({R: "-r ${WHERE}/base.txt", "app/b/base.txt": "six"}, "app/b/base.txt"),
        ({R: "./lib", "app/lib/lib.py": "1"}, "app/lib/lib.py"),
        ({R: "./lib[extra] ; python_version > '3'", "app/lib/lib.py": "1"}, "app/lib/lib.py"),
        ({R: "-e ../lib", "lib/src/lib.py": "1"}, "lib/src/lib.py"),
        ({R: "--editable=../lib#egg=lib", "lib/src/lib.py": "1"}, "lib/src/lib.py"),
        ({R: "..", "setup.py": "1", "lib.py": "1"}, "lib.py"),
        ({R: "vendored/lib", "app/vendored/lib/setup.py": "1"}, "app/vendored/lib/setup.py"),
        ({R: "lib @ file:../lib", "lib/lib.py": "1"}, "lib/lib.py"),
        ({R: "lib@ ../lib", "lib/lib.py": "1"}, "lib/lib.py"),
        ({R: "file:my%20lib", "app/my lib/lib.py": "1"}, "app/my lib/lib.py"),
        ({R: "wheels/lib-1-any.whl", "app/wheels/lib-1-any.whl": "1"}, "app/wheels/lib-1-any.whl"),
        ({R: "lib-1.tar.gz --hash=sha256:00", "app/lib-1.tar.gz": "1"}, "app/lib-1.tar.gz"),
        ({R: "lib\n--find-links wheels", "app/wheels/lib-1.whl": "1"}, "app/wheels/lib-1.whl"),
        ({R: "-f ./wheels\nlib", "app/wheels/lib-1.whl": "1"}, "app/wheels/lib-1.whl"),
        (
            {R: "-r nested/r.txt", "app/nested/r.txt": "./lib", "app/nested/lib/m.py": "1"},
            "app/nested/lib/m.py",
        ),
        (  # a local project that names another one
            {
                R: "../one",
                "one/pyproject.toml": PROJECT + '[tool.uv.sources]\ntwo = { path = "../two" }\n',
                "two/pyproject.toml": PROJECT + 'dependencies = ["three @ file:../three"]\n',
                "three/three.py": "1",
            },
            "three/three.py",
        ),
        (
            {R: "-r ../pyproject.toml", "pyproject.toml": PROJECT + 'dependencies = ["six"]\n'},
            "pyproject.toml",
        ),
        ({R: "six", "app/uv.toml": 'no-index = true\n'}, "app/uv.toml"),
        ({R: "six", "pyproject.toml": '[tool.uv]\nconstraint-dependencies = ["six<2"]'}, "pyproject.toml"),
        ({R: "six", "limits.txt": "six<2"}, "limits.txt"),
        ({R: "six", "links/six.whl": "1"}, "links/six.whl"),
    ],
)  # fmt: skip
def test_a_change_of_anything_that_is_read_changes_it(tmp_path: Path, files, changed: str) -> None:
    # Given requirements that lead to a file, however deep
    tree(tmp_path, files)
    environment = {"WHERE": "b", "HOME": str(tmp_path)}
    if changed == "limits.txt":
        environment["UV_CONSTRAINT"] = str(tmp_path / "limits.txt")
    if changed.startswith("links/"):
        environment["UV_FIND_LINKS"] = str(tmp_path / "links")
    before = digest(tmp_path, environment)
    assert digest(tmp_path, environment) == before

    # When that file changes, I expect another digest
    text = (tmp_path / changed).read_text()
    (tmp_path / changed).write_text(
        text.replace("2", "3").replace("1", "2").replace("six", "toml").replace("true", "false")
    )
    assert (tmp_path / changed).read_text() != text
    assert digest(tmp_path, environment) != before


@pytest.mark.parametrize(
    "added",
    ["app/unread.txt", "app/lib/__pycache__/m.pyc", "app/lib/lib.egg-info/SOURCES.txt",
     "app/lib/build/lib/m.py", "app/lib/.git/index", "pyproject.toml"],
)  # fmt: skip
def test_what_is_not_read_or_is_made_by_a_build_does_not_change_it(tmp_path: Path, added: str) -> None:
    tree(tmp_path, {R: "./lib", "app/lib/setup.py": "1", "app/lib/m.py": "1"})
    before = digest(tmp_path)

    tree(tmp_path, {added: "[tool.black]\nline-length = 100\n"})

    assert digest(tmp_path) == before


def test_the_installers_settings_count_and_their_passwords_do_not(tmp_path: Path) -> None:
    tree(tmp_path, {R: "six"})

    one = digest(tmp_path, {"UV_INDEX_URL": "https://u:first@index.test/simple"})

    assert one == digest(tmp_path, {"UV_INDEX_URL": "https://u:second@index.test/simple"})
    assert one != digest(tmp_path, {"UV_INDEX_URL": "https://other.test/simple"})
    assert one != digest(tmp_path, {})


def test_circles_end(tmp_path: Path) -> None:
    tree(
        tmp_path,
        {R: "-r a.txt\n./lib", "app/a.txt": "-r b.txt", "app/b.txt": "-r a.txt"},
    )
    tree(tmp_path, {"app/lib/m.py": "1"})
    os.symlink("..", tmp_path / "app" / "lib" / "up")

    assert digest(tmp_path) == digest(tmp_path)


def test_a_linked_folder_of_a_local_package_counts(tmp_path: Path) -> None:
    tree(tmp_path, {R: "./lib", "app/lib/setup.py": "1", "shared/m.py": "1"})
    os.symlink("../../shared", tmp_path / "app" / "lib" / "shared")
    before = digest(tmp_path)

    tree(tmp_path, {"shared/m.py": "2"})

    assert digest(tmp_path) != before


def test_more_than_can_be_read_is_refused_and_not_cut(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr("relive_platform.registry.packages.installer_input._MAX_FILES", 3)
    tree(tmp_path, {R: "./lib", **{f"app/lib/m{number}.py": "" for number in range(5)}})

    with pytest.raises(DependencyError, match="over 3 local files"):
        digest(tmp_path)


@given(st.text(st.characters(blacklist_categories=["Cs"], blacklist_characters="/~"), max_size=200))
def test_any_text_is_read(tmp_path_factory, text: str) -> None:
    root = tmp_path_factory.getbasetemp() / "any"
    (root / "below").mkdir(parents=True, exist_ok=True)
    found = InstallerInput(root / "below", {})
    try:
        found.requirements(text, root / "below")
    except TooMuch:
        pass  # it named a folder of the machine that is too large
    assert len(found.hexdigest()) == 64

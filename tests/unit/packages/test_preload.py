"""Which modules a zygote imports ahead."""

from __future__ import annotations

from pathlib import Path

import pytest
from relive_platform.registry.packages import preload_modules
from relive_platform.registry.packages.dependencies import Dependencies, Requirements
from relive_platform.registry.packages.preload import requirement_name


def dist(site: Path, name: str, *, top: str = "", record: str = "", requires: str = "") -> None:
    info = site / f"{name}-1.0.dist-info"
    info.mkdir(parents=True)
    metadata = f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n"
    (info / "METADATA").write_text(metadata + (f"Requires-Dist: {requires}\n" if requires else ""))
    (info / "RECORD").write_text(record)
    for line in record.splitlines():
        # From Python 3.12 on, what a RECORD names counts only where it is there.
        file = site / line.partition(",")[0]
        file.parent.mkdir(parents=True, exist_ok=True)
        file.touch()
    if top:
        (info / "top_level.txt").write_text(top)


@pytest.fixture
def site(tmp_path: Path) -> Path:
    dist(tmp_path, "Flask_App", top="flask_app\n_private\n", requires="jinja-2>=1")
    dist(
        tmp_path, "jinja.2", record="jinja2/__init__.py,,\njinja2/a.so,,\njinja.2-1.0.dist-info/METADATA,,\n"
    )
    dist(tmp_path, "single", record="single.py,,\n_speed.cpython-311-x86_64-linux-gnu.so,,\nbin/x,,\n")
    return tmp_path


@pytest.mark.parametrize(
    ("lines", "modules"),
    [
        (["flask-app==1"], ["flask_app"]),
        (["FLASK.APP[extra] ; python_version > '3'", "single>=1"], ["flask_app", "single"]),
        (["jinja-2"], ["jinja2"]),
        (["# comment", "--no-binary :all:", "single"], ["single"]),
        # a path or an address: whatever nothing else requires
        (["./local"], ["flask_app", "single"]),
        (["https://host/x.whl"], ["flask_app", "single"]),
        ([], []),
    ],
)
def test_only_what_is_required_directly(site: Path, lines: list[str], modules: list[str]) -> None:
    assert preload_modules(site, lines) == modules


@pytest.mark.parametrize(
    ("line", "name"),
    [
        ("six", "six"),
        ("A_b.C>=1", "a-b-c"),
        ("x @ https://h/x.whl", "x"),
        ("./x", ""),
        ("-e .", ""),
        ("", ""),
    ],
)
def test_the_name_in_a_requirement_line(line: str, name: str) -> None:
    assert requirement_name(line) == name


def test_the_lock_hash_depends_on_lines_and_local_content_only(tmp_path) -> None:
    (tmp_path / "lib").mkdir()
    (tmp_path / "lib" / "a.py").write_text("1")
    dependencies = Dependencies(tmp_path / "deps")

    def lock(text: str) -> str:
        return dependencies.lock_hash(Requirements(text, "requirements.txt", tmp_path))

    first = lock("six\n./lib\n")
    assert lock("# why\nsix\n\n./lib") == first
    assert lock("six==1\n./lib\n") != first
    (tmp_path / "lib" / "a.py").write_text("2")
    assert lock("six\n./lib\n") != first


def test_no_requirements_need_no_folder(tmp_path) -> None:
    installed = Dependencies(tmp_path / "deps").install(Requirements.of(tmp_path, (), "relive.toml"))

    assert (installed.folder, installed.lock_hash, installed.preload) == ("", "", ())
    assert not (tmp_path / "deps").exists()

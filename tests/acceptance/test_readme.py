"""What the README and the tutorial tell to type works as written, with the package that a user installs."""

from __future__ import annotations

import tarfile
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
import uv
from built_wheel import ROOT, Installed, build, install
from free_ports import free_port
from page_commands import Reader
from relive_cli import relive_home

pytestmark = pytest.mark.timeout(1200)
READING = ("debug", "failure", "heap", "hot", "logs", "replay", "scene", "trace", "why")


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    return build(tmp_path_factory.mktemp("dist"))


@pytest.fixture(scope="module")
def installed(built: tuple[Path, Path], tmp_path_factory: pytest.TempPathFactory) -> Installed:
    return install(built[1], tmp_path_factory.mktemp("installed") / "env")


@pytest.fixture
def reader(installed: Installed) -> Iterator[Reader]:
    """Somebody at an empty folder, with an empty home and a free port."""
    address = f"127.0.0.1:{free_port()}"
    with relive_home() as home:
        folder = home.home.parent / "work"
        folder.mkdir()
        environment = {**installed.environment, "RELIVE_HTTP": address}
        pip_install = f"{uv.find_uv_bin()} pip install --quiet --reinstall --no-deps"
        instead = {
            "pip install relive pytest": f"{pip_install} {installed.wheel}",  # pytest is there
            "pip install relive": f"{pip_install} {installed.wheel}",
            "127.0.0.1:8700": address,
        }

        def recorded() -> bool:
            """Whether all that was asked of the server is done, and in the store."""
            status = home.json("status", check=False)[0]
            queue, store = status["queue"], status["store"]
            unknown = "error" in queue  # its file did not answer in time
            waits = unknown, queue["ready"], queue["leased"], store["spooled_rows"], store["buffered_rows"]
            return not any((*waits, status["collector"]["pending_bytes"]))

        before = {f"relive {name}": lambda: home.eventually(recorded) for name in READING}
        try:
            yield Reader(folder, home.home, environment, instead, before)
        finally:
            home.run("stop", check=False)


def test_the_tour_works_as_written(reader: Reader) -> None:
    # When somebody types every command of the README, one after the other
    # I expect each to end well and to print what the README shows
    assert reader.follow(ROOT / "README.md") > 15


def test_the_tutorial_works_as_written(reader: Reader) -> None:
    # When somebody writes every file of the tutorial, and types every command
    # I expect the same
    assert reader.follow(ROOT / "docs/tutorial/first-failure.md") > 15


def test_the_wheel_has_what_runs_and_nothing_else(built: tuple[Path, Path]) -> None:
    # Given the wheel
    with zipfile.ZipFile(built[1]) as archive:
        names = archive.namelist()

    # I expect in it each package with its types, the extensions, and the files that the code reads
    tops = {name.split("/")[0] for name in names}
    packages = {path.parent.name for path in ROOT.glob("*/relive*/__init__.py")}
    assert tops - packages == {next(top for top in tops if top.endswith(".dist-info"))}
    assert packages <= tops
    assert {f"{package}/py.typed" for package in packages} <= set(names)
    for suffix, at_least in ((".so", 4), (".sql", 5), (".toml", 1)):
        assert sum(name.endswith(suffix) for name in names) >= at_least, suffix
    assert any(name.startswith("relive/_examples/shop/events/") for name in names)
    assert not [name for name in names if "__pycache__" in name or "/tests/" in name]


def test_the_source_package_has_what_builds_and_tests_it(built: tuple[Path, Path]) -> None:
    # Given the source package
    with tarfile.open(built[0]) as archive:
        names = {name.split("/", 1)[1] for name in archive.getnames() if "/" in name}

    # I expect sources, tests, documentation, and nothing that was built
    for path in ("pyproject.toml", "hatch_build.py", "constraints.txt", "Makefile", "LICENSE", "README.md"):
        assert path in names
    assert "tests/acceptance/test_readme.py" in names
    assert "docs/reference/settings.md" in names
    assert not [name for name in names if name.endswith((".so", ".pyc"))]

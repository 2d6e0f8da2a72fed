"""Dependencies installed for real: one small package from the index, local ones for everything else."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from relive_platform.registry.packages.dependencies import Dependencies, DependencyError, Requirements

SETUP = """\
[build-system]
requires = []
build-backend = "backend"
backend-path = ["."]
[project]
name = "{name}"
version = "1.0"
"""
# A build backend of ten lines: no index is asked for one.
BACKEND = """\
import zipfile
def build_wheel(folder, config_settings=None, metadata_directory=None):
    name = "{name}-1.0-py3-none-any.whl"
    with zipfile.ZipFile(f"{{folder}}/{{name}}", "w") as wheel:
        wheel.write("{module}.py")
        info = "{name}-1.0.dist-info"
        wheel.writestr(f"{{info}}/METADATA", "Metadata-Version: 2.1\\nName: {name}\\nVersion: 1.0\\n")
        tags = "Wheel-Version: 1.0\\nGenerator: x\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n"
        wheel.writestr(f"{{info}}/WHEEL", tags)
        wheel.writestr(f"{{info}}/RECORD", "{module}.py,,\\n{{0}}/METADATA,,\\n".format(info))
    return name
"""


def local(root: Path, name: str = "tiny", module: str = "tiny_module", code: str = "VALUE = 1\n") -> Path:
    folder = root / name
    folder.mkdir(parents=True)
    (folder / "pyproject.toml").write_text(SETUP.format(name=name))
    (folder / "backend.py").write_text(BACKEND.format(name=name, module=module))
    (folder / f"{module}.py").write_text(code)
    return folder


def needs(folder: Path, text: str) -> Requirements:
    (folder / "requirements.txt").write_text(text)
    return Requirements.of(folder, (), "relive.toml")


def test_a_package_of_the_index_is_installed_with_progress_and_only_once(tmp_path) -> None:
    dependencies = Dependencies(tmp_path / "deps")
    lines: list[str] = []

    installed = dependencies.install(needs(tmp_path, "six>=1.16\n"), lines.append)
    count = len(lines)
    again = dependencies.install(needs(tmp_path, "six>=1.16\n"), lines.append)

    assert (Path(installed.folder) / "six.py").is_file()
    assert installed.preload == ("six",)
    assert any("six==" in line for line in lines[:count])
    assert again == installed
    assert len(lines) == count


def test_a_local_package_is_installed_and_its_change_makes_a_new_folder(tmp_path) -> None:
    local(tmp_path)
    dependencies = Dependencies(tmp_path / "deps")

    first = dependencies.install(needs(tmp_path, "./tiny\n"))
    (tmp_path / "tiny" / "tiny_module.py").write_text("VALUE = 2\n")
    second = dependencies.install(needs(tmp_path, "./tiny\n"))

    assert first.preload == ("tiny_module",)
    assert (Path(first.folder) / "tiny_module.py").read_text() == "VALUE = 1\n"
    assert (Path(second.folder) / "tiny_module.py").read_text() == "VALUE = 2\n"


def test_two_deploys_at_once_install_once(tmp_path) -> None:
    local(tmp_path)
    required = needs(tmp_path, "./tiny\n")
    gate = threading.Barrier(3)
    lines: list[str] = []

    def install(_: int) -> str:
        gate.wait()
        return Dependencies(tmp_path / "deps").install(required, lines.append).folder

    with ThreadPoolExecutor(3) as pool:
        folders = set(pool.map(install, range(3)))

    assert len(folders) == 1
    assert len([line for line in lines if line.startswith("Installed")]) == 1


@pytest.mark.parametrize(
    ("text", "line", "says"),
    [
        ("# why\n\n./nothing-here\n", 3, "nothing-here"),
        ("./tiny\nsix ==== 1\n", 2, "requirements.txt"),
        ("./tiny\n--no-index\nno-such-package-at-all==1\n", 3, "no-such-package-at-all"),
    ],
)
def test_what_cannot_be_installed_is_named_with_file_line_and_reason(tmp_path, text, line, says) -> None:
    local(tmp_path)

    with pytest.raises(DependencyError) as caught:
        Dependencies(tmp_path / "deps").install(needs(tmp_path, text))

    assert says in caught.value.message
    assert caught.value.where == f"{tmp_path}/requirements.txt:{line}"
    assert caught.value.hint
    assert [path.name for path in (tmp_path / "deps").iterdir() if path.is_dir()] == []


def test_an_installation_that_takes_too_long_is_ended(tmp_path) -> None:
    folder = local(tmp_path)
    (folder / "backend.py").write_text("def build_wheel(*a, **k):\n    import time\n    time.sleep(60)\n")
    dependencies = Dependencies(tmp_path / "deps", timeout_s=2.0)

    with pytest.raises(DependencyError, match="longer than 2 s"):
        dependencies.install(needs(tmp_path, "./tiny\n"))

    assert [path.name for path in (tmp_path / "deps").iterdir() if path.is_dir()] == []


def test_remains_of_a_killed_installation_are_cleared_away(tmp_path) -> None:
    local(tmp_path)
    dependencies = Dependencies(tmp_path / "deps")
    required = needs(tmp_path, "./tiny\n")
    left = tmp_path / "deps" / f".{dependencies.lock_hash(required)}.tmp-dead"
    (left / "site").mkdir(parents=True)

    installed = dependencies.install(required)

    assert (Path(installed.folder) / "tiny_module.py").is_file()
    assert not left.exists()


@pytest.mark.parametrize(
    ("bad", "says"),
    [
        ("six ==== 1", "six ==== 1"),
        ("===bad", "Unexpected '='"),
        ("no-such-package-at-all==1", "no-such-package-at-all"),
    ],
)
def test_a_requirement_of_relive_toml_is_named_with_its_line_there(tmp_path, bad, says) -> None:
    local(tmp_path)
    manifest = tmp_path / "relive.toml"
    manifest.write_text(
        f'[functions.a]\n# dependencies = ["{bad}"]\n'
        f'dependencies = [\n  "./tiny",\n  "--no-index",\n  "{bad}",\n]\n'
    )
    required = Requirements.of(tmp_path, ("./tiny", "--no-index", bad), str(manifest))

    with pytest.raises(DependencyError) as caught:
        Dependencies(tmp_path / "deps").install(required)

    assert caught.value.where == f"{manifest}:6"
    assert says in caught.value.message
    assert ".tmp-" not in caught.value.message


def test_a_package_that_an_included_file_names_is_new_after_its_change(tmp_path: Path) -> None:
    # Given requirements that lead to a local package two files down
    local(tmp_path, "tiny", "tiny_module", "VALUE = 1\n")
    (tmp_path / "deeper").mkdir()
    (tmp_path / "requirements.txt").write_text("-r deeper/production.txt\n")
    (tmp_path / "deeper" / "production.txt").write_text("-r base.txt\n")
    (tmp_path / "deeper" / "base.txt").write_text("./tiny\n")
    dependencies = Dependencies(tmp_path / "deps")
    needs = Requirements.of(tmp_path, (), "")
    first = dependencies.install(needs)
    assert dependencies.install(needs) == first

    # When it changes, I expect the new one to be installed beside the old one
    (tmp_path / "tiny" / "tiny_module.py").write_text("VALUE = 2\n")
    second = dependencies.install(needs)
    assert (Path(first.folder) / "tiny_module.py").read_text() == "VALUE = 1\n"
    assert (Path(second.folder) / "tiny_module.py").read_text() == "VALUE = 2\n"


WRITING_BACKEND = """
import os
if not os.path.exists("made.egg-info"):  # it is loaded for each step
    os.mkdir("made.egg-info")  # as setuptools does, beside the sources
    with open("tiny_module.py", "a") as file:
        file.write("MADE = True" + chr(10))
"""


def test_a_build_writes_beside_its_sources_and_the_users_stay_as_they_are(tmp_path: Path) -> None:
    # Given a project in a folder that nobody may write to, whose build writes there
    project = local(tmp_path)
    backend = project / "backend.py"
    backend.write_text(WRITING_BACKEND + backend.read_text())
    before = {path.name: path.read_bytes() for path in project.iterdir()}
    project.chmod(0o555)
    try:
        installed = Dependencies(tmp_path / "deps").install(needs(tmp_path, "./tiny\n"))
    finally:
        project.chmod(0o755)

    assert (Path(installed.folder) / "tiny_module.py").read_text() == "VALUE = 1\nMADE = True\n"
    assert {path.name: path.read_bytes() for path in project.iterdir()} == before


REWRITING_BACKEND = """
import os
if os.path.exists("tiny.egg-info/links.txt"):  # as setuptools does with what it made before
    open("tiny.egg-info/links.txt", "w").close()
    os.replace("tiny.egg-info", "done.egg-info")
    with open("tiny_module.py", "a") as file:
        file.write("MADE = True" + chr(10))
"""


def test_a_build_writes_anew_what_is_read_only_in_the_users_folder(tmp_path: Path) -> None:
    # Given a project that was built before, and was made read-only to its last file
    project = local(tmp_path)
    backend = project / "backend.py"
    backend.write_text(REWRITING_BACKEND + backend.read_text())
    (project / "tiny.egg-info").mkdir()
    (project / "tiny.egg-info" / "links.txt").write_text("old\n")
    paths = [*project.rglob("*"), project]
    for path in paths:
        path.chmod(0o555 if path.is_dir() else 0o444)
    try:
        # When its build writes those files
        installed = Dependencies(tmp_path / "deps").install(needs(tmp_path, "./tiny\n"))
    finally:
        for path in reversed(paths):
            path.chmod(0o755 if path.is_dir() else 0o644)

    # I expect it to be installed, and the user's files to stay
    assert (Path(installed.folder) / "tiny_module.py").read_text() == "VALUE = 1\nMADE = True\n"
    assert (project / "tiny.egg-info" / "links.txt").read_text() == "old\n"

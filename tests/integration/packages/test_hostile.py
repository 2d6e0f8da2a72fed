"""A hostile package, built and installed: its code runs in the build, and finds nothing."""

from __future__ import annotations

import ast
import os
from pathlib import Path

import pytest
from hostile_package import SECRET, hostile_sdist, loot
from relive_platform.registry.packages.dependencies import Dependencies, DependencyError, Requirements
from relive_runtime.isolation import landlock, seccomp

pytestmark = pytest.mark.skipif(
    not (landlock.guards_signals(landlock.abi_version()) and seccomp.available()),
    reason="this kernel has not all of the sandbox",
)


def _install(home: Path, folder: Path, text: str) -> dict[str, str]:
    """What the code of the build has found. Nothing of the package is imported here."""
    (folder / "requirements.txt").write_text(text)
    needs = Requirements.of(folder, (), "relive.toml")
    installed = Dependencies(home / "deps").install(needs)
    lines = (Path(installed.folder) / "hostile.py").read_text().splitlines()
    report: dict[str, str] = ast.literal_eval(
        next(line.partition("=")[2].strip() for line in lines if line.startswith("BUILT = "))
    )
    return report


@pytest.mark.parametrize("text", ["./hostile\n", "hostile @ file://FOLDER/hostile\n"])
def test_the_build_of_a_package_finds_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str
) -> None:
    # Given a home with secrets, a server with one in its environment, and an application beside them
    monkeypatch.setenv("RELIVE_TOKEN", SECRET)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET)
    with loot(tmp_path / "home") as found:
        app = tmp_path / "app"
        hostile_sdist(app, found.job())
        (app / ".env").write_text(SECRET)
        # When the application's dependency is built
        built = _install(found.home, app, text.replace("FOLDER", str(app)))
        # I expect that it was, and that its code has seen and changed nothing
        found.assert_safe(built)
        assert not list(tmp_path.rglob("planted"))


def test_what_a_build_leaves_running_ends_with_it(tmp_path: Path) -> None:
    # Given a build that leaves a process behind, in a session of its own
    with loot(tmp_path / "home") as found:
        app = tmp_path / "app"
        hostile_sdist(app, found.job(stay=True))
        # When it is done
        _install(found.home, app, "./hostile\n")
        # I expect that nothing runs any more with this build's folders
        left = [pid for pid in filter(str.isdigit, os.listdir("/proc")) if _of_build(pid, found.home)]
        assert left == []


def _of_build(pid: str, home: Path) -> bool:
    try:
        return f"HOME={home}/deps/.".encode() in Path(f"/proc/{pid}/environ").read_bytes()
    except OSError:
        return False


@pytest.mark.parametrize(
    "place", ["home", "home/code", "home/run/token", "user/.ssh", "user/.ssh/id_ed25519"]
)
@pytest.mark.parametrize("line", ["--no-index\n--find-links {}\nnothing", "-r {}", "-c {}", "{}"])
def test_requirements_cannot_name_what_is_none_of_theirs(tmp_path: Path, place: str, line: str) -> None:
    # Given requirements of a stranger that name Relive's home or the user's keys
    with loot(tmp_path / "home") as found:
        app, keys = tmp_path / "app", tmp_path / "user" / ".ssh"
        keys.mkdir(parents=True)
        (keys / "id_ed25519").write_text(SECRET)
        app.mkdir()
        (app / "requirements.txt").write_text(f"{line.format(tmp_path / place)}\n")
        needs = Requirements.of(app, (), "relive.toml")
        # When they are installed, I expect that they cannot be, and that nothing of it is told
        with pytest.raises(DependencyError) as caught:
            Dependencies(found.home / "deps").install(needs)
        assert SECRET not in str(caught.value)

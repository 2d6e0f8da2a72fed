"""The wheel as it would be published, in a virtual environment that has none of the checkout's code."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
from dataclasses import dataclass
from pathlib import Path

import uv

__all__ = ["ROOT", "Installed", "build", "install"]

ROOT = Path(__file__).resolve().parents[2]
_LIMIT_S = 300.0


@dataclass(frozen=True)
class Installed:
    """An environment with the wheel in it."""

    wheel: Path
    folder: Path

    @property
    def environment(self) -> dict[str, str]:
        """Variables with which a shell finds its commands first."""
        return {
            "PATH": f"{self.folder / 'bin'}{os.pathsep}{os.environ['PATH']}",
            "VIRTUAL_ENV": str(self.folder),
        }


def build(target: Path) -> tuple[Path, Path]:
    """Build the source package, and the wheel from it; gives both."""
    _uv("build", "--quiet", "--python", sys.executable, "--out-dir", str(target), str(ROOT))
    (sdist,), (wheel,) = target.glob("*.tar.gz"), target.glob("*.whl")
    return sdist, wheel


def install(wheel: Path, folder: Path) -> Installed:
    """Install it beside links to the dependencies of this environment, without the editable checkout."""
    _uv("venv", "--quiet", "--python", sys.executable, str(folder))
    (packages,) = folder.glob("lib/python3*/site-packages")
    shutil.copytree(
        sysconfig.get_path("purelib"),
        packages,
        copy_function=_link,
        dirs_exist_ok=True,
        ignore=shutil.ignore_patterns("*relive*"),  # with their bytecode, as pip leaves it
    )
    for tool in ("uv", "py-spy"):  # what Relive starts as programs of their own
        _link(str(Path(sysconfig.get_path("scripts")) / tool), str(folder / "bin" / tool))
    _uv("pip", "install", "--quiet", "--no-deps", "--python", str(folder / "bin/python"), str(wheel))
    return Installed(wheel, folder)


def _link(source: str, target: str) -> str:
    """A hard link, or a copy if the file system cannot make one."""
    try:
        os.link(source, target)
    except FileExistsError:
        pass
    except OSError:
        shutil.copy2(source, target)
    return target


def _uv(*arguments: str) -> None:
    subprocess.run([uv.find_uv_bin(), *arguments], check=True, timeout=_LIMIT_S, cwd="/")

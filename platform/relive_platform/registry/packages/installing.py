"""What the installer gets of its surroundings: the environment, and what it may read."""

from __future__ import annotations

import contextlib
import os
import shutil
import stat
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Final

from relive_runtime.isolation.paths import without

from relive_platform.registry.packages.content import remove_tree

__all__ = ["copies_of_projects", "installer_environment", "readable_places"]

_KEPT: Final = (
    "PATH", "TZ", "SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "NO_PROXY",
    "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "CC", "CXX", "CFLAGS", "CXXFLAGS", "LDFLAGS", "CMAKE_ARGS",
    "PKG_CONFIG_PATH", "SOURCE_DATE_EPOCH",
)  # fmt: skip
_NOT_KEPT: Final = ("UV_CACHE_DIR", "UV_CONFIG_FILE", "UV_PYTHON", "UV_TARGET", "UV_NO_BUILD", "UV_LINK_MODE")
_FILES: Final = ("SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "UV_CONFIG_FILE")
_ARCHIVES: Final = (".whl", ".tar.gz", ".tgz", ".zip", ".tar.bz2")
_LISTS: Final = (".txt", ".in", ".toml", ".html")
_PROJECT: Final = ("pyproject.toml", "setup.py", "setup.cfg")
_LOOKED_AT: Final = 1_000
_LEFT_OUT: Final = shutil.ignore_patterns(".venv", "__pycache__", ".tox", "node_modules")


def installer_environment(given: Mapping[str, str], scratch: Path, cache: Path) -> dict[str, str]:
    """Of `given`, the server's own: what is about indexes, proxies, certificates and compilers.

    Code of packages that are built can read it. HOME and TMPDIR are below `scratch`, and made here.
    """
    kept = {
        name: text
        for name, text in given.items()
        if name.upper() in _KEPT or (name.startswith("UV_") and name not in _NOT_KEPT)
    }
    for folder in ("home", "tmp"):
        (scratch / folder).mkdir(exist_ok=True)
    settings = _user_settings(given)
    if settings is not None:
        kept["UV_CONFIG_FILE"] = str(settings)
    return kept | {
        "LANG": "C.UTF-8",
        "HOME": str(scratch / "home"),
        "TMPDIR": str(scratch / "tmp"),
        "UV_CACHE_DIR": str(cache),
    }


def _user_settings(given: Mapping[str, str]) -> Path | None:
    """uv's settings of this user, which name private indexes; None if there are none."""
    if given.get("UV_CONFIG_FILE"):
        return Path(given["UV_CONFIG_FILE"])
    folder = given.get("XDG_CONFIG_HOME") or os.path.join(given.get("HOME", "/nowhere"), ".config")
    found = Path(folder) / "uv" / "uv.toml"
    return found if found.is_file() else None


def readable_places(
    named: Iterable[str], folder: Path, environment: Mapping[str, str], home: str
) -> list[str]:
    """Of the files and folders that the requirements and uv's settings name, those with something to install.

    What is in the application's `folder` may be read in any case. Elsewhere not Relive's `home`, nor what
    merely is there: whoever wrote the requirements may be a stranger.
    """
    found: list[str] = []
    own = folder.resolve()
    for place in map(Path, named):
        if place.is_relative_to(own) and not Path(home).is_relative_to(place):
            found.append(str(place))
        elif _installable(place):
            found += without(str(place), home)
    found += [environment[name] for name in _FILES if environment.get(name)]
    return list(dict.fromkeys(found))


def copies_of_projects(places: Iterable[str], into: Path) -> dict[str, str]:
    """A copy in `into` for each of `places` that is a project: its build writes beside its sources, as
    setuptools does, and must not change what the user has there."""
    copies: dict[str, str] = {}
    remove_tree(into)
    for number, place in enumerate(path for path in places if _is_project(Path(path))):
        copy = into / str(number)
        # What is no file, or cannot be read, is left out; the build says what it misses.
        with contextlib.suppress(OSError):
            shutil.copytree(place, copy, symlinks=True, ignore=_LEFT_OUT, copy_function=_copy_file)
        if copy.is_dir():
            for folder, _names, _files in os.walk(copy):
                os.chmod(folder, 0o700)  # the user's may be read-only
            copies[place] = str(copy)
    return copies


def _copy_file(source: str, target: str) -> None:
    mode = os.stat(source).st_mode
    if not stat.S_ISREG(mode):
        raise shutil.SpecialFileError(source)
    shutil.copy2(source, target)
    os.chmod(target, stat.S_IMODE(mode) | 0o600)  # a build writes anew what an earlier one has made


def _is_project(place: Path) -> bool:
    return place.is_dir() and any((place / name).is_file() for name in _PROJECT)


def _installable(place: Path) -> bool:
    if not place.is_dir():
        return place.name.endswith(_ARCHIVES + _LISTS)
    if _is_project(place):
        return True
    with os.scandir(place) as entries:
        return any(
            entry.name.endswith(_ARCHIVES) for _, entry in zip(range(_LOOKED_AT), entries, strict=False)
        )

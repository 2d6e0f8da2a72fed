"""The runtime folder: what a worker imports of Relive and of its few dependencies, as symlinks.

A function's process must not see the site-packages Relive itself is installed in: its own versions of
anything come from its own dependency folder. So workers get this folder, last on sys.path, and nothing else.
"""

from __future__ import annotations

import contextlib
import hashlib
import importlib.metadata
import importlib.util
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from relive_base.errors import ReliveError

__all__ = ["RuntimeFolderError", "build_runtime"]

_OWN_PACKAGES: Final = (
    "relive_base",
    "relive_tracer",
    "relive_capture",
    "relive_profiler",
    "relive_runtime",
    "relive",
)
_DISTRIBUTIONS: Final = (
    "msgspec",
    "opentelemetry-api",
    "opentelemetry-sdk",
    "opentelemetry-semantic-conventions",
    "typing_extensions",
    "importlib_metadata",  # needed by older versions of the OpenTelemetry API
    "zipp",
    "pyinstrument",
    "werkzeug",
    "markupsafe",
)
_OPTIONAL: Final = frozenset({"importlib_metadata", "zipp", "typing_extensions"})


class RuntimeFolderError(ReliveError):
    """The folder of what workers import cannot be built."""


def build_runtime(home: Path, extra: Sequence[str] = ()) -> Path:
    """The runtime folder under `home`/runtime, built if it is not there yet. `extra`: more distributions to
    link.

    Its name is a hash of the linked paths and versions, so another version of anything is another folder.
    Safe to call from several processes at once. Raises RuntimeFolderError.
    """
    links = dict(_links(extra))
    digest = hashlib.sha256()
    digest.update(f"{sys.version_info[:3]} {sys.prefix}\n".encode())
    for name, target in sorted(links.items()):
        digest.update(f"{name} {target}\n".encode())
    for name in (*_DISTRIBUTIONS, *extra):
        digest.update(f"{name} {_version(name)}\n".encode())
    folder = home / "runtime" / digest.hexdigest()[:16]
    if not folder.is_dir():
        try:
            _create(folder, links)
        except OSError as error:
            raise RuntimeFolderError(
                f"cannot create the folder of symlinks: {error.strerror or error}",
                where=str(folder),
                hint="give the home folder to this user, on a file system with symlinks",
            ) from error
    _open_to_read(folder)
    return folder


def _open_to_read(folder: Path) -> None:
    """Whatever the umask was: a worker may have a user of its own."""
    for path in (folder.parent, folder, *folder.iterdir()):
        if path.is_dir() and not path.is_symlink():
            with contextlib.suppress(OSError):  # another user's; what it may not read, a worker says
                path.chmod(0o755)


def _create(folder: Path, links: dict[str, Path]) -> None:
    folder.parent.mkdir(parents=True, exist_ok=True)
    draft = Path(tempfile.mkdtemp(prefix=".draft-", dir=folder.parent))
    try:
        for name, target in links.items():
            link = draft / name
            link.parent.mkdir(parents=True, exist_ok=True)
            link.symlink_to(target)
        draft.chmod(0o755)
        os.rename(draft, folder)
    except OSError:
        shutil.rmtree(draft, ignore_errors=True)
        if not folder.is_dir():  # else another process was faster
            raise


def _version(name: str) -> str:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return "absent"


def _links(extra: Sequence[str]) -> Iterator[tuple[str, Path]]:
    """Name in the folder -> what it points to."""
    for name in _OWN_PACKAGES:
        yield name, _own_package(name)
    for name in (*_DISTRIBUTIONS, *extra):
        yield from _distribution_links(name)


def _own_package(name: str) -> Path:
    spec = importlib.util.find_spec(name)
    if spec is None or not spec.submodule_search_locations:
        raise RuntimeFolderError(f"the package {name} is not installed", hint="install relive again")
    return Path(next(iter(spec.submodule_search_locations))).resolve()


def _distribution_links(name: str) -> Iterator[tuple[str, Path]]:
    try:
        distribution = importlib.metadata.distribution(name)
    except importlib.metadata.PackageNotFoundError:
        if name in _OPTIONAL:
            return
        raise RuntimeFolderError(f"{name} is not installed", hint="install relive again") from None
    parts = [file.parts for file in distribution.files or () if ".." not in file.parts]
    packages = {entry[0] for entry in parts if entry[-1] == "__init__.py" and len(entry) == 2}
    names: set[str] = set()
    for entry in parts:
        top = entry[0]
        if top == "__pycache__":
            continue
        # A folder without __init__.py is a namespace that several distributions share: link what is in it.
        namespace = len(entry) > 1 and top not in packages and not top.endswith((".dist-info", ".libs"))
        names.add(f"{top}/{entry[1]}" if namespace else top)
    for link in sorted(names):
        target = Path(str(distribution.locate_file(link))).resolve()
        if target.exists():
            yield link, target

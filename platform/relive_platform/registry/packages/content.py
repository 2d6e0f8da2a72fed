"""What is in a package: copied from a folder or unpacked from a zip, within limits, and hashed.

A zip is hostile until shown otherwise: its own sizes are not believed, names are checked, links are refused.
"""

from __future__ import annotations

import fnmatch
import hashlib
import os
import shutil
import stat
import zipfile
import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Final

from relive_base.errors import UsageError

__all__ = [
    "IGNORE_FILE",
    "Budget",
    "PackageError",
    "PackageLimits",
    "code_hash",
    "copy_folder",
    "copy_within",
    "flush",
    "is_home",
    "left_behind",
    "make_read_only",
    "open_to_read",
    "remove_tree",
    "unpack_zip",
]

IGNORE_FILE: Final = ".reliveignore"
_IGNORED: Final = (
    ".git", ".hg", ".svn", "__pycache__", ".venv", ".mypy_cache", ".pytest_cache", ".ruff_cache",
    ".DS_Store", ".aws-sam",
)  # fmt: skip
_HOME: Final = ("registry.db", "events.db")
_BLOCK_BYTES: Final = 256 * 1024
_RATIO_FREE_BYTES: Final = 1024 * 1024  # small files may compress as well as they like
_MAX_NAME_BYTES: Final = 512
_MAX_DEPTH: Final = 32


class PackageError(UsageError):
    """A package cannot be taken."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PackageLimits:
    """Caps of one package; the server's settings fill it."""

    total_bytes: int = 250 * 1024 * 1024
    entry_bytes: int = 100 * 1024 * 1024
    entries: int = 20_000
    ratio: int = 200  # unpacked over packed size of a zip entry


class Budget:
    """What a package may still have; `package` is how errors call it."""

    def __init__(self, limits: PackageLimits, package: str) -> None:
        self.limits = limits
        self.package = package
        self.entries = 0
        self.bytes = 0

    def refuse(self, entry: str, message: str, hint: str) -> PackageError:
        """The error that says what is wrong with an entry."""
        return PackageError(f"entry {entry!r}: {message}", where=self.package, hint=hint)

    def entry(self, name: str) -> None:
        """Count an entry."""
        self.entries += 1
        if self.entries > self.limits.entries:
            raise self.refuse(
                name, f"the package has more than {self.limits.entries} entries",
                f"leave files out with {IGNORE_FILE}, or raise RELIVE_PACKAGE_ENTRIES",
            )  # fmt: skip

    def grow(self, name: str, size: int, entry_size: int) -> None:
        """Count `size` more bytes of an entry that has `entry_size` bytes so far."""
        self.bytes += size
        if entry_size > self.limits.entry_bytes:
            message = f"it has more than {self.limits.entry_bytes} bytes"
            raise self.refuse(name, message, "leave it out, or raise RELIVE_PACKAGE_ENTRY_BYTES")
        if self.bytes > self.limits.total_bytes:
            message = f"the package has more than {self.limits.total_bytes} bytes"
            raise self.refuse(name, message, "leave files out, or raise RELIVE_PACKAGE_BYTES")


def _ignored(name: str, relative: str, patterns: Sequence[str]) -> bool:
    return any(fnmatch.fnmatchcase(name, p) or fnmatch.fnmatchcase(relative, p) for p in patterns)


def _patterns(root: Path) -> list[str]:
    patterns = list(_IGNORED)
    try:
        lines = (root / IGNORE_FILE).read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return patterns
    return [*patterns, *(line.strip().strip("/") for line in lines if line.strip() and line[0] != "#")]


def left_behind(root: Path) -> Callable[[str, str], bool]:
    """Says of a name and its path below `root` whether it is never packed: version control, caches, virtual
    environments, homes of Relive, and what `.reliveignore` lists."""
    patterns = _patterns(root)
    return lambda name, relative: _ignored(name, relative, patterns) or is_home(root / relative)


def is_home(folder: Path) -> bool:
    """Whether it is the home of a Relive server, which changes all the time and holds what it has copied."""
    return all((folder / name).is_file() for name in _HOME)


def copy_folder(
    source: Path,
    target: Path,
    limits: PackageLimits | None = None,
    within: Path | None = None,
    budget: Budget | None = None,
) -> None:
    """Copy the regular files below `source` into the new folder `target`. Raises PackageError.

    What `left_behind` names stays behind. A link to a file or a folder inside `within` (the application;
    None: `source`) becomes a copy; every other link is refused.
    `budget`: that of a package which has more than this folder.
    """
    budget = budget or Budget(limits or PackageLimits(), str(source))
    target.mkdir(parents=True)
    copier = _Copier(source, (within or source).resolve(), _patterns(source), budget)
    copier.copy(source, target, (source.resolve(),))


def copy_within(source: Path, target: Path, budget: Budget, within: Path) -> None:
    """Copy a file or a folder of the application, which lies in the folder `within`, to the new `target`.
    Raises PackageError."""
    within = within.resolve()
    try:
        real = source.resolve(strict=True)
    except (OSError, RuntimeError) as error:
        raise budget.refuse(str(source), "there is no such file or folder", "correct the path") from error
    if not real.is_relative_to(within) or any(part in _IGNORED for part in real.relative_to(within).parts):
        message = f"it leads out of the application, to {real}"
        raise budget.refuse(str(source), message, f"name what lies below {within}")
    if real.is_dir():
        copy_folder(real, target, within=within, budget=budget)
    else:
        budget.entry(source.name)
        with real.open("rb") as reader:
            _write(reader, target, source.name, budget)
        shutil.copymode(real, target)


@dataclass(frozen=True, slots=True)
class _Copier:
    root: Path
    within: Path
    patterns: Sequence[str]
    budget: Budget

    def copy(self, folder: Path, target: Path, above: tuple[Path, ...]) -> None:
        """`above`: the real folders that `folder` lies in, itself the last."""
        for entry in sorted(os.scandir(folder), key=lambda entry: entry.name):
            path = Path(entry.path)
            relative = str(path.relative_to(self.root))
            if _ignored(entry.name, relative, self.patterns) or _derived(path) or is_home(path):
                continue
            self.budget.entry(relative)
            if relative.count("/") > _MAX_DEPTH:
                message = f"it lies deeper than {_MAX_DEPTH} folders"
                raise self.budget.refuse(relative, message, "make it flatter")
            real = self._real(path, relative, above) if entry.is_symlink() else above[-1] / entry.name
            if real.is_dir():
                (target / entry.name).mkdir()
                self.copy(path, target / entry.name, (*above, real))
            elif real.is_file():
                with real.open("rb") as reader:
                    _write(reader, target / entry.name, relative, self.budget)
                shutil.copymode(real, target / entry.name)
            else:
                raise self.budget.refuse(relative, "it is neither a file nor a folder", "leave it out")

    def _real(self, path: Path, relative: str, above: tuple[Path, ...]) -> Path:
        """Where a link leads to, all the way. Raises PackageError if that is no place to follow it to."""
        try:
            real = path.resolve(strict=True)
        except (OSError, RuntimeError) as error:
            message = "it is a link to nothing, or to itself"
            raise self.budget.refuse(relative, message, f"remove it, or list it in {IGNORE_FILE}") from error
        if not real.is_relative_to(self.within):
            message = f"it is a link out of the application, to {real}"
            raise self.budget.refuse(relative, message, f"put what it leads to below {self.within}")
        if any(part in _IGNORED for part in real.relative_to(self.within).parts):
            raise self.budget.refuse(relative, "it is a link to what is never packed", "remove it")
        if any(folder.is_relative_to(real) for folder in above):
            message = "it is a link to a folder that it lies in"
            raise self.budget.refuse(relative, message, f"remove it, or list it in {IGNORE_FILE}")
        return real


def _derived(path: Path) -> bool:
    """Whether it is compiled code beside its source; without a source it is the code."""
    return path.suffix == ".pyc" and path.with_suffix(".py").exists()


def _write(reader: IO[bytes], target: Path, name: str, budget: Budget, ceiling: int | None = None) -> None:
    size = 0
    with target.open("xb") as writer:
        while block := reader.read(_BLOCK_BYTES):
            size += len(block)
            budget.grow(name, len(block), size)
            if ceiling is not None and size > ceiling:
                message = f"it unpacks to more than {budget.limits.ratio} times its packed size"
                raise budget.refuse(name, message, "this looks like a zip bomb; leave the entry out")
            writer.write(block)


def unpack_zip(
    archive: Path, target: Path, limits: PackageLimits | None = None, budget: Budget | None = None
) -> None:
    """Unpack `archive` into the new folder `target`. Raises PackageError, which names the entry."""
    budget = budget or Budget(limits or PackageLimits(), str(archive))
    try:
        with zipfile.ZipFile(archive) as package:
            target.mkdir(parents=True)
            if len(package.infolist()) > budget.limits.entries:
                budget.entries = budget.limits.entries
            for info in package.infolist():
                _unpack(package, info, target, budget)
    except (zipfile.BadZipFile, zipfile.LargeZipFile, zlib.error, NotImplementedError, EOFError) as error:
        message = f"the zip cannot be read: {error}"
        raise PackageError(message, where=str(archive), hint="pack it again as an ordinary zip") from error
    except OSError as error:
        raise PackageError(f"it cannot be read: {error.strerror or error}", where=str(archive)) from error


def _unpack(package: zipfile.ZipFile, info: zipfile.ZipInfo, target: Path, budget: Budget) -> None:
    name = info.filename
    budget.entry(name)
    parts = _safe_parts(info, budget)
    if any(_ignored(part, part, _IGNORED) for part in parts) or (
        name.endswith(".pyc") and name[:-1] in package.NameToInfo
    ):
        return
    place = target.joinpath(*parts)
    try:
        if info.is_dir():
            place.mkdir(parents=True, exist_ok=True)
            return
        place.parent.mkdir(parents=True, exist_ok=True)
        ceiling = max(info.compress_size * budget.limits.ratio, _RATIO_FREE_BYTES)
        with package.open(info) as reader:
            _write(reader, place, name, budget, ceiling)
    except (FileExistsError, NotADirectoryError) as error:
        raise budget.refuse(name, "the name occurs twice", "pack it again without doubles") from error
    except RuntimeError as error:  # encrypted
        raise budget.refuse(name, str(error), "pack it without a password") from error
    mode = info.external_attr >> 16
    place.chmod(0o755 if mode & 0o100 else 0o644)


def _safe_parts(info: zipfile.ZipInfo, budget: Budget) -> list[str]:
    name = info.filename
    mode = info.external_attr >> 16
    if stat.S_ISLNK(mode) or (stat.S_IFMT(mode) and not (stat.S_ISREG(mode) or stat.S_ISDIR(mode))):
        raise budget.refuse(name, "it is a link or a special file", "replace it by the file")
    parts = [part for part in name.split("/") if part]
    odd = "\\" in name or "\0" in info.orig_filename or not name.isprintable()
    if name.startswith("/") or ".." in parts or "." in parts or odd or not parts or ":" in parts[0]:
        raise budget.refuse(name, "the name leaves the package", "use plain relative names")
    try:
        long = len(name.encode()) > _MAX_NAME_BYTES or any(len(part.encode()) > 255 for part in parts)
    except UnicodeEncodeError as error:
        raise budget.refuse(name, "the name is not Unicode", "rename the file") from error
    if long or len(parts) > _MAX_DEPTH:
        raise budget.refuse(name[:64], "the name is too long or too deep", "rename the file")
    return parts


def _files(root: Path) -> Iterator[Path]:
    for folder, folders, names in os.walk(root):
        folders.sort()
        for name in names:
            yield Path(folder, name)


def code_hash(root: Path) -> str:
    """Sha-256 in hex over names, execute bits and contents below `root`; times and owners do not count."""
    digest = hashlib.sha256()
    for path in sorted(_files(root), key=lambda path: path.relative_to(root).as_posix().encode()):
        name = path.relative_to(root).as_posix().encode()
        executable = b"x" if path.stat().st_mode & 0o100 else b"-"
        with path.open("rb") as reader:
            content = hashlib.file_digest(reader, "sha256").digest()
        digest.update(b"%d:%s%s%s" % (len(name), name, executable, content))
    return digest.hexdigest()


def make_read_only(root: Path) -> None:
    """Take write permission off everything below `root`, for all; then flush what was written to the disk."""
    for path in _files(root):
        path.chmod(0o555 if path.stat().st_mode & 0o100 else 0o444)
        flush(path)
    for folder, _, _ in os.walk(root, topdown=False):
        os.chmod(folder, 0o555)
        flush(Path(folder))


def open_to_read(root: Path) -> None:
    """Let other users read what is below `root`, and pass it: a worker may have a user of its own. What is
    above decides who gets here."""
    for folder, _, files in os.walk(root):
        os.chmod(folder, stat.S_IMODE(os.stat(folder).st_mode) | 0o555)
        for name in files:
            path = os.path.join(folder, name)
            mode = os.lstat(path).st_mode
            more = 0o555 if mode & stat.S_IXUSR else 0o444
            if stat.S_ISREG(mode) and mode & more != more:
                os.chmod(path, stat.S_IMODE(mode) | more)


def flush(path: Path) -> None:
    """Flush a file, or a folder's entries, to the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def remove_tree(root: Path) -> None:
    """Remove a folder, read-only or not; nothing if there is none."""
    if not root.exists():
        return
    for folder, _, _ in os.walk(root):
        os.chmod(folder, 0o755)
    shutil.rmtree(root)

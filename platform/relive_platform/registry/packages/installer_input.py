"""Everything that an installer reads for some requirements, as one digest.

Requirements files include others, name local folders, wheels and folders of wheels; a local project names
others again; and uv has settings of its own. What is fetched over the network counts by its address.
"""

from __future__ import annotations

import hashlib
import os
import re
import shlex
import tomllib
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final
from urllib.parse import unquote, urlsplit

__all__ = ["InstallerInput", "TooMuch"]

_INCLUDES: Final = {"-r": "file", "--requirement": "file", "-c": "file", "--constraint": "file"}
_PLACES: Final = {"-e": "place", "--editable": "place", "-f": "place", "--find-links": "place"}
_OPTIONS: Final = {**_INCLUDES, **_PLACES, "--overrides": "file", "--build-constraint": "file"}
_ARCHIVES: Final = (".whl", ".zip", ".tar.gz", ".tgz", ".tar.bz2", ".tar.xz", ".tar.zst")
_CONTINUED: Final = re.compile(r"\\\r?\n")
_COMMENT: Final = re.compile(r"(^|\s)#.*$", re.MULTILINE)
_VARIABLE: Final = re.compile(r"\$\{([A-Z0-9_]+)\}")
_URL: Final = re.compile(r"(?!file:)[A-Za-z][A-Za-z0-9+.-]*://|(?:git|hg|svn|bzr)\+")
_USER: Final = re.compile(r"(?<=://)[^/@\s]*@")

_SETTINGS: Final = (
    "UV_INDEX", "UV_DEFAULT_INDEX", "UV_INDEX_URL", "UV_EXTRA_INDEX_URL", "UV_NO_INDEX", "UV_INDEX_STRATEGY",
    "UV_EXCLUDE", "UV_EXCLUDE_NEWER", "UV_PRERELEASE", "UV_RESOLUTION", "UV_FORK_STRATEGY",
    "UV_NO_BINARY", "UV_NO_BINARY_PACKAGE", "UV_NO_BUILD", "UV_NO_BUILD_PACKAGE", "UV_NO_BUILD_ISOLATION",
    "UV_NO_SOURCES", "UV_NO_CONFIG", "UV_TORCH_BACKEND", "UV_REQUIRE_HASHES", "UV_PYTHON_PLATFORM",
)  # fmt: skip
_SETTINGS_OF_FILES: Final = (
    "UV_CONSTRAINT", "UV_BUILD_CONSTRAINT", "UV_OVERRIDE", "UV_EXCLUDE", "UV_FIND_LINKS", "UV_CONFIG_FILE",
)  # fmt: skip

_MADE: Final = frozenset(
    (".git", ".hg", ".svn", "__pycache__", ".venv", ".mypy_cache", ".pytest_cache", ".ruff_cache", ".tox")
)
_MADE_AT_TOP: Final = frozenset(("build", "dist"))  # by a build of the project itself
_MAX_FILES: Final = 50_000
_MAX_BYTES: Final = 2 * 1024**3
_MAX_TEXT_BYTES: Final = 4 * 1024**2


class TooMuch(Exception):
    """What is to be read is over a limit, which its message names."""


class InstallerInput:
    """Reads for one set of requirements. `local`: whether anything of this machine is named."""

    def __init__(self, folder: Path, environment: Mapping[str, str]) -> None:
        self.local = False
        self._folder = folder
        self._environment = environment
        self._digest = hashlib.sha256()
        self._seen: set[tuple[str, str]] = set()
        self._files = 0
        self._bytes = 0

    def hexdigest(self) -> str:
        """Of all that was read so far."""
        return self._digest.hexdigest()

    @property
    def paths(self) -> list[str]:
        """The files and folders that were read, resolved."""
        return [path for _, path in self._seen]

    def note(self, kind: str, text: str) -> None:
        """Something that is no file."""
        self._add(kind.encode(), text.encode("utf-8", "surrogateescape"))

    def _add(self, *parts: bytes) -> None:
        for part in parts:
            self._digest.update(b"%d:%s" % (len(part), part))

    # ------------------------------------------------------------ requirements

    def requirements(self, text: str, base: Path) -> None:
        """The lines of a requirements file in `base`. Raises TooMuch."""
        text = _VARIABLE.sub(lambda match: self._environment.get(match[1], match[0]), text)
        text = _COMMENT.sub("", _CONTINUED.sub("", text))
        for line in filter(None, (line.strip() for line in text.splitlines())):
            self.note("line", _USER.sub("", line))
            for kind, name in _named(line):
                self._follow(kind, name, base)

    def _follow(self, kind: str, name: str, base: Path) -> None:
        if _URL.match(name):
            return  # its line counts
        self.local |= kind != "file"
        # Installers differ: relative to where they run, or to the file that holds the line.
        for root in dict.fromkeys((base, self._folder)):
            place = _place(name, root)
            if kind == "file" and place.is_file():
                self._include(place)
            elif kind != "file" and place.is_dir():
                self._tree(place)
            elif place.is_file():
                self._once("file", place, self._file)
            else:
                self.note("missing", name)

    def _include(self, path: Path) -> None:
        self._once("include", path, self._included)

    def _included(self, path: Path) -> None:
        data = self._text(path)
        if path.suffix == ".toml":
            self._add(data)
            self._toml(data, path.parent)
        elif path.name in ("setup.py", "setup.cfg"):
            self.local = True
            self._tree(path.parent)
        else:
            self.requirements(data.decode("utf-8-sig", "surrogateescape"), path.parent)

    # ------------------------------------------------------------ projects

    def _toml(self, data: bytes, base: Path) -> None:
        """What a pyproject.toml or pylock.toml names: paths, and requirements with a path."""
        try:
            document = tomllib.loads(data.decode("utf-8", "replace"))
        except (tomllib.TOMLDecodeError, RecursionError):
            return  # the installer will say so
        if document.get("project", {}).get("dynamic"):
            self._tree(base)
        for key, text in _strings(document):
            if key in ("path", "workspace-root", "find-links") or "file:" in text or " @ ." in text:
                for _, name in _named(text) or [("place", text)]:
                    self._follow("place", name, base)

    def settings(self) -> None:
        """uv's own, from the environment and from the files that it finds. Raises TooMuch."""
        for name in _SETTINGS:
            if value := self._environment.get(name):
                self.note(name, _USER.sub("", value))
        for name in _SETTINGS_OF_FILES:
            for value in re.split(r"[\s,]+", self._environment.get(name, "")):
                if value and name == "UV_FIND_LINKS":
                    self.note(name, _USER.sub("", value))
                    self._follow("place", value, self._folder)
                elif value:
                    self.note(name, value)
                    self._follow("file", value, self._folder)
        for folder in (self._folder, *self._folder.parents):
            if self._configured(folder):
                return

    def _configured(self, folder: Path) -> bool:
        """Whether uv takes its settings from `folder`; a pyproject.toml counts by its [tool.uv] alone."""
        alone, project = folder / "uv.toml", folder / "pyproject.toml"
        if alone.is_file():
            self._include(alone)
            return True
        if not project.is_file():
            return False
        self._seen.add(("settings", os.path.realpath(project)))
        try:
            table = tomllib.loads(self._text(project).decode()).get("tool", {}).get("uv")
        except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError, AttributeError):
            return False
        if table is None:
            return False
        self.note("tool.uv", repr(table))
        for key, text in _strings(table):
            if key in ("find-links", "path"):
                self._follow("place", text, folder)
        return True

    # ------------------------------------------------------------ files

    def _once(self, kind: str, path: Path, read: Callable[[Path], None]) -> None:
        """Read a file or folder, but only once: inclusions may go in circles."""
        key = kind, os.path.realpath(path)
        if key not in self._seen:
            self._seen.add(key)
            self.note(kind, path.name)
            read(path)

    def _tree(self, root: Path) -> None:
        self._once("tree", root, self._walk)

    def _walk(self, root: Path) -> None:
        """All files below `root`, links followed, without what a build leaves behind."""
        if os.path.realpath(root) == os.sep:
            raise TooMuch("the whole file system is named")
        project = (root / "pyproject.toml").is_file() or (root / "setup.py").is_file()
        for path in _files(root, project, set()):
            self.note("path", os.path.relpath(path, root))
            self._file(path)
        if (root / "pyproject.toml").is_file():
            self._toml(self._text(root / "pyproject.toml"), root)

    def _file(self, path: Path) -> None:
        self._files += 1
        if self._files > _MAX_FILES:
            raise TooMuch(f"over {_MAX_FILES:,} local files are named")
        try:
            self._bytes += path.stat().st_size
            if self._bytes > _MAX_BYTES:
                raise TooMuch(f"the local files that are named have over {_MAX_BYTES >> 30} GiB")
            with path.open("rb") as reader:
                content = hashlib.file_digest(reader, "sha256").digest()
        except OSError as error:
            content = f"unreadable: {error.errno}".encode()
        self._add(b"content", content)

    def _text(self, path: Path) -> bytes:
        try:
            if path.stat().st_size > _MAX_TEXT_BYTES:
                raise TooMuch(f"{path} is over {_MAX_TEXT_BYTES >> 20} MiB")
            return path.read_bytes()
        except OSError as error:
            return f"unreadable: {error.errno}".encode()


def _named(line: str) -> list[tuple[str, str]]:
    """The files ("file": requirements; "place": anything else) that a line of requirements names."""
    if line.startswith("-"):
        return list(_of_options(line))
    head, at, address = line.partition("@")
    if at and "://" not in head and "/" not in head:  # name @ address
        line = address
    name = re.split(r"\s;|;\s|\s--|\s#", line.strip(), maxsplit=1)[0].strip().strip("\"'")
    name = re.sub(r"\[[^\]]*\]$", "", name)
    plain = name.split("#")[0].split(";")[0]
    local = at and line is address and not _URL.match(plain)
    if local or plain.startswith((".", "/", "~", "file:")) or plain.endswith(_ARCHIVES):
        return [("place", name)]
    if "/" in plain and not _URL.match(plain):
        return [("place", name)]
    return []


def _of_options(line: str) -> Iterator[tuple[str, str]]:
    try:
        words = shlex.split(line)
    except ValueError:
        words = line.split()
    for index, word in enumerate(words):
        for option, kind in _OPTIONS.items():
            if word == option:
                yield from ((kind, name) for name in words[index + 1 : index + 2])
            elif word.startswith(f"{option}=") or (len(option) == 2 and word.startswith(option)):
                yield kind, word[len(option) :].lstrip("=")


def _place(name: str, root: Path) -> Path:
    """The path that a line's word means: a path, or a file: address, maybe with extras or a fragment."""
    if name.startswith("file:"):
        parts = urlsplit(name)
        return root / unquote(parts.path if parts.netloc in ("", "localhost") else parts.netloc + parts.path)
    whole = root / os.path.expanduser(name)
    if whole.exists():
        return whole
    return root / os.path.expanduser(re.sub(r"\[[^\]]*\]$", "", name.split("#")[0].split(";")[0].strip()))


def _strings(value: Any, key: str = "") -> Iterator[tuple[str, str]]:
    """Every text of a TOML document, with the key that it stands under."""
    if isinstance(value, str):
        yield key, value
    elif isinstance(value, dict):
        for name, inner in value.items():
            yield from _strings(inner, name)
    elif isinstance(value, list):
        for inner in value:
            yield from _strings(inner, key)


def _files(folder: Path, project: bool, above: set[str]) -> Iterator[Path]:
    real = os.path.realpath(folder)
    if real in above:
        return  # a link to a folder that it lies in
    try:
        entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
    except OSError:
        return
    for entry in entries:
        made = entry.name in _MADE or entry.name.endswith((".pyc", ".egg-info"))
        if made or (project and not above and entry.name in _MADE_AT_TOP):
            continue
        if entry.is_dir():
            yield from _files(Path(entry.path), project, above | {real})
        elif entry.is_file():
            yield Path(entry.path)

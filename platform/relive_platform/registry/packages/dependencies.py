"""Dependencies, installed by uv into one folder per lock hash; a folder is complete or it is not there."""

from __future__ import annotations

import contextlib
import fcntl
import os
import platform
import re
import secrets
import signal
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol

import uv
from relive_base.errors import ReliveError
from relive_base.terminal import escape_terminal
from relive_runtime.isolation.confined import confined

from relive_platform.registry.packages.content import flush, open_to_read, remove_tree
from relive_platform.registry.packages.installer_input import InstallerInput, TooMuch
from relive_platform.registry.packages.installing import (
    copies_of_projects,
    installer_environment,
    readable_places,
)
from relive_platform.registry.packages.preload import preload_modules, requirement_name

__all__ = ["Dependencies", "DependencyError", "InstalledDependencies", "Requirements"]

REQUIREMENTS_FILE: Final = "requirements.txt"
_MAX_REQUIREMENTS_BYTES: Final = 1024 * 1024
_MAX_OUTPUT_LINES: Final = 200
_NO_BUILD: Final = re.compile(r"[Bb]uilding (from source|source distributions) is disabled")
_BUILD_NEEDED: Final = "building from source is disabled"
_END_S: Final = 5.0
_LOCAL: Final = re.compile(r"\s*(\.{0,2}/|-e\s|--editable|file:|-r\s|-c\s|--requirement|--constraint)")


class DependencyError(ReliveError):
    """The dependencies cannot be installed."""


@dataclass(frozen=True, slots=True)
class Requirements:
    """What a function needs. `file` is where it is written, `folder` what its relative paths start from.

    `places`: the line of `file` that each line of `text` stands on; empty if they are the same. `more`: what
    is installed with it, such as the requirements of a layer.
    """

    text: str
    file: str
    folder: Path
    places: tuple[int, ...] = ()
    more: tuple[Requirements, ...] = ()

    @property
    def lines(self) -> list[str]:
        """The lines that say something."""
        stripped = (line.strip() for needs in (self, *self.more) for line in needs.text.splitlines())
        return [line for line in stripped if line and not line.startswith("#")]

    def line_of(self, name: str) -> int:
        """The 1-based line that names the distribution `name`; 0 if none does."""
        for number, line in enumerate(self.text.splitlines(), 1):
            if line.strip() and not line.strip().startswith("#") and requirement_name(line) == name:
                return self.place(number)
        return 0

    def line_of_place(self, reason: str) -> int:
        """The 1-based line whose path or address `reason` speaks of; 0 if none is."""
        for number, line in enumerate(self.text.splitlines(), 1):
            place = line.split("#")[0].split(";")[0].strip().rstrip("/").rpartition("/")[2]
            if place and (_LOCAL.match(line) or "://" in line) and place in reason:
                return self.place(number)
        return 0

    def place(self, number: int) -> int:
        """The 1-based line of `file` where the 1-based line `number` of the text stands; 0: not known."""
        if not self.places:
            return number
        return self.places[number - 1] if 0 < number <= len(self.places) else 0

    @classmethod
    def of(cls, folder: Path, listed: Sequence[str], file: str) -> Requirements:
        """From relive.toml's `dependencies`, else `folder`'s requirements.txt. Raises DependencyError."""
        if listed:
            return cls("\n".join(listed) + "\n", file, folder, _places(listed, file))
        path = folder / REQUIREMENTS_FILE
        shown = str(path)
        try:
            if path.stat().st_size > _MAX_REQUIREMENTS_BYTES:
                raise DependencyError("the file is over 1 MiB", where=shown, hint="make it smaller")
            return cls(path.read_bytes().decode("utf-8-sig"), shown, folder)
        except FileNotFoundError:
            return cls("", shown, folder)
        except (OSError, UnicodeDecodeError) as error:
            message = f"the file cannot be read: {error}"
            raise DependencyError(message, where=shown, hint="save it as UTF-8") from error


@dataclass(frozen=True, slots=True)
class InstalledDependencies:
    """A complete folder of dependencies; `folder` is "" if there are none."""

    folder: str = ""
    lock_hash: str = ""
    preload: tuple[str, ...] = ()


class Cancelled(Protocol):
    """Whether the installation is still wanted."""

    def check(self) -> None: ...
    def telling(self, listener: Callable[[], None]) -> AbstractContextManager[None]: ...


class Dependencies:
    """The folders below `root`, one per lock hash. Safe to use from several threads and processes."""

    def __init__(
        self,
        root: Path,
        *,
        python: str = sys.executable,
        timeout_s: float = 600.0,
        environment: dict[str, str] | None = None,
        sandbox: bool = True,
    ) -> None:
        """`environment`: of the installer, as far as it is about indexes, proxies and certificates.
        `sandbox`: keep packages' own code, which a build runs, from all but its folder and the network."""
        self._root = root
        self._home = root.absolute().parent
        self._sandbox = sandbox
        self._python = python
        self._timeout_s = timeout_s
        self._environment = environment

    def install(
        self,
        needs: Requirements,
        progress: Callable[[str], None] = lambda line: None,
        cancelled: Cancelled | None = None,
    ) -> InstalledDependencies:
        """The folder for `needs`, installed now if it is not there yet. Raises DependencyError, and what
        `cancelled.check` raises."""
        if not needs.lines:
            return InstalledDependencies()
        lock_hash = self.lock_hash(needs)
        target = self._root / lock_hash
        if not target.is_dir():
            self._root.mkdir(parents=True, exist_ok=True)
            with _locked(self._root / f".{lock_hash}.lock"):
                if not target.is_dir():
                    self._install(needs, target, progress, cancelled)
        return InstalledDependencies(str(target), lock_hash, tuple(preload_modules(target, needs.lines)))

    def lock_hash(self, needs: Requirements) -> str:
        """16 hex digits over the interpreter and everything that the installer reads: lines, included files,
        local folders and archives at any depth, and its own settings. Raises DependencyError."""
        return self._input(needs).hexdigest()[:16]

    def _input(self, needs: Requirements) -> InstallerInput:
        environment = os.environ if self._environment is None else self._environment
        found = InstallerInput(needs.folder, environment)
        machine = (sys.implementation.cache_tag, platform.python_version(), sys.platform, platform.machine())
        found.note("python", f"{self._python} {machine}")
        try:
            for each in (needs, *needs.more):
                found.requirements(each.text, each.folder)
            found.settings()
        except TooMuch as error:
            raise DependencyError(
                str(error), where=needs.file, hint="name smaller folders, or build wheels of them"
            ) from error
        return found

    def _install(
        self,
        needs: Requirements,
        target: Path,
        progress: Callable[[str], None],
        cancelled: Cancelled | None,
    ) -> None:
        for left in self._root.glob(f".{target.name}.tmp-*"):  # of a deploy that was killed; we hold the lock
            remove_tree(left)
        scratch = self._root / f".{target.name}.tmp-{secrets.token_hex(4)}"
        scratch.mkdir()
        try:
            reads = [
                _read_by_installer(each, scratch / str(at)) for at, each in enumerate((needs, *needs.more))
            ]
            self._run(needs, reads, scratch / "site", progress, cancelled)
            open_to_read(scratch / "site")
            os.sync()  # thousands of files: one sync is far cheaper than an fsync each
            os.rename(scratch / "site", target)
            flush(self._root)
        finally:
            remove_tree(scratch)

    def _run(
        self,
        needs: Requirements,
        reads: list[str],
        site: Path,
        progress: Callable[[str], None],
        cancelled: Cancelled | None,
    ) -> None:
        found = self._input(needs)
        status, output = 1, [_BUILD_NEEDED]
        if not found.local:  # wheels run no code: they may come from, and go to, the cache that all share
            cache = self._home / "cache" / "uv"
            status, output = self._uv(["--no-build"], needs, found, reads, site, cache, progress, cancelled)
        if status and any(_NO_BUILD.search(line) for line in output):
            remove_tree(site)
            # A cache of its own: what the code of a build writes there, others would install.
            cache = site.parent / "cache"
            status, output = self._uv([], needs, found, reads, site, cache, progress, cancelled)
        if status:
            raise _failure(needs, reads[0], output)
        site.mkdir(exist_ok=True)  # uv makes none if a marker excludes every line

    def _uv(
        self,
        options: list[str],
        needs: Requirements,
        found: InstallerInput,
        reads: list[str],
        site: Path,
        cache: Path,
        progress: Callable[[str], None],
        cancelled: Cancelled | None,
    ) -> tuple[int, list[str]]:
        """Exit status and last lines. Raises DependencyError if it takes too long."""
        command = [uv.find_uv_bin(), "pip", "install", "--target", str(site), "--python", self._python]
        # Compiled now: nothing else will write there. Copies, not links into uv's cache: a function that
        # writes there must not spoil other ones.
        command += ["--no-progress", "--color", "never", "--compile-bytecode", "--link-mode", "copy"]
        command += [*options, *(word for read in reads for word in ("-r", read))]
        given = os.environ if self._environment is None else self._environment
        environment = installer_environment(given, site.parent, cache)
        cache.mkdir(parents=True, exist_ok=True)
        if self._sandbox:
            readable = [*reads, *readable_places(found.paths, needs.folder, environment, str(self._home))]
            writable = [str(site.parent), str(cache)]
            copies = copies_of_projects(readable, site.parent / "projects")
            command = confined(command, home=str(self._home), read=readable, write=writable, copies=copies)
        process = subprocess.Popen(
            command, cwd=needs.folder, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE, start_new_session=True,
        )  # fmt: skip
        expired = threading.Event()
        timer = threading.Timer(self._timeout_s, _end, (process, expired))
        timer.start()
        output: deque[str] = deque(maxlen=_MAX_OUTPUT_LINES)
        try:
            assert process.stderr is not None
            with contextlib.nullcontext() if cancelled is None else cancelled.telling(lambda: _kill(process)):
                for raw in process.stderr:
                    line = escape_terminal(raw.decode(errors="replace").rstrip())
                    output.append(line)
                    progress(line)
                status = process.wait()
        finally:
            timer.cancel()
            _end(process, threading.Event())
        if cancelled is not None:
            cancelled.check()
        if expired.is_set():
            message = f"the installation took longer than {self._timeout_s:g} s"
            raise DependencyError(message, where=needs.file, hint="raise RELIVE_INSTALL_TIMEOUT_S")
        return status, list(output)


def _read_by_installer(needs: Requirements, folder: Path) -> str:
    """The file that uv is given. It resolves relative lines against the file that holds them: a
    requirements.txt stays beside the code, so that they, and `-r other.txt`, mean what they say."""
    if needs.file.endswith(REQUIREMENTS_FILE) and Path(needs.file).is_file():
        return needs.file
    folder.mkdir()
    listed = folder / REQUIREMENTS_FILE
    listed.write_text(needs.text, encoding="utf-8")
    return str(listed)


def _end(process: subprocess.Popen[bytes], expired: threading.Event) -> None:
    if process.poll() is None:
        expired.set()
        _kill(process)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(_END_S)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _kill(process: subprocess.Popen[bytes]) -> None:
    """Asked: what runs it in the sandbox ends what has left the process group, too."""
    process.terminate()


def _places(listed: Sequence[str], file: str) -> tuple[int, ...]:
    """The 1-based lines of the relive.toml `file` that hold the texts `listed`; 0 for what is not found."""
    try:
        rows = Path(file).read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError):  # it only costs the number
        rows = []
    lines = [(number, row) for number, row in enumerate(rows, 1) if not row.lstrip().startswith("#")]
    return tuple(
        next((number for number, row in lines if f'"{text}"' in row or f"'{text}'" in row), 0)
        for text in listed
    )


def _failure(needs: Requirements, read: str, output: list[str]) -> DependencyError:
    """uv's reason, and the line of the requirement that it names. `read`: the file that uv was given."""
    reason = " ".join(line.strip(" ╰─▶│├·×") for line in output if not _noise(line)).strip()
    reason = re.sub(r"\s+", " ", reason).removeprefix("error:").strip()[:1500] or "uv gave no reason"
    line = next((number for word in _words(reason) if (number := needs.line_of(word))), 0)
    line = line or needs.line_of_place(reason)
    shown = re.escape(os.path.join(*Path(read).parts[-2:]))  # uv may name it relative to a folder above it
    if found := re.search(rf"`?[^\s`]*{shown}`?(?::(\d+)(?::\d+)?)?", reason):
        line = needs.place(int(found[1])) if found[1] else line
        if read != needs.file:  # a copy, which is gone by now
            reason = reason.replace(found[0], needs.file)
    where = f"{needs.file}:{line}" if line else needs.file
    lowered = reason.lower()
    if any(word in lowered for word in ("dns", "connect", "network", "timed out", "offline", "fetch")):
        hint = "check the network and the index settings (UV_INDEX_URL, UV_FIND_LINKS), then deploy again"
    else:
        hint = "correct the requirement, then deploy again"
    return DependencyError(f"the dependencies cannot be installed: {reason}", where=where, hint=hint)


def _noise(line: str) -> bool:
    return line.startswith(
        ("Using Python", "Using CPython", "Resolved", "Downloading", "Downloaded", "Building")
    )


def _words(reason: str) -> Iterator[str]:
    for word in re.findall(r"[A-Za-z0-9][A-Za-z0-9._-]*[A-Za-z0-9]", reason):
        yield requirement_name(word)


@contextlib.contextmanager
def _locked(path: Path) -> Iterator[None]:
    with path.open("a") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        try:
            yield
        finally:
            fcntl.flock(file, fcntl.LOCK_UN)

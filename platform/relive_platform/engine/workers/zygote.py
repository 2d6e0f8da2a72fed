"""A zygote as the server sees it: one process for an interpreter and a dependency set, asked to fork."""

from __future__ import annotations

import array
import asyncio
import hashlib
import json
import os
import secrets
import signal
import socket
import subprocess
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO, Final, Protocol

import relive_runtime
from relive_base.errors import ReliveError
from relive_base.wire.messages import (
    AnyFrame,
    Exited,
    Fork,
    Forked,
    FrameDecoder,
    FrameError,
    FunctionSpec,
    Stop,
    ZygoteReady,
    encode_frame,
)
from relive_base.within import within
from relive_runtime.isolation.family import FAMILY_TIER

from relive_platform.engine.workers.cgroups.groups import Group
from relive_platform.engine.workers.users import BLOCK, UserBlock

__all__ = ["Confinement", "ForkListener", "Zygote", "ZygoteError", "ZygoteKey"]

BOOTSTRAP: Final = Path(relive_runtime.__file__).resolve().parent / "zygote" / "bootstrap.py"
_READ_BYTES: Final = 65_536
_SEND_RETRY_S: Final = 0.002
_HASH_SEEDS: Final = 2**32 - 1


class ZygoteError(ReliveError):
    """The zygote of a dependency set could not be started."""


@dataclass(frozen=True, slots=True)
class Confinement:
    """A zygote imports code of others, and is kept from all but this. `code_root`: the folder of its workers'
    sources; the rest is what its workers get, as in their FunctionSpec."""

    code_root: str
    tmp_mb: int = 0
    core: bool = False
    unix_sockets: bool = False

    @classmethod
    def of(cls, spec: FunctionSpec, deps_dir: str) -> Confinement | None:
        """For a worker of `spec`; None if the zygote imports nothing of others, or tier 0 is wanted.

        The sources of functions with one dependency set are in one folder (see `registry`), others on their
        own.
        """
        if not deps_dir or spec.isolation_tier < 1:
            return None
        parent = Path(spec.source).parent.parent
        shared = parent.name == f"@{Path(deps_dir).name}"
        root = str(parent) if shared else spec.source
        return cls(root, spec.tmp_mb, bool(spec.core_mb), spec.unix_sockets)


@dataclass(frozen=True, slots=True)
class ZygoteKey:
    """What makes a zygote: the interpreter, the folder of dependencies and what to import of it."""

    python: str
    deps_dir: str = ""
    preload: tuple[str, ...] = ()
    hash_seed: int = 0  # of str and bytes, on which the order of a set depends; 0: by chance
    confined: Confinement | None = None
    tier: int = 1  # the highest that its workers may want
    code_root: str = ""  # the folder of its workers' sources, if it is not confined
    folders: tuple[str, ...] = ()  # of resources, which its workers write to

    def scratch_root(self, scratch: Path) -> Path:
        """The folder below `scratch` for the folders of its workers."""
        if self.confined is None:
            return scratch
        named = "\n".join((self.deps_dir, self.confined.code_root, *self.preload, *self.folders))
        return scratch / hashlib.sha256(named.encode()).hexdigest()[:16]


class ForkListener(Protocol):
    """Who hears of a worker that was asked for; all of it on the event loop."""

    def on_forked(self, forked: Forked) -> None:
        """It exists, or could not be forked."""

    def on_exited(self, exited: Exited) -> None:
        """It was reaped."""

    def on_orphaned(self) -> None:
        """The zygote has died: it will not tell any more."""


class Zygote:
    """One zygote process. Everything but the constructor runs on the event loop."""

    def __init__(
        self,
        key: ZygoteKey,
        runtime_dir: Path,
        log: Path,
        on_death: Callable[[Zygote], None],
        scratch: Path | None = None,
        users: UserBlock | None = None,
        without: Sequence[str] = (),
    ) -> None:
        """`scratch`: the folder for those of the workers. `users`: to be theirs. `without`: modules of ours
        that it is not to import."""
        self.key = key
        self.ready: ZygoteReady | None = None
        self.alive = False
        self.group: Group | None = None
        self._runtime_dir = runtime_dir
        self._log = log
        self._scratch = key.scratch_root(scratch) if scratch is not None else None
        self.users = users
        self._without = without
        self._on_death = on_death
        self._process: subprocess.Popen[bytes] | None = None
        self._socket: socket.socket | None = None
        self._decoder = FrameDecoder()
        self._workers: dict[int, ForkListener] = {}
        self._unsent: deque[tuple[bytes, list[int]]] = deque()
        self._became_ready: asyncio.Future[ZygoteReady] | None = None

    @property
    def begun(self) -> bool:
        """Whether there has been a process, whose end is told."""
        return self._process is not None

    @property
    def pid(self) -> int:
        """0 if it does not run."""
        return self._process.pid if self._process is not None and self.alive else 0

    async def start(self, timeout_s: float) -> ZygoteReady:
        """Run it and wait until its dependencies are imported. Raises ZygoteError."""
        loop = asyncio.get_running_loop()
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
        ours.setblocking(False)
        options = json.dumps(self._options())
        command = [
            # as with -I, but for PYTHONHASHSEED
            self.key.python, "-P", "-s", "-S", str(BOOTSTRAP),
            str(self._runtime_dir), str(theirs.fileno()), options,
        ]  # fmt: skip
        try:
            self._process = await loop.run_in_executor(None, self._spawn, command, theirs)
        except OSError as error:
            ours.close()
            raise ZygoteError(
                f"{self.key.python} cannot be run: {error.strerror}", hint="see relive doctor"
            ) from error
        finally:
            theirs.close()
        self._socket = ours
        self.alive = True
        self._became_ready = loop.create_future()
        loop.add_reader(ours.fileno(), self._readable)
        try:
            return await within(asyncio.shield(self._became_ready), timeout_s)
        except TimeoutError:
            self.kill()
            raise ZygoteError(
                f"the dependencies were not imported within {timeout_s:g} s",
                where=str(self._log),
                hint="raise RELIVE_ZYGOTE_TIMEOUT_S or import less at module level",
            ) from None

    def _options(self) -> dict[str, object]:
        options: dict[str, object] = {
            "deps_dir": self.key.deps_dir,
            "preload": list(self.key.preload),
            "tier": self.key.tier,
            "folders": list(self.key.folders),
            "without": list(self._without),
        }
        if self._scratch is not None:
            options |= {"scratch_root": str(self._scratch), "code_root": self.key.code_root}
        if self.key.confined is not None and self._scratch is not None:
            options |= asdict(self.key.confined) | {"confined": True}
        if self.group is not None:
            options["cgroups"] = self.group.ways_in
        if self.users is not None:
            options["users"] = [self.users.first, BLOCK]
        return options

    def _spawn(self, command: list[str], control: socket.socket) -> subprocess.Popen[bytes]:
        if self._scratch is not None and (self.key.confined is not None or self.users is not None):
            self._scratch.mkdir(mode=0o700, parents=True, exist_ok=True)
            if self.users is not None:  # the way to each worker's own
                self._scratch.chmod(0o711)
        with _open_log(self._log) as log:
            return subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                pass_fds=[control.fileno()],
                env={
                    "PATH": os.environ.get("PATH", os.defpath),
                    "LANG": "C.UTF-8",
                    "PYTHONHASHSEED": str(self.key.hash_seed or 1 + secrets.randbelow(_HASH_SEEDS)),
                },
                cwd="/",
                start_new_session=True,  # the terminal's Ctrl-C is for the server, which stops it in order
            )

    def take_user(self, tier: int) -> int:
        """The user for a worker that wants this tier; 0: the zygote's own."""
        if self.users is None or self.ready is None or not self.ready.own_users or tier < FAMILY_TIER:
            return 0
        return self.users.take()

    def hand_over(self, uid: int, scratch: Path, console: int) -> None:
        """Give a worker's folder and console to the user that it will have (0: the zygote's); the zygote's
        own may use them, too. Raises OSError."""
        if self.users is None or self.ready is None:
            return
        owner, group = uid or self.ready.uid, self.ready.uid
        os.chown(scratch, owner, group)
        os.chmod(scratch, 0o770)
        os.fchown(console, owner, group)

    def fork(self, frame: Fork, descriptors: list[int], listener: ForkListener) -> None:
        """Ask for a worker. `descriptors` (frame socket, console) are taken over and closed here."""
        self._workers[frame.worker_id] = listener
        self._unsent.append((encode_frame(frame), descriptors))
        if len(self._unsent) == 1:
            self._flush()

    def stop(self) -> None:
        """Ask it to leave; its workers go on."""
        if self.alive:
            self._unsent.append((encode_frame(Stop()), []))
            if len(self._unsent) == 1:
                self._flush()

    def kill(self) -> None:
        """End it now."""
        if self._process is not None and self._process.poll() is None:
            try:
                os.killpg(self._process.pid, signal.SIGKILL)
            except (ProcessLookupError, PermissionError):
                self._process.kill()
        self._lost()

    def wait(self, timeout_s: float) -> None:
        """Reap it; blocking, for the shutdown."""
        if self._process is not None:
            try:
                self._process.wait(timeout_s)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()

    def _flush(self) -> None:
        while self._unsent and self._socket is not None:
            data, descriptors = self._unsent[0]
            ancillary = (
                [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", descriptors))] if descriptors else []
            )
            try:
                sent = self._socket.sendmsg([data], ancillary)
            except BlockingIOError:
                asyncio.get_running_loop().call_later(_SEND_RETRY_S, self._flush)
                return
            except OSError:
                self._lost()
                return
            _close(descriptors)
            if sent < len(data):
                self._unsent[0] = (data[sent:], [])
            else:
                self._unsent.popleft()

    def _readable(self) -> None:
        if self._socket is None:
            return
        try:
            data = self._socket.recv(_READ_BYTES)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            self._lost()
            return
        try:
            for frame in self._decoder.feed(data):
                self._handle(frame)
        except FrameError:
            self.kill()

    def _handle(self, frame: AnyFrame) -> None:
        if isinstance(frame, Forked):
            listener = self._workers.get(frame.worker_id)
            if listener is not None:
                listener.on_forked(frame)
        elif isinstance(frame, Exited):
            listener = self._workers.pop(frame.worker_id, None)
            if listener is not None:
                listener.on_exited(frame)
        elif isinstance(frame, ZygoteReady):
            self.ready = frame
            if self._became_ready is not None and not self._became_ready.done():
                self._became_ready.set_result(frame)

    def _lost(self) -> None:
        if not self.alive:
            return
        self.alive = False
        if self._socket is not None:
            asyncio.get_running_loop().remove_reader(self._socket.fileno())
            self._socket.close()
            self._socket = None
        for _, descriptors in self._unsent:
            _close(descriptors)
        self._unsent.clear()
        if self._became_ready is not None and not self._became_ready.done():
            self._became_ready.set_exception(
                ZygoteError("the zygote ended while it was starting", where=str(self._log), hint=self._tail())
            )
            self._became_ready.exception()  # it may have no waiter any more
        self._on_death(self)
        orphans = list(self._workers.values())
        self._workers.clear()
        for listener in orphans:
            listener.on_orphaned()

    def _tail(self) -> str:
        try:
            lines = self._log.read_text(errors="replace").splitlines()
        except OSError:
            return ""
        return lines[-1] if lines else ""


def _close(descriptors: list[int]) -> None:
    for descriptor in descriptors:
        os.close(descriptor)
    descriptors.clear()


def _open_log(path: Path) -> IO[bytes]:
    """The log, started anew once it is over 1 MiB."""
    path.parent.mkdir(parents=True, exist_ok=True)
    mode = "wb" if path.exists() and path.stat().st_size > 1_048_576 else "ab"
    log = path.open(mode)
    log.write(f"--- {time.strftime('%Y-%m-%dT%H:%M:%S')} zygote\n".encode())
    log.flush()
    return log

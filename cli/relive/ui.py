"""Opening the terminal UI. Until its first paint nothing is imported but what paints."""

from __future__ import annotations

import gc
import os
import sys
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from relive_platform.api.client import ControlClient
    from relive_platform.api.control_pb2 import FrozenWorker
    from relive_platform.server.locate import ServerInfo
    from relive_store import Store

    from relive.session import Session

__all__ = ["VIEWS", "Link", "UiRequest", "file_first", "open_ui", "run_ui"]

VIEWS = ("home", "invocations", "trace", "failure", "flame", "heap", "logs", "metrics", "alerts", "sql")
FILE_ENDINGS = (".scene", ".heapsnapshot")
_VALUED = ("--home", "--server")


@dataclass(frozen=True, slots=True)
class UiRequest:
    """Whose data is to be shown, and where to begin."""

    home: Path
    server: str
    environment: Mapping[str, str]
    view: str = "home"
    ident: str = ""

    @property
    def command(self) -> tuple[str, ...]:
        """The `relive` command on the same data, for what is run beside the UI."""
        server = ("--server", self.server) if self.server else ()
        return (sys.executable, "-P", "-m", "relive", "--home", str(self.home), *server)

    @classmethod
    def parse(cls, arguments: list[str], environment: Mapping[str, str]) -> UiRequest | None:
        """The request of a plain `relive [--home H] [--server S] tui [VIEW [IDENT] | FILE.scene]`.

        None for everything else: help, mistakes and other commands are for the command group to answer.
        """
        options: dict[str, str] = {}
        rest = list(arguments)
        while rest and rest[0].startswith("--"):
            name, equals, value = rest.pop(0).partition("=")
            if name not in _VALUED or not (equals or rest):
                return None
            options[name] = value if equals else rest.pop(0)
        if not all(text.strip() for text in (*options.values(), *rest)):
            return None  # which is a mistake
        if not rest or rest.pop(0) != "tui" or len(rest) > 2 or any(word.startswith("-") for word in rest):
            return None
        view, ident = [*rest, "", ""][:2]
        view, ident = file_first(view, ident)
        if view and view not in VIEWS:
            return None
        home = _home(options.get("--home") or environment.get("RELIVE_HOME", ""), environment)
        server = options.get("--server", environment.get("RELIVE_SERVER", ""))
        return cls(home, server, environment, view or "home", ident)


def _home(chosen: str, environment: Mapping[str, str]) -> Path:
    if chosen:
        return Path(os.path.abspath(os.path.expanduser(chosen)))
    from relive_platform.server.locate import default_home

    return default_home(environment)


class Link:
    """The way to the data. After a loss it is looked for anew: a server may be back at another address.

    Called by worker threads.
    """

    def __init__(self, request: UiRequest) -> None:
        self._request = request
        self._lock = threading.Lock()
        self._session: Session | None = None
        self._server: ServerInfo | None = None

    def open_store(self) -> Store:
        """The store as it is to be reached now. Raises ReliveError."""
        with self._lock:
            session = self._renew()
        return session.store()

    def status(self) -> dict[str, object] | None:
        """What the server says of itself; None if none runs on this home."""
        control = self._control()
        return control.status() if control is not None else None

    def frozen(self) -> list[FrozenWorker]:
        """The failed workers that the server keeps; none without a server."""
        control = self._control()
        return control.frozen() if control is not None else []

    def asks(self, name: str, event: bytes) -> bytes:
        """What the server says of "alert:NAME" or "alarm:NAME". Raises ServerUnreachable if none runs."""
        from relive_base.errors import ServerUnreachable
        from relive_platform.api import control_pb2 as pb

        control = self._control()
        if control is None:
            raise ServerUnreachable(
                f"no Relive server runs on {self._request.home}", hint="start one with: relive serve"
            )
        return control.invoke(pb.InvokeRequest(function=name, event=event, asynchronous=True)).result

    def _control(self) -> ControlClient | None:
        from relive_platform.server.locate import find_server

        with self._lock:
            session = self._session
            server = None if self._request.server else find_server(self._request.home)
            if server is None and not self._request.server:
                return None
            if session is None or server != self._server:
                session = self._renew()
            return session.control()

    def _renew(self) -> Session:
        from relive.session import Session

        request = self._request
        # The old session's store may still be asked by another thread: it is left to that thread's end.
        self._session = Session.create(request.home, request.server, request.environment)
        self._server = self._session.info()
        return self._session


def file_first(view: str, ident: str) -> tuple[str, str]:
    """(view, ident), if a file may stand alone: a scene is a failure, a snapshot a heap."""
    if not ident and view.endswith(FILE_ENDINGS):
        return ("failure" if view.endswith(".scene") else "heap"), view
    return view, ident


def _open_file(request: UiRequest) -> int:
    from relive_tui.app import run

    if request.ident.endswith(".scene"):
        from relive_tui.source.file import FileSource

        return run(FileSource(request.ident, request.command), request.view)
    from relive_tui.source.snapshot import SnapshotSource

    return run(SnapshotSource(request.ident, request.command), request.view)


def open_ui(request: UiRequest) -> int:
    """Run the UI until the user leaves it; gives its exit status. The store opens after the first paint.

    Of a scene or a heap snapshot nothing but the file is opened. Raises SceneError, UsageError.
    """
    if request.ident.endswith(FILE_ENDINGS):
        return _open_file(request)
    # what is made from here to the first paint stays: looking through it would cost a twelfth of the time
    gc.disable()
    from relive_tui.app import run
    from relive_tui.source.home import DataSource

    link = Link(request)
    source = DataSource(
        link.open_store,
        request.home / "scenes",
        status=link.status,
        frozen=link.frozen,
        asks=link.asks,
        home=request.home,
        command=request.command,
    )
    return run(source, request.view, request.ident)


def run_ui(session: Session, view: str, ident: str) -> int:
    """The same for a command's session."""
    return open_ui(UiRequest(session.home, session.server, session.environment, view, ident))

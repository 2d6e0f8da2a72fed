"""What a command works with: the home, the server on it, and the store behind it."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from relive_base.errors import ReliveError, UsageError
from relive_platform.server.locate import ServerInfo, default_home, find_server, require_server

if TYPE_CHECKING:
    from relive_platform.api.client import ControlClient
    from relive_store import Store

__all__ = ["Session"]

_READ_WAIT_S = 5.0
_READ_WAIT = "RELIVE_READ_WAIT_S"
_LONGEST_WAIT_S = 3_600.0
_LATE_S = 1.0


@dataclass(slots=True)
class Session:
    """Opens what is needed when it is needed, and closes it at the end."""

    home: Path
    server: str
    environment: Mapping[str, str]
    _closing: contextlib.ExitStack = field(default_factory=contextlib.ExitStack)
    _store: Store | None = None
    _control: ControlClient | None = None
    _status: dict[str, Any] | None = None  # of the server, when the store was opened

    @classmethod
    def create(cls, home: Path | None, server: str, environment: Mapping[str, str]) -> Session:
        """`home` None means RELIVE_HOME or the user data folder."""
        chosen = Path(os.path.abspath(os.path.expanduser(home))) if home else default_home(environment)
        return cls(chosen, server, environment)

    @property
    def scenes_dir(self) -> Path:
        """Where this home keeps its scene archives."""
        return self.home / "scenes"

    def info(self) -> ServerInfo | None:
        """The server on this home; None if none runs or the server is elsewhere."""
        return None if self.server else find_server(self.home)

    def control(self) -> ControlClient:
        """The control API. Raises ServerUnreachable if no server runs."""
        if self._control is None:
            from relive_platform.api.client import ControlClient

            address = self.server or require_server(self.home).api
            self._control = ControlClient(address, token=self._token(address))
            self._closing.callback(self._control.close)
        return self._control

    def gateway(self) -> str:
        """The address of the function gateway. Raises ServerUnreachable if no server runs."""
        info = self.info()
        return info.http if info is not None else str(self.control().status()["http"])

    def gateway_token(self) -> str:
        """What the gateway wants off loopback; "" if there is none."""
        try:
            return self._token("")
        except UsageError:
            return ""

    def store(self) -> Store:
        """What was recorded: through the running server's store, or the home's own if none runs.

        What was answered before is in it: a failure that somebody has just seen must be the newest one.
        """
        if self._store is None:
            if self.reachable:
                self._settle()
            from relive_platform.server.reading import open_reader

            if self.server:
                from relive_platform.api.remote_store import RemoteStore

                self._store = RemoteStore(self.control())
            else:
                self._store = open_reader(self.home, self.environment)
            self._closing.callback(self._store.close)
        return self._store

    @property
    def reachable(self) -> bool:
        """Whether there is a server to ask."""
        return bool(self.server) or self.info() is not None

    def _settle(self) -> None:
        """Have the server write what it still holds; a server or store in trouble must not hinder reading."""
        wait_s = _read_wait_s(self.environment)
        info = self.info()
        down = info is not None and bool(info.store_problem)  # nothing would come of waiting
        with contextlib.suppress(ReliveError):
            self._status = self.control().status(flush_s=0.0 if down else wait_s)

    def lateness(self) -> str:
        """What was recorded and cannot be read yet, in a sentence; "" if all is there.

        As it was when `store` was opened.
        """
        if not self.reachable:
            return _spooled(self.home / "spool")
        if self._status is None:
            try:
                self._status = self.control().status()
            except ReliveError as error:
                return f"how far the store is behind is not known: {error.message}"
        return _lateness(self._status.get("store", {}))

    @property
    def has_read(self) -> bool:
        """Whether the store was opened."""
        return self._store is not None

    def close(self) -> None:
        """Close what was opened."""
        self._closing.close()

    def _token(self, address: str) -> str:
        """RELIVE_TOKEN for a server elsewhere, or what run/token of this home holds."""
        if self.server and (token := self.environment.get("RELIVE_TOKEN")):
            return token
        path = self.home / "run" / "token"
        try:
            return path.read_text().strip()
        except OSError as error:
            raise UsageError(
                f"the server at {address} wants a token, and {path} cannot be read ({error.strerror})",
                hint="set RELIVE_TOKEN to what run/token of the server's home holds",
            ) from error


def _read_wait_s(environment: Mapping[str, str]) -> float:
    """How long who reads waits for what has just been recorded. Raises UsageError."""
    text = environment.get(_READ_WAIT, "").strip().removesuffix("s")
    try:
        wait_s = float(text) if text else _READ_WAIT_S
    except ValueError:
        wait_s = -1.0
    if not 0.0 <= wait_s <= _LONGEST_WAIT_S:
        raise UsageError(
            f"{environment[_READ_WAIT]!r} is no time to wait",
            where=_READ_WAIT,
            hint=f"seconds, at most {_LONGEST_WAIT_S:g}: 30",
        )
    return wait_s


def _lateness(store: Mapping[str, Any]) -> str:
    """Of the part `store` of a server's status."""
    waiting = int(store.get("buffered_rows", 0)) + int(store.get("spooled_rows", 0))
    rows = f"{waiting:,} rows wait" if waiting else "newer rows are on their way"
    lag_s = float(store.get("lag_s", 0.0))
    state = str(store.get("state", "ready"))
    if state != "ready":
        reason = f" ({store['reason']})" if store.get("reason") else ""
        return f"the store is {state}{reason}: what is recorded now is shown later; {rows}"
    if lag_s > _LATE_S:
        return f"the store is behind by {lag_s:,.0f} s: what happened since is shown later; {rows}"
    return ""


def _spooled(spool: Path) -> str:
    """Without a server: what one has left for the store."""
    waiting = spool.rglob("*.batch") if spool.is_dir() else ()
    count = sum("bad" not in path.relative_to(spool).parts for path in waiting)  # those are never delivered
    if not count:
        return ""
    files = "1 file of telemetry waits" if count == 1 else f"{count:,} files of telemetry wait"
    return f"the store does not have everything yet: {files} for a server; start one: relive serve"

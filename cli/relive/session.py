"""What a command works with: the home, the server on it, and the store behind it."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from relive_base.errors import ReliveError, UsageError
from relive_platform.locate import ServerInfo, default_home, find_server, require_server

if TYPE_CHECKING:
    from relive_platform.api.client import ControlClient
    from relive_store import Store

__all__ = ["Session"]

_SETTLE_LIMIT_S = 5.0


@dataclass(slots=True)
class Session:
    """Opens what is needed when it is needed, and closes it at the end."""

    home: Path
    server: str
    environment: Mapping[str, str]
    _closing: contextlib.ExitStack = field(default_factory=contextlib.ExitStack)
    _store: Store | None = None
    _control: ControlClient | None = None

    @classmethod
    def create(cls, home: Path | None, server: str, environment: Mapping[str, str]) -> Session:
        """`home` None means RELIVE_HOME or the user data folder."""
        chosen = home.expanduser().absolute() if home else default_home(environment)
        return cls(chosen, server, environment)

    @property
    def scenes_dir(self) -> Path:
        """Where this home keeps its scene archives."""
        return self.home / "scenes"

    def info(self) -> ServerInfo | None:
        """The server on this home; None where none runs or the server is elsewhere."""
        return None if self.server else find_server(self.home)

    def control(self) -> ControlClient:
        """The control API. Raises ServerUnreachable where no server runs."""
        if self._control is None:
            from relive_platform.api.client import ControlClient

            address = self.server or require_server(self.home).api
            self._control = ControlClient(address, token=self._token(address))
            self._closing.callback(self._control.close)
        return self._control

    def store(self) -> Store:
        """What was recorded: through the running server's store, or the home's own where none runs.

        What was answered before is in it: a failure that somebody has just seen must be the newest one.
        """
        if self._store is None:
            if self.info() is not None:
                self._settle()
            from relive_platform.reading import open_reader

            if self.server:
                from relive_platform.api.remote_store import RemoteStore

                self._store = RemoteStore(self.control())
            else:
                self._store = open_reader(self.home, self.environment)
            self._closing.callback(self._store.close)
        return self._store

    def _settle(self) -> None:
        """Have the server write what it still holds; a server or store in trouble must not hinder reading."""
        with contextlib.suppress(ReliveError):
            self.control().status(flush_s=_SETTLE_LIMIT_S)

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
                remedy="set RELIVE_TOKEN to what run/token of the server's home holds",
            ) from error

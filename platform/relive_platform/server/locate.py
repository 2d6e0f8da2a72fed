"""Finding a home and the server that runs on it. Light: the TUI imports this before its first paint."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Mapping
from pathlib import Path

import msgspec
from relive_base.errors import ServerUnreachable, UsageError

__all__ = ["ServerInfo", "default_home", "find_server", "require_server", "server_lock_held"]


class ServerInfo(msgspec.Struct, omit_defaults=True):
    """What a running server writes to run/server.json when it is ready."""

    pid: int
    http: str  # "http://127.0.0.1:8700"
    api: str  # "unix:/home/run/api.sock" or "host:port"
    store: str  # what relive_store.open_store takes
    version: str = ""
    started_ns: int = 0
    store_problem: str = ""  # why the store cannot be read now
    aws: str = ""  # where AWS's APIs are served, "" if they are not
    metrics: str = ""  # where Prometheus reads metrics, "" if they are not served


def default_home(environment: Mapping[str, str]) -> Path:
    """RELIVE_HOME, or the platform's user data folder."""
    if chosen := environment.get("RELIVE_HOME"):
        return Path(os.path.abspath(os.path.expanduser(chosen)))
    import platformdirs

    return Path(platformdirs.user_data_dir("relive", appauthor=False))


def server_lock_held(home: Path) -> bool:
    """Whether a server lives on this home: it holds a lock that ends with it, whatever its pid file says."""
    try:
        handle = os.open(home / "run" / "server.lock", os.O_RDWR | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        # Shared: two who look at the same time must not take each other for a server.
        fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError:
        return True
    finally:
        os.close(handle)
    return False


def find_server(home: Path) -> ServerInfo | None:
    """The server on this home, or None if none runs."""
    if not server_lock_held(home):
        return None
    path = home / "run" / "server.json"
    try:
        return msgspec.json.decode(path.read_bytes(), type=ServerInfo)
    except FileNotFoundError:
        return None  # it is starting
    except (OSError, msgspec.DecodeError) as error:
        raise UsageError(
            f"cannot be read: {error}",
            where=str(path),
            hint="stop the server and start it again: relive serve",
        ) from error


def require_server(home: Path) -> ServerInfo:
    """The server on this home. Raises ServerUnreachable with the hint."""
    info = find_server(home)
    if info is None:
        raise ServerUnreachable(f"no Relive server runs on {home}", hint="start one with: relive serve")
    return info

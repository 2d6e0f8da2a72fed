"""What `relive.toml` says of a database."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import PurePosixPath
from typing import ClassVar

from relive_platform.keys import Key
from relive_platform.resources.base import ResourceConfig
from relive_platform.server_urls import problems_of, shown

__all__ = ["SCHEMES", "DatabaseConfig"]

SCHEMES = ("postgres", "postgresql")


class DatabaseConfig(ResourceConfig, frozen=True, tag="database", kw_only=True):
    """One `[resources.NAME]` with `type = "database"`: PostgreSQL if it has a `url`, else an SQLite file."""

    KEYS: ClassVar[Mapping[str, Key]] = {
        "url": Key("text", 'A PostgreSQL: its URL, or "env:NAME" for one in the server\'s environment.'),
        "path": Key("text", "An absolute path of an SQLite file. Default: one in Relive's home."),
    }
    ATTRIBUTES: ClassVar[tuple[str, ...]] = ("url", "path")

    url: str = ""
    path: str = ""

    def problems(self) -> Iterator[tuple[str, str, str]]:
        if self.url and self.path:
            yield "path", "a database has a url or a path", "leave one of them out"
        if self.url:
            yield from problems_of(self.url, SCHEMES)
        path = PurePosixPath(self.path)
        if self.path and (not path.is_absolute() or ".." in path.parts or len(path.parts) < 3):
            yield "path", f"the file {self.path!r} is not allowed", "write an absolute path, without .."

    def replaces(self, old: ResourceConfig) -> str:
        found = super().replaces(old)
        if found or not isinstance(old, DatabaseConfig) or old.url:
            return found  # what is in a PostgreSQL is not Relive's
        if self.url or old.path != self.path:
            return f"it is the file {old.path or 'in the home'} so far"
        return ""

    def seen(self) -> Mapping[str, str]:
        return {"url": self.url, "path": self.path}

    def describe(self) -> str:
        """As people read it: "database, PostgreSQL at env:DATABASE_URL"."""
        if self.url:
            return f"database, PostgreSQL at {shown(self.url)}"
        return f"database, SQLite {self.path}".strip()

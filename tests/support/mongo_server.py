"""A server that speaks MongoDB's protocol, of PyPI (nx-27017), on loopback: in memory, with cursors and
transactions. It is no MongoDB: of BSON's types it keeps those that JSON has, dates and ObjectIds."""

from __future__ import annotations

import sys
from pathlib import Path

from pull_servers import ForeignServer

__all__ = ["Mongo"]


class Mongo(ForeignServer):
    """Without users and passwords."""

    @property
    def url(self) -> str:
        return f"mongodb://127.0.0.1:{self.port}"

    def command(self) -> list[str]:
        program = Path(sys.executable).with_name("nx-27017")
        files = ("--log-file", str(self.folder / "nx.log"), "--pid-file", str(self.folder / "pid"))
        return [str(program), "--db", "memory", "--port", str(self.port), *files]

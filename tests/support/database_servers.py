"""A real MariaDB on loopback, in a folder of its own; PostgreSQL is in pull_servers.py."""

from __future__ import annotations

import os
import shutil
import subprocess

from pull_servers import ForeignServer, install

__all__ = ["MariaDb"]


class MariaDb(ForeignServer):
    """Of Debian; its user `relive` has the password `relive` and the database `shop`."""

    @property
    def url(self) -> str:
        return f"mysql://relive:relive@127.0.0.1:{self.port}/shop"

    def prepare(self) -> None:
        if shutil.which("mariadbd", path=_path()) is None:
            install()
        (self.folder / "first.sql").write_text(
            "CREATE DATABASE IF NOT EXISTS shop;\n"
            "CREATE USER IF NOT EXISTS relive@'127.0.0.1' IDENTIFIED BY 'relive';\n"
            "GRANT ALL ON *.* TO relive@'127.0.0.1';\n"
        )
        subprocess.run(
            [
                "mariadb-install-db",
                *("--no-defaults", f"--datadir={self.folder / 'data'}", "--skip-test-db"),
                *("--auth-root-authentication-method=normal", *_user()),
            ],
            check=True,
            cwd=self.folder,
            stdout=subprocess.DEVNULL,
            env={**os.environ, "PATH": _path()},
        )

    def command(self) -> list[str]:
        return [
            shutil.which("mariadbd", path=_path()) or "mariadbd",
            "--no-defaults",
            f"--datadir={self.folder / 'data'}",
            *(f"--port={self.port}", "--bind-address=127.0.0.1", f"--socket={self.folder / 'socket'}"),
            f"--init-file={self.folder / 'first.sql'}",
            *(
                "--innodb-buffer-pool-size=16M",
                "--innodb-log-file-size=4M",
                "--skip-log-bin",
                "--skip-name-resolve",
            ),
            *_user(),
        ]


def _path() -> str:
    return f"{os.environ.get('PATH', '')}:/usr/sbin"


def _user() -> list[str]:
    return ["--user=root"] if os.getuid() == 0 else []

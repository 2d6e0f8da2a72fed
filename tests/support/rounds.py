"""What the programs have in common that kill Relive's processes under load."""

from __future__ import annotations

import contextlib
import random
import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from free_ports import free_port
from relive_cli import Relive

__all__ = ["Rounds", "children"]


class Rounds:
    """A home under load, on an address that stays. `limit_s`: how long a start may take."""

    def __init__(self, relive: Relive, seed: int, limit_s: float) -> None:
        self.relive = relive
        self.random = random.Random(seed)
        self.stopping = threading.Event()
        self._limit_s = limit_s
        self.address = f"127.0.0.1:{free_port()}"

    def start(self) -> None:
        """Start the server; at once, as an operator's tool would do after its end."""
        self.relive.run("serve", "--daemon", "--http", self.address, timeout_s=self._limit_s)

    @contextlib.contextmanager
    def in_background(self, work: Sequence[Callable[[], None]]) -> Iterator[None]:
        """Each in a thread of its own, which ends soon after `stopping` is set."""
        threads = [threading.Thread(target=one) for one in work]
        for thread in threads:
            thread.start()
        try:
            yield
        finally:
            self.stopping.set()
            for thread in threads:
                thread.join()


def children(pid: int) -> list[tuple[int, str]]:
    """The processes that one has started and that have not ended: pid and command line."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError):
                stat = (entry / "stat").read_text(errors="replace").rpartition(")")[2].split()
                if int(stat[1]) == pid and stat[0] != "Z":
                    line = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode("utf-8", "replace")
                    found.append((int(entry.name), line))
    return found

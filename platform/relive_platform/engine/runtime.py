"""What starts workers, and how the engine reaches one. A zygote that forks them is one such runtime
(`workers/zygote_runtime.py`); pools and the host know no other thing about it than these.
"""

from __future__ import annotations

from typing import Protocol

from relive_base.wire.messages import Exited, FunctionSpec, LogLine

__all__ = ["ProcessHandle", "Runtime", "WorkerEvents", "WorkerHandle"]


class ProcessHandle(Protocol):
    """A worker's process. What is asked of one that has not begun, or has ended, does nothing."""

    killed: bool
    """It was told to end, or will be as soon as it exists."""
    own_tmp: bool
    """Whether its /tmp is its own, and counts as its memory."""

    def kill(self) -> None:
        """End it now with all it has started."""

    def freeze(self) -> None:
        """Stop it where it is."""

    def thaw(self) -> None:
        """Let it go on."""

    def interrupt(self) -> None:
        """Ctrl-C."""

    def ask_to_save(self) -> None:
        """Ask it to save itself at its memory limit."""

    def held_bytes(self, alarm: int = 0) -> int:
        """Memory that it holds now, quickly if that is no more than `alarm`; 0 if it cannot be read."""

    def cpu_ns(self) -> int:
        """CPU time until now, with what it has started and waited for; 0 if it cannot be read."""


class WorkerHandle(Protocol):
    """One worker that a runtime has started. Everything runs on the event loop."""

    @property
    def spec(self) -> FunctionSpec:
        """What it runs, with its own folder and its own id."""

    @property
    def process(self) -> ProcessHandle:
        """Its process."""

    def send(self, message: bytes) -> None:
        """Send a message (with its length). Ignored if the worker has gone."""

    def send_now(self, message: bytes) -> None:
        """The same, at once: the worker waits for it."""

    def send_soon(self, message: bytes) -> None:
        """The same, with others that come in this turn of the loop: the worker has something else to do."""

    def look(self) -> None:
        """Take the messages that it has left without telling anybody."""

    def unread(self) -> bool:
        """Whether it has not read all that it was sent."""

    def pause_reading(self) -> None:
        """Take no more messages; the worker waits once there is no room for them."""

    def resume_reading(self) -> None:
        """Take them again."""

    def give_up(self) -> None:
        """It need not start any more, if it has not yet."""

    def lose(self) -> None:
        """End it; nobody will tell when it was reaped."""

    def fault_text(self) -> str:
        """What its fault handler wrote when it died; "" if that was nothing."""

    def kernel_limit_mb(self) -> int:
        """How much it may hold, if the kernel has ended it for that; else 0."""

    def look_at_group(self, *, busy: bool) -> int:
        """How much it may hold, if the kernel has ended something that it has started since the last look;
        else 0. Not `busy`: it has no attempt that could be told."""

    def take_core(self) -> str:
        """The core file that it has left, moved out of its folder; "" if there is none."""

    def release(self) -> None:
        """It has gone, and all was taken that is wanted: its folder may go, too."""


class WorkerEvents(Protocol):
    """Who hears of a worker; all of it on the event loop, and nothing before `start` has returned."""

    def on_started(self, pid: int, error: str) -> None:
        """Its process exists; or it does not (`pid` 0), and never will."""

    def on_message(self, payload: bytes) -> None:
        """A message, without its length. May raise DecodeError: then `on_broken` follows."""

    def on_console(self, lines: list[LogLine]) -> None:
        """Text that it wrote past its messages."""

    def on_broken(self, why: str) -> None:
        """Its code has made the connection useless."""

    def on_exited(self, exited: Exited) -> None:
        """Its process was reaped; messages may still come."""

    def on_orphaned(self) -> None:
        """What started it has died: it goes on, but nobody will tell when it was reaped."""

    def on_gone(self) -> None:
        """The end: nothing follows."""


class Runtime(Protocol):
    """Starts workers of one kind: of one interpreter and one set of dependencies, say."""

    async def prepare(self) -> None:
        """Be ready to start workers. Raises ReliveError."""

    def start(self, worker_id: int, spec: FunctionSpec, events: WorkerEvents) -> WorkerHandle:
        """Begin to start a worker. Never raises: `events` hears of all that goes wrong."""

"""The collector's process: `python -m relive_platform.signals.handover.process CONTROL_FD START_FD`.

It has its own interpreter, so that converting and compressing rows never holds up the server's event loop,
and a lower priority, so that invocations come first if the machine is busy.
"""

from __future__ import annotations

import contextlib
import logging
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

import msgspec
from relive_base.ending import end_process
from relive_base.environment import child_environment
from relive_base.garbage import seldom
from relive_base.priority import stand_back

from relive_platform.signals.handover.options import CollectorOptions

__all__ = ["main", "spawn"]

_NICE: Final = 5
_PROGRAM: Final = ("-m", "relive_platform.signals.handover.process")


class _Start(msgspec.Struct):
    """What the process reads first, from a pipe: command line and environment of a process can be read by
    others, and this holds the store's password, headers of the export, and the server's environment."""

    options: CollectorOptions
    environment: dict[str, str]


def spawn(
    control: socket.socket,
    options: msgspec.Struct,
    log: Path,
    environment: Mapping[str, str] | None = None,
    program: Sequence[str] = _PROGRAM,
) -> subprocess.Popen[bytes]:
    """Start a process with its end of the socket; it ends when the other end is closed. Blocks.
    `environment`: what it works with, by default this process's own. `program`: what Python runs, by default
    this module, whose options are CollectorOptions."""
    given = dict(os.environ if environment is None else environment)
    start, told = os.pipe()
    with contextlib.suppress(BrokenPipeError), os.fdopen(told, "wb") as pipe:
        try:
            with log.open("ab") as output:
                process = subprocess.Popen(
                    [sys.executable, *program, str(control.fileno()), str(start)],
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=output,
                    pass_fds=[control.fileno(), start],
                    start_new_session=True,
                    env=child_environment(os.environ),
                )
        finally:
            os.close(start)
        pipe.write(msgspec.json.encode({"options": options, "environment": given}))
    return process  # if it has ended already, the socket says so


def main(arguments: list[str]) -> None:
    """Serve until the server is gone."""
    seldom()
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)  # the server's end of the socket says when
    from relive_platform.signals.handover.service import (
        CollectorService,  # here: the server has no use for it
    )

    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(name)s %(levelname)s %(message)s")
    with os.fdopen(int(arguments[1]), "rb") as pipe:
        start = msgspec.json.decode(pipe.read(), type=_Start)
    os.environ.update(start.environment)  # no thread runs yet
    control = socket.socket(fileno=int(arguments[0]))
    control.setblocking(True)
    stand_back(_NICE)
    CollectorService(control, start.options).run()


if __name__ == "__main__":
    main(sys.argv[1:])
    end_process(0)

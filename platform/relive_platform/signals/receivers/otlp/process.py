"""`python -m relive_platform.signals.receivers.otlp.process CONTROL_FD START_FD`: the receiver's process."""

from __future__ import annotations

import logging
import os
import signal
import socket
import sys
from typing import Final

import msgspec
from relive_base.ending import end_process
from relive_base.garbage import seldom
from relive_base.priority import stand_back

from relive_platform.signals.receivers.otlp.messages import OtlpOptions

__all__ = ["PROGRAM", "main"]

PROGRAM: Final = ("-m", "relive_platform.signals.receivers.otlp.process")
_NICE: Final = 5


class _Start(msgspec.Struct):
    """As the collector's process, it reads from a pipe what others must not see."""

    options: OtlpOptions
    environment: dict[str, str]


def main(arguments: list[str]) -> None:
    """Serve until the server is gone."""
    seldom()
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)  # the server's end of the socket says when
    stand_back(_NICE)  # before the imports: nothing waits for them
    from relive_platform.signals.receivers.otlp.service import OtlpService

    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(name)s %(levelname)s %(message)s")
    with os.fdopen(int(arguments[1]), "rb") as pipe:
        start = msgspec.json.decode(pipe.read(), type=_Start)
    os.environ.update(start.environment)  # no thread runs yet
    control = socket.socket(fileno=int(arguments[0]))
    control.setblocking(True)
    OtlpService(control, start.options).run()


if __name__ == "__main__":
    main(sys.argv[1:])
    end_process(0)

"""The process of a gateway beside the server:
`python -m relive_platform.server.gateways.process CONTROL_FD DESCRIPTORS_FD START_FD MARKS_FD`."""

from __future__ import annotations

import contextlib
import logging
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path
from typing import Final

import msgspec
import uvloop
from relive_base.ending import end_process
from relive_base.environment import child_environment
from relive_base.garbage import seldom

from relive_platform.server.gateways.messages import Start

__all__ = ["main", "spawn"]

_PROGRAM: Final = ("-m", "relive_platform.server.gateways.process")


def spawn(
    start: Start, control: socket.socket, descriptors: socket.socket, marks: int, log: Path
) -> subprocess.Popen[bytes]:
    """Start the process with its ends of the two sockets, and the memory that both share (`marks`); it ends
    when the others are closed. Blocks."""
    reads, tells = os.pipe()
    passed = [control.fileno(), descriptors.fileno(), reads, marks]
    with contextlib.suppress(BrokenPipeError), os.fdopen(tells, "wb") as pipe:
        try:
            with log.open("ab") as output:
                process = subprocess.Popen(
                    [sys.executable, *_PROGRAM, *map(str, passed)],
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=output,
                    pass_fds=passed,
                    start_new_session=True,
                    env=child_environment(os.environ),
                )
        finally:
            os.close(reads)
        pipe.write(msgspec.msgpack.encode(start, enc_hook=_path_text))
    return process  # if it has ended already, the sockets say so


def _path_text(value: object) -> str:
    if isinstance(value, Path):
        return str(value)
    raise NotImplementedError(type(value))


def _path(kind: type, value: object) -> object:
    if issubclass(kind, Path):
        return Path(str(value))
    raise NotImplementedError(kind)


def main(arguments: list[str]) -> None:
    """Serve until the server says so, or is gone."""
    seldom()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)  # the server's end of the sockets says when
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(name)s %(levelname)s %(message)s")
    with os.fdopen(int(arguments[2]), "rb") as pipe:
        start = msgspec.msgpack.decode(pipe.read(), type=Start, dec_hook=_path)
    os.environ.update(start.environment)  # no thread runs yet
    from relive_platform.server.gateways.beside import GatewayBeside  # with that environment
    from relive_platform.server.gateways.held import Marks
    from relive_platform.server.process_limits import open_many_files

    control, descriptors = (socket.socket(fileno=int(number)) for number in arguments[:2])
    control.setblocking(False)
    open_many_files(start.settings.connection_limit)

    async def serve() -> None:
        await GatewayBeside(start).run(control, descriptors, Marks(int(arguments[3])))

    uvloop.run(serve())


if __name__ == "__main__":
    main(sys.argv[1:])
    end_process(0)

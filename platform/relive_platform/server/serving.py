"""Running a server in the foreground until it is told to stop: `python -m relive_platform.server.serving`."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import sys
from collections.abc import Callable

import uvloop
from relive_base.errors import ReliveError

from relive_platform.server.process_limits import open_many_files
from relive_platform.server.server import ControlApi, ReliveServer
from relive_platform.settings import Settings

__all__ = ["main", "run"]

ApiFactory = Callable[[ReliveServer], ControlApi]


def run(
    settings: Settings,
    api: ApiFactory | None = None,
    on_ready: Callable[[ReliveServer], None] | None = None,
) -> None:
    """Serve until SIGTERM, SIGINT or `request_stop`. A second signal ends at once. Raises ReliveError."""
    open_many_files(settings.connection_limit)
    uvloop.run(_serve(settings, api, on_ready))


async def _serve(
    settings: Settings, api: ApiFactory | None, on_ready: Callable[[ReliveServer], None] | None
) -> None:
    server = ReliveServer(settings, api)
    loop = asyncio.get_running_loop()

    def stop() -> None:
        if server.stop_requested.is_set():
            os._exit(130)  # asked twice: the queue and the spool are safe on disk
        server.stop_requested.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop)
    await server.start()
    if on_ready is not None:
        on_ready(server)
    await server.stop_requested.wait()
    await server.stop()


def main() -> int:
    """A server with the settings of the environment; prints its HTTP address when it is ready."""
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(name)s %(levelname)s %(message)s")
    try:
        run(
            Settings.from_environment(os.environ),
            on_ready=lambda server: print(server.http_address, flush=True),
        )
    except ReliveError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main())

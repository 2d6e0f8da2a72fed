"""`python -m relive_store --path DIRECTORY --socket PATH [--idle-exit SECONDS]`: the store process."""

from __future__ import annotations

import argparse
import os
import signal
import sys
import threading
import traceback
from collections.abc import Sequence
from pathlib import Path

from relive_base.errors import ReliveError
from relive_base.garbage import seldom, settle
from relive_base.priority import stand_back

__all__ = ["main"]

NICENESS = 5
"""If the machine is busy invocations come first, and the spool holds what the store has not got yet. It
gets a third of the share of another process: rows must be there within seconds on a busy machine, too."""
_TICK_S = 0.25


def main(arguments: Sequence[str] | None = None) -> int:
    """Serve until SIGTERM, SIGINT, the parent's death or `--idle-exit`; the exit status."""
    seldom()
    parser = argparse.ArgumentParser(
        prog="relive_store", description="Serve an embedded store on a unix socket."
    )
    parser.add_argument("--path", required=True, type=Path, help="the store's directory")
    parser.add_argument("--socket", required=True, type=Path, help="the unix socket to listen on")
    parser.add_argument("--idle-exit", type=float, default=0.0, help="leave after SECONDS without a client")
    parser.add_argument("--parent", type=int, default=0, help="leave when this parent process is gone")
    options = parser.parse_args(arguments)
    stopping = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopping.set())
    try:
        _serve(options, stopping)
    except ReliveError as error:
        print(f"relive_store: {error}", file=sys.stderr, flush=True)
        return error.exit_code
    except (
        Exception
    ) as error:  # the last line is what people are told; the traceback before it is for the log
        traceback.print_exc()
        print(f"relive_store: {type(error).__name__}: {error}", file=sys.stderr, flush=True)
        return 1
    return 0


def _serve(options: argparse.Namespace, stopping: threading.Event) -> None:
    from relive_store.embedded.engine import ChdbStore
    from relive_store.process.service import Service

    store = ChdbStore(options.path)
    try:
        # The engine must not take our signals over: stop would not be clean.
        handlers = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
        for number, handler in handlers.items():
            signal.signal(number, handler)
        service = Service(store, options.socket)
    except BaseException:
        store.close()
        raise
    settle()
    standing_back = False
    while not stopping.wait(_TICK_S):
        if not standing_back and service.prepared:
            standing_back = True
            stand_back(NICENESS)
        if options.parent and os.getppid() != options.parent:
            break
        if options.idle_exit and service.idle_s > options.idle_exit:
            break
    service.stop()


if __name__ == "__main__":
    status = main()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)  # client threads may still be reading; the engine is closed

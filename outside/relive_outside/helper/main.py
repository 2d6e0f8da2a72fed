"""The process of one scene, from its first line to its last."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
from typing import Final, NoReturn

__all__ = ["main"]

_NICE: Final = 10
_MOST_BYTES: Final = 64 * 1_048_576


def main(limit_s: float) -> NoReturn:
    """What was handed over is on descriptor 0. Says on stderr what could not be done: then the status is
    1."""
    with contextlib.suppress(OSError):
        os.nice(_NICE)
    signal.setitimer(signal.ITIMER_REAL, max(limit_s, 0.1))  # ends the process
    status = 0
    try:
        _work()
    except Exception as error:
        status = 1
        text = str(error) if type(error).__name__ == "Undelivered" else f"{type(error).__name__}: {error}"
        sys.stderr.write(f"relive: a scene was not delivered: {text[:1000]}\n")
        sys.stderr.flush()
    os._exit(status)


def _work() -> None:
    import msgspec

    from relive_outside.record.handed import Handed

    with os.fdopen(0, "rb", closefd=False) as file:
        handed = msgspec.msgpack.decode(file.read(_MOST_BYTES + 1), type=Handed)
    sys.path += [entry for entry in handed.path if entry and entry not in sys.path]
    if handed.record is not None:
        from relive_outside.helper.packing import pack
        from relive_outside.helper.places import deliver

        deliver(pack(handed), handed)
    if handed.spans and handed.otlp:
        from relive_outside.helper.otlp import send_spans

        send_spans(handed)

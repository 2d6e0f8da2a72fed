"""The process of one scene, from its first line to its last."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import threading
from typing import Final, NoReturn

__all__ = ["main"]

_NICE: Final = 10
_HARD_S: Final = 2.0
_MOST_BYTES: Final = 64 * 1_048_576


def main(limit_s: float) -> NoReturn:
    """What was handed over is on descriptor 0. Says on stderr what could not be done: then the status is
    1."""
    with contextlib.suppress(OSError):
        os.nice(_NICE)
    limit_s = max(limit_s, 0.1)
    signal.setitimer(signal.ITIMER_REAL, limit_s + _HARD_S)  # ends the process, whatever it does
    watch = threading.Timer(limit_s, _too_long, (limit_s,))
    watch.daemon = True
    watch.start()
    status = 0
    try:
        _work()
    except Exception as error:
        status = 1
        _say(str(error) if type(error).__name__ == "Undelivered" else f"{type(error).__name__}: {error}")
    os._exit(status)


def _too_long(limit_s: float) -> NoReturn:
    _say(f"it took longer than {limit_s:g} s (RELIVE_RECORD_SEND_S)")
    os._exit(1)


def _say(text: str) -> None:
    with contextlib.suppress(OSError):  # nobody listens any more
        os.write(2, f"relive: a scene was not delivered: {text[:1000]}\n".encode("utf-8", "backslashreplace"))


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

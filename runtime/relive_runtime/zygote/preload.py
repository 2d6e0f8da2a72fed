"""What a zygote imports before it forks, so that no worker has to."""

from __future__ import annotations

import importlib
import threading
from collections.abc import Iterable

__all__ = ["import_modules", "preload_record_side"]


def preload_record_side() -> None:
    """Import what every worker needs of Relive, heavy parts included."""
    import relive_capture.record
    import relive_profiler.record
    import relive_tracer.record

    import relive_runtime.worker.main

    for room in (relive_tracer.record, relive_profiler.record, relive_capture.record):
        getattr(room, "preload", lambda: None)()
    relive_runtime.worker.main.preload()


def import_modules(names: Iterable[str]) -> dict[str, str]:
    """Import each of `names`; what went wrong, by name. Nothing a module does can end the zygote.

    A module that starts threads is named too: threads do not survive the fork, each worker would be without
    them.
    """
    failed: dict[str, str] = {}
    for name in names:
        before = threading.active_count()
        try:
            importlib.import_module(name)
        except KeyboardInterrupt:
            raise
        except BaseException as error:  # a dependency may raise anything, SystemExit too
            failed[name] = f"{type(error).__name__}: {error}"[:500]
        started = threading.active_count() - before
        if started > 0 and name not in failed:
            failed[name] = f"imported, but it started {started} thread(s), which workers do not have"
    return failed

"""The first thing that is done with what came: secrets go, before anything is derived of it or leaves."""

from __future__ import annotations

import logging
from collections.abc import Sequence

from relive_platform.signals.processors.redaction import Redactors, redact_record
from relive_platform.signals.signal import Arrival, Counts, Flow, Signal

__all__ = ["Redact"]

_log = logging.getLogger(__name__)


class Redact:
    """Each frame by its signal, each record by itself. A frame for which that fails goes no further."""

    def __init__(self, signals: Sequence[Signal], redactors: Redactors) -> None:
        self.counts = Counts()
        self._signals = signals
        self._redactors = redactors

    def __call__(self, flow: Flow) -> None:
        for signal in self._signals:
            arrivals = flow.arrivals[signal.message]
            if arrivals:
                self._redact(signal, arrivals)
        for item in flow.finished:
            redact_record(item.record, self._redactors.of(item.redact_keys))
        self.counts.taken += len(flow.finished)

    def _redact(self, signal: Signal, arrivals: list[Arrival]) -> None:
        failed: list[Arrival] = []
        redactor_of, redact = self._redactors.of, signal.redact
        for arrival in arrivals:
            try:
                redact(arrival, redactor_of(arrival.redact_keys))
            except Exception:  # whatever is in it: it costs this frame, and not the batch
                _log.exception("a frame of %s could not be redacted", arrival.ref.invocation_id)
                failed.append(arrival)
        if failed:
            self.counts.dropped += len(failed)
            arrivals[:] = [arrival for arrival in arrivals if not any(arrival is one for one in failed)]
        self.counts.taken += len(arrivals)

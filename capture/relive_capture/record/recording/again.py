"""Which calls failed and were made again: the same was asked of the same place after that."""

from __future__ import annotations

from typing import Final

from relive_base.wire.messages import CallCount

from relive_capture.record.recording.recorded import Call

__all__ = ["Repetitions"]

_HEAD_BYTES: Final = 2_000
_PENDING: Final = 100  # failures of one place


class Repetitions:
    """Takes the calls of one invocation, in their order."""

    __slots__ = ("_failed",)

    def __init__(self) -> None:
        # by what was asked: when failures that were not made good ended, and their time that is not counted
        self._failed: dict[tuple[str, ...], list[tuple[int, int]]] = {}

    def take(self, call: Call, failed: bool, count: CallCount) -> None:
        """The next call, which `count` has just counted."""
        raw = call.raw
        ended_ns = raw.started_ns + raw.took_ns
        if call.again:  # it is one connection that failed several times, each after the one before
            count.retried += call.again
            count.pause_ns += max(call.again_ns - ended_ns, 0)
            ended_ns = max(call.again_ns, ended_ns)
        asked = _asked(call)
        if not asked:
            return
        pending = self._failed.get(asked)
        before = _last_before(pending, raw.started_ns) if pending else None
        took_ns = raw.took_ns
        if before is not None:
            count.retried += 1
            count.retry_ns += before[1]
            count.pause_ns += raw.started_ns - before[0]
            if failed:  # a repetition that failed is lost time, whether or not another one follows
                count.retry_ns += took_ns
                took_ns = 0
        if failed:
            pending = self._failed.setdefault(asked, [])
            if len(pending) < _PENDING:
                pending.append((ended_ns, took_ns))


def _last_before(pending: list[tuple[int, int]], started_ns: int) -> tuple[int, int] | None:
    """Takes out the failure that ended last before this; None if all were still under way."""
    index = max(
        (index for index, (ended_ns, _) in enumerate(pending) if ended_ns <= started_ns),
        key=lambda index: pending[index],
        default=None,
    )
    return None if index is None else pending.pop(index)


def _asked(call: Call) -> tuple[str, ...]:
    """Of whom, how and for what: a path counts without its query. Empty if that is not known."""
    raw = call.raw
    if raw.form == "wire":
        head = bytes(call.request[0][:_HEAD_BYTES]).split(None, 2) if call.request else []
        if len(head) < 2:
            return ()
        return raw.origin, head[0].decode("latin-1"), _path(head[1].decode("latin-1"))
    if raw.form == "values":
        return raw.origin, raw.method, raw.statement
    return raw.form, raw.origin, raw.method, _path(raw.url)


def _path(url: str) -> str:
    return url.partition("#")[0].partition("?")[0]

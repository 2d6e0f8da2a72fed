"""The answer in one sentence."""

from __future__ import annotations

from relive_base.terminal import one_line

from relive_profiler.explore.imports import module_of
from relive_profiler.explore.slow.answer import WhySlow
from relive_profiler.explore.slow.waiting import WAITS, Wait

__all__ = ["sentence_of", "took"]

_TEXT_CHARS = 60


def took(ns: float) -> str:
    """A time in few characters: "3.4 ms", "120 ms", "1.25 s"."""
    if ns >= 999.5e6:
        return f"{ns / 1e9:.2f} s"
    return f"{ns / 1e6:.0f} ms" if ns >= 9.95e6 else f"{ns / 1e6:.1f} ms"


def sentence_of(answer: WhySlow) -> str:
    """In plain English, with a full stop; safe for terminals."""
    now, normal = answer.now, answer.normal
    if answer.cause == "unknown":
        count = normal.count
        others = f"only {count} other invocation{'s' * (count > 1)}" if count else "no other invocation"
        return f"Took {took(now.total_ns)}; {others} of {now.function} went well, too few to compare it with."
    if not answer.slow:
        return f"Not slow: took {took(now.total_ns)}, usually {took(normal.total_ns)}."
    more = now.total_ns - normal.total_ns
    instead = f"{took(now.total_ns)} instead of {took(normal.total_ns)}"
    text = f"{took(more)} slower than usual ({instead}): {_why(answer)}"
    return one_line(text).rstrip(".") + "."


def _why(answer: WhySlow) -> str:
    told = _OF_CAUSE.get(answer.cause, _waited)
    return told(answer)


def _at(answer: WhySlow, verb: str = "in") -> str:
    if not answer.place:
        return ""
    text = f" ({_short(answer.line)})" if answer.line else ""
    return f" {verb} {answer.place}{text}"


def _short(text: str) -> str:
    return text if len(text) <= _TEXT_CHARS else text[: _TEXT_CHARS - 1] + "…"


def _queue(answer: WhySlow) -> str:
    return f"{took(answer.change_ns)} more waiting for a worker"


def _cold_start(answer: WhySlow) -> str:
    return f"its cold start took {took(answer.now.init_ns)}"


def _import(answer: WhySlow) -> str:
    where = f"its cold start took {took(answer.now.init_ns)}, of that " if not answer.place else ""
    return f"{where}{took(answer.change_ns)} for importing {module_of(answer.target)}{_at(answer)}"


def _cpu(answer: WhySlow) -> str:
    return f"{took(answer.change_ns)} more of its own CPU time{_at(answer)}{_waits_for_cpu(answer)}"


def _waits_for_cpu(answer: WhySlow) -> str:
    """What it had to wait for a CPU meanwhile, if that is much."""
    changed = {part.name: part.change_ns for part in answer.parts}
    much_ns = answer.change_ns * 0.3
    if (waited_ns := changed.get("runqueue", 0.0)) > much_ns:
        return f"; with that it waited {took(waited_ns)} for a CPU"
    unseen_ns = changed.get("wait", 0.0)
    unseen_ns -= sum(gain.wait_ns for gain in answer.gains if gain.wait_ns > 0)
    if answer.now.spent is None and unseen_ns > much_ns:
        return f"; for another {took(unseen_ns)} none of its lines waited: probably others had the CPU"
    return ""


def _larger(answer: WhySlow) -> str:
    now, usual = answer.now.event_bytes, answer.normal.event_bytes
    times = f"{now / usual:.0f} times" if usual else "much"
    return (
        f"its event is {times} larger ({_bytes(now)} instead of {_bytes(usual)}), which took"
        f" {took(answer.change_ns)} more{_at(answer)}"
    )


def _gc(answer: WhySlow) -> str:
    spent = answer.now.spent
    count = spent.collections if spent is not None else 0
    runs = f" in {count} collection{'' if count == 1 else 's'}"
    return f"{took(answer.change_ns)} more in the garbage collector{runs}{_at(answer)}"


def _no_cpu(answer: WhySlow) -> str:
    spent = answer.now.spent
    count = spent.preemptions if spent is not None else 0
    lost = f"; the CPU was taken from it {count} time{'' if count == 1 else 's'}" if count else ""
    return f"{took(answer.change_ns)} more without a CPU: others had it, or its quota was used up{lost}"


def _blocked(answer: WhySlow) -> str:
    who = f" {answer.target[:13]}" if answer.target else ""
    took_text, at = took(answer.change_ns), _at(answer, "at")
    if len({block.by for block in answer.now.blocks}) > 1:  # the time is of all of them
        return f"other requests kept the event loop for themselves for {took_text}, longest{who}{at}"
    return f"another request{who} kept the event loop for itself for {took_text}{at}"


def _dependency(answer: WhySlow) -> str:
    target = answer.target or "the network"
    return f"{took(answer.change_ns)} more waiting for {target}{_at(answer)}"


def _more_calls(answer: WhySlow) -> str:
    now, usual = answer.now, answer.normal
    if not answer.target:
        spent, before = now.spent, usual.spent or {}
        waits = (
            f"waited {spent.waits} times instead of {before.get('waits', 0):.0f}"
            if spent is not None
            else "waited"
        )
        return f"it {waits}, which took {took(answer.change_ns)} more{_at(answer)}"
    calls = {**(now.spans or {}), **(now.calls or {})}
    before_calls = {**(usual.spans or {}), **(usual.calls or {})}
    count = calls[answer.target].count
    normally = before_calls[answer.target].count if answer.target in before_calls else 0
    what = f"called {answer.target}" if answer.target in (now.calls or {}) else f"had {answer.target}"
    times = f"{count:.0f} times instead of {normally:.0f}"
    return f"it {what} {times}, which took {took(answer.change_ns)} more{_at(answer)}"


def _retries(answer: WhySlow) -> str:
    now = answer.now
    call = {**(now.spans or {}), **(now.calls or {})}[answer.target]
    return (
        f"{call.retried:.0f} of {call.count:.0f} calls of {answer.target} failed and were made again,"
        f" which took {took(answer.change_ns)} more{_at(answer)}"
    )


def _waited(answer: WhySlow) -> str:
    kinds: dict[str, Wait] = {name: name for name in WAITS}
    words = WAITS[kinds.get(answer.cause, "unknown")]
    return f"{took(answer.change_ns)} more {words}{_at(answer)}"


_OF_CAUSE = {
    "queue": _queue,
    "cold_start": _cold_start,
    "import": _import,
    "cpu": _cpu,
    "larger_input": _larger,
    "gc": _gc,
    "no_cpu": _no_cpu,
    "blocked": _blocked,
    "dependency": _dependency,
    "more_calls": _more_calls,
    "retries": _retries,
}


def _bytes(count: float) -> str:
    if count >= 1e6:
        return f"{count / 1e6:.1f} MB"
    return f"{count / 1e3:.0f} kB" if count >= 1e3 else f"{count:.0f} B"

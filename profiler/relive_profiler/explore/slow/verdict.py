"""Which difference explains it: rules over parts, calls, spans and stacks, the most telling first."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

from relive_profiler.explore.folding import Folded
from relive_profiler.explore.slow.answer import WhySlow
from relive_profiler.explore.slow.gains import Gain, SourceOf, gains
from relive_profiler.explore.slow.observed import CallSum, Normal, Observed, is_slower, normal_of
from relive_profiler.explore.slow.parts import Part, parts_of, weights_of
from relive_profiler.explore.slow.words import sentence_of

__all__ = ["explain"]

_FEW: Final = 3  # others, below which nothing is normal
_INPUT_TIMES: Final = 3.0
_INPUT_BYTES: Final = 10_000
_MORE_TIMES: Final = 3.0
_MORE_CALLS: Final = 4
_RETRIES: Final = 2
_MANY_WAITS: Final = 10
_DISK_BYTES: Final = 262_144
_HARDLY: Final = 0.15
_NOTHING: Final = CallSum(0)


def explain(
    now: Observed,
    others: list[Observed],
    before: Folded,
    after: Folded,
    init: Folded,
    source: SourceOf = lambda file, line: "",
    notes: tuple[str, ...] = (),
) -> WhySlow:
    """Compare `now` with `others`, that went well. `before` and `after` are stacks of the handlers of others
    and of this one, `init` of its cold start; `notes` are of how they were found. Pure."""
    normal = normal_of(others)
    notes = (*notes, *_notes(now, normal, before, after))
    if normal.count < _FEW:
        return _told(WhySlow(now=now, normal=normal, cause="unknown", notes=notes))
    parts = parts_of(now, normal)
    slow = is_slower(now.total_ns, normal.total_ns)
    lines = gains(before, after, source)
    case = _Case(now, normal, parts, lines, init)
    found = case.decide() if slow else _Finding("none")
    return _told(
        WhySlow(
            now=now, normal=normal, slow=slow, cause=found.cause, parts=parts, gains=lines, notes=notes,
            place=found.gain.place if found.gain is not None else found.place,
            line=found.gain.text if found.gain is not None else "",
            target=found.target, change_ns=found.change_ns,
        )
    )  # fmt: skip


def _told(answer: WhySlow) -> WhySlow:
    return replace(answer, sentence=sentence_of(answer))


def _notes(now: Observed, normal: Normal, before: Folded, after: Folded) -> tuple[str, ...]:
    found = []
    if normal.count and now.version not in normal.versions:
        versions = ", ".join(map(str, normal.versions))
        found.append(
            f"compared with version {versions}: of version {now.version} there are too few that went well"
        )
    if after.engine != "sampled" and after.samples:
        found.append("it was profiled precisely, which makes code that calls a lot slower")
    if not after.samples:
        found.append("it has no samples: which lines took longer is not known")
    elif not before.samples:
        found.append("the others have no samples: what a line usually takes is not known")
    return tuple(found)


@dataclass(frozen=True, slots=True)
class _Finding:
    cause: str
    change_ns: float = 0.0
    target: str = ""
    gain: Gain | None = None
    place: str = ""


class _Case:
    """One comparison. The rules are tried in their order."""

    def __init__(
        self, now: Observed, normal: Normal, parts: list[Part], lines: list[Gain], init: Folded
    ) -> None:
        self._now, self._normal = now, normal
        self._parts = {part.name: part for part in parts}
        self._weights = weights_of(parts, now, normal)
        self._largest = max(parts, key=lambda part: self._weights[part.name])
        self._lines = lines
        self._init = init
        self._handler_ns = now.duration_ns - normal.duration_ns

    def decide(self) -> _Finding:
        largest = self._largest
        if largest.name == "queue":
            return _Finding("queue", largest.change_ns)
        if largest.name == "init":
            return self._cold_start(largest)
        if largest.name == "blocked":
            return self._blocked(largest)
        return self._calls() or self._of_handler(largest)

    # ------------------------------------------------------------ outside of the handler

    def _cold_start(self, part: Part) -> _Finding:
        loading: dict[str, float] = {}
        for stack in self._init.stacks:
            module = _loaded_by(stack.names, stack.files)
            loading[module] = loading.get(module, 0.0) + stack.wall_ns
        module, loading_ns = max(loading.items(), key=lambda item: item[1], default=("", 0.0))
        if module and loading_ns > part.change_ns * 0.4:
            return _Finding("import", loading_ns, module)
        return _Finding("cold_start", part.change_ns)

    def _blocked(self, part: Part) -> _Finding:
        worst = max(self._now.blocks, key=lambda block: block.ms, default=None)
        if worst is None:
            return _Finding("blocked", part.change_ns)
        place = f"{worst.file}:{worst.line}" if worst.file else ""
        return _Finding("blocked", part.change_ns, worst.by, place=place)

    # ------------------------------------------------------------ calls that are known one by one

    def _calls(self) -> _Finding | None:
        known = [(self._now.calls, self._normal.calls), (self._now.spans, self._normal.spans)]
        found = [
            one
            for after, before in known
            for target, call in (after or {}).items()
            if (one := self._call(target, call, (before or {}).get(target, _NOTHING), before is not None))
            is not None
            and (after is self._now.calls or self._is_told_by_spans(one))
        ]
        return max(found, key=lambda one: (one.cause == "retries", one.change_ns), default=None)

    def _is_told_by_spans(self, one: _Finding) -> bool:
        """A span may be around computing: it is a wait only if waiting is what there is most more of, and was
        not for a CPU."""
        return one.cause != "dependency" or (self._largest.name == "wait" and not self._only_computes())

    def _call(self, target: str, now: CallSum, usual: CallSum, known: bool) -> _Finding | None:
        change_ns = now.wait_ns - usual.wait_ns
        more = now.count - usual.count
        retry_ns = self._retrying(now, usual) if known else 0.0
        if retry_ns >= self._handler_ns * 0.5:
            return _Finding("retries", retry_ns, target, self._line_of_calls())
        gain = self._line_of_calls(change_ns)
        if change_ns < self._handler_ns * 0.25:
            return None
        if known and more >= _MORE_CALLS and now.count >= _MORE_TIMES * usual.count:
            return _Finding("more_calls", change_ns, target, gain)
        if change_ns < self._handler_ns * 0.5:
            return None
        return _Finding("dependency", change_ns, target, gain)

    def _retrying(self, now: CallSum, usual: CallSum) -> float:
        """How much longer calls took that failed and were made again, and the waits until then. Of what lies
        between two calls only so much counts as the whole has waited: the rest was computing."""
        if now.retried - usual.retried < _RETRIES:
            return 0.0
        calls_ns, pauses_ns = now.retry_ns - usual.retry_ns, now.pause_ns - usual.pause_ns
        waited_ns = max(self._weights["wait"] - calls_ns, 0.0)
        return min(calls_ns + min(max(pauses_ns, 0.0), waited_ns), self._handler_ns)

    def _line_of_calls(self, change_ns: float = 0.0) -> Gain | None:
        """A line that makes calls, and took much of the time that these have gained; or else the one that
        waits for most longer."""
        calling = [
            gain
            for gain in self._lines
            if "network" in (gain.wait, gain.works) and gain.wait_ns + gain.cpu_ns > change_ns * 0.25
        ]
        return max(calling, key=lambda gain: gain.wait_ns + gain.cpu_ns, default=self._best("wait_ns"))

    # ------------------------------------------------------------ the handler's own time

    def _of_handler(self, largest: Part) -> _Finding:
        collector = self._parts["gc"].change_ns
        if largest.name == "gc" or self._weights["gc"] >= self._handler_ns * 0.4:
            return _Finding("gc", collector, gain=self._best("cpu_ns"))
        if largest.name == "runqueue":
            return _Finding("no_cpu", largest.change_ns)
        loading = self._loading()
        if loading is not None:
            return loading
        if largest.name == "wait":
            return self._waiting(largest)
        return self._computing(largest)

    def _loading(self) -> _Finding | None:
        found = [gain for gain in self._lines if gain.module]
        change_ns = sum(gain.wait_ns + gain.cpu_ns for gain in found)
        if found and change_ns >= self._handler_ns * 0.5:
            return _Finding("import", change_ns, found[0].module, found[0])
        return None

    def _waiting(self, part: Part) -> _Finding:
        gain = self._best("wait_ns")
        if self._only_computes():
            return self._computing(self._parts["cpu"])
        if gain is None:
            return _Finding("disk" if self._disk_bytes() else "wait", part.change_ns)
        if gain.wait == "network":
            return _Finding("more_calls" if self._many_waits() else "dependency", gain.wait_ns, gain=gain)
        if gain.wait in ("unknown", "loop"):
            return _Finding("disk" if self._disk_bytes() else "wait", gain.wait_ns, gain=gain)
        if gain.wait == "disk" and self._larger():
            return _Finding("larger_input", gain.wait_ns, gain=gain)
        return _Finding(gain.wait, gain.wait_ns, gain=gain)

    def _only_computes(self) -> bool:
        """Of threads nobody measures how long they wait for a CPU. If lines hardly wait, and have computed
        for as much longer as the CPU time has grown, then that is what it did."""
        more_ns = self._parts["cpu"].change_ns
        if sum(gain.wait_ns for gain in self._lines if gain.wait_ns > 0) > self._handler_ns * _HARDLY:
            return False
        seen_ns = sum(gain.cpu_ns for gain in self._lines if gain.cpu_ns > 0)
        return self._now.spent is None and seen_ns >= more_ns * 0.5 and more_ns >= self._handler_ns * 0.2

    def _computing(self, part: Part) -> _Finding:
        gain = self._best("cpu_ns")
        if self._larger():
            return _Finding("larger_input", part.change_ns, gain=gain)
        if gain is not None and gain.works == "disk" and self._in_kernel(part.change_ns):
            return _Finding("disk", part.change_ns, gain=gain)
        return _Finding("cpu", part.change_ns, gain=gain)

    def _best(self, what: str) -> Gain | None:
        gain = max(self._lines, key=lambda one: getattr(one, what), default=None)
        return gain if gain is not None and getattr(gain, what) > 0 else None

    def _larger(self) -> bool:
        usual = self._normal.event_bytes
        return self._now.event_bytes >= max(usual * _INPUT_TIMES, usual + _INPUT_BYTES)

    def _disk_bytes(self) -> bool:
        now, usual = self._now.spent, self._normal.spent or {}
        if now is None:
            return False
        more = now.read_bytes + now.written_bytes - usual.get("read_bytes", 0) - usual.get("written_bytes", 0)
        return more >= _DISK_BYTES

    def _in_kernel(self, cpu_ns: float) -> bool:
        """Whether most of so much CPU time is the kernel's: what a file costs that is in memory."""
        now, usual = self._now.spent, self._normal.spent or {}
        return now is not None and now.system_ns - usual.get("system_ns", 0) >= cpu_ns * 0.5

    def _many_waits(self) -> bool:
        now, usual = self._now.spent, self._normal.spent
        if now is None or usual is None:
            return False
        return now.waits - usual["waits"] >= _MANY_WAITS and now.waits >= _MORE_TIMES * usual["waits"]


def _loaded_by(names: tuple[str, ...], files: tuple[str, ...]) -> str:
    """What the handler's own module loads here; itself, if that is what takes the time."""
    modules = [file for name, file in zip(names, files, strict=True) if name == "<module>"]
    return modules[1] if len(modules) > 1 else (modules[0] if modules else "")

"""What a scene says of the process and of itself, for the screen's details."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, TypeVar

from relive_tui.models.layout.format import bytes_short, duration
from relive_tui.source.untrusted import mapping_in, number_in

if TYPE_CHECKING:
    from relive_capture.explore.scene import SceneFile

__all__ = ["SceneFacts"]

MAX_REDACTIONS = 50

Value = TypeVar("Value")


class SceneFacts:
    """Reads the parts that a scene can do without: a damaged one is a fact to tell, not the end."""

    def __init__(self, scene: SceneFile) -> None:
        self._scene = scene
        self._damaged: list[str] = []

    def read(self, name: str, default: Value) -> Value:
        """A property of the scene, or `default` if its member cannot be read."""
        value: Value = self.attempt(lambda scene: getattr(scene, name), default)
        return value

    def attempt(self, work: Callable[[SceneFile], Value], default: Value) -> Value:
        """What `work` makes of the scene, or `default` if a member that it needs cannot be read."""
        from relive_base.errors import ReliveError

        try:
            return work(self._scene)
        except ReliveError as error:
            self._damaged.append(error.message)
            return default

    def lines(self) -> Iterator[tuple[str, str]]:
        """(what, text) pairs; a scene from elsewhere may lack any of them."""
        scene, manifest = self._scene, self._scene.manifest
        environment: Mapping[str, Any] = self.read("environment", {})
        redactions: list[str] = self.read("redactions", [])
        for problem in self._damaged:
            yield "damaged", problem
        yield from _process(manifest, environment)
        yield "captured in", duration(number_in(manifest, "capture_ns"))
        yield "file", f"{bytes_short(scene.size)}, {len(scene.names)} members"
        yield "invocation", scene.invocation_id
        yield "fingerprint", str(manifest.get("fingerprint", ""))
        if redactions:
            more = len(redactions) - MAX_REDACTIONS
            shown = ", ".join(redactions[:MAX_REDACTIONS])
            yield "redacted", shown + (f" and {more} more places" if more > 0 else "")


def _process(manifest: Mapping[str, Any], environment: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    resources, worker = mapping_in(manifest, "resources"), mapping_in(manifest, "worker")
    peak, limit = number_in(resources, "peak_rss_bytes"), number_in(resources, "memory_limit_bytes")
    if peak:
        yield "memory", f"peak {bytes_short(peak)}" + (f" of {bytes_short(limit)}" if limit else "")
    if number_in(resources, "timeout_ns"):
        yield "timeout", duration(number_in(resources, "timeout_ns"))
    if number_in(resources, "cpu_ns"):
        yield "CPU", duration(number_in(resources, "cpu_ns"))
    if environment.get("python"):
        yield "Python", f"{environment['python']} on {environment.get('system', '?')}"
    if number_in(worker, "pid"):
        yield "worker", f"process {worker['pid']}, {'cold start' if worker.get('cold') else 'warm'}"

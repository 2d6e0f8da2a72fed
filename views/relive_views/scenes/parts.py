"""The parts that a scene can do without, and what it says of the process and of itself."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, TypeVar

from relive_views.scenes.model import SceneFacts
from relive_views.scenes.untrusted import mapping_in, number_in

if TYPE_CHECKING:
    from relive_capture.explore.scene import SceneFile

__all__ = ["SceneParts"]

Value = TypeVar("Value")


class SceneParts:
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

    def facts(self) -> SceneFacts:
        """What else there is to tell; a scene from elsewhere may lack any of it."""
        scene, manifest = self._scene, self._scene.manifest
        environment: Mapping[str, Any] = self.read("environment", {})
        redactions: list[str] = self.read("redactions", [])
        resources, worker = mapping_in(manifest, "resources"), mapping_in(manifest, "worker")
        return SceneFacts(
            peak_rss_bytes=number_in(resources, "peak_rss_bytes"),
            memory_limit_bytes=number_in(resources, "memory_limit_bytes"),
            timeout_ns=number_in(resources, "timeout_ns"),
            cpu_ns=number_in(resources, "cpu_ns"),
            capture_ns=number_in(manifest, "capture_ns"),
            python=str(environment.get("python") or ""),
            system=str(environment.get("system") or ""),
            pid=number_in(worker, "pid"),
            cold=bool(worker.get("cold")),
            file_bytes=scene.size,
            file_members=len(scene.names),
            redactions=tuple(map(str, redactions)),
            damaged=tuple(self._damaged),
        )

"""Looking into a worker that cannot speak for itself, before it is killed."""

from __future__ import annotations

from relive_capture.explore import external

__all__ = ["dump_worker"]


def dump_worker(pid: int, timeout_s: float) -> tuple[dict[str, bytes], dict[str, tuple[str, str]]]:
    """Archive members and part states. Blocks up to `timeout_s`; what fails is a part with its reason."""
    dumped = external.dump(pid, timeout_s)
    return dict(dumped.members), {name: (part.state, part.reason) for name, part in dumped.parts.items()}

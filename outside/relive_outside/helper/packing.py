"""From what was handed over to the bytes of a scene: the same archive as a server's, with one part more."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Final

import msgspec
from relive_base.distributions import installed
from relive_base.parts import PartState, Reason, State, Why, missing, not_applicable, ok, partial
from relive_capture.explore.parts import SceneInput, pack_scene
from relive_capture.outside_format import OutsideFacts

from relive_outside.helper.sources import Sources, read_sources
from relive_outside.record.handed import Handed

__all__ = ["Packed", "pack"]

_SOCKETS: Final = ("ws", "wss")
_WRAPPER: Final = "relive-record"
"""What `relive layer build` puts beside the modules."""


@dataclass(frozen=True, slots=True)
class Packed:
    """A scene: the name of its file, and its bytes."""

    name: str
    data: bytes


def pack(handed: Handed) -> Packed:
    """Read what else there is to be known, redact and pack. `handed.record` is there."""
    record = handed.record
    assert record is not None
    sources = Sources()
    if handed.source_bytes:
        sources = read_sources(handed.host.source, handed.source_bytes, handed.host.process_started_ns)
    record.code_hash = sources.code_hash
    facts = _facts(handed, sources)
    members = {f"source/{name}": data for name, data in sources.files.items()}
    members["outside.json"] = msgspec.json.encode(facts)
    parts = {**_absent(), "outside": _state(sources), **_event_parts(handed)}
    name = f"{record.invocation_id}-{record.attempt}.scene"
    _, data = pack_scene(
        name,
        SceneInput(
            record=record,
            scene=handed.scene,
            error=record.error,
            event=handed.event,
            http=handed.http,
            logs=handed.logs,
            logs_left_out=handed.logs_left_out,
            members=members,
            parts=parts,
            redact_keys=handed.redact_keys,
            python=handed.host.python,
        ),
    )
    return Packed(name, data)


def _facts(handed: Handed, sources: Sources) -> OutsideFacts:
    host = handed.host
    return OutsideFacts(
        host=host.name,
        details=host.details,
        python=host.python,
        implementation=host.implementation,
        platform=host.platform,
        handler=host.handler,
        kind=host.kind,
        code_hash=sources.code_hash,
        source_files=len(sources.files),
        source_left_out=sources.left_out,
        changed_since=sources.newer[:20],
        installed=[f"{name}=={version}" for name, version in installed(_of_application(handed.path))],
    )


def _of_application(path: list[str]) -> list[str]:
    """Without the folder or the layer that the recorder came in: what is there is its own."""
    own = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
    alone = any(os.path.exists(os.path.join(own, place, _WRAPPER)) for place in ("", os.pardir))
    return [entry for entry in path if not alone or os.path.abspath(entry or ".") != own]


def _absent() -> dict[str, PartState]:
    """What only Relive itself has of a process."""
    names = ("healthy", "heap", "live", "native", "profile", "spans")
    return {name: not_applicable(Why.RAN_OUTSIDE) for name in names}


def _state(sources: Sources) -> PartState:
    reasons = []
    if sources.left_out:
        reasons.append(Reason(Why.LEFT_OUT, (sources.left_out, "source files")))
    if sources.newer:
        reasons.append(Reason(Why.CHANGED_SINCE, (", ".join(map(os.path.basename, sources.newer[:5])),)))
    return PartState(State.PARTIAL, reasons) if reasons else ok()


def _event_parts(handed: Handed) -> dict[str, PartState]:
    found: dict[str, PartState] = {}
    if handed.scene is None:
        found["event"] = missing(Why.KILLED_WITH_EVENT)
        found["context"] = partial(Why.KILLED_WITH_EVENT)
        found["replay"] = missing(Why.KILLED_WITH_EVENT)
    elif handed.event_lost:
        found["event"] = missing(Why.NOT_JSON, handed.event_lost)
        handed.scene.parts["replay"] = missing(Why.NOT_JSON, handed.event_lost)
    elif handed.http is not None and handed.http.scheme in _SOCKETS:
        handed.scene.parts["replay"] = missing(Why.CLIENT_UNRECORDED)
    elif handed.event_cut:
        handed.scene.parts["replay"] = partial(Why.BODY_CUT, handed.event_cut)
    return found

"""The members of a scene, of all its parts. Everything is redacted here, whatever the worker did already."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import msgspec
from relive_base.parts import PartState, Reason, Why, bounded, missing, ok
from relive_base.parts.sentences import SENTENCES
from relive_base.redaction.memory import SecretMemory
from relive_base.redaction.redactor import Redactor

from relive_capture.explore.parts.part import SceneInput, SceneMembers, ScenePart
from relive_capture.explore.parts.table import PARTS
from relive_capture.explore.scene import is_safe_name
from relive_capture.explore.scene.cleaning import clean_member

__all__ = ["build_members"]

MAX_MEMBER_BYTES: Final = 16 * 1024 * 1024

# Members that are made here: a worker, whose code may be hostile, cannot put others in their place.
_OWN: Final = frozenset(
    (
        "manifest.json",
        "event.bin",
        "context.json",
        "logs.jsonl",
        "spans.json",
        "profile.json",
        "redactions.json",
    )
)


def build_members(source: SceneInput, parts: Sequence[ScenePart] = PARTS) -> SceneMembers:
    """All members but manifest.json, in no particular order. What is a secret in one place of the scene is
    one in all of it: if something was found, all is looked at once more."""
    memory = SecretMemory(source.scene.secrets if source.scene is not None else ())
    redactor = Redactor(source.redact_keys)
    known = len(memory)
    built = _built(source, redactor.remembering(memory), parts)
    if len(memory) > known:
        built = _built(source, redactor.remembering(memory), parts)
    return built


def _built(source: SceneInput, redactor: Redactor, parts: Sequence[ScenePart]) -> SceneMembers:
    built = SceneMembers({}, {part.name: part.absent(source) for part in parts}, [], redactor)
    _add_given(built, source.members, source.parts, redactor)
    built.redactions.extend(source.redactions)
    if source.scene is not None:
        _add_given(built, source.scene.members, source.scene.parts, redactor)
        built.redactions.extend(source.scene.redactions)
    for part in parts:
        part.collect(source, built)
    built.redactions = list(dict.fromkeys(built.redactions))
    built.files["redactions.json"] = msgspec.json.encode(built.redactions)
    _bound(built)
    return built


def _add_given(
    built: SceneMembers, files: Mapping[str, bytes], parts: Mapping[str, PartState], redactor: Redactor
) -> None:
    for name, data in files.items():
        if name not in _OWN and is_safe_name(name):
            built.files[name] = clean_member(name, data, redactor)
    for part_name, state in parts.items():
        built.parts[redactor.text(part_name)] = _clean(state, redactor)
    for name in files:
        part = name.split("/", 1)[0].split(".", 1)[0]
        if part not in parts and part in built.parts:
            built.parts[part] = ok()


def _clean(part: PartState, redactor: Redactor) -> PartState:
    found = bounded(part)
    found.reasons = [
        Reason(why.code, tuple(redactor.text(one) if isinstance(one, str) else one for one in why.arguments))
        for why in found.reasons
        if why.code in SENTENCES
    ]
    return found


def _bound(built: SceneMembers) -> None:
    """A member over the limit is left out, and its part says so: one giant must not spoil the scene."""
    for name in [name for name, data in built.files.items() if len(data) > MAX_MEMBER_BYTES]:
        size = len(built.files.pop(name))
        part = name.split("/", 1)[0].split(".", 1)[0]
        built.parts[part] = missing(Why.TOO_LARGE, size, MAX_MEMBER_BYTES)

"""Parts in the manifest of an archive. Scenes of an older Relive have sentences instead of codes."""

from __future__ import annotations

import re
from typing import Any, Final

import msgspec
from relive_base.parts import PartState, Reason, State, Why
from relive_base.parts.sentences import SENTENCES

__all__ = ["part_from_manifest", "part_to_manifest"]

_KEPT: Final = re.compile(r"its process is kept, stopped, for ([0-9.]{1,12}(?:e[+-]?[0-9]{1,3})?) s at most")
_SAME: Final = re.compile(
    r"taken ([0-9]{1,9}) s ago, in ([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})"
    r"(?: \(once in ([0-9.]{1,12}) s)?"
)


def part_to_manifest(part: PartState) -> dict[str, Any]:
    """State and sentence, as they always were, and the reasons as codes with their arguments."""
    reasons = [{"code": str(why.code), "arguments": list(why.arguments)} for why in part.reasons]
    return {"state": str(part.state), "reason": part.reason, "reasons": reasons}


def part_from_manifest(given: dict[str, Any]) -> PartState:
    """The part; whatever does not fit gives way to the sentence that is there, too."""
    try:
        state = State(given.get("state", State.MISSING))
    except ValueError:
        state = State.MISSING
    told = str(given.get("reason", ""))
    if "reasons" not in given:
        return PartState(state, _reasons_of(told))
    try:
        rows = msgspec.convert(given["reasons"], list[dict[str, Any]])
        reasons = [msgspec.convert((row["code"], row["arguments"]), Reason) for row in rows]
    except (msgspec.ValidationError, LookupError):
        return PartState(state, _reasons_of(told))
    known = all(reason.code in SENTENCES for reason in reasons)  # else it is of a later version
    return PartState(state, reasons if known else _reasons_of(told))


def _reasons_of(told: str) -> list[Reason]:
    """What is decided by reasons is told from the sentence here, for scenes that have no codes: whether the
    process is still kept, and in which scene the heap is."""
    if kept := _KEPT.fullmatch(told):
        return [Reason(Why.KEPT, (_number(kept[1]),))]
    if same := _SAME.search(told):
        return [Reason(Why.HEAP_OF_SAME_FAILURE, (_number(same[1]), same[2], _number(same[3] or "")))]
    return [Reason(Why.TOLD, (told,))] if told else []


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return 0.0

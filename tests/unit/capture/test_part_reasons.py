"""Reasons are codes with arguments; their sentences are made in one place, and nothing is decided by them."""

from __future__ import annotations

import json
import string
from pathlib import Path
from typing import Any

import pytest
from relive_base.parts import Code, PartState, Reason, State, Why, bounded
from relive_base.parts.sentences import SENTENCES
from relive_base.records import InvocationRecord
from relive_base.wire.messages import ErrorInfo
from relive_capture.explore import read_scene
from relive_capture.explore.parts import SceneInput, write_scene
from relive_capture.explore.scene.manifest_parts import part_from_manifest, part_to_manifest

CODES = sorted(value for name, value in vars(Why).items() if name.isupper())
INVOCATION = "0191b0a3-0000-7000-8000-0000000000aa"


def arguments_of(code: Code) -> tuple[float, ...]:
    """As many as its sentence has places for."""
    places = [name for _, name, _, _ in string.Formatter().parse(SENTENCES[code]) if name is not None]
    return (2.5,) * len(set(places))


@pytest.mark.parametrize("code", CODES)
def test_every_code_has_its_sentence(code: Code) -> None:
    text = Reason(code, arguments_of(code)).text
    assert text
    assert "{" not in text
    assert text != str(code) or code is Why.TOLD


@pytest.mark.parametrize("code", CODES)
def test_a_part_comes_back_from_a_manifest(code: Code) -> None:
    part = PartState(State.PARTIAL, [Reason(code, arguments_of(code)), Reason(Why.TOLD, ("so it was",))])
    again = part_from_manifest(json.loads(json.dumps(part_to_manifest(part))))
    assert again == part
    assert again.reason == part.reason


def test_no_sentence_is_without_a_code() -> None:
    assert sorted(SENTENCES) == CODES


def test_arguments_that_do_not_fit_are_no_error() -> None:
    assert Reason(Why.WALK_CPU, ("much",)).text == "walk_cpu"
    assert Reason(Why.TOO_LARGE).text == "too_large"


@pytest.mark.parametrize(
    "given",
    [
        {"state": "partial", "reason": "why", "reasons": 7},
        {"state": "partial", "reason": "why", "reasons": [{"code": "of a later version", "arguments": []}]},
        {"state": "partial", "reason": "why", "reasons": [{"code": "kept"}]},
        {"state": "partial", "reason": "why", "reasons": [{"code": "kept", "arguments": [{}]}]},
    ],
)
def test_reasons_that_cannot_be_read_leave_the_sentence(given: dict[str, Any]) -> None:
    assert part_from_manifest(given) == PartState(State.PARTIAL, [Reason(Why.TOLD, ("why",))])


def test_a_state_that_is_none_is_missing() -> None:
    assert part_from_manifest({"state": ["ok"], "reason": ""}).state is State.MISSING


def test_scenes_without_codes_say_the_same(tmp_path: Path) -> None:
    # Given parts as an older Relive wrote them
    kept = part_from_manifest(
        {"state": "ok", "reason": "its process is kept, stopped, for 300 s at most"},
    )
    told = (
        f"the same failure's heap was taken 3 s ago, in {INVOCATION} (once in 60 s, RELIVE_HEAP_INTERVAL_S)"
    )
    heap = part_from_manifest({"state": "missing", "reason": told})
    # I expect codes where something is decided by them, and the sentences to be the same
    assert kept.because(Why.KEPT) == Reason(Why.KEPT, (300.0,))
    assert kept.reason == "its process is kept, stopped, for 300 s at most"
    same = heap.because(Why.HEAP_OF_SAME_FAILURE)
    assert same is not None
    assert same.arguments[1] == INVOCATION
    assert heap.reason == told


def test_what_a_worker_tells_is_bounded_and_redacted(tmp_path: Path) -> None:
    # Given a worker that tells much, and a secret
    reasons = [Reason(Why.TOLD, ("password=hunter2hunter2 " + "x" * 10_000,))] * 1_000
    record = InvocationRecord(
        invocation_id="i", function="f", version=1, trace_id="t", span_id="s", trigger_span_id="u"
    )
    source = SceneInput(
        record=record,
        error=ErrorInfo(type="E", message="", kind="exception"),
        parts={"threads": PartState(State.MISSING, reasons)},
    )
    write_scene(tmp_path / "a.scene", source)
    part = read_scene(tmp_path / "a.scene").parts["threads"]
    # I expect neither all of it nor the secret
    assert len(part.reason) < 20_000
    assert "hunter2" not in part.reason
    assert len(bounded(PartState(State.OK, reasons)).reasons) == 20

"""The state of a part says whether such a failure ever has it; nobody reads that out of its reason."""

from __future__ import annotations

import pytest
from relive_base.parts import State
from relive_base.records import InvocationRecord
from relive_base.wire.messages import ErrorInfo
from relive_capture.explore.outside import OutsideFrames
from relive_capture.explore.parts import SceneInput, build_members


def killed() -> SceneInput:
    """A process that could tell nothing."""
    error = ErrorInfo(type="WorkerKilled", message="by signal 9", kind="signal")
    record = InvocationRecord(
        invocation_id="i",
        function="f",
        version=1,
        trace_id="t",
        span_id="s",
        trigger_span_id="u",
        error=error,
    )
    return SceneInput(record=record, error=error)


@pytest.mark.parametrize("part", ["result", "logs", "spans", "background"])
def test_what_the_function_did_not_do_is_not_missing(part: str) -> None:
    assert build_members(killed()).parts[part].state is State.NOT_APPLICABLE


@pytest.mark.parametrize("part", ["exception", "threads", "heap", "live"])
def test_what_could_not_be_saved_is_missing(part: str) -> None:
    assert build_members(killed()).parts[part].state == "missing"


def test_a_stack_without_code_of_the_function_has_no_source_to_miss() -> None:
    frames = [{"name": "select", "filename": "/usr/lib/python3.11/selectors.py", "line": 1, "locals": []}]
    threads = [{"thread_id": 1, "thread_name": "MainThread", "active": True, "frames": frames}]
    view = OutsideFrames("/app", [], []).convert(threads, "timeout", "Timeout", "late")
    assert view is not None
    assert view.parts["source"].state is State.NOT_APPLICABLE

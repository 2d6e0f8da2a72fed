"""Both ways of tracing give the same steps, and leave what the code traces itself alone."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest
from relive_runtime.travel.runs import Runs
from relive_runtime.travel.traveller import Traveller
from travel_harness import in_a_worker, talked

WINDING = Path(__file__).with_name("winding.py")
FUNCTIONS = ("generators", "coroutines", "exceptions", "classes", "long_loop", "late")
monitored = pytest.mark.skipif(sys.version_info < (3, 12), reason="sys.monitoring is new in Python 3.12")
TRACES = """
import sys

def noting(seen):
    def trace(frame, event, argument):
        seen.append(event)
        return trace
    return trace

def traces(event, context):
    seen = []
    sys.settrace(noting(seen))
    total = helped(3)
    sys.settrace(None)
    raise ValueError(total, len(seen) > 3)

def helped(number):
    result = number
    result += 1
    return result
"""
COVERS = """
import sys

def covers(event, context):
    seen = []
    monitoring = sys.monitoring
    monitoring.use_tool_id(monitoring.COVERAGE_ID, "cover")
    monitoring.register_callback(
        monitoring.COVERAGE_ID, monitoring.events.LINE, lambda code, line: seen.append(line)
    )
    monitoring.set_events(monitoring.COVERAGE_ID, monitoring.events.LINE)
    total = helped(3)
    monitoring.set_events(monitoring.COVERAGE_ID, 0)
    monitoring.free_tool_id(monitoring.COVERAGE_ID)
    monitoring.restart_events()
    raise ValueError(total, len(seen) > 3)

def helped(number):
    result = number
    result += 1
    return result
"""


def _steps(traveller: Traveller, failure: BaseException | None) -> list[Any]:
    trail = traveller.trail
    steps = [[trail.frame(step), trail.line(step)] for step in range(len(trail))]
    return [steps, trail.callers, trail.first, str(failure)]


@monitored
@pytest.mark.parametrize("name", FUNCTIONS)
def test_steps_and_frames_are_the_same_by_settrace(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    # Given a function's trail by sys.monitoring
    by_monitoring = in_a_worker(WINDING, name, _steps)

    # When nobody can have a tool of it
    monkeypatch.setattr("relive_runtime.travel.tracers._TOOLS", ())
    by_settrace = in_a_worker(WINDING, name, _steps)

    # I expect the same one by sys.settrace
    assert by_monitoring == by_settrace


def _partings(traveller: Traveller, failure: BaseException | None) -> list[Any]:
    return [str(failure), len(traveller.trail), Runs(traveller).parting(), traveller.notes]


def test_code_that_sets_a_trace_function_has_it(tmp_path: Path) -> None:
    file = tmp_path / "main.py"
    file.write_text(TRACES)

    # When a function traces a part of itself
    failure, steps, parting, notes = in_a_worker(file, "traces", _partings)

    # I expect its own events, and either all steps or a word on those that there are not
    assert failure == "(4, True)"
    assert parting is None
    if sys.version_info >= (3, 12):
        assert (steps, notes) == (10, [])
    else:
        assert any("a trace function of its own" in note for note in notes)


@monitored
def test_code_that_uses_sys_monitoring_is_not_disturbed(tmp_path: Path) -> None:
    file = tmp_path / "main.py"
    file.write_text(COVERS)

    # When a function does what coverage tools do
    failure, steps, parting, notes = in_a_worker(file, "covers", _partings)

    # I expect its own events, and all steps
    assert failure == "(4, True)"
    assert steps >= 12
    assert parting is None
    assert notes == []


def test_calls_in_a_session_are_no_steps(tmp_path: Path) -> None:
    # When somebody calls code of the application at a step and at the failure, and steps through a call
    lines = [
        "p factorial(4)",
        "rs",
        "p factorial(5)",
        "debug factorial(2)",
        "s",
        "s",
        "q",
        "p factorial(3)",
        "rs",
    ]
    shown = in_a_worker(WINDING, "classes", talked(lines))

    # I expect the values, and the session to be where it was
    assert "24\n" in shown
    assert "120\n" in shown
    assert "6\n" in shown
    assert "ENTERING RECURSIVE DEBUGGER" in shown
    assert "***" not in shown

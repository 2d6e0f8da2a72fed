"""Breakpoints and logpoints in the engine: workers are told, each hit is judged once, and they go."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from engine_fakes import FakeWorker
from relive_base.errors import NotFound, Refused, UsageError
from relive_base.wire.messages import CallResult, Done, PointHit, Points
from relive_platform.engine.pointing import PointWanted, check_point

from tests.unit.engine.test_engine import House, answer

CODE = """
def handler(event, context):
    total = (
        event["total"]
    )
    # nothing
    return total
"""

LOADED = """\
class Cart:
    kind = "cart"
    sizes = [
        len(one)
        for one in ("a", "b")
    ]

    @property
    def total(self):
        return 3  # runs

later = (lambda: 3)  # runs

def handler(event, context):
    class Inner:  # runs
        kind = event  # runs
    return [one for one in event]  # runs
"""


def wanted(**fields: Any) -> PointWanted:
    return PointWanted(**({"function": "f", "file": "main.py", "line": 7, "text": "x"} | fields))


def told(worker: FakeWorker) -> list[list[int]]:
    """The numbers of the points that a worker was told of, each time."""
    return [[point.number for point in one.points] for one in worker.sent if isinstance(one, Points)]


def ends(worker: FakeWorker) -> None:
    """Its invocation ends well."""
    answer(worker, done=Done(invocation_id=worker.invoked()[-1]))


async def test_a_worker_is_told_once_and_each_hit_is_judged(tmp_path: Path) -> None:
    # Given a function with a logpoint for two hits
    house = House(tmp_path)
    runtime = house.deploy()
    number = house.engine.arm_point(wanted(count=2, for_s=60.0))["number"]
    house.submit()
    [worker] = runtime.workers
    worker.gets_ready()
    # When its invocation passes it three times
    ident = worker.invoked()[-1]
    for call in (1, 2, 3):
        worker.says(PointHit(call_id=call, number=number, invocation_id=ident))
    # I expect two of them to be meant, and the next invocation's worker to hear that it is gone
    judged = [one.ok for one in worker.sent if isinstance(one, CallResult)]
    assert judged == [True, True, False]
    assert house.engine.points() == []
    ends(worker)
    house.submit()
    assert told(worker) == [[number], []]
    ends(worker)
    house.submit()
    assert len(told(worker)) == 2


async def test_an_event_that_was_held_passes_all_breakpoints_when_it_is_tried_again(tmp_path: Path) -> None:
    # Given three breakpoints, and an event that was held at the first
    house = House(tmp_path)
    runtime = house.deploy()
    first, second, third = (
        house.engine.arm_point(wanted(text=None, line=line))["number"] for line in (3, 4, 5)
    )

    def meant(attempt: int, number: int, ident: str = "a" * 32) -> bool:
        house.submit(invocation_id=ident, attempt=attempt)
        worker = runtime.workers[-1]
        if not worker.invoked():
            worker.gets_ready()
        worker.says(PointHit(call_id=1, number=number, invocation_id=ident))
        judged = [one.ok for one in worker.sent if isinstance(one, CallResult)][-1]
        ends(worker)
        return judged

    # When it is tried again, another one comes, and somebody has it tried from the beginning
    held = [meant(1, first), meant(2, second), meant(3, second)]
    other = meant(1, second, "b" * 32)
    anew = meant(1, third)
    # I expect the further tries alone to pass
    assert held == [True, False, False]
    assert (other, anew) == (True, True)
    assert house.engine.points() == []


async def test_they_go_after_their_time_and_are_removed(tmp_path: Path) -> None:
    house = House(tmp_path)
    house.deploy()
    first = house.engine.arm_point(wanted(for_s=10.0))
    second = house.engine.arm_point(wanted(for_s=100.0))
    house.time.passes(11.0)

    assert [row["number"] for row in house.engine.points()] == [second["number"]]
    assert house.engine.remove_point(second["number"])["kind"] == "logpoint"
    with pytest.raises(NotFound):
        house.engine.remove_point(first["number"])


async def test_a_version_that_is_replaced_has_none_any_more(tmp_path: Path) -> None:
    # Given a version with a logpoint and a breakpoint, and an invocation that runs in it
    house = House(tmp_path)
    runtime = house.deploy()
    number = house.engine.arm_point(wanted(for_s=60.0))["number"]
    house.engine.arm_point(wanted(text=None, for_s=60.0))
    house.submit()
    [worker] = runtime.workers
    worker.gets_ready()
    # When another version is deployed, and the invocation passes the line
    house.deploy(version=2)
    worker.says(PointHit(call_id=1, number=number, invocation_id=worker.invoked()[-1]))
    # I expect it to pass, and none to be listed
    assert [one.ok for one in worker.sent if isinstance(one, CallResult)] == [False]
    assert house.engine.points() == []
    with pytest.raises(NotFound):
        house.engine.remove_point(number)


async def test_what_cannot_be_held_is_refused(tmp_path: Path) -> None:
    house = House(tmp_path)
    house.deploy("service", kind="service")
    house.deploy()
    with pytest.raises(Refused, match="beside each other"):
        house.engine.arm_point(wanted(function="service", text=None))
    with pytest.raises(Refused, match="RELIVE_FROZEN_WORKERS"):
        house.engine.arm_point(wanted(text=None, count=3))
    for _ in range(10):
        house.engine.arm_point(wanted())
    with pytest.raises(Refused, match="10 points"):
        house.engine.arm_point(wanted())


def test_what_has_run_when_the_module_was_loaded_is_no_point(tmp_path: Path) -> None:
    # Given a module with a class, a comprehension, and functions that have those, too
    (tmp_path / "main.py").write_text(LOADED)
    lines = LOADED.splitlines()
    # When each line is asked for
    fits = []
    for number, _ in enumerate(lines, 1):
        with suppress(NotFound):
            check_point(wanted(line=number), tmp_path)
            fits.append(number)
    # I expect just those that an invocation may come to
    assert fits == [number for number, line in enumerate(lines, 1) if line.endswith("# runs")]


@pytest.mark.parametrize(
    ("fields", "why"),
    [
        ({"line": 6}, "line 6 of main.py does not run"),
        ({"line": 2}, "line 2 of main.py does not run"),
        ({"file": "../main.py"}, "no file"),
        ({"file": "main"}, "no file"),
        ({"file": ""}, "names no file"),
        ({"file": "."}, "names no file"),
        ({"file": "**/["}, "no file"),
        ({"text": "{total"}, "f-string"),
        ({"text": ""}, "says something"),
        ({"condition": "a = 1"}, "no expression"),
        ({"text": "x" * 1_001}, "1,000 is the limit"),
        ({"count": 10_001}, "from 1 to 10,000"),
        ({"for_s": float("nan")}, "at most"),
        ({"for_s": 0.0}, "more than 0 s and at most 86,400 s, not 0 s"),
        ({"text": None, "answer": "{"}, "not JSON"),
    ],
    ids=str,
)
def test_what_is_no_point_says_why(tmp_path: Path, fields: dict[str, Any], why: str) -> None:
    (tmp_path / "main.py").write_text(CODE)
    check_point(wanted(), tmp_path)

    with pytest.raises((NotFound, UsageError), match=why):
        check_point(wanted(**fields), tmp_path)

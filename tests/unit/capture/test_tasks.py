"""Tasks of asyncio and trio, greenlets: where they stood, and with what they failed."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest
from conftest import caught
from fresh_process import in_a_fresh_process
from relive_base.wire.messages import FunctionSpec, Scene
from relive_capture.model import TaskView
from relive_capture.record import Moment, capture_exception, capture_moment


class NoStock(Exception):
    def __init__(self, *, sku: str) -> None:
        self.sku = sku

    def __str__(self) -> str:
        return f"no stock of {self.sku}"


async def _fails(sku: str) -> None:
    raise NoStock(sku=sku)


async def _waits(wanted: int) -> None:
    await asyncio.sleep(60 + wanted)


def _spec(tmp_path: Path) -> FunctionSpec:
    """A function whose own code is this file."""
    return FunctionSpec(
        name="shop", version=1, handler="a:b", source=str(tmp_path), in_app=[str(Path(__file__).parent)]
    )


@pytest.fixture
def spec(tmp_path: Path) -> FunctionSpec:
    return _spec(tmp_path)


@pytest.fixture(autouse=True)
def no_tasks_of_other_tests() -> None:
    """At most 50 tasks are shown, those that wait before those that have ended."""
    for name in ("_all_tasks", "_scheduled_tasks"):  # Python 3.11; from 3.12 on
        if (registry := getattr(asyncio.tasks, name, None)) is not None:
            registry.clear()


def tasks_of(moment: Moment | Scene | None) -> dict[str, TaskView]:
    assert moment is not None
    views = msgspec.json.decode(moment.members["tasks.json"], type=list[TaskView])
    return {view.name: view for view in views}


def test_a_failed_task_has_its_message_and_its_frames(spec: FunctionSpec) -> None:
    # Given a loop in which one task has failed unseen while another one waits
    async def main() -> Moment | None:
        tasks = [
            asyncio.create_task(_fails("A1"), name="fails"),
            asyncio.create_task(_waits(1), name="waits"),
        ]
        await asyncio.sleep(0)
        moment = capture_moment(spec)  # as a timeout does
        tasks[1].cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        return moment

    # When a timeout strikes
    found = tasks_of(asyncio.run(main()))
    # Then the failed one is told with what Python prints, at the line that raised
    failed = found["fails"]
    assert (failed.state, failed.message) == ("failed", "no stock of A1")
    assert failed.error.endswith("NoStock")
    assert failed.frames[-1].function == "_fails"
    assert dict(failed.frames[-1].locals)["sku"].text == "'A1'"
    assert next(iter(found)) == "fails"
    assert failed.unseen
    assert (found["waits"].state, found["waits"].kind) == ("pending", "task")


def test_a_task_whose_error_was_taken_is_not_unseen(spec: FunctionSpec) -> None:
    async def main() -> Moment | None:
        task = asyncio.create_task(_fails("A1"), name="taken")
        await asyncio.gather(task, return_exceptions=True)
        return capture_moment(spec)

    assert not tasks_of(asyncio.run(main()))["taken"].unseen


def test_a_task_whose_error_is_the_scenes_own_is_not_beside_it(spec: FunctionSpec) -> None:
    loop = asyncio.new_event_loop()
    try:
        error = caught(loop.run_until_complete, _fails("A1"))
        scene = capture_exception(error, kind="exception", spec=spec, invocation_id="i")
    finally:
        loop.close()
    assert "tasks.json" not in scene.members


@in_a_fresh_process
def test_trio_tasks_are_shown(tmp_path: Path) -> None:
    import trio

    spec = _spec(tmp_path)
    moments: list[Moment | None] = []

    async def child(wanted: int) -> None:
        await trio.sleep(60)

    async def main() -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(child, 7)
            await trio.lowlevel.checkpoint()
            moments.append(capture_moment(spec))
            nursery.cancel_scope.cancel()

    trio.run(main)
    found = [view for name, view in tasks_of(moments[0]).items() if name.endswith("child")]
    assert [(view.kind, view.state) for view in found] == [("trio task", "pending")]
    assert dict(found[0].frames[0].locals)["wanted"].text == "7"


@in_a_fresh_process
def test_greenlets_are_shown(tmp_path: Path) -> None:
    import greenlet

    spec = _spec(tmp_path)
    main = greenlet.getcurrent()

    def child(wanted: int) -> None:
        main.switch()

    one = greenlet.greenlet(child)
    one.switch(7)
    found = [
        view
        for view in tasks_of(capture_moment(spec)).values()
        if view.frames and view.frames[-1].function.endswith("child")
    ]
    one.switch()
    assert [(view.kind, view.state) for view in found] == [("greenlet", "pending")]


LOOKS = """
import gc
import greenlet
from relive_base.wire.messages import FunctionSpec
from relive_capture.record import capture_moment

spec = FunctionSpec(name="shop", version=1, handler="a:b", source="/nowhere")
looks, objects = [], gc.get_objects
gc.get_objects = lambda: looks.append(1) or objects()
capture_moment(spec)
print(len(looks))
greenlet.getcurrent()
capture_moment(spec)
print(len(looks))
"""


def test_memory_is_looked_through_for_greenlets_only_where_one_was_used() -> None:
    # Given the library loaded, as HTTP clients and telemetry load it: no look; then one is used: a look
    done = subprocess.run([sys.executable, "-c", LOOKS], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["0", "1"]

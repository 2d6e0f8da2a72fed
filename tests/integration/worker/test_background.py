"""Failures that no caller sees: of threads and tasks, beside an invocation that succeeds or fails."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec
import pytest
from relive_base.wire.messages import LogLine, Logs
from worker_harness import Outcome, ZygoteHandle, zygote

CODE = '''
import asyncio, gc, sys, threading, time

def thread(event, context):
    def price(orders):
        return sum(order["price"] for order in orders)
    worker = threading.Thread(target=price, args=([{"price": 1}, {"sku": 2}],), name="pricer")
    if event == "own hook":
        threading.excepthook = lambda hook: print("my hook saw", hook.exc_type.__name__, hook.thread.name)
    worker.start()
    worker.join()
    if event == "fail":
        raise ValueError("after")
    return "ok"

async def task(event, context):
    async def ship(order):
        await asyncio.sleep(0)
        return order["address"]
    async def wait(lock):
        async with lock:
            pass
    if event == "own handler":
        asyncio.get_running_loop().set_exception_handler(lambda loop, found: print("mine", found["message"]))
    lock = asyncio.Lock()
    await lock.acquire()
    shipping = asyncio.create_task(ship({"id": 3}), name="shipping")
    waiting = asyncio.create_task(wait(lock), name="waiter")
    await asyncio.sleep(0.01)
    del shipping
    if event == "fail":
        raise ValueError("after")
    return "ok"

def runs(event, context):
    async def numbers():
        await asyncio.sleep(100)
        yield 1
    async def eat(menu):
        async for _ in numbers():
            pass
    async def main():
        eater = asyncio.create_task(eat("soup"), name="eater")
        await asyncio.sleep(100)
    asyncio.run(main())

def waits(event, context):
    begun, done = threading.Event(), threading.Event()
    def serve(port):
        begun.set()
        done.wait()
    threading.Thread(target=serve, args=(8125,), name="server", daemon=True).start()
    begun.wait()
    raise ValueError("with a thread beside it")

class Loud(threading.Thread):
    """A thread whose own code must not run in a capture."""
    @property
    def name(self):
        raise AssertionError("asked for its name")
    def __repr__(self):
        raise AssertionError("asked for its repr")
    def run(self):
        raise SystemExit(3) if CALM else KeyError("loud")

CALM = False

def loud(event, context):
    global CALM
    CALM = event == "calm"
    worker = Loud()
    worker.start()
    worker.join()
    return "ok"

def secret(event, context):
    def work():
        password = "hunter2-hunter2"
        return {}["order"]
    worker = threading.Thread(target=work, name="leaky")
    worker.start()
    worker.join()
    return "ok"
'''


@pytest.fixture(scope="module")
def forker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ZygoteHandle]:
    with zygote(tmp_path_factory.mktemp("background")) as running:
        yield running


def run(forker: ZygoteHandle, handler: str, event: object = None, **fields: Any) -> Outcome:
    worker = forker.worker(CODE, handler=f"main:{handler}", **fields)
    try:
        return worker.invoke(event)
    finally:
        worker.stop()


def member(outcome: Outcome, name: str) -> Any:
    assert outcome.scene is not None
    return msgspec.json.decode(outcome.scene.members[name])


def lines(outcome: Outcome) -> list[LogLine]:
    return [line for frame in outcome.frames if isinstance(frame, Logs) for line in frame.lines]


@pytest.mark.parametrize(
    ("handler", "name", "error"), [("thread", "pricer", "KeyError"), ("task", "shipping", "KeyError")]
)
def test_an_invocation_that_succeeds_has_a_scene_of_what_failed_beside_it(
    forker: ZygoteHandle, handler: str, name: str, error: str
) -> None:
    # When a thread or a task fails and the handler does not mind
    outcome = run(forker, handler)

    # I expect the invocation to be fine, and a scene with the frames and locals of what failed
    assert outcome.value == "ok"
    assert outcome.scene is not None
    assert (outcome.scene.error.kind, outcome.scene.error.type) == ("background", error)
    (view,) = member(outcome, "background.json")
    assert (view["name"], view["invocation_id"]) == (name, outcome.result.invocation_id)
    frame = view["exceptions"][0]["frames"][-1]
    assert frame["file"] == "main.py"
    assert frame["locals"]

    # ... one line at ERROR with the traceback
    (told,) = [line for line in lines(outcome) if line.severity == "ERROR"]
    assert "KeyError" in told.attributes["exception.stacktrace"]


def test_what_failed_beside_a_failure_is_part_of_its_scene(forker: ZygoteHandle) -> None:
    for handler, name in (("thread", "pricer"), ("task", "shipping")):
        outcome = run(forker, handler, "fail")

        assert outcome.result.error is not None
        assert outcome.result.error.type == "ValueError"
        assert [view["name"] for view in member(outcome, "background.json")] == [name]


def test_python_prints_a_threads_traceback_as_ever(forker: ZygoteHandle) -> None:
    printed = [line.body for line in lines(run(forker, "thread")) if line.source == "stderr"]

    assert printed[:2] == ["Exception in thread pricer:", "Traceback (most recent call last):"]
    assert printed[-1] == "KeyError: 'price'"


def test_the_users_own_hook_and_handler_run(forker: ZygoteHandle) -> None:
    thread = run(forker, "thread", "own hook")
    task = run(forker, "task", "own handler")

    assert "my hook saw KeyError pricer" in thread.lines
    assert "mine Task exception was never retrieved" in task.lines
    for outcome in (thread, task):
        assert outcome.scene is not None
        assert outcome.scene.error.kind == "background"
        assert any("KeyError" in line.body for line in lines(outcome) if line.severity == "ERROR")


def test_no_code_of_a_thread_runs_and_its_exit_is_no_failure(forker: ZygoteHandle) -> None:
    outcome = run(forker, "loud")
    assert member(outcome, "background.json")[0]["exceptions"][0]["type"] == "KeyError"

    assert run(forker, "loud", "calm").scene is None


def test_the_tasks_that_wait_are_shown_where_they_wait(forker: ZygoteHandle) -> None:
    tasks = {task["name"]: task for task in member(run(forker, "task", "fail"), "tasks.json")}

    assert tasks["waiter"]["state"] == "pending"
    assert [frame["function"].rpartition(".")[2] for frame in tasks["waiter"]["frames"]][-1] == "acquire"
    assert dict(tasks["waiter"]["frames"][0]["locals"])["lock"]["type"] == "asyncio.locks.Lock"


def test_a_timeout_shows_the_tasks_as_they_were_though_asyncio_run_ends_them(forker: ZygoteHandle) -> None:
    tasks = {task["name"]: task for task in member(run(forker, "runs", timeout_s=3.0), "tasks.json")}

    # the async generator is behind a step that only the collector sees through
    functions = [frame["function"].rpartition(".")[2] for frame in tasks["eater"]["frames"]]
    assert functions == ["eat", "numbers", "sleep"]
    assert dict(tasks["eater"]["frames"][0]["locals"])["menu"]["text"] == "'soup'"


def test_other_threads_have_the_locals_of_the_users_own_frames(forker: ZygoteHandle) -> None:
    (thread,) = member(run(forker, "waits"), "threads.json")

    assert thread["name"] == "server"
    own = [frame for frame in thread["frames"] if frame.get("in_app")]
    assert dict(own[-1]["locals"])["port"]["text"] == "8125"
    assert not any(frame.get("locals") for frame in thread["frames"] if not frame.get("in_app"))


def test_a_secret_of_what_failed_beside_the_handler_is_taken_out(forker: ZygoteHandle) -> None:
    outcome = run(forker, "secret")

    assert outcome.scene is not None
    assert outcome.result.status == "ok"
    assert outcome.scene.redactions
    assert not any(b"hunter2" in content for content in outcome.scene.members.values())


def test_a_worker_in_which_something_fails_each_time_does_not_grow(forker: ZygoteHandle) -> None:
    # When a thread with a secret fails in every one of many invocations of one process
    worker = forker.worker(CODE, handler="main:secret")
    try:
        *_, last = [worker.invoke(number).scene for number in range(12)]
    finally:
        worker.stop()

    # I expect the last scene to list the places of what it has, each once
    assert last is not None
    assert len(last.redactions) == len(set(last.redactions))


def test_a_scene_of_the_background_begins_with_what_it_is_of(forker: ZygoteHandle) -> None:
    # Given a process in which a thread has failed before
    worker = forker.worker(CODE, handler="main:thread")
    try:
        worker.invoke("")
        # When one fails in the next invocation
        outcome = worker.invoke("")
    finally:
        worker.stop()
    # I expect its scene to begin with the one of its own invocation, and to have the other one behind it
    own, before = member(outcome, "background.json")
    assert own["invocation_id"] == outcome.result.invocation_id
    assert before["invocation_id"] != outcome.result.invocation_id

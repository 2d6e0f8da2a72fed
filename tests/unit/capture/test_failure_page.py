"""What `relive failure` prints of an exception, and of what went on beside it."""

from __future__ import annotations

import asyncio
import subprocess
import threading
from collections.abc import Callable
from functools import partial
from pathlib import Path
from types import ModuleType

import msgspec
import pydantic
import pytest
from conftest import caught
from fresh_process import in_a_fresh_process
from relive_base.records import InvocationRecord
from relive_base.wire.messages import FunctionSpec, LogLine, Scene
from relive_capture.explore.parts import SceneInput, render_text, to_json, write_scene
from relive_capture.explore.scene import SceneFile, read_scene
from relive_capture.record import capture_exception, capture_moment

_INVOCATION = "0192b0a0-0000-7000-8000-000000000007"
Load = Callable[..., ModuleType]


def opened(folder: Path, scene: Scene, kind: str = "exception", logs: tuple[LogLine, ...] = ()) -> SceneFile:
    """An archive of a scene, read back."""
    record = InvocationRecord(
        invocation_id=_INVOCATION,
        trace_id="a" * 32,
        span_id="b" * 16,
        function="shop",
        version=3,
        trigger_span_id="c" * 16,
        status="error",
    )
    scene.error.kind = kind
    write_scene(folder / "a.scene", SceneInput(record=record, scene=scene, event=b"{}", logs=logs))
    return read_scene(folder / "a.scene")


@pytest.fixture
def page(tmp_path: Path) -> Callable[..., SceneFile]:
    """The same, in a folder of the test's."""
    return partial(opened, tmp_path)


def taken(error: BaseException, spec: FunctionSpec, **options: object) -> Scene:
    return capture_exception(error, kind="exception", spec=spec, invocation_id="i", **options)  # type: ignore[arg-type]


class Order(pydantic.BaseModel):
    sku: str
    count: int


class ApiError(Exception):
    def __init__(self, *, status: int, body: object) -> None:
        self.status, self.body = status, body


def test_a_message_has_all_its_lines(spec: FunctionSpec, page: Callable[..., SceneFile]) -> None:
    error = caught(lambda: Order.model_validate({"count": "many"}))

    text = render_text(page(taken(error, spec)), width=100)

    lines = text.splitlines()
    assert lines[0] == "✖ pydantic_core._pydantic_core.ValidationError: 2 validation errors for Order"
    assert "  sku" in lines
    assert "    Field required [type=missing, input_value={'count': 'many'}, input_type=dict]" in lines
    assert "count  Input should be a valid integer, unable to parse string" in text


def test_details_and_attributes_are_on_the_page(spec: FunctionSpec, page: Callable[..., SceneFile]) -> None:
    command = ["sh", "-c", "echo one; echo bad header >&2; exit 3"]
    error = caught(lambda: subprocess.run(command, check=True, capture_output=True, text=True))
    found = page(taken(error, spec))
    text = render_text(found)
    assert "exit status  3" in text
    assert "stderr       bad header" in text
    shown = dict(to_json(found)["exception"][0]["details"])
    assert (shown["exit status"], shown["stdout"]) == ("3", "one")

    error = caught(lambda: (_ for _ in ()).throw(ApiError(status=409, body={"reason": "shipped"})))
    text = render_text(page(taken(error, spec)))
    assert "Attributes of ApiError\n  status = 409\n  body = {'reason': 'shipped'}" in text


def test_a_syntax_error_is_on_the_page_as_python_prints_it(
    spec: FunctionSpec, load: Load, page: Callable[..., SceneFile]
) -> None:
    (Path(spec.source) / "plugin.py").write_text("def f(:\n    pass\n")
    app = load("import importlib.util\ndef handler(path):\n    compile(open(path).read(), path, 'exec')\n")
    scene = taken(caught(app.handler, str(Path(spec.source) / "plugin.py")), spec)

    text = render_text(page(scene))

    assert text.startswith(
        '✖ SyntaxError: invalid syntax\n    File "plugin.py", line 1\n      def f(:\n            ^\n'
    )
    assert (scene.error.file, scene.error.line) == ("plugin.py", 1)


def test_a_group_shows_its_first_member_in_full(
    spec: FunctionSpec, load: Load, page: Callable[..., SceneFile]
) -> None:
    app = load(
        "def one(sku):\n    raise ValueError(f'no {sku}')\n"
        "def handler(skus):\n"
        "    found = []\n"
        "    for sku in skus:\n"
        "        try:\n            one(sku)\n"
        "        except ValueError as error:\n            found.append(error)\n"
        "    raise ExceptionGroup('several', found)\n"
    )

    text = render_text(page(taken(caught(app.handler, ["A1", "B2"]), spec)))

    assert "✖ ExceptionGroup: several (2 sub-exceptions)" in text
    assert "the first in the group: ValueError: no A1" in text
    assert "app.py:2 in one" in text
    assert "in the group ValueError: no B2" in text


def test_what_failed_behind_a_timeout_comes_first(spec: FunctionSpec, page: Callable[..., SceneFile]) -> None:
    # Given a timeout while a task has failed unseen, and another one waits
    async def fails(sku: str) -> None:
        raise ApiError(status=409, body=sku)

    async def main() -> Scene:
        tasks = [asyncio.create_task(fails("A1"), name="pricing")]
        tasks.append(asyncio.create_task(asyncio.sleep(60), name="waits"))
        await asyncio.sleep(0)
        moment = capture_moment(spec)
        tasks[1].cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        return taken(TimeoutError("shop ran longer than its 3 s"), spec, moment=moment)

    # When it is shown
    text = render_text(page(asyncio.run(main()), kind="timeout"))
    # Then the failure is right below the headline, and where the others stood further down
    assert text.index("Failed beside it") < text.index("exception in task pricing:") < text.index("Event")
    assert "ApiError" in text[: text.index("Event")]
    assert "task waits" in text[text.index("Tasks") :]


def test_what_failed_in_an_earlier_invocation_is_not_said_to_have_failed_beside_it(
    spec: FunctionSpec, page: Callable[..., SceneFile]
) -> None:
    # Given a process in which a thread failed beside this invocation, and another in an earlier one
    scene = taken(ValueError("late"), spec)
    scene.members["background.json"] = msgspec.json.encode(
        [
            {
                "origin": "thread",
                "name": name,
                "happened_ns": 1,
                "invocation_id": invocation_id,
                "message": f"exception in thread {name}: KeyError: 'price'",
            }
            for name, invocation_id in (("old", "an-earlier-one"), ("new", _INVOCATION))
        ]
    )
    # When it is shown
    text = render_text(page(scene))
    # I expect each to be where it belongs, and the earlier invocation to be named
    beside, before = text.index("Failed beside it"), text.index("Failed in this process before")
    assert beside < text.index("thread new") < before < text.index("thread old")
    assert "in invocation an-earlier-one" in text[before:]


@in_a_fresh_process  # others have left threads
def test_the_json_has_tasks_and_threads(tmp_path: Path) -> None:
    spec = FunctionSpec(name="shop", version=3, handler="app:handler", source=str(tmp_path))
    stop = threading.Event()
    thread = threading.Thread(target=stop.wait, name="writer")
    thread.start()
    try:
        found = to_json(opened(tmp_path, taken(ValueError("x"), spec)))
    finally:
        stop.set()
        thread.join()
    assert found["tasks"] == []
    assert [entry["name"] for entry in found["threads"]] == ["writer"]
    assert msgspec.json.encode(found)

"""Scenes of failures: chains, groups, recursion, kinds, places, fingerprints."""

from __future__ import annotations

import contextlib
import decimal
import gc
import importlib
import inspect
import os
import sys
import threading
import weakref
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import msgspec
import pytest
from conftest import caught
from relive_base.redaction.memory import SecretMemory
from relive_base.redaction.redactor import Redactor
from relive_base.wire.messages import FunctionSpec, Scene
from relive_capture.model import ExceptionView, FrameView, ResultView, ThreadView, every_exception
from relive_capture.record import Budget, capture_exception, capture_frames, find_unserialisable
from relive_runtime.adapters.results import encode_result, limit_size

Load = Callable[..., ModuleType]
Capture = Callable[..., Scene]
Views = Callable[[Scene], list[ExceptionView]]

CART = """
def price(item):
    unit = 3
    return unit * item["sku"]

def handler(event):
    return sum(price(item) for item in event["items"])
"""
CHAIN = """
def inner():
    raise KeyError("sku")

def middle():
    try:
        inner()
    except KeyError as error:
        raise ValueError("no such item") from error

def handler():
    try:
        middle()
    except ValueError:
        raise RuntimeError("checkout failed")

def quiet():
    try:
        inner()
    except KeyError:
        raise ValueError("hidden") from None

def group():
    found = []
    for text in ("1", "x", "y"):
        try:
            int(text)
        except ValueError as error:
            error.add_note(f"text was {text}")
            found.append(error)
    raise ExceptionGroup("bad numbers", found)

def group_of_chains():
    found = []
    for text in ("x", "y"):
        try:
            try:
                inner()
            except KeyError as error:
                raise ValueError(text) from error
        except ValueError as error:
            found.append(error)
    try:
        raise ExceptionGroup("nested", found[1:])
    except ExceptionGroup as error:
        nested = error
    try:
        raise OSError("late") from nested
    except OSError as error:
        raise ExceptionGroup("all", [found[0], error]) from found[0]

def cycle():
    a, b = ValueError("a"), ValueError("b")
    a.__cause__, b.__cause__ = b, a
    raise a
"""


def test_the_root_line_its_locals_and_its_source_are_there(
    load: Load, capture: Capture, innermost: Callable[[Scene], FrameView]
) -> None:
    app = load(CART)

    scene = capture(app.handler, {"items": [{"id": 7}]})
    frame = innermost(scene)

    assert (scene.error.type, scene.error.message) == ("KeyError", "'sku'")
    assert (scene.error.file, scene.error.line, scene.error.function) == ("app.py", 4, "price")
    assert (frame.line, frame.end_line, frame.in_app, frame.module) == (4, 4, True, "app")
    assert frame.source[4 - frame.source_first_line][frame.column : frame.end_column] == 'item["sku"]'
    assert {name: node.text for name, node in frame.locals} == {"item": "{'id': 7}", "unit": "3"}
    assert scene.members["source/app.py"].decode() == CART
    assert scene.parts["exception"].state == "ok"
    assert "heap" not in scene.parts  # a snapshot is taken later, and added to the archive


def test_causes_and_contexts_follow_the_raised_one(load: Load, capture: Capture, views: Views) -> None:
    found = views(capture(load(CHAIN).handler))

    assert [(view.type, view.relation) for view in found] == [
        ("RuntimeError", ""),
        ("ValueError", "context"),
        ("KeyError", "cause"),
    ]


def test_a_suppressed_context_is_kept_and_marked(load: Load, capture: Capture, views: Views) -> None:
    found = views(capture(load(CHAIN).quiet))

    assert found[0].suppressed
    assert found[1].type == "KeyError"


def test_a_group_has_its_members_with_notes(load: Load, capture: Capture, views: Views) -> None:
    view = views(capture(load(CHAIN).group))[0]

    assert view.message == "bad numbers (2 sub-exceptions)"
    assert [member.notes for member in view.group] == [["text was x"], ["text was y"]]
    assert view.group[0].frames[-1].function == "group"


def test_members_of_a_group_have_what_they_were_raised_from(
    load: Load, capture: Capture, views: Views
) -> None:
    # Given a group that was raised from one of its members, and a member whose cause is a group
    scene = capture(load(CHAIN).group_of_chains)
    raised, *rest = views(scene)
    first, second = raised.group

    # I expect each exception once, with its frames and locals, below what was raised from it
    assert [view.type for view in rest] == []
    assert [(view.type, view.relation) for view in first.chain] == [("KeyError", "cause")]
    assert [(view.type, view.relation) for view in second.chain] == [("ExceptionGroup", "cause")]
    assert [view.type for view in second.chain[0].group] == ["ValueError"]
    assert [view.type for view in second.chain[0].group[0].chain] == ["KeyError"]
    assert first.chain[0].frames[-1].function == "inner"
    assert [depth for _, depth in every_exception([raised])] == [0, 1, 1, 1, 1, 2, 2]
    assert scene.parts["exception"].state == "ok"

    # ... and the traceback as Python prints it: the cause before what it caused, in the group's box
    text = scene.error.traceback
    assert text.index("  | KeyError: 'sku'") < text.index("direct cause") < text.index("  | ValueError: x")


def test_what_members_were_raised_from_takes_nobodys_place(
    load: Load, capture: Capture, views: Views
) -> None:
    scene = capture(load(CHAIN).group_of_chains, budget=Budget(exceptions=5))
    found = [view.type for view, _ in every_exception(views(scene))]

    # I expect the members first, then as many of their causes as there is room for, and to be told
    assert found == ["ExceptionGroup", "ValueError", "KeyError", "OSError", "ExceptionGroup"]
    assert scene.parts["exception"].reason == "only 5 exceptions of the chain and its groups are kept"


def test_a_chain_that_bites_its_tail_ends(load: Load, capture: Capture, views: Views) -> None:
    assert [view.message for view in views(capture(load(CHAIN).cycle))] == ["a", "b"]


def test_recursion_keeps_both_ends_and_says_what_is_left_out(
    load: Load, capture: Capture, views: Views
) -> None:
    app = load("def handler(n=0):\n    return handler(n + 1)\n")

    scene = capture(app.handler)
    view = views(scene)[0]

    assert scene.error.kind == "recursion"
    assert len(view.frames) == 100
    assert view.frames_cut > 100
    assert view.frames_cut_at == 50
    assert "left out" in scene.parts["exception"].reason
    assert len(scene.error.traceback) <= 16_000
    # ... and the traceback to be as short as Python's
    assert scene.error.traceback.count("in handler") == 6
    assert scene.error.traceback.count("[Previous line repeated 4") == 2
    assert f"  … {view.frames_cut} frames left out …\n" in scene.error.traceback


def test_frames_that_take_turns_are_all_in_the_traceback(load: Load, capture: Capture) -> None:
    app = load(
        "def even(n):\n    return odd(n - 1)\n\ndef odd(n):\n    return 1 / n if n < 2 else even(n - 1)\n"
    )

    text = capture(lambda: app.even(9)).error.traceback

    assert "Previous line" not in text
    assert (text.count("in even"), text.count("in odd")) == (5, 5)


def test_the_traceback_reads_like_pythons(load: Load, capture: Capture) -> None:
    text = capture(load(CHAIN).middle).error.traceback

    assert text.index("KeyError: 'sku'") < text.index("direct cause") < text.index("ValueError: no such item")
    assert 'File "app.py", line 3, in inner' in text


def test_the_fingerprint_survives_other_lines_messages_and_folders(
    spec: FunctionSpec, load: Load, capture: Capture
) -> None:
    first = capture(load(CART).handler, {"items": [{"id": 7}]}).error.fingerprint
    moved = capture(load("# a new line\n" * 5 + CART).handler, {"items": [{"other": 1}]}).error.fingerprint
    elsewhere = capture(load(CART.replace("price", "cost")).handler, {"items": [{}]}).error.fingerprint

    assert first == moved
    assert first != elsewhere


def test_the_fingerprint_of_recursion_does_not_depend_on_its_depth(load: Load, capture: Capture) -> None:
    app = load("def handler(n):\n    if n == 0:\n        raise ValueError\n    handler(n - 1)\n")

    assert capture(app.handler, 3).error.fingerprint == capture(app.handler, 30).error.fingerprint


def called_from(file: str, function: Callable[..., object]) -> BaseException:
    """What `function` raises, called by code in `file`."""
    namespace: dict[str, Any] = {}
    exec(compile("def call(f, e):\n    return f(e)\n", file, "exec"), namespace)  # noqa: S102
    return caught(namespace["call"], function, {"items": [{}]})


@pytest.mark.parametrize("package", ["relive_runtime", "relive_capture", "relive"])
def test_frames_of_the_platform_are_dropped_at_the_outer_end(
    spec: FunctionSpec, load: Load, package: str
) -> None:
    folder = os.path.dirname(importlib.import_module(package).__file__ or "")
    error = called_from(os.path.join(folder, "worker", "main.py"), load(CART).handler)

    scene = capture_exception(error, kind="exception", spec=spec, invocation_id="i")

    view = msgspec.json.decode(scene.members["exception.json"], type=list[ExceptionView])[0]
    assert [frame.function for frame in view.frames] == ["handler", "handler.<locals>.<genexpr>", "price"]


@pytest.mark.parametrize("path", ["relive/x.py", "relive_runtime/worker/main.py", "importlib/x.py"])
def test_frames_in_folders_that_are_called_like_relives_stay(
    spec: FunctionSpec, load: Load, tmp_path: Path, path: str
) -> None:
    error = called_from(str(tmp_path / "somewhere" / path), load(CART).handler)

    scene = capture_exception(error, kind="exception", spec=spec, invocation_id="i")

    view = msgspec.json.decode(scene.members["exception.json"], type=list[ExceptionView])[0]
    assert view.frames[1].function == "call"


def test_an_interrupted_stack_is_captured_without_an_exception(
    spec: FunctionSpec, load: Load, views: Views
) -> None:
    app = load("import sys\n\ndef handler():\n    waiting_for = 'lock'\n    return sys._getframe()\n")
    frame = app.handler()

    scene = capture_frames(frame, kind="timeout", spec=spec, invocation_id="i", message="after 3.0 s")

    view = views(scene)[0]
    assert (scene.error.kind, scene.error.type, view.relation) == ("timeout", "Timeout", "signal")
    assert ("waiting_for", "'lock'") in [(name, node.text) for name, node in view.frames[-1].locals]
    assert scene.error.function == "handler"


def test_a_comprehension_that_is_not_over_is_captured(load: Load, spec: FunctionSpec, views: Views) -> None:
    # Given a function that is stopped in a comprehension; a generator closes over the variable of another one
    app = load(
        "def handler(look):\n    rows = [{'sku': 'A-1'}]\n    found = [look(row) for row in rows]\n"
        "    return found, [row for row in rows if any(row is one for one in rows)]\n"
    )

    # When its frames are captured
    def look(_row: object) -> Scene:
        frame = sys._getframe(1)
        return capture_frames(frame, kind="timeout", spec=spec, invocation_id="i", message="after 3.0 s")

    (scene,), _ = app.handler(look)

    # I expect the row that it is at
    shown = dict(views(scene)[0].frames[-1].locals)
    assert [node.text for _, node in shown["row"].children] == ["'A-1'"]


def test_a_bad_result_says_where_it_is_bad(spec: FunctionSpec) -> None:
    result = {"items": [{"ok": 1}, {"when": threading.Lock()}]}
    error = TypeError("Object of type lock is not JSON serializable")

    scene = capture_exception(error, kind="bad_result", spec=spec, invocation_id="i", result=result)

    view = msgspec.json.decode(scene.members["result.json"], type=ResultView)
    assert view.path == 'result["items"][1]["when"]'
    assert "lock" in view.reason
    assert scene.error.kind == "bad_result"


def test_the_place_that_the_encoder_found_is_the_one_in_the_scene(spec: FunctionSpec) -> None:
    result = {"headers": {"bad name": "1"}, "body": b"fine there"}

    scene = capture_exception(
        ValueError("no header"),
        kind="bad_result",
        spec=spec,
        invocation_id="i",
        result=result,
        place=("", ""),
    )

    view = msgspec.json.decode(scene.members["result.json"], type=ResultView)
    assert (view.path, view.reason) == ("", "")


def test_results_that_are_bad_for_the_same_reason_are_one_group(spec: FunctionSpec) -> None:
    def group(result: object) -> str:
        error = caught(lambda: limit_size(len(encode_result(result)), 5))
        return capture_exception(
            error, kind="bad_result", spec=spec, invocation_id="i", result=result
        ).error.fingerprint

    of_a_lock = group({"items": [{"when": threading.Lock()}]})
    assert group([threading.Lock(), 7]) == of_a_lock
    assert len({of_a_lock, group([{1}]), group(float("nan")), group("too large")}) == 4


@pytest.mark.parametrize(
    ("value", "path"),
    [
        ({"a": float("nan")}, 'result["a"]'),
        ({(1, 2): 1}, "result"),
        (["\ud800"], "result[0]"),
        (b"x", "result"),
        ({"a": [1, "b", None, True, 1.5]}, ""),
    ],
)
def test_the_first_value_that_json_cannot_hold_is_found(value: object, path: str) -> None:
    assert find_unserialisable(value)[0] == path


def test_a_result_that_contains_itself_is_found() -> None:
    value: dict[str, Any] = {}
    value["self"] = value

    assert find_unserialisable(value) == ('result["self"]', "a reference to one of its own parents")


def test_other_threads_are_there_with_frames_and_without_locals(spec: FunctionSpec) -> None:
    started, leave = threading.Event(), threading.Event()

    def wait() -> None:
        started.set()
        leave.wait()

    thread = threading.Thread(target=wait, name="background")
    thread.start()
    started.wait()
    try:
        scene = capture_exception(ValueError(), kind="exception", spec=spec, invocation_id="i")
    finally:
        leave.set()
        thread.join()

    found = msgspec.json.decode(scene.members["threads.json"], type=list[ThreadView])
    background = next(view for view in found if view.name == "background")
    assert "wait" in [frame.function.split(".")[-1] for frame in background.frames]
    assert all(not frame.locals for frame in background.frames)


def test_the_environment_has_names_and_no_secret_value(
    spec: FunctionSpec, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SHOP_API_KEY", "v3ry-s3cr3t")

    scene = capture_exception(ValueError(), kind="exception", spec=spec, invocation_id="i")

    environment = msgspec.json.decode(scene.members["environment.json"])
    assert "SHOP_API_KEY" in environment["variables"]
    assert environment["python"] == sys.version.split()[0]
    assert all(b"v3ry-s3cr3t" not in data for data in scene.members.values())
    assert "environment.SHOP_API_KEY" in scene.redactions


def test_what_captures_share_follows_the_process(
    load: Load, capture: Capture, views: Views, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given captures before a module is loaded and a variable is set
    app = load("def handler(value):\n    raise ValueError(1)\n")
    with monkeypatch.context() as without:
        without.delitem(sys.modules, "decimal")
        first = capture(app.handler, decimal.Decimal("1.5"))
    # When both are there
    monkeypatch.setenv("SHOP_STAGE_NAME", "blue")
    second = capture(app.handler, decimal.Decimal("1.5"))
    # Then the next capture knows
    before, after = (msgspec.json.decode(one.members["environment.json"]) for one in (first, second))
    assert "SHOP_STAGE_NAME" not in before["variables"]
    assert "SHOP_STAGE_NAME" in after["variables"]
    shown = [dict(views(one)[0].frames[-1].locals)["value"].text for one in (first, second)]
    assert shown[0] != "Decimal('1.5')"
    assert shown[1] == "Decimal('1.5')"


def test_a_capture_keeps_nothing_of_the_users_alive(spec: FunctionSpec) -> None:
    # Given a failure with an object of the user's among its locals, and no collector
    class Connection:
        pass

    def fail() -> None:
        connection = Connection()
        alive.append(weakref.ref(connection))
        raise ValueError(connection)

    alive: list[weakref.ref[Connection]] = []
    gc.collect()
    gc.disable()
    try:
        error: BaseException | None = caught(fail)
        # When it is captured and forgotten
        assert error is not None
        scene = capture_exception(error, kind="exception", spec=spec, invocation_id="i")
        error = None
        # Then the object is gone, without the collector
        assert scene.members
        assert alive[0]() is None
    finally:
        gc.enable()


def test_a_secret_in_the_users_code_leaves_the_source(load: Load, capture: Capture) -> None:
    app = load('KEY = "abc"\n\ndef handler():\n    password = "hunter2"\n    raise ValueError(password)\n')

    scene = capture(app.handler)

    assert all(b"hunter2" not in data for name, data in scene.members.items() if name.startswith("source/"))
    assert b'"text":"[redacted]"' in scene.members["exception.json"]


def test_a_spent_budget_is_said_and_the_users_innermost_frame_comes_first(
    load: Load, capture: Capture, views: Views
) -> None:
    app = load(
        "def handler(n):\n    data = ['x' * 100] * 9\n    n and handler(n - 1)\n    raise ValueError\n"
    )

    scene = capture(app.handler, 40, budget=Budget(total_bytes=20_000))
    frames = views(scene)[0].frames

    assert scene.parts["exception"].state == "partial"
    assert "20000 bytes" in scene.parts["exception"].reason
    assert "values are not shown in full" in scene.parts["exception"].reason
    assert all([name for name, _ in frame.locals] == ["n", "data"] for frame in frames if frame.in_app)
    assert dict(frames[-1].locals)["data"].children
    assert (dict(frames[2].locals)["data"].children, dict(frames[2].locals)["data"].more) == ([], 9)
    assert len(scene.members["exception.json"]) < 60_000


def test_own_frames_come_before_attributes_and_libraries(load: Load, capture: Capture, views: Views) -> None:
    app = load(
        "import json\n"
        "class Odd(Exception):\n    pass\n"
        "def inner(value):\n    region = 'west'\n    error = Odd('no')\n"
        "    error.rows = list(map(str, range(9000)))\n"
        "    raise error\n"
        "def handler():\n    order = {'id': 4711, 'lines': [{'sku': 'mug'}]}\n"
        "    json.loads('[1]', object_hook=None, parse_int=inner)\n"
    )

    scene = capture(app.handler, budget=Budget(cpu_ns=0, least_bytes=0))
    view = views(scene)[0]
    own = [frame for frame in view.frames if frame.in_app]

    assert [[name for name, _ in frame.locals] for frame in own] == [["order"], ["value", "region", "error"]]
    assert [(name, node.more) for name, node in view.attributes] == [("rows", 9000)]
    assert not any(frame.locals for frame in view.frames if not frame.in_app)
    assert "frames of libraries have no locals" in scene.parts["exception"].reason


def test_a_small_scene_is_whole_where_the_time_is_over_before_it_began(
    load: Load, capture: Capture, views: Views
) -> None:
    # Given a small failure
    app = load("import json\ndef handler():\n    order = {'id': [4711]}\n    json.loads('{')\n")

    # When something else has used up the CPU time of its capture
    scene = capture(app.handler, budget=Budget(cpu_ns=0))
    view = views(scene)[0]

    # I expect everything, of libraries too
    assert scene.parts["exception"].state == "ok"
    assert [bool(frame.locals) for frame in view.frames] == [True] * len(view.frames)

    # Given no time beyond that
    scene = capture(app.handler, budget=Budget(cpu_ns=0, most_cpu_ns=0))

    # I expect the cut, and its reason
    assert "the CPU limit of 0 ms was reached" in scene.parts["exception"].reason


def test_more_locals_than_a_frame_may_have_are_counted(load: Load, capture: Capture, views: Views) -> None:
    lines = "".join(f"    x{number} = {number}\n" for number in range(700))
    app = load(f"def handler():\n{lines}    raise ValueError\n")

    scene = capture(app.handler)
    frame = views(scene)[0].frames[-1]

    assert (len(frame.locals), frame.locals_more) == (500, 200)
    assert "200 locals are left out" in scene.parts["exception"].reason


def test_a_failure_of_the_capture_itself_still_gives_a_scene(spec: FunctionSpec) -> None:
    broken: Any = Budget(frames="none")  # type: ignore[arg-type]

    scene = capture_exception(ValueError("x"), kind="exception", spec=spec, invocation_id="i", budget=broken)

    assert scene.error.type == "ValueError"
    assert "TypeError" in scene.parts["exception"].reason


def test_an_error_in_the_import_of_the_users_module_begins_in_it(
    spec: FunctionSpec, load: Load, capture: Capture, views: Views
) -> None:
    scene = capture(load, "import json\nx = json.loads('{')\n", kind="init")

    assert scene.error.kind == "init"
    assert scene.error.type == "json.decoder.JSONDecodeError"
    assert (scene.error.file, scene.error.line) == ("app.py", 2)


def test_no_collection_runs_during_the_capture_and_it_is_on_again_afterwards(spec: FunctionSpec) -> None:
    def fail(level: int) -> None:
        data = [{"number": [number]} for number in range(20)]
        if level:
            fail(level - 1)
        raise ValueError(len(data))

    phases: list[str] = []
    threshold = gc.get_threshold()
    gc.collect()
    gc.callbacks.append(lambda phase, info: phases.append(sys._getframe(1).f_code.co_filename))
    gc.set_threshold(20)
    try:
        fail(5)
    except ValueError as error:
        capture_exception(error, kind="exception", spec=spec, invocation_id="i")
    finally:
        gc.set_threshold(*threshold)
        gc.callbacks.pop()

    # one may come before the capture has begun or after it has ended, none from the walk itself
    assert [file for file in phases if file.endswith(("walker.py", "messages.py", "surroundings.py"))] == []
    assert gc.isenabled()


def test_a_function_that_says_so_leaves_no_values(spec: FunctionSpec, load: Load, views: Views) -> None:
    # Given a function with capture = "off" that fails with secrets in locals, attributes and its result
    app = load(
        "class Refused(Exception):\n"
        "    def __init__(self, patient):\n"
        "        super().__init__('refused')\n"
        "        self.patient = patient\n"
        "def handler(patient):\n"
        "    raise Refused(patient)\n"
    )
    quiet = msgspec.structs.replace(spec, capture="off")
    # When its failure is captured
    patient = " ".join(["Jane", "Roe"])  # the source lines of this test are in the scene
    with pytest.raises(app.Refused) as caught:
        app.handler(patient)
    scene = capture_exception(caught.value, kind="bad_result", spec=quiet, invocation_id="i", result=patient)
    # Then type, place and source lines are there, and none of the values
    root = views(scene)[0]
    assert (root.type, root.frames[-1].line) == ("Refused", 6)
    assert root.frames[-1].source
    assert not any(patient.encode() in member for member in scene.members.values())
    assert scene.parts["exception"].state == "partial"
    assert "capture" in scene.parts["result"].reason


def test_a_capture_that_runs_out_of_stack_is_tried_again_without_values(spec: FunctionSpec) -> None:
    # Given a failure with a nested value, captured with less and less of the stack left
    value: object = 1
    for _ in range(3):
        value = {"inner": [value]}
    try:
        value["missing"]  # type: ignore[index]
    except (KeyError, TypeError) as found:
        error = found
    depth = len(inspect.stack(0))

    def captured(left: int) -> Scene:
        def down(frames: int) -> Scene:
            if frames:
                return down(frames - 1)
            return capture_exception(error, kind="exception", spec=spec, invocation_id="i")

        return down(sys.getrecursionlimit() - depth - left)

    scenes = []
    for left in range(8, 80):
        with contextlib.suppress(RecursionError):  # not even room to begin
            scenes.append(captured(left))

    # I expect the error's type from each, and from some the frames alone, with the reason
    assert all(scene.error.type == "KeyError" for scene in scenes)
    reasons = [scene.parts["exception"].reason for scene in scenes]
    assert any("RecursionError; tried again without values" in reason for reason in reasons)
    assert scenes[-1].parts["exception"].state == "ok"


EXECUTED = """
import collections, dataclasses

def rule(order):
    exec("def weigh(order):\\n    grams = 3\\n    return order['grams']\\nweigh(order)", {"order": order})

def named(order):
    exec(compile("order['parcel']", "<rule 7>", "exec"))

@dataclasses.dataclass
class Parcel:
    grams: int
    labels: list = dataclasses.field(default_factory=lambda: {}["labels"])

def made(order):
    return Parcel(3)
"""


@pytest.mark.parametrize(
    ("function", "frames"),
    [
        ("rule", [("app.py", "rule"), ("<string>", "<module>"), ("<string>", "weigh")]),
        ("named", [("app.py", "named"), ("<rule 7>", "<module>")]),
        ("made", [("app.py", "made"), ("app.py", "Parcel.<lambda>")]),
    ],
)
def test_what_exec_runs_is_the_functions_own_and_what_a_library_generates_is_not(
    function: str, frames: list[tuple[str, str]], capture: Any, views: Any, load: Any
) -> None:
    # Given code that is in no file, and whose text nobody has kept
    app = load(EXECUTED)

    # When it fails
    (view, *_) = views(capture(getattr(app, function), {}))

    # I expect its frames among the user's own, with their locals, and none that dataclasses made
    assert [(frame.file, frame.function) for frame in view.frames if frame.in_app] == frames
    if function == "rule":
        assert dict(view.frames[-1].locals)["grams"].text == "3"
        assert view.frames[-1].line == 3


@pytest.mark.parametrize("pure", [False, True])
def test_a_secret_that_the_limits_cut_is_hidden_in_the_message_all_the_same(
    load: Load, capture: Capture, views: Views, monkeypatch: pytest.MonkeyPatch, pure: bool
) -> None:
    # Given secrets under telling names: in a dict, in an object's settings and behind many other entries
    monkeypatch.setenv("RELIVE_PURE_PYTHON", "1" if pure else "")
    app = load(
        "class Client:\n    def __init__(self):\n        self.options = {'encryptionkey': 'ZZSECOND2'}\n"
        "class Odd(dict):\n    def __bool__(self):\n        raise SystemExit\n"
        "def handler():\n    h = {'encryptionkey': 'ZZTOPSECRET'}\n    client = Client()\n"
        "    many = {f'k{n}': n for n in range(40)} | {'password': 'ZZTHIRD33'}\n"
        "    odd = Odd(api_key='ZZFOURTH4')\n"
        "    raise ValueError(h['encryptionkey'] + ', ZZSECOND2, ZZTHIRD33, ZZFOURTH4')\n"
    )

    # When there is no time to walk any of them
    scene = capture(app.handler, budget=Budget(cpu_ns=0, least_bytes=0))

    # I expect each of them to be known, so that what hides them in the whole scene finds them in the message
    assert dict(views(scene)[0].frames[-1].locals)["h"].children == []
    assert {"ZZTOPSECRET", "ZZSECOND2", "ZZTHIRD33", "ZZFOURTH4"} <= set(scene.secrets)
    clean = Redactor().remembering(SecretMemory(scene.secrets))
    assert clean.text(scene.error.message) == ", ".join(["[redacted]"] * 4)


def test_a_password_in_a_command_line_and_no_authentication(
    load: Load, capture: Capture, views: Views
) -> None:
    app = load(
        "def handler():\n    run = ['mysql', '-u', 'bob', '-phunter2X']\n    auth = 'none'\n"
        "    raise ValueError('hunter2X')\n"
    )

    scene = capture(app.handler)
    shown = dict(views(scene)[0].frames[-1].locals)

    assert shown["auth"].text == "'none'"
    assert shown["run"].text == "['mysql', '-u', 'bob', [redacted]]"
    assert "hunter2X" in scene.secrets


def test_a_secret_in_a_librarys_frame_that_is_not_shown_is_known(
    load: Load, capture: Capture, views: Views
) -> None:
    app = load(
        "import json\n"
        "def handler():\n"
        "    inner = {'encryptionkey': 'ZZINNER22'}\n"
        "    json.dumps({}, default=None, cls=None, api_token='ZZLIBRARY1', options=inner)\n"
    )

    # Given a failure below a library's frames whose locals hold secrets, and no time
    scene = capture(app.handler, budget=Budget(cpu_ns=0, least_bytes=0))

    # I expect these frames without locals, and the secrets known all the same
    assert not any(frame.locals for frame in views(scene)[0].frames if not frame.in_app)
    assert {"ZZLIBRARY1", "ZZINNER22"} <= set(scene.secrets)

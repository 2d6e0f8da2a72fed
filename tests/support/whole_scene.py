"""A scene that has everything a scene can have, from a real failure."""

from __future__ import annotations

import importlib.util
from pathlib import Path

from relive_base.records import InvocationRecord
from relive_base.wire.messages import FunctionSpec, HttpRequest, LogLine, Profile, SpanData, StackFrames
from relive_capture.explore.parts import HealthyEvent, SceneInput, write_scene
from relive_capture.record import capture_exception

__all__ = ["write_whole_scene"]

INVOCATION = "01932c5e-7b1a-7c3d-8e4f-0123456789ab"
PROGRAM = """
class Item:
    def __init__(self, sku):
        self.sku = sku

def price(item, prices):
    cart = [item, item]
    big = {"a": [1, 2, {"b": (1, "x" * 300)}], b"k": {1, 2}}
    return prices[item.sku]

def handler(event):
    prices = {"x": 1}
    try:
        return [price(Item(sku), prices) for sku in event]
    except KeyError as error:
        error.add_note("a note")
        inner = ExceptionGroup("inner", [OSError(2, "no", "f")])
        raise ExceptionGroup("many", [ValueError("x", {"a": 1}), inner]) from error
"""


def write_whole_scene(folder: Path) -> Path:
    """Fail in a module in `folder`, and write the scene beside it."""
    module_path = folder / "whole_app.py"
    module_path.write_text(PROGRAM)
    spec = importlib.util.spec_from_file_location("whole_app", module_path)
    assert spec is not None
    assert spec.loader is not None
    app = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(app)
    function = FunctionSpec(name="shop", version=3, handler="whole_app:handler", source=str(folder))
    try:
        app.handler(["a", "b"])
    except BaseExceptionGroup as error:
        frames = capture_exception(
            error, kind="exception", spec=function, invocation_id=INVOCATION, result={"a": {1}}
        )
    target = folder / f"{INVOCATION}-1.scene"
    write_scene(target, _input(frames))
    return target


def _input(frames: object) -> SceneInput:
    record = InvocationRecord(
        invocation_id=INVOCATION,
        function="shop",
        version=3,
        trace_id="4b" * 16,
        span_id="ab" * 8,
        trigger_span_id="cd" * 8,
        status="error",
    )
    before = HttpRequest("POST", "/cart", "a=2", [("host", "h")], b'{"items": []}')
    return SceneInput(
        record=record,
        scene=frames,  # type: ignore[arg-type]
        http=HttpRequest("POST", "/cart", "a=1", [("host", "h")], b'{"items": [1, {"a": null}]}'),
        logs=[LogLine(1, "INFO", "hello", attributes={"a": "b"}), LogLine(2, "ERROR", "bad")],
        spans=[SpanData("4b" * 16, "ef" * 8, "ab" * 8, "load", "Internal", 1, 2, attributes={"db": "x"})],
        profiles=[Profile(invocation_id=INVOCATION, stack_hashes=[1], counts=[2], wall_ns=[3], cpu_ns=[4])],
        stacks={1: StackFrames(1, ["handler", "price"], ["whole_app.py"] * 2, [12, 9])},
        healthy=HealthyEvent("01932c5e", 5, "http", b"", before),
    )

"""A function's code folder, and what is captured from it."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import msgspec
import pytest
from relive_base.wire.messages import FunctionSpec, Scene
from relive_capture.model import ExceptionView, FrameView
from relive_capture.record import Budget, capture_exception

sys.path.insert(0, str(Path(__file__).parent))


@pytest.fixture
def spec(tmp_path: Path) -> FunctionSpec:
    """A function version whose code lies in a folder of its own."""
    source = tmp_path / "code"
    source.mkdir()
    return FunctionSpec(name="shop", version=3, handler="app:handler", source=str(source), code_hash="c0de")


@pytest.fixture
def load(spec: FunctionSpec) -> Callable[..., ModuleType]:
    """Write a module into the function's folder and import it."""

    def load(text: str, name: str = "app") -> ModuleType:
        path = Path(spec.source) / f"{name}.py"
        path.write_text(text)
        found = importlib.util.spec_from_file_location(name, path)
        assert found is not None
        assert found.loader is not None
        module = importlib.util.module_from_spec(found)
        found.loader.exec_module(module)
        return module

    return load


def caught(action: Callable[..., object], *arguments: object) -> BaseException:
    """What `action` raises."""
    try:
        action(*arguments)
    except BaseException as error:
        return error
    raise AssertionError("the action did not fail")


@pytest.fixture
def capture(spec: FunctionSpec) -> Callable[..., Scene]:
    """The scene of what an action raises."""

    def capture(
        action: Callable[..., object],
        *arguments: object,
        kind: str = "exception",
        budget: Budget | None = None,
    ) -> Scene:
        return capture_exception(
            caught(action, *arguments), kind=kind, spec=spec, invocation_id="inv-1", budget=budget
        )

    return capture


@pytest.fixture
def views() -> Callable[[Scene], list[ExceptionView]]:
    """The exceptions of a scene frame."""
    return lambda scene: msgspec.json.decode(scene.members["exception.json"], type=list[ExceptionView])


@pytest.fixture
def innermost(views: Callable[[Scene], list[ExceptionView]]) -> Callable[[Scene], FrameView]:
    """The innermost frame of a scene frame's raised exception."""
    return lambda scene: views(scene)[0].frames[-1]

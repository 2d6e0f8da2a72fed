"""Which globals earlier invocations have changed is known from marks, not from copies."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from relive_base.wire.messages import FunctionSpec
from relive_capture.record.module_marks import ModuleMarks

SOURCE = """
from functools import lru_cache
CACHE, SEEN, LIMIT, NAMES, TABLE = {}, 0, 10, [], {"a": 1}
class Client:
    def __init__(self):
        self.token = None
CLIENT = Client()
@lru_cache
def rate(country):
    return 1
def handler(event, context):
    pass
"""


@pytest.fixture
def module(tmp_path: Path) -> Iterator[Any]:
    (tmp_path / "marked_app.py").write_text(SOURCE)
    sys.path.insert(0, str(tmp_path))
    try:
        yield importlib.import_module("marked_app")
    finally:
        sys.path.remove(str(tmp_path))
        sys.modules.pop("marked_app", None)


def marks_of(module: Any) -> ModuleMarks:
    marks = ModuleMarks(
        FunctionSpec(
            name="f", version=1, handler="marked_app:handler", source=str(Path(module.__file__).parent)
        )
    )
    marks.loaded()
    return marks


def test_what_the_failed_invocation_itself_changes_is_not_told(module: Any) -> None:
    marks = marks_of(module)

    marks.begin()
    module.CACHE["a"] = module.SEEN = 1

    assert marks.left() == []


def test_each_way_to_leave_something_is_seen(module: Any) -> None:
    # Given a fresh worker
    marks = marks_of(module)

    # When an invocation binds, adds, replaces, sets an attribute, and fills a cache
    module.SEEN += 1
    module.CACHE["a"] = 1
    module.NAMES.append("x")
    module.TABLE["a"] = 1_000_001
    module.CLIENT.token = "t"
    module.rate("DE")
    module.NEW = []
    del module.LIMIT
    marks.begin()

    # I expect all of them, and nothing else
    assert sorted(name.removeprefix("marked_app.") for name in marks.left()) == [
        "CACHE", "CLIENT", "LIMIT", "NAMES", "NEW", "SEEN", "TABLE", "rate",
    ]  # fmt: skip

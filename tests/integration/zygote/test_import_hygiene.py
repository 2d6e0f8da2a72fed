"""What the record side imports, in a process of its own, and what that costs."""

from __future__ import annotations

from pathlib import Path

import pytest
from import_cost import cost_and_modules, share_of_yardstick
from relive_runtime.folder import build_runtime

LIMIT = 0.85
"""Of the CPU time of the yardstick, some 75 ms where the record side takes 54."""
FORBIDDEN = (
    "asyncio",
    "grpc",
    "chdb",
    "numpy",
    "rich",
    "click",
    "textual",
    "requests",
    "relive_store",
    "relive_platform",
    "werkzeug",
)
RECORD_SIDE = """
import relive_base.wire.messages, relive_base.wire.sink, relive_base.ids
import relive_tracer.record, relive_profiler.record, relive_capture.record
import relive_runtime.worker.main, relive_runtime.zygote.serving
import relive
"""
ALONE = ("-I", "-S")


@pytest.fixture(scope="module")
def runtime(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_runtime(tmp_path_factory.mktemp("home"))


def test_the_record_side_imports_nothing_heavy(runtime: Path, tmp_path: Path) -> None:
    _, modules = cost_and_modules(RECORD_SIDE, tmp_path, ALONE, str(runtime))
    heavy = [name for name in modules if name.split(".")[0] in FORBIDDEN or ".explore" in name]
    assert heavy == []
    rare = ("relive_runtime.points", "relive_runtime.debugger", "relive_runtime.travel")
    assert [name for name in modules if name.startswith(rare)] == []  # loaded when somebody asks for them


def test_the_record_side_is_imported_sooner_than_a_handful_of_the_standard_library(
    runtime: Path, tmp_path: Path
) -> None:
    assert share_of_yardstick(RECORD_SIDE, tmp_path, ALONE, str(runtime), LIMIT) <= LIMIT

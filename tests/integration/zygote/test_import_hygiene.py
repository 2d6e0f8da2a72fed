"""What the record side imports, in a process of its own, and what that costs."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from import_cost import cost_and_modules, share_of_yardstick
from patience import PATIENCE_S
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
    "typing_extensions",
)
RECORD_SIDE = """
from relive_runtime.zygote.lean import begin, end
begin()
import relive_base.wire.messages, relive_base.wire.sink, relive_base.ids
import relive_tracer.record, relive_profiler.record, relive_capture.record
import relive_runtime.worker.main, relive_runtime.zygote.serving
import relive
end()
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


READ_ONLY = """
import msgspec, sys
loaded = "typing_extensions" in sys.modules
from typing_extensions import NamedTuple, NotRequired, ReadOnly, TypedDict
class Order(TypedDict):
    sku: str
    count: "NotRequired[int]"
class Fixed(TypedDict):
    sku: ReadOnly[str]
class Pair(NamedTuple):
    first: Order
    second: "int"
print(loaded)
for value, kind in (
    ({"sku": "ink"}, Order), ({"sku": 3}, Order), ({"sku": "ink"}, Fixed),
    ([{"sku": "ink"}, 1], Pair), ([{}, 1], Pair),
):
    try:
        print(msgspec.convert(value, kind))
    except Exception as error:
        print(repr(error))
"""


def test_a_function_finds_msgspec_as_it_is_elsewhere(runtime: Path) -> None:
    # Given types of typing_extensions, of which some are new in later Pythons
    def ran(program: str) -> list[str]:
        command = [sys.executable, *ALONE, "-c", f"import sys\nsys.path.append({str(runtime)!r})\n{program}"]
        return subprocess.run(
            command, capture_output=True, text=True, check=True, timeout=PATIENCE_S
        ).stdout.split(maxsplit=1)

    # When msgspec was imported as a zygote does it, and as everybody does
    lean = ran(f"{RECORD_SIDE}{READ_ONLY}import gc\nassert gc.isenabled()")
    usual = ran(READ_ONLY)
    # I expect the same answers, and what was not asked for not to be there before
    assert lean[1] == usual[1]
    assert "{'sku': 'ink'}" in usual[1]
    assert (lean[0], usual[0]) == ("False", "True")

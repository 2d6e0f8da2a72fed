"""What must come is waited for with patience: on a busy machine anything may take a minute."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
TESTS = [
    file
    for file in sorted((ROOT / "tests").rglob("*.py"))
    if "failures" not in file.parts and file.parent != Path(__file__).parent  # they fail on purpose
]
WAITS = {"acquire", "communicate", "eventually", "exception", "flush", "join", "result", "settimeout",
         "timeout", "until", "wait", "wait_for"}  # fmt: skip
LEAST_S = 60
RETRIED = {"terminal.py: self.until(text, 10.0)"}  # what is waited for again if it does not come


def impatient(tree: ast.AST) -> Iterator[ast.expr]:
    """Calls that wait for a second and more, but for less than a minute, and what waits as long if nobody
    says how long; less than a second is a wait for what does not come."""
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name in WAITS:
            yield from filter(_short, node.args.defaults)
        if isinstance(node, ast.Call) and any(_short(value) for value in _limits(node)):
            yield node
        if isinstance(node, ast.BinOp) and _is_now(node.left) and _short(node.right):
            yield node


def _is_now(value: ast.expr) -> bool:
    return ast.unparse(value) == "time.monotonic()"


def _limits(call: ast.Call) -> Iterator[ast.expr]:
    name = call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")
    text = isinstance(call.func, ast.Attribute) and isinstance(call.func.value, ast.Constant)
    if name in WAITS and call.args and not text:
        yield call.args[-1]
    for keyword in call.keywords:
        if keyword.arg == "timeout" or (keyword.arg in ("timeout_s", "limit_s") and name in WAITS):
            yield keyword.value


def _short(value: ast.expr) -> bool:
    return (
        isinstance(value, ast.Constant)
        and isinstance(value.value, int | float)
        and 1 <= value.value < LEAST_S
    )


@pytest.mark.parametrize(
    ("code", "found"),
    [
        ("thread.join(5)", True),
        ("await asyncio.wait_for(reader.read(), 10.0)", True),
        ("subprocess.run(command, timeout=30)", True),
        ("end = time.monotonic() + 20", True),
        ("thread.join(120)", False),
        ("assert not done.wait(0.2)", False),
        ("', '.join(words)", False),
        ("def wait_for(condition, seconds=15.0): pass", True),
        ("def until(condition, timeout_s=60.0): pass", False),
    ],
)
def test_what_is_found(code: str, found: bool) -> None:
    assert bool(list(impatient(ast.parse(code.removeprefix("await "))))) == found


def test_no_test_is_impatient() -> None:
    found = [
        f"{file.name}: {ast.unparse(node)}"
        for file in TESTS
        for node in impatient(ast.parse(file.read_text(encoding="utf-8")))
    ]
    assert [line for line in found if line not in RETRIED] == []


def test_no_list_of_health_checks_finds_a_busy_machine_too_slow() -> None:
    # What a test lists takes the place of what the profile in conftest.py lists
    lists = [
        (file.name, ast.unparse(keyword.value))
        for file in TESTS
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call)
        for keyword in node.keywords
        if keyword.arg == "suppress_health_check"
    ]
    assert [found for found in lists if "too_slow" not in found[1] and found[1] != "list(HealthCheck)"] == []

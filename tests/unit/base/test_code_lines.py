"""Instructions that have no line of their own stand where the nearest earlier one does."""

from __future__ import annotations

import sys
from types import CodeType, FunctionType, TracebackType
from typing import Any

import pytest
from relive_base.code_lines import frame_line, line_of, traceback_line

LOOP = """def handler(event):
    total = 0
    for at in range(10):
        total += at
        if at == 99:
            print(at)
    return total
"""


def _compiled() -> CodeType:
    return next(part for part in compile(LOOP, "main.py", "exec").co_consts if isinstance(part, CodeType))


def test_every_instruction_has_a_line() -> None:
    code = _compiled()
    known = {offset: line for start, end, line in code.co_lines() for offset in range(start, end, 2)}
    for offset in range(0, len(code.co_code), 2):
        # all but the jump back, which is the loop's
        assert line_of(code, offset) == (known.get(offset) or 3)


def test_code_without_lines_stands_at_its_first() -> None:
    code = _compiled().replace(co_linetable=b"")
    assert line_of(code, 0) == code.co_firstlineno


@pytest.mark.skipif(sys.version_info >= (3, 12), reason="from 3.12 on the jump back has the line of the loop")
def test_a_frame_at_the_jump_back_of_a_loop() -> None:
    # Given an exception whose traceback stands on an instruction that has no line
    code = _compiled()
    missing = [start for start, _, line in code.co_lines() if line is None and start]
    assert missing
    frame = sys._getframe()
    assert frame_line(frame) == frame.f_lineno
    # I expect the loop, and not the line before it, which has never run
    trace = TracebackType(None, _frame_of(code), missing[-1], 0)
    assert traceback_line(trace) == 3


@pytest.mark.skipif(sys.version_info >= (3, 12), reason="as above")
def test_the_jump_back_of_a_long_loop_has_an_argument_of_several_bytes() -> None:
    body = "".join(f"        total += at + {number}\n" for number in range(2_000))
    text = LOOP.replace("        total += at\n", body)
    code = next(part for part in compile(text, "main.py", "exec").co_consts if isinstance(part, CodeType))
    (missing,) = [start for start, _, line in code.co_lines() if line is None and start]
    assert line_of(code, missing) == 3


def _frame_of(code: CodeType) -> Any:
    found: list[Any] = []

    def watch(frame: Any, event: str, _argument: object) -> None:
        if frame.f_code is code and event == "return":
            found.append(frame)

    namespace = {"range": range, "print": print}
    function = FunctionType(code, namespace)
    sys.setprofile(watch)
    try:
        function({})
    finally:
        sys.setprofile(None)
    return found[0]

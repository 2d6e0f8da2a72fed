"""Where in compiled code a statement begins: once for each time that it runs.

The interpreter comes to the first line of a statement more than once: for what it calls last, at the end of a
`with`, after an `except`. And it may come to another line first: what is assigned is computed before the name
on the first line is bound. So it is not lines that say when a statement begins, but where control comes from.
"""

from __future__ import annotations

import dis
from collections.abc import Iterator
from types import CodeType
from typing import Any, Final

from relive_base.wire.messages import Region, Statement

__all__ = ["is_code_of", "starts"]

_ENDS: Final = frozenset(
    (
        "RETURN_VALUE", "RETURN_CONST", "RAISE_VARARGS", "RERAISE",
        "JUMP_FORWARD", "JUMP_BACKWARD", "JUMP_BACKWARD_NO_INTERRUPT",
    )
)  # fmt: skip
"""After these the next instruction does not run."""
_JUMPS: Final = frozenset((*dis.hasjrel, *dis.hasjabs))
_GIVES: Final = ("LOAD_", "BUILD_", "PUSH_NULL", "NOP", "RETURN_CONST")
"""What an expression begins with. The compiler says of some jumps between the parts of a comprehension, and
of what puts an element into it, that they are of the part that it made last."""
_NOWHERE, _ELSEWHERE, _WITHIN, _OF_IT = range(4)
"""An instruction that belongs to no line; to other code; to a statement within the one; to it."""


def is_code_of(code: CodeType, statement: Statement) -> bool:
    """Whether the statement can be in it."""
    return code.co_firstlineno == statement.first_line and code.co_name == statement.code


def starts(code: CodeType, statement: Statement) -> frozenset[int]:
    """The offsets of instructions with which it begins in `code`; none if it is not there."""
    instructions = list(dis.get_instructions(code))
    kinds = _kinds(instructions, statement)
    before = _before(code, instructions)
    found: set[int] = set()
    for index, instruction in enumerate(instructions):
        if kinds[index] != _OF_IT or not _is_start(index, kinds, before, statement.again):
            continue
        if not statement.part or instruction.opname.startswith(_GIVES):
            found.add(instruction.offset)
        elif any(kinds[one] == _ELSEWHERE for one in _reached(index, kinds, before)):
            kinds[index] = _ELSEWHERE
    return frozenset(found)


def _kinds(instructions: list[dis.Instruction], statement: Statement) -> list[int]:
    resumed = False  # before the first RESUME nothing of the code's own runs
    kinds = []
    for instruction in instructions:
        position: Any = instruction.positions
        if not resumed:
            kinds.append(_ELSEWHERE)
            resumed = instruction.opname == "RESUME"
        elif position is None or position.lineno is None:
            kinds.append(_NOWHERE)
        elif not _has(statement.region, position.lineno, position.col_offset):
            kinds.append(_ELSEWHERE)
        elif any(_has(region, position.lineno, position.col_offset) for region in statement.inside):
            kinds.append(_WITHIN)
        else:
            kinds.append(_OF_IT)
    return kinds


def _has(region: Region, line: int, column: int | None) -> bool:
    """Without a column (PYTHONNODEBUGRANGES) lines alone can say it."""
    first, first_column, last, last_column = region
    if column is None:
        return first <= line <= last
    return (first, first_column) <= (line, column) < (last, last_column)


def _before(code: CodeType, instructions: list[dis.Instruction]) -> list[list[int]]:
    """By index, the instructions that control comes from."""
    index_of = {instruction.offset: index for index, instruction in enumerate(instructions)}
    before: list[list[int]] = [[] for _ in instructions]
    for index, instruction in enumerate(instructions):
        if instruction.opname not in _ENDS and index + 1 < len(instructions):
            before[index + 1].append(index)
        if instruction.opcode in _JUMPS and instruction.argval in index_of:
            before[index_of[instruction.argval]].append(index)
    handled: Any = dis.Bytecode(code).exception_entries  # type: ignore[attr-defined,unused-ignore]
    for entry in handled:
        raising = (index for offset, index in index_of.items() if entry.start <= offset < entry.end)
        before[index_of[entry.target]].extend(raising)
    return before


def _is_start(index: int, kinds: list[int], before: list[list[int]], again: bool) -> bool:
    """Whether control comes to it from outside of the statement; `again`: or from those within it."""
    return any(
        kinds[one] == _ELSEWHERE or (again and kinds[one] == _WITHIN)
        for one in _reached(index, kinds, before)
    )


def _reached(index: int, kinds: list[int], before: list[list[int]]) -> Iterator[int]:
    """Where control comes from, through what belongs to no line."""
    seen = {index}
    waiting = [index]
    while waiting:
        for one in before[waiting.pop()]:
            if one in seen:
                continue
            seen.add(one)
            if kinds[one] == _NOWHERE:
                waiting.append(one)
            else:
                yield one

"""seccomp: system calls that no function needs and that reach beyond its process are refused.

The classic BPF program is assembled once, in the zygote; a worker puts its pid in and hands it to the kernel.
Calls that are allowed whatever their arguments cost nothing: the kernel keeps a bitmap of them.
"""

from __future__ import annotations

import ctypes
import errno
import os
import struct
from collections.abc import Sequence
from typing import Final

from relive_runtime.isolation.calls import CLONE3, NEWEST, REFUSED
from relive_runtime.isolation.rules import (
    ALLOW,
    EQUAL,
    GREATER_EQUAL,
    JUMP,
    LOAD,
    OWN_PID,
    RETURN,
    Instruction,
    argument_rules,
    refuse,
)
from relive_runtime.isolation.syscalls import supported, syscall

__all__ = ["Filter", "assemble", "available", "install", "machine"]

_SET_MODE_FILTER: Final = 1
_GET_ACTION_AVAIL: Final = 2
_FLAG_SPEC_ALLOW: Final = (
    1 << 2
)  # no speculation mitigation: it would slow the user's code, and guards nothing here
_KILL_PROCESS: Final = 0x8000_0000
_AT_NUMBER: Final = 0
_AT_ARCH: Final = 4
_X32_BIT: Final = 0x4000_0000
_ARCHITECTURES: Final = {"x86_64": 0xC000_003E, "aarch64": 0xC000_00B7}
_INSTRUCTION: Final = struct.Struct("=HBBI")
_CONSTANT_AT: Final = 4  # in an instruction


class _Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("instructions", ctypes.c_void_p))


class Filter:
    """A BPF program. `own_pid_at`: the offsets in it where the process's own pid belongs.

    No Struct: zygotes load this before the function's own packages can be found, msgspec among them.
    """

    __slots__ = ("code", "own_pid_at")

    def __init__(self, code: bytes, own_pid_at: tuple[int, ...] = ()) -> None:
        self.code: Final = code
        self.own_pid_at: Final = own_pid_at

    def __len__(self) -> int:
        return len(self.code) // _INSTRUCTION.size

    def with_pid(self, pid: int) -> bytes:
        """The program of the process `pid`; 0: only calls that name the caller by 0 are its own."""
        code = bytearray(self.code)
        for offset in self.own_pid_at:
            struct.pack_into("=I", code, offset, pid)
        return bytes(code)


def machine() -> str:
    """The processor family, as the kernel names it."""
    return os.uname().machine


def _nr_seccomp() -> int:
    return 317 if machine() == "x86_64" else 277


def available() -> bool:
    """Whether the kernel takes filters that answer with an error number."""
    if not supported():
        return False
    try:
        syscall(_nr_seccomp(), _GET_ACTION_AVAIL, 0, ctypes.byref(ctypes.c_uint32(refuse(0))))
    except OSError:
        return False
    return machine() in _ARCHITECTURES


def assemble(family: str, *, unix_sockets: bool = True, but_for: Sequence[str] = ()) -> Filter:
    """The program for `family` ("x86_64" or "aarch64"). Raises KeyError for another one.

    `unix_sockets`: whether the process may make sockets that reach those which others have put into the file
    system. `but_for`: names of REFUSED that are allowed.
    """
    column = 0 if family == "x86_64" else 1
    refused = (pair[column] for name, pair in REFUSED.items() if name not in but_for)
    numbers = sorted(number for number in refused if number >= 0)
    body: list[Instruction] = [
        (LOAD, 0, 0, _AT_ARCH),
        (EQUAL, 1, 0, _ARCHITECTURES[family]),
        (RETURN, 0, 0, _KILL_PROCESS),
        (LOAD, 0, 0, _AT_NUMBER),
    ]
    if column == 0:
        body += [(GREATER_EQUAL, 0, 1, _X32_BIT), (RETURN, 0, 0, refuse(errno.EPERM))]
    body += [(EQUAL, 1, 0, CLONE3), (GREATER_EQUAL, 0, 1, NEWEST + 1), (RETURN, 0, 0, refuse(errno.ENOSYS))]
    body += _any_of(numbers, refuse(errno.EPERM))
    body += argument_rules(column, unix_sockets=unix_sockets)
    body.append((RETURN, 0, 0, ALLOW))
    own_pid_at = tuple(
        index * _INSTRUCTION.size + _CONSTANT_AT
        for index, instruction in enumerate(body)
        if instruction[3] == OWN_PID and instruction[0] == EQUAL
    )
    return Filter(b"".join(_INSTRUCTION.pack(*instruction) for instruction in body), own_pid_at)


def _any_of(numbers: list[int], answer: int) -> list[Instruction]:
    """Compare with each number; most calls are below or above a whole block and jump over it at once."""
    size = 16
    program: list[Instruction] = []
    for start in range(0, len(numbers), size):
        block = numbers[start : start + size]
        # past the block: its comparisons and its return
        program.append((GREATER_EQUAL, 0, len(block) + 3, block[0]))
        program.append((GREATER_EQUAL, len(block) + 2, 0, block[-1] + 1))
        for index, number in enumerate(block):
            program.append((EQUAL, len(block) - index, 0, number))
        program.append((JUMP, 0, 0, 1))
        program.append((RETURN, 0, 0, answer))
    return program


def install(program: Filter, own_pid: int = 0) -> None:
    """Put this process, for good, under `program`. The caller has set no_new_privs. Raises OSError.

    `own_pid`: its pid, which it may then name in calls that take one, as it may name 0.
    """
    code = program.with_pid(own_pid)
    buffer = ctypes.create_string_buffer(code, len(code))
    descriptor = _Program(len(program), ctypes.cast(buffer, ctypes.c_void_p))
    syscall(_nr_seccomp(), _SET_MODE_FILTER, _FLAG_SPEC_ALLOW, ctypes.byref(descriptor))

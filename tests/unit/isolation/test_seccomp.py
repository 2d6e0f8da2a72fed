"""The assembled filter, run by an interpreter of classic BPF."""

from __future__ import annotations

import errno
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st
from relive_platform.isolation.seccomp import DENIED, Filter, assemble

ALLOW = 0x7FFF_0000
EPERM = 0x0005_0000 | errno.EPERM
ENOSYS = 0x0005_0000 | errno.ENOSYS
KILL = 0x8000_0000
ARCH = {"x86_64": 0xC000_003E, "aarch64": 0xC000_00B7}
CLONE = {"x86_64": 56, "aarch64": 220}
CLONE3 = 435


def _run(program: Filter, arch: int, number: int, first_argument: int = 0) -> int:
    memory = {0: number, 4: arch, 16: first_argument & 0xFFFF_FFFF}
    code = list(struct.iter_unpack("=HBBI", program.code))
    at = accumulator = 0
    while True:
        operation, if_true, if_false, value = code[at]
        at += 1
        if operation == 0x06:
            return value
        if operation == 0x20:
            accumulator = memory[value]
        elif operation == 0x05:
            at += value
        else:
            holds = {
                0x15: accumulator == value,
                0x35: accumulator >= value,
                0x45: bool(accumulator & value),
            }[operation]
            at += if_true if holds else if_false


@pytest.mark.parametrize("family", ["x86_64", "aarch64"])
def test_exactly_the_listed_calls_are_denied(family: str) -> None:
    program = assemble(family)
    denied = {pair[0 if family == "x86_64" else 1] for pair in DENIED.values()} - {-1}
    for number in range(600):
        expected = EPERM if number in denied else ENOSYS if number == CLONE3 else ALLOW
        assert _run(program, ARCH[family], number) == expected, number


@pytest.mark.parametrize("family", ["x86_64", "aarch64"])
@given(flags=st.integers(0, 2**32 - 1))
def test_clone_is_denied_only_with_a_new_namespace(family: str, flags: int) -> None:
    answer = _run(assemble(family), ARCH[family], CLONE[family], flags)
    assert answer == (EPERM if flags & 0x7E02_0000 else ALLOW)


def test_other_machines_calls_end_the_process_and_x32_is_denied() -> None:
    program = assemble("x86_64")
    assert _run(program, 0x4000_0003, 1) == KILL
    assert _run(program, ARCH["x86_64"], 0x4000_0000 | 101) == EPERM


def test_a_filter_fits_the_kernels_limit_and_unknown_machines_are_an_error() -> None:
    assert max(len(assemble(family)) for family in ARCH) < 256
    with pytest.raises(KeyError):
        assemble("riscv64")

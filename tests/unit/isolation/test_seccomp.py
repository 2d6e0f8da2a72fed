"""The assembled filter, run by an interpreter of classic BPF."""

from __future__ import annotations

import errno
import re
import struct
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from relive_runtime.isolation.calls import ARGUMENTS, CLONE3, NEWEST, REFUSED
from relive_runtime.isolation.seccomp import Filter, assemble

ALLOW = 0x7FFF_0000
EPERM = 0x0005_0000 | errno.EPERM
ENOSYS = 0x0005_0000 | errno.ENOSYS
KILL = 0x8000_0000
ARCH = {"x86_64": 0xC000_003E, "aarch64": 0xC000_00B7}
EACCES = 0x0005_0000 | errno.EACCES
NO_FAMILY = 0x0005_0000 | errno.EAFNOSUPPORT
FAMILIES = ["x86_64", "aarch64"]
HEADERS = {
    "x86_64": Path("/usr/include/x86_64-linux-gnu/asm/unistd_64.h"),
    "aarch64": Path("/usr/include/asm-generic/unistd.h"),
}
OWN, OTHER = 4242, 4243


def _run(program: Filter, arch: int, number: int, *arguments: int, own: int = OWN) -> int:
    memory = {0: number, 4: arch, **{16 + 8 * index: 0 for index in range(6)}}
    memory |= {16 + 8 * index: value & 0xFFFF_FFFF for index, value in enumerate(arguments)}
    code = list(struct.iter_unpack("=HBBI", program.with_pid(own)))
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


def _number(family: str, name: str) -> int:
    return ({**REFUSED, **ARGUMENTS})[name][FAMILIES.index(family)]


@pytest.mark.parametrize("family", FAMILIES)
def test_exactly_the_listed_calls_are_refused_whatever_their_arguments(family: str) -> None:
    program = assemble(family)
    refused = {_number(family, name) for name in REFUSED} - {-1}
    deciding = {_number(family, name) for name in ARGUMENTS}
    for number in set(range(700)) - deciding:
        expected = EPERM if number in refused else ALLOW
        if number == CLONE3 or number > NEWEST:
            expected = ENOSYS
        assert _run(program, ARCH[family], number) == expected, number


@pytest.mark.parametrize("family", FAMILIES)
def test_the_numbers_are_those_of_the_kernel(family: str) -> None:
    if not HEADERS[family].is_file():
        pytest.skip("the kernel's headers are not installed")
    found = re.findall(r"#define __NR(?:3264)?_(\w+)\s+(\d+)\s*$", HEADERS[family].read_text(), re.MULTILINE)
    known = {name: int(number) for name, number in found} | {"quotactl": _number(family, "quotactl")}
    compared = [name for name in {**REFUSED, **ARGUMENTS} if name in known]
    assert len(compared) > 70
    for name in compared:
        assert _number(family, name) in (known[name], -1), name


PID_CALLS = [
    "prlimit64", "sched_setaffinity", "sched_setscheduler", "sched_setparam", "sched_setattr",
    "get_robust_list", "migrate_pages", "move_pages", "rt_sigqueueinfo", "rt_tgsigqueueinfo",
]  # fmt: skip


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("name", PID_CALLS)
def test_a_call_that_takes_a_pid_is_for_the_caller_itself(family: str, name: str) -> None:
    program, arch, number = assemble(family), ARCH[family], _number(family, name)
    assert _run(program, arch, number, 0) == _run(program, arch, number, OWN) == ALLOW
    for foreign in (OTHER, 1, -1, -OWN, 0x7FFF_7FFF):
        assert _run(program, arch, number, foreign) == EPERM, foreign
    # A filter that knows no pid takes 0 alone
    assert _run(program, arch, number, OWN, own=0) == EPERM


_ARGUMENT_CASES = [
    ("setpriority", (0, 0), ALLOW),
    ("setpriority", (0, OWN), ALLOW),
    ("setpriority", (1, 0), ALLOW),
    ("setpriority", (0, OTHER), EPERM),
    ("setpriority", (1, OTHER), EPERM),
    ("setpriority", (2, 0), EPERM),  # all processes of the user
    ("ioprio_set", (1, 0), ALLOW),
    ("ioprio_set", (2, OWN), ALLOW),
    ("ioprio_set", (1, OTHER), EPERM),
    ("ioprio_set", (3, 0), EPERM),
    ("kill", (OTHER, 15), ALLOW),  # a child: Landlock knows which ones are
    ("kill", (0, 15), ALLOW),
    ("kill", (-1, 15), EPERM),
    ("prctl", (4, 1), ALLOW),
    ("prctl", (4, 0), EPERM),
    ("prctl", (15, 0), ALLOW),
    ("prctl", (62, 1, OTHER), EPERM),
    ("ioctl", (0, 0x5401), ALLOW),
    ("ioctl", (0, 0x5412), EPERM),
    ("ioctl", (0, 0x541C), EPERM),
    ("ioctl", (0, 0x8901), EPERM),
    ("ioctl", (0, 0x8902), EPERM),
    ("fcntl", (0, 3), ALLOW),
    ("fcntl", (0, 8, OWN), ALLOW),
    ("fcntl", (0, 8, OTHER), EPERM),
    ("fcntl", (0, 8, -OTHER), EPERM),
    ("fcntl", (0, 15, 0), EPERM),
    ("personality", (0xFFFF_FFFF,), ALLOW),
    ("personality", (0,), ALLOW),
    ("personality", (0x0040_0000,), EPERM),
    ("socket", (1, 1), ALLOW),
    ("socket", (2, 1), ALLOW),
    ("socket", (10, 2), ALLOW),
    ("socket", (16, 3), ALLOW),
    ("socket", (17, 3), NO_FAMILY),
    ("socket", (38, 5), NO_FAMILY),
    ("socket", (40, 1), NO_FAMILY),
    ("socketpair", (1, 2), ALLOW),
]


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize(("name", "arguments", "answer"), _ARGUMENT_CASES)
def test_an_argument_decides(family: str, name: str, arguments: tuple[int, ...], answer: int) -> None:
    assert _run(assemble(family), ARCH[family], _number(family, name), *arguments) == answer


@pytest.mark.parametrize("family", FAMILIES)
def test_without_unix_sockets_there_are_still_pairs_that_cannot_be_connected_elsewhere(family: str) -> None:
    program, arch = assemble(family, unix_sockets=False), ARCH[family]
    for kind in (1, 2, 5, 1 | 0o2000000):
        assert _run(program, arch, _number(family, "socket"), 1, kind) == EACCES
        assert _run(program, arch, _number(family, "socket"), 2, kind) == ALLOW
    for kind, answer in ((1, ALLOW), (5, ALLOW), (1 | 0o2004000, ALLOW), (2, EACCES), (3, EACCES)):
        assert _run(program, arch, _number(family, "socketpair"), 1, kind) == answer


@pytest.mark.parametrize("family", FAMILIES)
@given(flags=st.integers(0, 2**32 - 1))
def test_clone_is_refused_only_with_a_new_namespace_or_a_foreign_parent(family: str, flags: int) -> None:
    answer = _run(assemble(family), ARCH[family], _number(family, "clone"), flags)
    assert answer == (EPERM if flags & 0x7E02_8000 else ALLOW)


def test_other_machines_calls_end_the_process_and_x32_is_denied() -> None:
    program = assemble("x86_64")
    assert _run(program, 0x4000_0003, 1) == KILL
    assert _run(program, ARCH["x86_64"], 0x4000_0000 | 101) == EPERM


def test_a_filter_fits_the_kernels_limit_and_unknown_machines_are_an_error() -> None:
    assert max(len(assemble(family)) for family in ARCH) < 256
    with pytest.raises(KeyError):
        assemble("riscv64")

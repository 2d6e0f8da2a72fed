"""System calls that an argument decides on, as classic BPF: pieces of the filter that `seccomp` assembles.

Only the low half of an argument is looked at: the kernel takes pids, flags, families and commands as 32 bits
wide, too. Both machines are little-endian.
"""

from __future__ import annotations

import errno
from typing import Final

from relive_runtime.isolation.calls import ARGUMENTS

__all__ = [
    "ALLOW",
    "ANY_BIT",
    "EQUAL",
    "GREATER_EQUAL",
    "JUMP",
    "LOAD",
    "OWN_PID",
    "RETURN",
    "Instruction",
    "argument_rules",
    "refuse",
]

Instruction = tuple[int, int, int, int]
"""Operation, jump if true, jump if false, constant."""

LOAD: Final = 0x20  # BPF_LD | BPF_W | BPF_ABS
JUMP: Final = 0x05
EQUAL: Final = 0x15
GREATER_EQUAL: Final = 0x35
ANY_BIT: Final = 0x45
RETURN: Final = 0x06

ALLOW: Final = 0x7FFF_0000
_REFUSE: Final = 0x0005_0000
_AT_ARGUMENTS: Final = 16
_ARGUMENT_BYTES: Final = 8
_MINUS_ONE: Final = 0xFFFF_FFFF

OWN_PID: Final = 0x7FFF_7FFF
"""Stands for the process's own pid until it is known; far above the highest pid (2^22)."""

_PID_FIRST: Final = (
    "prlimit64", "sched_setaffinity", "sched_setscheduler", "sched_setparam", "sched_setattr",
    "get_robust_list", "migrate_pages", "move_pages", "rt_sigqueueinfo", "rt_tgsigqueueinfo",
)  # fmt: skip
_PRIO_PROCESS_AND_GROUP: Final = (0, 1)  # not PRIO_USER, which is all processes of the user
_IOPRIO_PROCESS_AND_GROUP: Final = (1, 2)

# CLONE_NEWNS, NEWCGROUP, NEWUTS, NEWIPC, NEWUSER, NEWPID, NEWNET; CLONE_PARENT: a child of the zygote's
_CLONE_FLAGS: Final = (
    0x0002_0000 | 0x0200_0000 | 0x0400_0000 | 0x0800_0000 | 0x1000_0000 | 0x2000_0000 | 0x4000_0000
) | 0x8000
_PR_SET_DUMPABLE: Final = 4  # 0 would hide the process from the server, which reads its frames and memory
_PR_SCHED_CORE: Final = 62  # takes a pid
_TERMINAL_AND_OWNER: Final = (0x5412, 0x541C, 0x8901, 0x8902)  # TIOCSTI, TIOCLINUX, FIOSETOWN, SIOCSPGRP
_F_SETOWN: Final = 8  # whom a signal of this descriptor goes to
_F_SETOWN_EX: Final = 15
_AF_UNIX: Final = 1
_FAMILIES: Final = (2, 10, 16)  # INET, INET6, NETLINK (which getaddrinfo asks)
_SOL_SOCKET: Final = 1
_BUFFERS: Final = (7, 8, 32, 33)  # SO_SNDBUF, SO_RCVBUF, and the same with FORCE
_DATAGRAM_BIT: Final = 2  # SOCK_DGRAM, SOCK_RAW: such a socket of a pair can be connected to another one
_PERSONALITIES: Final = (0, 8, 0x2_0000, 0x2_0008, _MINUS_ONE)  # PER_LINUX, PER_LINUX32, UNAME26; asking


def refuse(code: int) -> int:
    """What a filter returns to answer with the error number `code`."""
    return _REFUSE | code


def argument_rules(column: int, *, unix_sockets: bool) -> list[Instruction]:
    """The pieces for one machine (column of the table), one after the other; each is passed by other calls.

    The accumulator holds the call's number before and after each of them.
    """
    no = refuse(errno.EPERM)
    unix = ALLOW if unix_sockets else refuse(errno.EACCES)
    pieces: list[tuple[tuple[str, ...], list[Instruction]]] = [
        (_PID_FIRST, _own(0)),
        (("setpriority",), _whose(_PRIO_PROCESS_AND_GROUP)),
        (("ioprio_set",), _whose(_IOPRIO_PROCESS_AND_GROUP)),
        (("kill",), [*_load(0), *_if_equal((_MINUS_ONE,), no), _allow()]),
        (("clone",), [*_load(0), (ANY_BIT, 0, 1, _CLONE_FLAGS), (RETURN, 0, 0, no), _allow()]),
        (("prctl",), _prctl(no)),
        (("ioctl",), [*_load(1), *_if_equal(_TERMINAL_AND_OWNER, no), _allow()]),
        (("fcntl",), _fcntl(no)),
        (("personality",), [*_load(0), *_if_equal(_PERSONALITIES, ALLOW), (RETURN, 0, 0, no)]),
        (("socket",), _socket(unix)),
        (("setsockopt",), _setsockopt()),
    ]
    if not unix_sockets:
        pair: list[Instruction] = [(ANY_BIT, 0, 1, _DATAGRAM_BIT), (RETURN, 0, 0, unix), _allow()]
        pieces.append((("socketpair",), [*_load(1), *pair]))
    program: list[Instruction] = []
    for names, body in pieces:
        program += _for([ARGUMENTS[name][column] for name in names], body)
    return program


def _for(numbers: list[int], body: list[Instruction]) -> list[Instruction]:
    """`body`, which returns in any case, for these calls; the others jump over it."""
    tests: list[Instruction] = [
        (EQUAL, len(numbers) - index, 0, number) for index, number in enumerate(numbers)
    ]
    return [*tests, (JUMP, 0, 0, len(body)), *body]


def _load(argument: int) -> list[Instruction]:
    return [(LOAD, 0, 0, _AT_ARGUMENTS + _ARGUMENT_BYTES * argument)]


def _allow() -> Instruction:
    return (RETURN, 0, 0, ALLOW)


def _if_equal(values: tuple[int, ...], answer: int) -> list[Instruction]:
    """Return `answer` if the accumulator is one of `values`; on if not."""
    piece: list[Instruction] = []
    for value in values:
        piece += [(EQUAL, 0, 1, value), (RETURN, 0, 0, answer)]
    return piece


def _own(argument: int) -> list[Instruction]:
    """Allowed if the argument is 0 or the own pid."""
    return [*_load(argument), *_if_equal((0, OWN_PID), ALLOW), (RETURN, 0, 0, refuse(errno.EPERM))]


def _whose(kinds: tuple[int, ...]) -> list[Instruction]:
    """Which (process, group, user) and who: the own ones."""
    known: list[Instruction] = [(EQUAL, len(kinds) - index, 0, kind) for index, kind in enumerate(kinds)]
    return [*_load(0), *known, (RETURN, 0, 0, refuse(errno.EPERM)), *_own(1)]


def _prctl(no: int) -> list[Instruction]:
    hide = [*_load(1), *_if_equal((1,), ALLOW), (RETURN, 0, 0, no)]
    return [
        *_load(0),
        *_if_equal((_PR_SCHED_CORE,), no),
        (EQUAL, 0, len(hide), _PR_SET_DUMPABLE),
        *hide,
        _allow(),
    ]


def _fcntl(no: int) -> list[Instruction]:
    own = _own(2)
    return [
        *_load(1), *_if_equal((_F_SETOWN_EX,), no), (EQUAL, 0, len(own), _F_SETOWN), *own, _allow()
    ]  # fmt: skip


def _socket(unix: int) -> list[Instruction]:
    return [
        *_load(0),
        *_if_equal((_AF_UNIX,), unix),
        *_if_equal(_FAMILIES, ALLOW),
        (RETURN, 0, 0, refuse(errno.EAFNOSUPPORT)),
    ]


def _setsockopt() -> list[Instruction]:
    """Buffers keep the kernel's default size: what is in them is memory that no look at a process counts. The
    kernel itself takes a size over its limit for that limit, without a word; so is it here."""
    kept = [*_load(2), *_if_equal(_BUFFERS, refuse(0)), _allow()]
    return [*_load(1), (EQUAL, 1, 0, _SOL_SOCKET), _allow(), *kept]
